"""The encoded training set, and the batches that are drawn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lessons_lib.training.latent_cache import CachedTensors


@dataclass(frozen=True)
class TrainingData:
    """What the loop learns from, encoded: latents (pictures, ...), embeddings of each caption, and last of the trigger alone.

    All of it may lie on disk; a batch is on `device`, where the model is.
    `prior`: pictures of the class without the trigger, learned beside it so that the class stays what it was (prior
    preservation, Ruiz et al. 2022, arXiv 2208.12242). `validation`: held-out pictures, looked at and never learned from.
    """

    latents: Tensor | CachedTensors
    embeddings: Mapping[str, Tensor | CachedTensors]
    device: torch.device | str = "cpu"
    prior: TrainingData | None = None
    validation: TrainingData | None = None

    def batch(
        self, size: int, dropout: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return latents and embeddings of `size` random pictures; a dropped caption is the trigger word alone."""
        picks = torch.randint(len(self.latents), (size,), generator=generator)
        dropped = torch.rand(size, generator=generator) < dropout
        return self.rows(picks, torch.where(dropped, len(self.latents), picks))

    def rows(self, picks: Tensor, told: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the latents of some pictures with the embeddings of some captions, both by number."""
        embeddings = {name: value[told].to(self.device) for name, value in self.embeddings.items()}
        return self.latents[picks].to(self.device), embeddings
