"""The least time that a training step can take on this machine: its matrix products alone, at the rate measured for each shape."""

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
    """A layer's work in one step: (rows, inside) @ (inside, outside), and which of its two gradients are asked for."""

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
    found = []
    for _ in range(tries):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def products(model: nn.Module, step: Callable[[], Any]) -> Counter[Product]:
    """Return every linear layer's products in one forward pass of `step`, with how often each occurs.

    Attention's own products and everything that is no matrix product are left out, so that the floor is low, not high.
    """
    seen: Counter[Product] = Counter()

    def note(layer: nn.Linear, given: tuple[Tensor, ...], made: Tensor) -> None:
        x = given[0]
        rows = x.numel() // x.shape[-1]
        seen[
            Product(rows, layer.in_features, layer.out_features, x.requires_grad, layer.weight.requires_grad)
        ] += 1

    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, nn.Linear)]
    try:
        step()
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def floor(seen: Counter[Product]) -> tuple[float, float]:
    """Return (seconds, operations) of all products of a step."""
    seconds = sum(product.seconds() * times for product, times in seen.items())
    return seconds, float(sum(product.operations * times for product, times in seen.items()))
