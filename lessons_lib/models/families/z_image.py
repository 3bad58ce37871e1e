"""Z-Image: flow matching, conditioned on Qwen3's second-to-last layer, each caption in its own length. It predicts latents - noise.

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
from lessons_lib.models.families import shared
from lessons_lib.models.families.flux import decode_latents, encode_images, pipeline_arguments
from lessons_lib.models.families.shared import latent_shape, load_tokenizer
from lessons_lib.session import Session, precision, quiet

# The VAE and the pipeline's arguments are FLUX.1's.
__all__ = [
    "TARGET_MODULES",
    "decode_latents",
    "encode_images",
    "latent_shape",
    "load_tokenizer",
    "pipeline_arguments",
]
TARGET_MODULES = ("to_q", "to_k", "to_v", "to_out.0")  # attention, the script's own

sample_sigma = shared.sample_logit_normal


def load(base: Base, session: Session) -> ZImagePipeline:
    """Return the ZImagePipeline; on a GPU that has no bfloat16 it is loaded in float32."""
    half = precision(session, base) == torch.float16
    return shared.load_pipeline(
        ZImagePipeline, base, replace(session, dtype=torch.float32) if half else session
    )


@torch.no_grad()
def encode_captions(pipe: DiffusionPipeline, captions: Sequence[str], base: Base) -> dict[str, Tensor]:
    """Return `prompt_embeds` (n, caption_tokens, width of Qwen3), zeros after each caption's end, and `attention_mask` (n, caption_tokens), true until then."""
    with quiet():
        unpadded, _ = pipe.encode_prompt(
            list(captions), do_classifier_free_guidance=False, max_sequence_length=base.caption_tokens
        )
    prompt_embeds = unpadded[0].new_zeros(len(unpadded), base.caption_tokens, unpadded[0].shape[-1])
    attention_mask = torch.zeros(prompt_embeds.shape[:2], dtype=torch.bool, device=prompt_embeds.device)
    for index, embeds in enumerate(unpadded):
        prompt_embeds[index, : len(embeds)] = embeds
        attention_mask[index, : len(embeds)] = True
    return {"prompt_embeds": prompt_embeds, "attention_mask": attention_mask}


def unpad(embeddings: dict[str, Tensor]) -> list[Tensor]:
    """Return every caption's embeddings, (its tokens, width), as the model and the pipeline take them."""
    pairs = zip(embeddings["prompt_embeds"], embeddings["attention_mask"], strict=True)
    return [embeds[mask] for embeds, mask in pairs]


def predict_velocity(
    denoiser: nn.Module,
    noisy_latents: Tensor,
    sigma: Tensor,
    embeddings: dict[str, Tensor],
    guidance_scale: float = 1.0,
) -> Tensor:
    """Return the predicted velocity noise - latents, (n, 16, h, w): the model predicts the opposite, at time 1 - sigma.

    `guidance_scale` is not an input of this model.
    """
    examples = list(noisy_latents.unsqueeze(2).unbind())
    predictions = denoiser(examples, 1 - sigma, unpad(embeddings), return_dict=False)[0]
    return -torch.stack(predictions).squeeze(2)


loss, predict_original = shared.flow_matching(predict_velocity)


def sample_image(
    pipe: DiffusionPipeline,
    embeddings: dict[str, Tensor],
    negative_embeddings: dict[str, Tensor],
    base: Base,
    seed: int,
) -> Image:
    """Return one picture from text embeddings, guided away from those of the empty prompt."""
    return pipe(
        prompt_embeds=unpad(embeddings),
        negative_prompt_embeds=unpad(negative_embeddings),
        generator=torch.Generator().manual_seed(seed),
        **pipeline_arguments(base, None, None),
    ).images[0]
