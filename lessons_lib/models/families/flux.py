"""FLUX.1: flow matching on packed latents, conditioned on CLIP's pooled embedding and T5's hidden states.

Follows diffusers' train_dreambooth_lora_flux.py, except that guidance is 1 while training:
with that script's 3.5 the adapter learns to predict guided pictures, and training pictures are not guided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, FluxPipeline
from diffusers.loaders.lora_base import LORA_WEIGHT_NAME_SAFE
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib.models.bases import Base, verify
from lessons_lib.models.families import shared
from lessons_lib.session import Session, quiet

DENOISER = "transformer"
COMFYUI_PREFIX = ""
# The layers of diffusers' script: attention, and the feed-forward layers of the double blocks. proj_mlp and
# proj_out are added for the single blocks, as in kohya's trainer; the model's output layer is also called
# proj_out. pocket/LOG.md has the measured gain.
TARGET_MODULES: tuple[str, ...] = (
    "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.add_q_proj", "attn.add_k_proj",
    "attn.add_v_proj", "attn.to_add_out", "ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj",
    "ff_context.net.2", "proj_mlp", "proj_out",
)  # fmt: skip

# Black Forest Labs' names of the layers, as in https://github.com/black-forest-labs/flux, src/flux/model.py.
# Its last modulation has scale and shift in the other order, so it is left out.
_ORIGINAL_NAMES = {
    "double_blocks.*.img_attn.qkv": [f"transformer_blocks.*.attn.to_{x}" for x in "qkv"],
    "double_blocks.*.txt_attn.qkv": [f"transformer_blocks.*.attn.add_{x}_proj" for x in "qkv"],
    "double_blocks.*.img_attn.proj": ["transformer_blocks.*.attn.to_out.0"],
    "double_blocks.*.txt_attn.proj": ["transformer_blocks.*.attn.to_add_out"],
    "double_blocks.*.img_mlp.0": ["transformer_blocks.*.ff.net.0.proj"],
    "double_blocks.*.img_mlp.2": ["transformer_blocks.*.ff.net.2"],
    "double_blocks.*.txt_mlp.0": ["transformer_blocks.*.ff_context.net.0.proj"],
    "double_blocks.*.txt_mlp.2": ["transformer_blocks.*.ff_context.net.2"],
    "double_blocks.*.img_mod.lin": ["transformer_blocks.*.norm1.linear"],
    "double_blocks.*.txt_mod.lin": ["transformer_blocks.*.norm1_context.linear"],
    "single_blocks.*.linear1": [
        *(f"single_transformer_blocks.*.attn.to_{x}" for x in "qkv"), "single_transformer_blocks.*.proj_mlp",
    ],
    "single_blocks.*.linear2": ["single_transformer_blocks.*.proj_out"],
    "single_blocks.*.modulation.lin": ["single_transformer_blocks.*.norm.linear"],
    "img_in": ["x_embedder"],
    "txt_in": ["context_embedder"],
    "time_in.in_layer": ["time_text_embed.timestep_embedder.linear_1"],
    "time_in.out_layer": ["time_text_embed.timestep_embedder.linear_2"],
    "vector_in.in_layer": ["time_text_embed.text_embedder.linear_1"],
    "vector_in.out_layer": ["time_text_embed.text_embedder.linear_2"],
    "guidance_in.in_layer": ["time_text_embed.guidance_embedder.linear_1"],
    "guidance_in.out_layer": ["time_text_embed.guidance_embedder.linear_2"],
    "final_layer.linear": ["proj_out"],
}  # fmt: skip

original_names = partial(shared.names_by_block, _ORIGINAL_NAMES)
latent_shape = shared.latent_shape
sample_sigma = shared.sample_flow_sigma


def load(base: Base, session: Session, **components: Any) -> FluxPipeline:
    """Return the FluxPipeline, with the base's own adapter merged into its weights where it has one."""
    pipe = shared.load_pipeline(FluxPipeline, DENOISER, base, session, **components)
    if base.fused_adapter and pipe.transformer is not None:
        verify(Path(base.fused_adapter))
        with quiet():
            # With the name diffusers 0.39 also loads it where HF_HUB_OFFLINE is set.
            pipe.load_lora_weights(base.fused_adapter, weight_name=LORA_WEIGHT_NAME_SAFE)
            pipe.fuse_lora(components=["transformer"])
            pipe.unload_lora_weights()
    return pipe


def load_tokenizer(base: Base) -> Any:
    """Return T5's tokenizer; its token limit is the limit for captions."""
    return shared.load_tokenizer(base, "tokenizer_2")


@torch.no_grad()
def latent_distribution(pipe: DiffusionPipeline, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return mode and standard deviation of (n, 16, h / 8, w / 8) latents, shifted and scaled by the VAE's
    own constants.
    """
    config, (mode, std) = pipe.vae.config, shared.vae_distribution(pipe, pixels)
    return (mode - config.shift_factor) * config.scaling_factor, std * config.scaling_factor


encode_images = shared.modes(latent_distribution)


@torch.no_grad()
def encode_captions(pipe: DiffusionPipeline, captions: Sequence[str], base: Base) -> dict[str, Tensor]:
    """Return `prompt_embeds` (n, caption_tokens, width of T5) and `pooled_prompt_embeds`
    (n, width of CLIP).

    CLIP reads 77 tokens and T5 more, so CLIP is given both ends of a longer caption: the trigger word is at
    one of them.
    """
    ends = [shared.keep_ends(text, pipe.tokenizer, pipe.tokenizer_max_length) for text in captions]
    with quiet():
        prompt_embeds, pooled_prompt_embeds, _ = pipe.encode_prompt(
            prompt=ends, prompt_2=list(captions), max_sequence_length=base.caption_tokens
        )
    return {"prompt_embeds": prompt_embeds, "pooled_prompt_embeds": pooled_prompt_embeds}


def pack_latents(latents: Tensor) -> Tensor:
    """Return (n, c, h, w) latents as (n, h w / 4, 4 c) tokens: each token is a 2 x 2 square of them."""
    n, c, h, w = latents.shape
    return latents.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(n, h * w // 4, c * 4)


@torch.no_grad()
def decode_latents(pipe: DiffusionPipeline, latents: Tensor) -> list[Image]:
    """Decode (n, 16, h, w) latents, or packed (n, tokens, 64) ones of square pictures, to images."""
    vae = pipe.vae
    latents = shared.to_vae(pipe, unpack_latents(latents) if latents.ndim == 3 else latents)
    decoded = vae.decode(latents / vae.config.scaling_factor + vae.config.shift_factor).sample
    return pipe.image_processor.postprocess(decoded)


def latent_image_ids(latents: Tensor) -> Tensor:
    """Return (h w / 4, 3) token positions: zero, row, column."""
    rows, columns = latents.shape[-2] // 2, latents.shape[-1] // 2
    grid = torch.cartesian_prod(torch.zeros(1), torch.arange(rows).float(), torch.arange(columns).float())
    return grid.to(latents.device, latents.dtype)


def unpack_latents(tokens: Tensor) -> Tensor:
    """Return the (n, c, h, w) latents of a square whose tokens are (n, h w / 4, 4 c):
    the inverse of `pack_latents`.
    """
    n, count, width = tokens.shape
    side = math.isqrt(count)
    grid = tokens.view(n, side, side, width // 4, 2, 2)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(n, width // 4, 2 * side, 2 * side)


def predict_velocity(
    denoiser: nn.Module,
    noisy_latents: Tensor,
    sigma: Tensor,
    embeddings: dict[str, Tensor],
    guidance_scale: float = 1.0,
) -> Tensor:
    """Return the predicted velocity noise - latents, packed, (n, h w / 4, 4 c),
    for noisy latents (n, c, h, w).
    """
    prompt_embeds = embeddings["prompt_embeds"]
    return denoiser(
        hidden_states=pack_latents(noisy_latents),
        timestep=sigma,
        guidance=torch.full_like(sigma, guidance_scale) if denoiser.config.guidance_embeds else None,
        pooled_projections=embeddings["pooled_prompt_embeds"],
        encoder_hidden_states=prompt_embeds,
        txt_ids=torch.zeros(
            prompt_embeds.shape[1], 3, device=prompt_embeds.device, dtype=prompt_embeds.dtype
        ),
        img_ids=latent_image_ids(noisy_latents),
        return_dict=False,
    )[0]


def loss(
    denoiser: nn.Module, latents: Tensor, embeddings: dict[str, Tensor], noise: Tensor, sigma: Tensor
) -> Tensor:
    """Return the mean squared error of the predicted velocity noise - latents, (n,)."""
    velocity = predict_velocity(denoiser, shared.add_noise(latents, noise, sigma), sigma, embeddings)
    if (weights := embeddings.get("loss_weights")) is not None:
        weights = pack_latents(weights.expand_as(latents))
    # Over packed tokens: over latents, as `shared.flow_matching` has it, the last digits would be others.
    return shared.mse_per_example(velocity, pack_latents(noise - latents), weights)


@torch.no_grad()
def predict_original(
    pipe: DiffusionPipeline,
    noisy_latents: Tensor,
    sigma: Tensor,
    embeddings: dict[str, Tensor],
    guidance_scale: float = 1.0,
) -> Tensor:
    """Return the predicted latents without noise, (n, c, h, w): the noisy latents, which are square,
    minus sigma times the velocity.
    """
    velocity = predict_velocity(pipe.transformer, noisy_latents, sigma, embeddings, guidance_scale)
    return noisy_latents - shared.broadcast_sigma(sigma) * unpack_latents(velocity)


def pipeline_arguments(base: Base, steps: int | None, guidance_scale: float | None) -> dict[str, Any]:
    """Return FluxPipeline's arguments, the prompt and the seed left out."""
    return shared.pipeline_arguments(base, steps, guidance_scale) | {
        "max_sequence_length": base.caption_tokens
    }


def sample_image(
    pipe: DiffusionPipeline,
    embeddings: dict[str, Tensor],
    negative_embeddings: dict[str, Tensor],
    base: Base,
    seed: int,
) -> Image:
    """Return one picture from text embeddings.

    Guidance is distilled into the model, so `negative_embeddings` are not used.
    """
    generator = torch.Generator().manual_seed(seed)
    return pipe(generator=generator, **embeddings, **pipeline_arguments(base, None, None)).images[0]
