"""Z-Image: flow matching, told by Qwen3's last states but one, each caption in its own length. It predicts latents - noise.

Follows diffusers' train_dreambooth_lora_z_image.py. bfloat16 or float32 only: float16 gives NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from diffusers import DiffusionPipeline, ZImagePipeline
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib.models.bases import Base
from lessons_lib.models.families import parts
from lessons_lib.models.families.flux import call, decode, encode_pictures
from lessons_lib.models.families.parts import noise_shape, tokenizer
from lessons_lib.session import Session, precision, quiet

# The VAE and the drawing arguments are FLUX.1's.
__all__ = ["TARGETS", "call", "decode", "encode_pictures", "noise_shape", "tokenizer"]
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")  # attention, the script's own

sample_sigma = parts.logit_normal


def load(base: Base, session: Session) -> ZImagePipeline:
    """Return the ZImagePipeline; on a GPU that has no bfloat16 it is loaded in float32."""
    half = precision(session, base) == torch.float16
    return parts.load(ZImagePipeline, base, replace(session, dtype=torch.float32) if half else session)


@torch.no_grad()
def encode_captions(pipe: DiffusionPipeline, captions: Sequence[str], base: Base) -> dict[str, Tensor]:
    """Return `states` (n, caption_tokens, width of Qwen3), zeros after each caption's end, and `told` (n, caption_tokens), where it lasts."""
    with quiet():
        found, _ = pipe.encode_prompt(list(captions), do_classifier_free_guidance=False,
                                      max_sequence_length=base.caption_tokens)  # fmt: skip
    states = found[0].new_zeros(len(found), base.caption_tokens, found[0].shape[-1])
    told = torch.zeros(states.shape[:2], dtype=torch.bool, device=states.device)
    for number, caption in enumerate(found):
        states[number, : len(caption)] = caption
        told[number, : len(caption)] = True
    return {"states": states, "told": told}


def each_caption(words: dict[str, Tensor]) -> list[Tensor]:
    """Return every caption's states in its own length, as the model and the pipeline take them."""
    return [states[told] for states, told in zip(words["states"], words["told"], strict=True)]


def velocity(
    denoiser: nn.Module, noisy: Tensor, sigma: Tensor, words: dict[str, Tensor], guidance: float = 1.0
) -> Tensor:
    """Return the predicted noise - latents, (n, 16, h, w): the model's answer turned round, as its clock is.

    `guidance` is no number this model knows.
    """
    pictures = list(noisy.unsqueeze(2).unbind())
    made = denoiser(pictures, 1 - sigma, each_caption(words), return_dict=False)[0]
    return -torch.stack(made).squeeze(2)


loss, guess = parts.flow(velocity)


def sample(
    pipe: DiffusionPipeline, words: dict[str, Tensor], nothing: dict[str, Tensor], base: Base, seed: int
) -> Image:
    """Return one picture of words encoded before, guided away from `nothing`."""
    return pipe(prompt_embeds=each_caption(words), negative_prompt_embeds=each_caption(nothing),
                generator=torch.Generator().manual_seed(seed), **call(base, None, None)).images[0]  # fmt: skip
