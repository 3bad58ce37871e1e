"""What several architectures have in common: loading, picture mixed with noise, levels of noise, the error of a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from diffusers import DiffusionPipeline
from torch import Tensor, nn
from transformers import AutoTokenizer

from lessons_lib.models.bases import Base, verify
from lessons_lib.session import Session, precision, quiet

Pipeline = TypeVar("Pipeline", bound=DiffusionPipeline)


@contextmanager
def fetching(base: Base) -> Iterator[None]:
    """While inside, an OSError about a base that is kept on the Hub says what to do about it."""
    try:
        yield
    except OSError as problem:
        if Path(base.repository).is_absolute():
            raise
        page = f"https://huggingface.co/{base.repository}"
        gate = " with the licence accepted there and `hf auth login` done once" if base.gated else ""
        raise OSError(
            f"cannot fetch {base.name} ({base.size_gb:g} GB): expected the network{gate}, or files fetched before. See {page}. "
            "The base pocket needs no network"
        ) from problem


def load(kind: type[Pipeline], base: Base, session: Session, **parts: Any) -> Pipeline:
    """Return the base's pipeline on the session's device and in its precision; `parts` take the place of its own.

    Of one that lies in a folder: FileNotFoundError when it is not there, ValueError when it is damaged. OSError when one
    cannot be fetched.
    """
    if Path(base.repository).is_absolute():
        if not Path(base.repository, "model_index.json").exists():
            raise FileNotFoundError(
                f"the base model {base.name!r} is missing: expected {base.repository}; clone the course again"
            )
        verify(Path(base.repository))
    with quiet(), fetching(base):
        pipe = kind.from_pretrained(
            base.repository, torch_dtype=precision(session, base), use_safetensors=True, **parts
        )
    pipe.set_progress_bar_config(disable=True)
    return cast(Pipeline, pipe.to(session.device))


def tokenizer(base: Base, folder: str = "tokenizer") -> Any:
    """Return the tokenizer in one of the base's folders, without loading any weights."""
    with quiet(), fetching(base):
        return AutoTokenizer.from_pretrained(base.repository, subfolder=folder)


def noise_shape(pipe: DiffusionPipeline, base: Base) -> tuple[int, int, int, int]:
    """Return the shape of one picture's latents, (1, channels, rows, columns)."""
    vae = pipe.vae.config
    cells = base.side // 2 ** (len(vae.block_out_channels) - 1)
    return 1, vae.latent_channels, cells, cells


def each(sigma: Tensor) -> Tensor:
    """Return (n,) numbers as (n, 1, 1, 1), so that each goes with its own picture."""
    return sigma.view(-1, 1, 1, 1)


def mixed(latents: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """Return (1 - sigma) latents + sigma noise, in the precision of the latents; sigma (n,) is the share of noise."""
    return ((1 - each(sigma)) * latents + each(sigma) * noise).to(latents.dtype)


def error(made: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean squared error of each example, (n,), in float32."""
    return (made.float() - wanted.float()).square().flatten(1).mean(1)


def flow(velocity: Callable[..., Tensor]) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """Return (loss, guess) of a family, see `Family`, from what its denoiser makes of noisy latents: noise - latents, (n, c, h, w)."""

    def loss(
        denoiser: nn.Module, latents: Tensor, words: dict[str, Tensor], noise: Tensor, sigma: Tensor
    ) -> Tensor:
        return error(velocity(denoiser, mixed(latents, noise, sigma), sigma, words), noise - latents)

    @torch.no_grad()
    def guess(
        pipe: DiffusionPipeline, noisy: Tensor, sigma: Tensor, words: dict[str, Tensor], guidance: float = 1.0
    ) -> Tensor:
        return noisy - each(sigma) * velocity(pipe.transformer, noisy, sigma, words, guidance)

    return loss, guess


def call(base: Base, steps: int | None, guidance: float | None) -> dict[str, Any]:
    """Return the drawing arguments that every pipeline takes."""
    return {
        "height": base.side, "width": base.side, "num_inference_steps": steps or base.draw_steps,
        "guidance_scale": base.guidance_scale if guidance is None else guidance,
    }  # fmt: skip


def logit_normal(count: int, generator: torch.Generator) -> Tensor:
    """Return (count,) noise levels, most of them near the middle (Esser et al. 2024, arXiv 2403.03206)."""
    return torch.sigmoid(torch.randn(count, generator=generator))
