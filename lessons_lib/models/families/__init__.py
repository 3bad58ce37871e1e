"""One module an architecture, each with the members of `Family`, so that no other module asks which one it
has.

flux.py     FLUX.1, and pocket
flux2.py    FLUX.2 klein
unet.py     Stable Diffusion 1.5 and SDXL
z_image.py  Z-Image
shared.py   what several of them have in common

A new architecture is a module here, its line in `FAMILIES`, and a table in bases.toml.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import torch
from diffusers import DiffusionPipeline
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib.models.bases import Base
from lessons_lib.session import Session

EMBEDDINGS_VERSION = (
    3  # of what `encode_captions` gives; raise it when that changes, so that no old cache is read
)


class Family(Protocol):
    """What training, sampling and exporting need of an architecture. A module with these names is one."""

    DENOISER: str
    """The pipeline's component that training changes: "transformer" or "unet"."""

    TARGET_MODULES: tuple[str, ...]
    """The layers that get a LoRA, by the end of their names, as in PEFT's LoraConfig."""

    COMFYUI_PREFIX: str
    """Prefix of the denoiser's LoRA layers in kohya's format, for bases where ComfyUI reads only that format.

    Empty where ComfyUI reads diffusers' names.
    """

    def original_names(self, layers: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the names that the model's makers gave its layers, as kohya's and ComfyUI's files have them:
        for each the diffusers layers that it is made of, in the order of its rows.

        `layers`: the denoiser's layers, by diffusers' names. One whose rows diffusers has reordered is left
        out.
        """

    def load(self, base: Base, session: Session, **components: Any) -> DiffusionPipeline:
        """Return the pipeline on the session's device and in the base's precision there.

        `components` replace its own; one that is None is not loaded.
        Raises FileNotFoundError or ValueError for a missing or damaged folder,
        OSError for a base that cannot be fetched, ValueError for a model that this architecture's training
        does not fit.
        """

    def load_tokenizer(self, base: Base) -> Any:
        """Return the tokenizer that limits a caption's length, without loading any weights."""

    def encode_images(self, pipe: DiffusionPipeline, pixels: Tensor) -> Tensor:
        """Return the latents, as the denoiser takes them, of (n, 3, h, w) pixels in -1 ... 1: the mode of
        what the VAE gives.
        """

    def latent_distribution(self, pipe: DiffusionPipeline, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latents of `encode_images` and the standard deviation of the VAE around each number."""

    def decode_latents(self, pipe: DiffusionPipeline, latents: Tensor) -> list[Image]:
        """Return the images of latents on any device, also of those that the pipeline gives with
        ``output_type="latent"``.
        """

    def latent_shape(self, pipe: DiffusionPipeline, base: Base) -> tuple[int, int, int, int]:
        """Return the shape of one picture's latents, (1, channels, rows, columns)."""

    def encode_captions(
        self, pipe: DiffusionPipeline, captions: Sequence[str], base: Base
    ) -> dict[str, Tensor]:
        """Return the text embeddings by diffusers' names (`prompt_embeds` and so on),
        each (captions, ...).
        """

    def sample_sigma(self, count: int, generator: torch.Generator, sampling: str = ...) -> Tensor:
        """Return (count,) noise levels to train at, in 0 ... 1; see `sample_positions` in shared.py.

        Without `sampling` as versions before 0.3 did.
        """

    def loss(
        self,
        denoiser: nn.Module,
        latents: Tensor,
        embeddings: dict[str, Tensor],
        noise: Tensor,
        sigma: Tensor,
    ) -> Tensor:
        """Return the loss of each example, (n,), at noise levels sigma, (n,).

        Among the `embeddings` may be `loss_weights`, (n, 1, rows, columns), of each place in the latents, and
        `time_ids`, (n, 6), the sizes and the crop that SDXL takes of each picture.
        """

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

    def pipeline_arguments(
        self, base: Base, steps: int | None, guidance_scale: float | None
    ) -> dict[str, Any]:
        """Return the pipeline's arguments, the prompt and the seed left out.

        None is the base model's own value.
        """

    def sample_image(
        self,
        pipe: DiffusionPipeline,
        embeddings: dict[str, Tensor],
        negative_embeddings: dict[str, Tensor],
        base: Base,
        seed: int,
    ) -> Image:
        """Return one picture from text embeddings; `negative_embeddings` are those of the empty prompt."""


def _flux() -> Family:
    from lessons_lib.models.families import flux

    return flux


def _flux2() -> Family:
    from lessons_lib.models.families import flux2

    return flux2


def _unet() -> Family:
    from lessons_lib.models.families import unet

    return unet


def _z_image() -> Family:
    from lessons_lib.models.families import z_image

    return z_image


# Functions, so that only the pipelines that are used are imported: each takes diffusers a second.
FAMILIES: dict[str, Callable[[], Family]] = {
    "flux": _flux,
    "flux2": _flux2,
    "unet": _unet,
    "z_image": _z_image,
}


def find(name: str) -> Family:
    """Return the module of an architecture; ValueError for one that the course has no module for."""
    if name not in FAMILIES:
        raise ValueError(f"there is no model family called {name!r}; expected one of {', '.join(FAMILIES)}")
    return FAMILIES[name]()


def denoiser(family: Family, pipe: DiffusionPipeline) -> nn.Module:
    """Return the part of a pipeline that training changes."""
    return getattr(pipe, family.DENOISER)
