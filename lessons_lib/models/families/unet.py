"""Stable Diffusion 1.5 and SDXL: a UNet that predicts the noise, told by CLIP's states.

Follows diffusers' train_dreambooth_lora.py and train_dreambooth_lora_sdxl.py. These models keep the length of a noisy
picture at one and number a thousand noise levels; here a level is the share of noise in (1 - sigma) picture + sigma noise, as
for every other base, and that mixture is brought to length one and to its number just before the UNet sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from diffusers import AutoencoderKL, DDPMScheduler, DiffusionPipeline
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib.models.bases import Base
from lessons_lib.models.families import parts
from lessons_lib.models.families.parts import call, each, noise_shape, tokenizer
from lessons_lib.session import Session, precision, quiet

__all__ = ["TARGETS", "call", "noise_shape", "tokenizer"]
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")  # attention, the scripts' own
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "prediction_type": "epsilon",
         "num_train_timesteps": 1000}  # fmt: skip  # what both models were trained with
CELL = 8  # px of a latent's side


def load(base: Base, session: Session) -> DiffusionPipeline:
    """Return the pipeline; in float16 with the VAE that is made for it, where the base's own is not.

    Raises ValueError for a model that was trained with another schedule, or predicts something else than the noise.
    """
    fitting = {}
    if base.half_vae and precision(session, base) == torch.float16:
        with quiet(), parts.fetching(base):
            fitting["vae"] = AutoencoderKL.from_pretrained(base.half_vae, torch_dtype=torch.float16)
    pipe = parts.load(DiffusionPipeline, base, session, **fitting)
    for name, expected in NOISE.items():
        if (found := pipe.scheduler.config[name]) != expected:
            raise ValueError(f"{base.name} has {name} {found}; expected {expected}")
    return pipe


@cache
def levels() -> Tensor:
    """Return the (1000,) shares of noise that the UNet knows by number, rising."""
    kept = DDPMScheduler(**NOISE).alphas_cumprod.double()
    return ((1 - kept).sqrt() / (kept.sqrt() + (1 - kept).sqrt())).float()


@torch.no_grad()
def encode_pictures(pipe: DiffusionPipeline, pixels: Tensor) -> Tensor:
    """Return (n, 4, h / 8, w / 8) latents, scaled by the VAE's own figure."""
    vae = pipe.vae
    return vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode() * vae.config.scaling_factor


@torch.no_grad()
def encode_captions(pipe: DiffusionPipeline, captions: Sequence[str], base: Base) -> dict[str, Tensor]:
    """Return `states` (n, 77, width of the encoders), and of SDXL `pooled` (n, 1280) too."""
    with quiet():
        made = pipe.encode_prompt(list(captions), device=pipe.device, num_images_per_prompt=1,
                                  do_classifier_free_guidance=False)  # fmt: skip
    return {"states": made[0]} if len(made) == 2 else {"states": made[0], "pooled": made[2]}


@torch.no_grad()
def decode(pipe: DiffusionPipeline, latents: Tensor) -> list[Image]:
    """Return the pictures that (n, 4, h, w) latents stand for."""
    vae = pipe.vae
    return pipe.image_processor.postprocess(
        vae.decode((latents / vae.config.scaling_factor).to(vae.dtype)).sample
    )


def predicted_noise(denoiser: nn.Module, noisy: Tensor, sigma: Tensor, words: dict[str, Tensor]) -> Tensor:
    """Return the noise that the UNet believes to be in (1 - sigma) picture + sigma noise, (n, 4, h, w)."""
    number = (levels().to(sigma.device) - sigma.float().unsqueeze(1)).abs().argmin(1)
    length = ((1 - sigma).square() + sigma.square()).sqrt()
    more = {}
    if (
        "pooled" in words
    ):  # SDXL is told the picture's size as it was, where it was cut, and its size as it is to be
        height, width = (CELL * side for side in noisy.shape[-2:])
        sizes = noisy.new_tensor([[height, width, 0, 0, height, width]]).expand(len(noisy), -1)
        more = {"added_cond_kwargs": {"text_embeds": words["pooled"], "time_ids": sizes}}
    scaled = (noisy / each(length)).to(noisy.dtype)
    return denoiser(scaled, number, encoder_hidden_states=words["states"], return_dict=False, **more)[0]


def loss(
    denoiser: nn.Module, latents: Tensor, words: dict[str, Tensor], noise: Tensor, sigma: Tensor
) -> Tensor:
    """Return the mean squared error of the predicted noise, (n,)."""
    return parts.error(predicted_noise(denoiser, parts.mixed(latents, noise, sigma), sigma, words), noise)


@torch.no_grad()
def guess(
    pipe: DiffusionPipeline, noisy: Tensor, sigma: Tensor, words: dict[str, Tensor], guidance: float = 1.0
) -> Tensor:
    """Return the latents believed to be under the noise: the mixture less its noise. `guidance` is no number these models know."""
    sigma = sigma.clamp(max=float(levels()[-1]))  # of pure noise nothing could be left
    made = predicted_noise(pipe.unet, noisy, sigma, words)
    return (noisy - each(sigma) * made) / (1 - each(sigma))


def sample_sigma(count: int, generator: torch.Generator) -> Tensor:
    """Return (count,) noise levels, each of the thousand as likely as another."""
    return levels()[torch.randint(len(levels()), (count,), generator=generator)]


def sample(
    pipe: DiffusionPipeline, words: dict[str, Tensor], nothing: dict[str, Tensor], base: Base, seed: int
) -> Image:
    """Return one picture of words encoded before, guided away from `nothing`, or by SDXL from zeros, as it is by default."""
    told = {"prompt_embeds": words["states"]}
    if "pooled" in words:
        told["pooled_prompt_embeds"] = words["pooled"]
    if not pipe.config.get("force_zeros_for_empty_prompt"):
        told |= {f"negative_{name}": value for name, value in zip(told, nothing.values(), strict=True)}
    return pipe(generator=torch.Generator().manual_seed(seed), **told, **call(base, None, None)).images[0]
