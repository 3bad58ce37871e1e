"""FLUX.1: flow matching on packed latents, told by CLIP's pooled vector and T5's states.

Follows diffusers' train_dreambooth_lora_flux.py, except that guidance is 1 while training: that script's 3.5 trains
the adapter for a picture that was never seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, FluxPipeline
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib.models.bases import Base, verify
from lessons_lib.models.families import parts
from lessons_lib.models.families.parts import noise_shape
from lessons_lib.session import Session, quiet

__all__ = ["TARGETS", "noise_shape"]

# Diffusers' script's own: attention, and the feed-forward layers of the double blocks. With the last two, those of the
# single blocks, which kohya's trainer has too; the model's way out is called proj_out as well. pocket/LOG.md: what they gave.
TARGETS = ("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.add_q_proj", "attn.add_k_proj",
           "attn.add_v_proj", "attn.to_add_out", "ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj",
           "ff_context.net.2", "proj_mlp", "proj_out")  # fmt: skip

sample_sigma = parts.logit_normal


def load(base: Base, session: Session) -> FluxPipeline:
    """Return the FluxPipeline; an adapter that belongs to the base is added to its weights."""
    pipe = parts.load(FluxPipeline, base, session)
    if base.fused:
        verify(Path(base.fused))
        with quiet():
            pipe.load_lora_weights(base.fused)
            pipe.fuse_lora(components=["transformer"])
            pipe.unload_lora_weights()
    return pipe


def tokenizer(base: Base) -> Any:
    """Return T5's tokenizer, the one whose length limit a caption meets."""
    return parts.tokenizer(base, "tokenizer_2")


@torch.no_grad()
def encode_pictures(pipe: DiffusionPipeline, pixels: Tensor) -> Tensor:
    """Return (n, 16, h / 8, w / 8) latents, shifted and scaled by the VAE's own figures."""
    vae = pipe.vae
    latents = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
    return (latents - vae.config.shift_factor) * vae.config.scaling_factor


@torch.no_grad()
def encode_captions(pipe: DiffusionPipeline, captions: Sequence[str], base: Base) -> dict[str, Tensor]:
    """Return `states` (n, caption_tokens, width of T5) and `pooled` (n, width of CLIP)."""
    with quiet():
        states, pooled, _ = pipe.encode_prompt(
            prompt=list(captions), prompt_2=None, max_sequence_length=base.caption_tokens
        )
    return {"states": states, "pooled": pooled}


def pack(latents: Tensor) -> Tensor:
    """Return (n, c, h, w) latents as (n, h w / 4, 4 c) tokens: each token is a square of four."""
    n, c, h, w = latents.shape
    return latents.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(n, h * w // 4, c * 4)


@torch.no_grad()
def decode(pipe: DiffusionPipeline, latents: Tensor) -> list[Image]:
    """Return the pictures that (n, 16, h, w) latents stand for, or the packed tokens of squares."""
    vae = pipe.vae
    latents = unpack(latents) if latents.ndim == 3 else latents
    made = vae.decode((latents / vae.config.scaling_factor + vae.config.shift_factor).to(vae.dtype)).sample
    return pipe.image_processor.postprocess(made)


def positions(latents: Tensor) -> Tensor:
    """Return (h w / 4, 3) token positions: zero, row, column."""
    rows, columns = latents.shape[-2] // 2, latents.shape[-1] // 2
    grid = torch.cartesian_prod(torch.zeros(1), torch.arange(rows).float(), torch.arange(columns).float())
    return grid.to(latents.device, latents.dtype)


def unpack(tokens: Tensor) -> Tensor:
    """Return the (n, c, h, w) latents of a square whose tokens are (n, h w / 4, 4 c): the way back from `pack`."""
    n, count, width = tokens.shape
    side = math.isqrt(count)
    grid = tokens.view(n, side, side, width // 4, 2, 2)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(n, width // 4, 2 * side, 2 * side)


def velocity(
    denoiser: nn.Module, noisy: Tensor, sigma: Tensor, words: dict[str, Tensor], guidance: float = 1.0
) -> Tensor:
    """Return the predicted noise - latents, packed, (n, h w / 4, 4 c), for noisy latents (n, c, h, w)."""
    states = words["states"]
    return denoiser(
        hidden_states=pack(noisy),
        timestep=sigma,
        guidance=torch.full_like(sigma, guidance) if denoiser.config.guidance_embeds else None,
        pooled_projections=words["pooled"],
        encoder_hidden_states=states,
        txt_ids=torch.zeros(states.shape[1], 3, device=states.device, dtype=states.dtype),
        img_ids=positions(noisy),
        return_dict=False,
    )[0]


def loss(
    denoiser: nn.Module, latents: Tensor, words: dict[str, Tensor], noise: Tensor, sigma: Tensor
) -> Tensor:
    """Return the mean squared error of the predicted velocity noise - latents, (n,)."""
    made = velocity(denoiser, parts.mixed(latents, noise, sigma), sigma, words)
    return (made - pack(noise - latents)).float().square().mean((1, 2))


@torch.no_grad()
def guess(
    pipe: DiffusionPipeline, noisy: Tensor, sigma: Tensor, words: dict[str, Tensor], guidance: float = 1.0
) -> Tensor:
    """Return the latents believed to be under the noise, (n, c, h, w): a velocity's whole way back from noisy squares."""
    made = velocity(pipe.transformer, noisy, sigma, words, guidance)
    return noisy - parts.each(sigma) * unpack(made)


def call(base: Base, steps: int | None, guidance: float | None) -> dict[str, Any]:
    """Return FluxPipeline's drawing arguments."""
    return parts.call(base, steps, guidance) | {"max_sequence_length": base.caption_tokens}


def sample(
    pipe: DiffusionPipeline, words: dict[str, Tensor], nothing: dict[str, Tensor], base: Base, seed: int
) -> Image:
    """Return one picture of words encoded before; guidance is distilled, so `nothing` is not asked."""
    return pipe(prompt_embeds=words["states"], pooled_prompt_embeds=words["pooled"],
                generator=torch.Generator().manual_seed(seed), **call(base, None, None)).images[0]  # fmt: skip
