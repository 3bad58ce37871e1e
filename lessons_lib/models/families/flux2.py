"""FLUX.2 klein: flow matching on patchified latents, told by three layers of Qwen3. Trained on base, not on the distilled one.

Follows diffusers' train_dreambooth_lora_flux2_klein.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import DiffusionPipeline, Flux2KleinPipeline
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib.models.bases import Base
from lessons_lib.models.families import parts
from lessons_lib.models.families.flux import call
from lessons_lib.models.families.parts import tokenizer
from lessons_lib.session import Session, quiet

__all__ = ["TARGETS", "call", "tokenizer"]  # FLUX.1's drawing arguments
# The script's own. In a single block the way out is called as the list is that holds a double block's, so each is named.
TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "to_qkv_mlp_proj",
           *(f"single_transformer_blocks.{i}.attn.to_out" for i in range(48)))  # fmt: skip  # 20 in klein 4B, 24 in 9B

sample_sigma = parts.logit_normal


def load(base: Base, session: Session) -> Flux2KleinPipeline:
    """Return the pipeline; ValueError for a distilled one: trained, it draws grey."""
    pipe = parts.load(Flux2KleinPipeline, base, session)
    if pipe.config.is_distilled:
        raise ValueError(f"{base.repository} is distilled; expected the base model that it was made from")
    return pipe


def statistics(vae: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the mean and the spread of patchified latents, (1, 128, 1, 1) each, which the VAE keeps as a batch norm's."""
    spread = (vae.bn.running_var + vae.config.batch_norm_eps).sqrt()
    return vae.bn.running_mean.view(1, -1, 1, 1), spread.view(1, -1, 1, 1)


def noise_shape(pipe: DiffusionPipeline, base: Base) -> tuple[int, int, int, int]:
    """Return the shape of one picture's latents, (1, 128, rows, columns): a cell is a square of four of the VAE's."""
    _, channels, rows, columns = parts.noise_shape(pipe, base)
    return 1, 4 * channels, rows // 2, columns // 2


@torch.no_grad()
def encode_pictures(pipe: DiffusionPipeline, pixels: Tensor) -> Tensor:
    """Return (n, 128, h / 16, w / 16) latents of mean 0 and spread 1, by the VAE's own figures."""
    vae = pipe.vae
    mean, spread = statistics(vae)
    latents = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
    return (Flux2KleinPipeline._patchify_latents(latents) - mean) / spread


@torch.no_grad()
def decode(pipe: DiffusionPipeline, latents: Tensor) -> list[Image]:
    """Return the pictures that (n, 128, h, w) latents stand for, or the (n, h w, 128) tokens of squares."""
    vae = pipe.vae
    mean, spread = statistics(vae)
    if latents.ndim == 3:
        side = round(latents.shape[1] ** 0.5)
        latents = latents.permute(0, 2, 1).unflatten(2, (side, side))
    whole = Flux2KleinPipeline._unpatchify_latents(latents * spread + mean)
    return pipe.image_processor.postprocess(vae.decode(whole.to(vae.dtype)).sample)


@torch.no_grad()
def encode_captions(pipe: DiffusionPipeline, captions: Sequence[str], base: Base) -> dict[str, Tensor]:
    """Return `states` (n, caption_tokens, three times the width of Qwen3)."""
    with quiet():
        states, _ = pipe.encode_prompt(list(captions), max_sequence_length=base.caption_tokens)
    return {"states": states}


def velocity(
    denoiser: nn.Module, noisy: Tensor, sigma: Tensor, words: dict[str, Tensor], guidance: float = 1.0
) -> Tensor:
    """Return the predicted noise - latents, (n, 128, h, w)."""
    tokens, states = Flux2KleinPipeline._pack_latents(noisy), words["states"]
    made = denoiser(
        hidden_states=tokens,
        timestep=sigma,
        guidance=torch.full_like(sigma, guidance) if denoiser.config.guidance_embeds else None,
        encoder_hidden_states=states,
        txt_ids=Flux2KleinPipeline._prepare_text_ids(states).to(noisy.device),
        img_ids=Flux2KleinPipeline._prepare_latent_ids(noisy).to(noisy.device),
        return_dict=False,
    )[0]
    return made[:, : tokens.shape[1]].permute(0, 2, 1).reshape(noisy.shape)


loss, guess = parts.flow(velocity)


def sample(
    pipe: DiffusionPipeline, words: dict[str, Tensor], nothing: dict[str, Tensor], base: Base, seed: int
) -> Image:
    """Return one picture of words encoded before, guided away from `nothing`."""
    return pipe(prompt_embeds=words["states"], negative_prompt_embeds=nothing["states"],
                generator=torch.Generator().manual_seed(seed), **call(base, None, None)).images[0]  # fmt: skip
