"""Several adapters as one, exactly or at a smaller rank, and how much they get in one another's way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lessons_lib.adapters import low_rank
from lessons_lib.adapters.files import Adapter, Factors


def combine(adapters: Sequence[Adapter], weights: Sequence[float], rank: int | None = None) -> Adapter:
    """Return one adapter whose change is the weighted sum of those of several, which have diffusers' names.

    Without `rank` the factors are put side by side, [down_1; down_2] and [w_1 up_1, w_2 up_2]: the sum to
    within rounding, of the sum of the ranks. With it each layer's sum is cut to its largest singular values,
    the closest change of that rank (Eckart and Young 1936); PEFT calls the two ``cat`` and ``svd``.
    Alpha is the rank. Raises ValueError where the two lists differ in length, or for a weight or rank that is
    no use.
    """
    if len(adapters) != len(weights) or not adapters:
        raise ValueError(
            f"there are {len(adapters)} adapters and {len(weights)} weights; expected one for each"
        )
    if not all(abs(weight) < float("inf") for weight in weights) or (rank is not None and rank < 1):
        raise ValueError(f"weights are {weights} and rank is {rank}; expected numbers, and a rank above 0")
    names = dict.fromkeys(name for adapter in adapters for name in adapter.layers)
    layers = {}
    for name in names:
        parts = [
            (adapter.layers[name], weight)
            for adapter, weight in zip(adapters, weights, strict=True)
            if name in adapter.layers
        ]
        layer = side_by_side(parts)
        layers[name] = layer if rank is None else cut(layer, rank)
    return Adapter(layers)


def cut(factors: Factors, rank: int) -> Factors:
    """Return the change of a layer at no more than a rank: its largest singular values.

    See `low_rank.truncated_factors`. The factors are in float32 and alpha is their rank.
    """
    shape = factors.down.shape[1:]
    scaled_up = factors.up.double().flatten(1) * factors.scaling
    down, up = low_rank.truncated_factors(factors.down.flatten(1), scaled_up, rank)
    kernel = (1 for _ in shape[1:])
    return Factors(
        down.float().reshape(-1, *shape), up.float().reshape(len(up), -1, *kernel), float(len(down))
    )


@dataclass(frozen=True)
class Overlap:
    """Two changes of one layer. `cosine`: of the two as long vectors, -1 ... 1; 0 = they do not meet.

    `inputs`, `outputs`: share of the second's directions, weighted by its singular values, that lie among the
    first's, 0 ... 1, in what the layer reads and in what it writes.
    """

    name: str
    cosine: float
    inputs: float
    outputs: float


def interference(first: Adapter, second: Adapter) -> list[Overlap]:
    """Return how the changes of two adapters meet, for each layer that both have and that neither leaves
    as it was.
    """
    names = [name for name in first.layers if name in second.layers]
    overlaps = [_overlap(name, first.layers[name], second.layers[name]) for name in names]
    return [overlap for overlap in overlaps if overlap is not None]


def total_cosine(first: Adapter, second: Adapter) -> float:
    """Return the cosine of two adapters' changes, all layers taken as one vector; 0 where one has none."""
    product = sum(_inner(f, second.layers[n]) for n, f in first.layers.items() if n in second.layers)
    lengths = norm(first) * norm(second)
    return product / lengths if lengths else 0.0


def norm(adapter: Adapter) -> float:
    """Return the length of an adapter's change, all layers taken as one vector."""
    return max(0.0, sum(_inner(factors, factors) for factors in adapter.layers.values())) ** 0.5


def largest_difference(first: Adapter, second: Adapter) -> float:
    """Return the largest difference between two adapters' changes of a weight; a layer that only one has
    counts as zero in the other.
    """
    differences = [0.0]
    for name in first.layers.keys() | second.layers.keys():
        deltas = [adapter.layers[name].delta for adapter in (first, second) if name in adapter.layers]
        change = deltas[0] - deltas[1] if len(deltas) == 2 else deltas[0]
        differences.append(float(change.abs().max()))
    return max(differences)


def side_by_side(parts: Sequence[tuple[Factors, float]]) -> Factors:
    """Return the weighted sum of changes of one layer, the factors one beside the other."""
    down = torch.cat([factors.down.float() for factors, _ in parts])
    up = torch.cat([factors.up.float() * (factors.scaling * weight) for factors, weight in parts], dim=1)
    return Factors(down, up, float(len(down)))


def _inner(first: Factors, second: Factors) -> float:
    """Return the inner product of two changes of one layer, from the factors alone."""
    ups = first.up.float().flatten(1).T @ second.up.float().flatten(1)
    downs = first.down.float().flatten(1) @ second.down.float().flatten(1).T
    return float((ups * downs).sum()) * first.scaling * second.scaling


def _overlap(name: str, first: Factors, second: Factors) -> Overlap | None:
    lengths = [max(0.0, _inner(factors, factors)) ** 0.5 for factors in (first, second)]
    if not all(lengths):
        return None
    shares = [_shared(_basis(first, side), _weighted(second, side)) for side in ("down", "up")]
    return Overlap(name, _inner(first, second) / (lengths[0] * lengths[1]), *shares)


def _weighted(factors: Factors, side: str) -> torch.Tensor:
    """Return the singular directions of a change on one side, each as long as its singular value, in
    columns.
    """
    whole = cut(factors, factors.rank)
    columns = whole.down.flatten(1).T if side == "down" else whole.up.flatten(1)
    return columns * columns.norm(dim=0)


def _basis(factors: Factors, side: str) -> torch.Tensor:
    """Return an orthonormal basis of what a change reads or writes, in columns."""
    columns = _weighted(factors, side)
    lengths = columns.norm(dim=0)
    used = lengths > 1e-6 * lengths.max()
    return columns[:, used] / lengths[used]


def _shared(basis: torch.Tensor, directions: torch.Tensor) -> float:
    """Return the share of some directions' squared length that lies in the span of a basis, 0 ... 1."""
    return float((basis.T @ directions).square().sum() / directions.square().sum())
