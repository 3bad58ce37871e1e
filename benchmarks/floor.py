"""The least time that a training step can take on this machine: its matrix products alone.

The rate of each shape is measured.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Product:
    """A layer's work in one step: (rows, inside) @ (inside, outside), and which of its two gradients it
    needs.
    """

    rows: int
    inside: int
    outside: int
    to_input: bool
    to_weight: bool

    @property
    def operations(self) -> int:
        """Multiplications and additions, forward and backward."""
        return 2 * self.rows * self.inside * self.outside * (1 + self.to_input + self.to_weight)

    def seconds(self) -> float:
        """Return the time that its products take, the fastest of several tries."""
        x, w, g = (
            torch.randn(shape)
            for shape in (
                (self.rows, self.inside),
                (self.outside, self.inside),
                (self.rows, self.outside),
            )
        )
        total = fastest(lambda: x @ w.T)
        if self.to_input:
            total += fastest(lambda: g @ w)
        if self.to_weight:
            total += fastest(lambda: g.T @ x)
        return total


def fastest(work: Callable[[], Any], tries: int = 7) -> float:
    """Return the seconds of the fastest of some tries."""
    seconds = []
    for _ in range(tries):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def products(model: nn.Module, step: Callable[[], Any]) -> Counter[Product]:
    """Return every linear layer's products in one forward pass of `step`, with how often each occurs.

    Attention's own products and everything that is no matrix product are left out: the floor is low, not
    high.
    """
    counts: Counter[Product] = Counter()

    def count(layer: nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        x = inputs[0]
        rows = x.numel() // x.shape[-1]
        gradients = (x.requires_grad, layer.weight.requires_grad)
        counts[Product(rows, layer.in_features, layer.out_features, *gradients)] += 1

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, nn.Linear)]
    try:
        step()
    finally:
        for hook in hooks:
            hook.remove()
    return counts


def floor(counts: Counter[Product]) -> tuple[float, float]:
    """Return (seconds, operations) of all products of a step."""
    seconds = sum(product.seconds() * times for product, times in counts.items())
    return seconds, float(sum(product.operations * times for product, times in counts.items()))
