"""One module an architecture, each with the members of `Family`, so that no other module asks which one it has."""

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

EMBEDDINGS_VERSION = (
    2  # of the names that `encode_captions` gives; raise it when they change, so that no old cache is read
)


class Family(Protocol):
    """What training and sampling need of an architecture. A module with these names is one."""

    TARGET_MODULES: tuple[str, ...]  # layers that get a LoRA, by the end of their names

    def load(self, base: Base, session: Session) -> DiffusionPipeline:
        """Return the pipeline on the session's device and in its precision."""

    def load_tokenizer(self, base: Base) -> Any:
        """Return the tokenizer that limits a caption's length, without loading any weights."""

    def encode_images(self, pipe: DiffusionPipeline, pixels: Tensor) -> Tensor:
        """Return the latents, as the denoiser takes them, of (n, 3, h, w) pixels in -1 ... 1."""

    def decode_latents(self, pipe: DiffusionPipeline, latents: Tensor) -> list[Image]:
        """Return the images of latents."""

    def encode_captions(
        self, pipe: DiffusionPipeline, captions: Sequence[str], base: Base
    ) -> dict[str, Tensor]:
        """Return the text embeddings by diffusers' names (`prompt_embeds` and so on), each (captions, ...)."""

    def loss(
        self,
        denoiser: nn.Module,
        latents: Tensor,
        embeddings: dict[str, Tensor],
        noise: Tensor,
        sigma: Tensor,
    ) -> Tensor:
        """Return the loss of each example, (n,), at noise levels sigma, (n,), in 0 ... 1."""

    def predict_original(
        self,
        pipe: DiffusionPipeline,
        noisy_latents: Tensor,
        sigma: Tensor,
        embeddings: dict[str, Tensor],
        guidance_scale: float = 1.0,
    ) -> Tensor:
        """Return the predicted latents without noise, of the shape of `noisy_latents`.

        `guidance_scale` has an effect only on a model that takes it as an input.
        """

    def sample_sigma(self, count: int, generator: torch.Generator) -> Tensor:
        """Return (count,) noise levels to train at."""

    def latent_shape(self, pipe: DiffusionPipeline, base: Base) -> tuple[int, int, int, int]:
        """Return the shape of one picture's latents, (1, channels, rows, columns)."""

    def pipeline_arguments(
        self, base: Base, steps: int | None, guidance_scale: float | None
    ) -> dict[str, Any]:
        """Return the pipeline's arguments, the prompt and the seed left out; None is the base model's own value."""

    def sample_image(
        self,
        pipe: DiffusionPipeline,
        embeddings: dict[str, Tensor],
        negative_embeddings: dict[str, Tensor],
        base: Base,
        seed: int,
    ) -> Image:
        """Return one picture from text embeddings; `negative_embeddings` are those of the empty prompt."""


def find(name: str) -> Family:
    """Return the module of an architecture; ValueError for one that has not been written."""
    try:
        return cast(Family, import_module(f"{__name__}.{name}"))
    except ModuleNotFoundError as problem:
        if problem.name != f"{__name__}.{name}":
            raise
        raise ValueError(f"the course has no module for models of the {name!r} kind") from problem
