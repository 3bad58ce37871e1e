"""Z-Image: flow matching, conditioned on Qwen3's second-to-last layer, each caption in its own length.

It predicts latents - noise.
Follows diffusers' train_dreambooth_lora_z_image.py. bfloat16 or float32 only: float16 gives NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from diffusers import DiffusionPipeline, ZImagePipeline
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib.models.bases import Base
from lessons_lib.models.families import flux, shared
from lessons_lib.session import Session, quiet

DENOISER = "transformer"
COMFYUI_PREFIX = ""
TARGET_MODULES: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")  # attention, the script's own

# Tongyi's names of the layers that diffusers has split or renamed, as ComfyUI uses them; see diffusers'
# scripts/convert_z_image_to_diffusers.py.
_ORIGINAL_NAMES = {
    f"{part}.*.attention.{name}": [f"{part}.*.attention.{layer}" for layer in layers]
    for part in ("layers", "noise_refiner", "context_refiner")
    for name, layers in {"qkv": ("to_q", "to_k", "to_v"), "out": ("to_out.0",)}.items()
}

original_names = partial(shared.names_by_block, _ORIGINAL_NAMES)
# The VAE and the pipeline's arguments are FLUX.1's.
decode_latents = flux.decode_latents
encode_images = flux.encode_images
latent_distribution = flux.latent_distribution
latent_shape = shared.latent_shape
load_tokenizer = shared.load_tokenizer
pipeline_arguments = flux.pipeline_arguments
sample_sigma = shared.sample_flow_sigma


def load(base: Base, session: Session, **components: Any) -> ZImagePipeline:
    """Return the ZImagePipeline."""
    return shared.load_pipeline(ZImagePipeline, DENOISER, base, session, **components)


@torch.no_grad()
def encode_captions(pipe: DiffusionPipeline, captions: Sequence[str], base: Base) -> dict[str, Tensor]:
    """Return `prompt_embeds` (n, caption_tokens, width of Qwen3), zeros after each caption's end,
    and `attention_mask` (n, caption_tokens), true until then.
    """
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
    """Return the predicted velocity noise - latents, (n, 16, h, w): the model predicts the opposite,
    at time 1 - sigma.

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
