"""FLUX.1: flow matching on packed latents, told by CLIP's pooled vector and T5's states.

Follows diffusers' train_dreambooth_lora_flux.py, except that guidance is 1 while training: that script's 3.5 trains
the adapter for a picture that was never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, FluxPipeline
from PIL.Image import Image
from torch import Tensor, nn
from transformers import AutoTokenizer

from lessons_lib.bases import Base
from lessons_lib.session import Session, precision, quiet

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")


def load(base: Base, session: Session) -> FluxPipeline:
    """Return the FluxPipeline; FileNotFoundError when a base that lives in the repository is not there."""
    if Path(base.repository).is_absolute() and not Path(base.repository, "model_index.json").exists():
        raise FileNotFoundError(
            f"the base model {base.name!r} is missing: expected {base.repository}; clone the course again"
        )
    with quiet():
        pipe = FluxPipeline.from_pretrained(
            base.repository, torch_dtype=precision(session, base), use_safetensors=True
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(session.device)


def tokenizer(base: Base) -> Any:
    """Return T5's tokenizer, the one whose length limit a caption meets."""
    with quiet():
        return AutoTokenizer.from_pretrained(base.repository, subfolder="tokenizer_2")


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


def positions(latents: Tensor) -> Tensor:
    """Return (h w / 4, 3) token positions: zero, row, column."""
    rows, columns = latents.shape[-2] // 2, latents.shape[-1] // 2
    grid = torch.cartesian_prod(torch.zeros(1), torch.arange(rows).float(), torch.arange(columns).float())
    return grid.to(latents.device, latents.dtype)


def loss(
    denoiser: nn.Module, latents: Tensor, words: dict[str, Tensor], noise: Tensor, sigma: Tensor
) -> Tensor:
    """Return the mean squared error of the predicted velocity noise - latents, (n,)."""
    spread = sigma.view(-1, 1, 1, 1)
    noisy = (1 - spread) * latents + spread * noise
    states = words["states"]
    plain = getattr(denoiser, "module", denoiser)  # several GPUs wrap it
    made = denoiser(
        hidden_states=pack(noisy),
        timestep=sigma,
        guidance=torch.ones_like(sigma) if plain.config.guidance_embeds else None,
        pooled_projections=words["pooled"],
        encoder_hidden_states=states,
        txt_ids=torch.zeros(states.shape[1], 3, device=states.device, dtype=states.dtype),
        img_ids=positions(latents),
        return_dict=False,
    )[0]
    return (made - pack(noise - latents)).float().square().mean((1, 2))


def sample_sigma(count: int, base: Base, generator: torch.Generator) -> Tensor:
    """Return logit-normal noise levels around those the base was trained at (Esser et al. 2024, arXiv 2403.03206)."""
    return torch.sigmoid(torch.randn(count, generator=generator) + base.sigma_centre)


def call(base: Base, steps: int | None, guidance: float | None) -> dict[str, Any]:
    """Return FluxPipeline's drawing arguments; a base without distilled guidance is asked twice a step instead."""
    arguments: dict[str, Any] = {
        "height": base.side, "width": base.side, "num_inference_steps": steps or base.draw_steps,
        "guidance_scale": base.guidance_scale, "max_sequence_length": base.caption_tokens,
    }  # fmt: skip
    if base.true_cfg_scale > 1:
        return arguments | {"negative_prompt": "", "true_cfg_scale": guidance or base.true_cfg_scale}
    return arguments | ({} if guidance is None else {"guidance_scale": guidance})


def sample(
    pipe: DiffusionPipeline, words: dict[str, Tensor], nothing: dict[str, Tensor], base: Base, seed: int
) -> Image:
    """Return one picture of words encoded before; `nothing` are the words of an empty caption."""
    arguments = call(base, None, None)
    if arguments.pop("negative_prompt", None) is not None:
        arguments |= {
            "negative_prompt_embeds": nothing["states"],
            "negative_pooled_prompt_embeds": nothing["pooled"],
        }
    return pipe(prompt_embeds=words["states"], pooled_prompt_embeds=words["pooled"],
                generator=torch.Generator().manual_seed(seed), **arguments).images[0]  # fmt: skip
