"""Random numbers for a batch, drawn on the CPU whatever the device: a seed stands for the same scenes
everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class BatchRng:
    """A seeded generator; every method returns a CPU tensor whose first dimension is `count`."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, count: int, low: float = 0.0, high: float = 1.0, width: int | None = None) -> Tensor:
        shape = (count,) if width is None else (count, width)
        return low + (high - low) * torch.rand(shape, generator=self.generator)

    def normal(self, count: int, mean: float = 0.0, spread: float = 1.0, width: int | None = None) -> Tensor:
        shape = (count,) if width is None else (count, width)
        return mean + spread * torch.randn(shape, generator=self.generator)

    def integers(self, count: int, low: int, high: int) -> Tensor:
        """Return whole numbers from `low` to `high` - 1."""
        return torch.randint(low, max(high, low + 1), (count,), generator=self.generator)

    def coin(self, count: int, share: float | Tensor) -> Tensor:
        return torch.rand(count, generator=self.generator) < share

    def choose(self, count: int, weights: Sequence[float]) -> Tensor:
        """Return indices, each as often as its weight says."""
        steps = torch.tensor(weights, dtype=torch.float64).cumsum(0)
        return torch.searchsorted(steps / steps[-1], self.uniform(count).double(), right=True).clamp(
            max=len(weights) - 1
        )
