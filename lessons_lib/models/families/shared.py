"""What several architectures share: loading, adding noise, drawing noise levels, the flow-matching loss,
pipeline arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from diffusers import DiffusionPipeline
from torch import Tensor, nn
from transformers import AutoTokenizer

from lessons_lib import compat
from lessons_lib.models import quantization
from lessons_lib.models.access import explain_fetch_errors
from lessons_lib.models.bases import Base, verify
from lessons_lib.paths import in_course
from lessons_lib.session import Session, quiet

Pipeline = TypeVar("Pipeline", bound=DiffusionPipeline)


def names_by_block(table: Mapping[str, Sequence[str]], layers: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return a table of names with the numbers of the blocks that there are in place of its `*`."""
    names = {}
    for original, parts in table.items():
        for number in map(str, range(len(layers))):
            numbered = tuple(part.replace("*", number) for part in parts)
            if not set(numbered) <= set(layers):
                break
            names[original.replace("*", number)] = numbered
    return names


def load_pipeline(
    kind: type[Pipeline], denoiser: str, base: Base, session: Session, **components: Any
) -> Pipeline:
    """Return the base's pipeline on the session's device and in its precision; `components` replace its own.

    One that is None is not loaded. Frozen weights are quantised as the base says, or loaded from where they
    are so already. `denoiser`: its component.
    Raises for a base in a local folder FileNotFoundError when it is missing and ValueError when it is
    damaged; for a base on the Hub OSError when it cannot be fetched.
    """
    if base.is_local:
        verify(in_course(Path(base.repository, "model_index.json")).parent)
    options = components | quantization.loading_options(base, session, denoiser, components)
    with quiet(), explain_fetch_errors(base):
        pipe = kind.from_pretrained(
            base.source, torch_dtype=base.precision(session), use_safetensors=True, **options
        )
    quantization.compute_in(pipe, base.precision(session))
    pipe.set_progress_bar_config(disable=True)
    if base.offload and session.device.type != "cpu":
        pipe.enable_model_cpu_offload(device=session.device)
        pipe.vae.enable_tiling()  # pictures larger than a tile, the VAE's own side, are decoded in parts
        return pipe
    return cast(Pipeline, pipe.to(session.device))


def load_tokenizer(base: Base, folder: str = "tokenizer") -> Any:
    """Return the tokenizer in one of the base's folders, without loading any weights."""
    if base.is_local:
        in_course(Path(base.repository, folder))
    with quiet(), explain_fetch_errors(base):
        return AutoTokenizer.from_pretrained(base.source, subfolder=folder)


def keep_ends(text: str, tokenizer: Any, limit: int) -> str:
    """Return a text as it is, or its first and last words where it has more tokens than an encoder reads."""

    def count(short: str) -> int:
        return len(tokenizer.tokenize(short)) + int(tokenizer.num_special_tokens_to_add())

    words, short = text.split(), text
    most = len(words) // 2
    while count(short) > limit and most:
        short = " ".join([*words[:most], *words[-most:]])
        most -= 1
    return short


def latent_shape(pipe: DiffusionPipeline, base: Base) -> tuple[int, int, int, int]:
    """Return the shape of one picture's latents, (1, channels, rows, columns)."""
    vae = pipe.vae.config
    cells = base.side // 2 ** (len(vae.block_out_channels) - 1)
    return 1, vae.latent_channels, cells, cells


def to_vae(pipe: DiffusionPipeline, tensor: Tensor) -> Tensor:
    """Return a tensor on the device that a pipeline computes on and in the precision of its VAE."""
    return tensor.to(compat.execution_device(pipe), pipe.vae.dtype)


def vae_distribution(pipe: DiffusionPipeline, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mode and the standard deviation of the distribution that a VAE gives for pixels."""
    distribution = pipe.vae.encode(to_vae(pipe, pixels)).latent_dist
    return distribution.mode(), distribution.std


def modes(
    latent_distribution: Callable[[DiffusionPipeline, Tensor], tuple[Tensor, Tensor]],
) -> Callable[[DiffusionPipeline, Tensor], Tensor]:
    """Return `encode_images`, see `Family`, from a family's `latent_distribution`."""
    return lambda pipe, pixels: latent_distribution(pipe, pixels)[0]


def broadcast_sigma(sigma: Tensor) -> Tensor:
    """Return (n,) noise levels as (n, 1, 1, 1), so that they multiply (n, channels, rows, columns)
    latents.
    """
    return sigma.view(-1, 1, 1, 1)


def add_noise(latents: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """Return noisy latents, (1 - sigma) latents + sigma noise, in the precision of the latents; sigma: (n,),
    0 ... 1.
    """
    share = broadcast_sigma(sigma)
    return ((1 - share) * latents + share * noise).to(latents.dtype)


def mse_per_example(prediction: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean squared error of each example, (n,), in float32.

    `weights`: of each place, such as (n, 1, rows, columns); None counts all alike.
    """
    squares = (prediction.float() - target.float()).square()
    return (squares if weights is None else squares * weights).flatten(1).mean(1)


def flow_matching(
    predict_velocity: Callable[..., Tensor],
) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """Return `loss` and `predict_original` of a family, see `Family`, from its predicted velocity,
    noise - latents, (n, c, h, w).

    Lipman et al. 2022, arXiv 2210.02747.
    """

    def loss(
        denoiser: nn.Module, latents: Tensor, embeddings: dict[str, Tensor], noise: Tensor, sigma: Tensor
    ) -> Tensor:
        velocity = predict_velocity(denoiser, add_noise(latents, noise, sigma), sigma, embeddings)
        return mse_per_example(velocity, noise - latents, embeddings.get("loss_weights"))

    @torch.no_grad()
    def predict_original(
        pipe: DiffusionPipeline,
        noisy_latents: Tensor,
        sigma: Tensor,
        embeddings: dict[str, Tensor],
        guidance_scale: float = 1.0,
    ) -> Tensor:
        velocity = predict_velocity(pipe.transformer, noisy_latents, sigma, embeddings, guidance_scale)
        return noisy_latents - broadcast_sigma(sigma) * velocity

    return loss, predict_original


def pipeline_arguments(base: Base, steps: int | None, guidance_scale: float | None) -> dict[str, Any]:
    """Return the arguments that every pipeline takes, the prompt and the seed left out.

    None is the base model's own value.
    """
    return {
        "height": base.side, "width": base.side, "num_inference_steps": steps or base.num_inference_steps,
        "guidance_scale": base.guidance_scale if guidance_scale is None else guidance_scale,
    }  # fmt: skip


def sample_positions(count: int, generator: torch.Generator, sampling: str) -> Tensor:
    """Return (count,) places in a list of noise levels, in 0 ... 1: "uniform", or "logit_normal", most in the
    middle (Esser et al. 2024, arXiv 2403.03206).

    Equal in distribution to diffusers' ``compute_density_for_timestep_sampling`` with the weighting schemes
    "none", which is its scripts' default, and "logit_normal".
    """
    if sampling == "uniform":
        return torch.rand(count, generator=generator)
    if sampling == "logit_normal":
        return torch.sigmoid(torch.randn(count, generator=generator))
    raise ValueError(f"noise levels are drawn {sampling!r}; expected 'uniform' or 'logit_normal'")


def sample_flow_sigma(count: int, generator: torch.Generator, sampling: str = "logit_normal") -> Tensor:
    """Return (count,) noise levels before any shift, of the thousand of FlowMatchEulerDiscreteScheduler; for
    "logit_normal" those between them as well.
    """
    positions = sample_positions(count, generator, sampling)
    return positions if sampling == "logit_normal" else (1000 - (1000 * positions).long()) / 1000
