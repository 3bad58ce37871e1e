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

from lessons_lib.bases import Base
from lessons_lib.families import parts
from lessons_lib.families.flux import call, encode_pictures
from lessons_lib.families.parts import noise_shape, tokenizer
from lessons_lib.session import Session, precision, quiet

__all__ = [
    "TARGETS",
    "call",
    "encode_pictures",
    "noise_shape",
    "tokenizer",
]  # the VAE and the drawing arguments are FLUX.1's
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")  # attention, the script's own

sample_sigma = parts.logit_normal


def load(base: Base, session: Session) -> ZImagePipeline:
    """Return the ZImagePipeline; on a GPU that has no bfloat16 it is loaded in float32."""
    half = precision(session, base) == torch.float16
    return parts.load(ZImagePipeline, base, replace(session, dtype=torch.float32) if half else session)


@torch.no_grad()
def decode(pipe: DiffusionPipeline, latents: Tensor) -> list[Image]:
    """Return the pictures that (n, 16, h, w) latents stand for."""
    vae = pipe.vae
    made = vae.decode((latents / vae.config.scaling_factor + vae.config.shift_factor).to(vae.dtype)).sample
    return pipe.image_processor.postprocess(made)


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


def velocity(denoiser: nn.Module, noisy: Tensor, sigma: Tensor, words: dict[str, Tensor]) -> Tensor:
    """Return the predicted noise - latents, (n, 16, h, w): the model's answer turned round, as its clock is."""
    pictures = list(noisy.unsqueeze(2).unbind())
    made = denoiser(pictures, 1 - sigma, each_caption(words), return_dict=False)[0]
    return -torch.stack(made).squeeze(2)


def loss(
    denoiser: nn.Module, latents: Tensor, words: dict[str, Tensor], noise: Tensor, sigma: Tensor
) -> Tensor:
    """Return the mean squared error of the predicted velocity noise - latents, (n,)."""
    return parts.error(velocity(denoiser, parts.mixed(latents, noise, sigma), sigma, words), noise - latents)


@torch.no_grad()
def guess(
    pipe: DiffusionPipeline, noisy: Tensor, sigma: Tensor, words: dict[str, Tensor], guidance: float = 1.0
) -> Tensor:
    """Return the latents believed to be under the noise, (n, 16, h, w). `guidance` is no number this model knows."""
    return noisy - parts.each(sigma) * velocity(pipe.transformer, noisy, sigma, words)


def sample(
    pipe: DiffusionPipeline, words: dict[str, Tensor], nothing: dict[str, Tensor], base: Base, seed: int
) -> Image:
    """Return one picture of words encoded before, guided away from `nothing`."""
    return pipe(prompt_embeds=each_caption(words), negative_prompt_embeds=each_caption(nothing),
                generator=torch.Generator().manual_seed(seed), **call(base, None, None)).images[0]  # fmt: skip
