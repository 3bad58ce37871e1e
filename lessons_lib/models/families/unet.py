"""Stable Diffusion 1.5 and SDXL: a UNet that predicts the noise, conditioned on CLIP's hidden states.

Follows diffusers' train_dreambooth_lora.py and train_dreambooth_lora_sdxl.py.
These models keep the variance of noisy latents at one and number a thousand noise levels; here sigma is the
share of noise in (1 - sigma) latents + sigma noise, as for every other base, and those noisy latents are
scaled and given their timestep just before the UNet takes them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, DiffusionPipeline
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib import compat
from lessons_lib.models import access
from lessons_lib.models.bases import Base
from lessons_lib.models.families import shared
from lessons_lib.session import Session, quiet

DENOISER = "unet"
COMFYUI_PREFIX = "lora_unet_"
TARGET_MODULES: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")  # attention, the scripts' own
SCHEDULE = {  # what both models were trained with
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "num_train_timesteps": 1000,
}
VAE_SCALE = 8  # px of an image for each row or column of latents

# CompVis' names of the parts of a block, as in https://github.com/CompVis/stable-diffusion,
# ldm/modules/diffusionmodules/openaimodel.py.
_ORIGINAL_PARTS = {
    "conv1": "in_layers.2", "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}  # fmt: skip
_ORIGINAL_TOPS = {
    "conv_in": "input_blocks.0.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip
_BLOCK = re.compile(
    r"(down|mid|up)_blocks?(?:\.(\d+))?\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)"
)

latent_shape = shared.latent_shape
load_tokenizer = shared.load_tokenizer
pipeline_arguments = shared.pipeline_arguments


def load(base: Base, session: Session, **components: Any) -> DiffusionPipeline:
    """Return the pipeline; in float16 with the VAE that is made for it, where the base's own is not.

    Raises ValueError for a model that was trained with another noise schedule,
    or predicts anything but the noise.
    """
    if "vae" not in components and base.float16_vae and base.precision(session) == torch.float16:
        with quiet(), access.explain_fetch_errors(base):
            components["vae"] = AutoencoderKL.from_pretrained(base.float16_vae, torch_dtype=torch.float16)
    pipe = shared.load_pipeline(DiffusionPipeline, DENOISER, base, session, **components)
    for name, expected in SCHEDULE.items():
        if (value := pipe.scheduler.config[name]) != expected:
            raise ValueError(f"{base.name} has {name} {value}; expected {expected}")
    return pipe


def original_names(layers: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return CompVis' name of each layer; see `Family`."""
    blocks = [match for name in layers if (match := _BLOCK.fullmatch(name))]
    resnets = {int(m[4]) for m in blocks if m[1] == "down" and m[3] == "resnets"}
    attentions = {m[2] for m in blocks if m[1] == "up" and m[3] == "attentions"}
    names: dict[str, tuple[str, ...]] = {
        _ORIGINAL_TOPS[name]: (name,) for name in layers if name in _ORIGINAL_TOPS
    }
    return names | {_original_name(m, len(resnets) + 1, m[2] in attentions): (m[0],) for m in blocks}


def _original_name(match: re.Match[str], stride: int, has_attention: bool) -> str:
    """Return CompVis' name of a layer in a block; `stride`: its numbered blocks for one of diffusers'."""
    side, block, kind, number, part = match.groups()
    part = _ORIGINAL_PARTS.get(part, part)
    if side == "mid":
        return f"middle_block.{2 * int(number) if kind == 'resnets' else 1}.{part}"
    start = stride * int(block)
    if kind == "downsamplers":
        return f"input_blocks.{start + stride}.0.op"
    if kind == "upsamplers":
        return f"output_blocks.{start + stride - 1}.{1 + has_attention}.{part}"
    index = (
        f"input_blocks.{start + int(number) + 1}"
        if side == "down"
        else f"output_blocks.{start + int(number)}"
    )
    return f"{index}.{int(kind == 'attentions')}.{part}"


@cache
def noise_levels() -> Tensor:
    """Return the (1000,) sigmas of the UNet's timesteps, rising."""
    signal = DDPMScheduler(**SCHEDULE).alphas_cumprod.double()
    return ((1 - signal).sqrt() / (signal.sqrt() + (1 - signal).sqrt())).float()


@torch.no_grad()
def latent_distribution(pipe: DiffusionPipeline, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return mode and standard deviation of (n, 4, h / 8, w / 8) latents, scaled by the VAE's own
    constant.
    """
    scale, (mode, std) = pipe.vae.config.scaling_factor, shared.vae_distribution(pipe, pixels)
    return mode * scale, std * scale


encode_images = shared.modes(latent_distribution)


@torch.no_grad()
def encode_captions(pipe: DiffusionPipeline, captions: Sequence[str], base: Base) -> dict[str, Tensor]:
    """Return `prompt_embeds` (n, 77, width of the encoders), and for SDXL `pooled_prompt_embeds` (n, 1280) as
    well.
    """
    with quiet():
        encoded = pipe.encode_prompt(
            list(captions),
            device=compat.execution_device(pipe),
            num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )
    if len(encoded) == 2:
        return {"prompt_embeds": encoded[0]}
    return {"prompt_embeds": encoded[0], "pooled_prompt_embeds": encoded[2]}


@torch.no_grad()
def decode_latents(pipe: DiffusionPipeline, latents: Tensor) -> list[Image]:
    """Return the pictures that (n, 4, h, w) latents stand for."""
    vae = pipe.vae
    unscaled = shared.to_vae(pipe, latents) / vae.config.scaling_factor
    return pipe.image_processor.postprocess(vae.decode(unscaled).sample)


def predict_noise(
    denoiser: nn.Module, noisy_latents: Tensor, sigma: Tensor, embeddings: dict[str, Tensor]
) -> Tensor:
    """Return the predicted noise in (1 - sigma) latents + sigma noise, (n, 4, h, w)."""
    timesteps = (noise_levels().to(sigma.device) - sigma.float().unsqueeze(1)).abs().argmin(1)
    scale = ((1 - sigma).square() + sigma.square()).sqrt()
    conditions = {}
    if (
        "pooled_prompt_embeds" in embeddings
    ):  # SDXL also takes the original size, the crop's corner and the target size
        height, width = (VAE_SCALE * cells for cells in noisy_latents.shape[-2:])
        whole = noisy_latents.new_tensor([[height, width, 0, 0, height, width]])
        time_ids = embeddings.get("time_ids", whole.expand(len(noisy_latents), -1))
        conditions["added_cond_kwargs"] = {
            "text_embeds": embeddings["pooled_prompt_embeds"],
            "time_ids": time_ids.to(noisy_latents.dtype),
        }
    scaled = (noisy_latents / shared.broadcast_sigma(scale)).to(noisy_latents.dtype)
    conditions["encoder_hidden_states"] = embeddings["prompt_embeds"]
    return denoiser(scaled, timesteps, return_dict=False, **conditions)[0]


def loss(
    denoiser: nn.Module, latents: Tensor, embeddings: dict[str, Tensor], noise: Tensor, sigma: Tensor
) -> Tensor:
    """Return the mean squared error of the predicted noise, (n,)."""
    noise_pred = predict_noise(denoiser, shared.add_noise(latents, noise, sigma), sigma, embeddings)
    return shared.mse_per_example(noise_pred, noise, embeddings.get("loss_weights"))


@torch.no_grad()
def predict_original(
    pipe: DiffusionPipeline,
    noisy_latents: Tensor,
    sigma: Tensor,
    embeddings: dict[str, Tensor],
    guidance_scale: float = 1.0,
) -> Tensor:
    """Return the predicted latents without noise. `guidance_scale` is not an input of these models."""
    sigma = sigma.clamp(max=float(noise_levels()[-1]))  # at 1 the division below would be by zero
    noise_pred = predict_noise(pipe.unet, noisy_latents, sigma, embeddings)
    return (noisy_latents - shared.broadcast_sigma(sigma) * noise_pred) / (1 - shared.broadcast_sigma(sigma))


def sample_sigma(count: int, generator: torch.Generator, sampling: str = "uniform") -> Tensor:
    """Return (count,) noise levels of the thousand, drawn uniformly or most of them in the middle."""
    levels = noise_levels()
    if sampling == "uniform":
        return levels[torch.randint(len(levels), (count,), generator=generator)]
    return levels[(len(levels) * shared.sample_positions(count, generator, sampling)).long()]


def sample_image(
    pipe: DiffusionPipeline,
    embeddings: dict[str, Tensor],
    negative_embeddings: dict[str, Tensor],
    base: Base,
    seed: int,
) -> Image:
    """Return one picture from text embeddings, guided away from those of the empty prompt,
    or for SDXL from its default, zeros.
    """
    inputs = dict(embeddings)
    if not pipe.config.get("force_zeros_for_empty_prompt"):
        inputs |= {f"negative_{name}": value for name, value in negative_embeddings.items()}
    generator = torch.Generator().manual_seed(seed)
    return pipe(generator=generator, **inputs, **pipeline_arguments(base, None, None)).images[0]
