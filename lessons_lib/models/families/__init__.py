"""One module an architecture, each answering the same five questions, so that training never asks which it has."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, cast

import torch
from diffusers import DiffusionPipeline
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib.models.bases import Base
from lessons_lib.session import Session


class Family(Protocol):
    """What training and drawing must know of an architecture. A module with these names is one."""

    TARGETS: tuple[str, ...]  # layers that get a LoRA, by the end of their names

    def load(self, base: Base, session: Session) -> DiffusionPipeline:
        """Return the pipeline on the session's device and in its precision."""

    def tokenizer(self, base: Base) -> Any:
        """Return the tokenizer that limits a caption's length, without loading any weights."""

    def encode_pictures(self, pipe: DiffusionPipeline, pixels: Tensor) -> Tensor:
        """Return latents as the denoiser expects them of (n, 3, h, w) pixels in -1 .. 1."""

    def decode(self, pipe: DiffusionPipeline, latents: Tensor) -> list[Image]:
        """Return the pictures that latents stand for."""

    def encode_captions(
        self, pipe: DiffusionPipeline, captions: Sequence[str], base: Base
    ) -> dict[str, Tensor]:
        """Return what the denoiser is told of each caption; every tensor's first dimension counts captions."""

    def loss(
        self, denoiser: nn.Module, latents: Tensor, words: dict[str, Tensor], noise: Tensor, sigma: Tensor
    ) -> Tensor:
        """Return the training error of each example, (n,), at noise levels sigma in 0 .. 1."""

    def guess(
        self,
        pipe: DiffusionPipeline,
        noisy: Tensor,
        sigma: Tensor,
        words: dict[str, Tensor],
        guidance: float = 1.0,
    ) -> Tensor:
        """Return the latents that the base believes to be under the noise, of the shape of `noisy`.

        `guidance` counts only for a base that is handed it as a number.
        """

    def sample_sigma(self, count: int, generator: torch.Generator) -> Tensor:
        """Return (count,) noise levels to train at."""

    def noise_shape(self, pipe: DiffusionPipeline, base: Base) -> tuple[int, int, int, int]:
        """Return the shape of one picture's latents, (1, channels, rows, columns)."""

    def call(self, base: Base, steps: int | None, guidance: float | None) -> dict[str, Any]:
        """Return the pipeline's arguments for drawing, the prompt and the seed left out."""

    def sample(
        self,
        pipe: DiffusionPipeline,
        words: dict[str, Tensor],
        nothing: dict[str, Tensor],
        base: Base,
        seed: int,
    ) -> Image:
        """Return one picture of words encoded before; `nothing` are the words of an empty caption."""


def find(name: str) -> Family:
    """Return the module of an architecture; ValueError for one that has not been written."""
    try:
        return cast(Family, import_module(f"{__name__}.{name}"))
    except ModuleNotFoundError as problem:
        if problem.name != f"{__name__}.{name}":
            raise
        raise ValueError(f"the course has no module for models of the {name!r} kind") from problem
