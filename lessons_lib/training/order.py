"""The order in which pictures come into batches."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Protocol

import torch
from torch import Tensor


class Order(Protocol):
    """Which pictures the next batches hold.

    `drawn`: those that were in a batch so far, by index; None where an older checkpoint does not say.
    """

    drawn: set[int] | None

    def next_batch(self, size: int, generator: torch.Generator) -> Tensor:
        """Return the indices of the next pictures, at most `size`."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next batches depend on, the generator left out."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""


class ShuffledRounds:
    """Every picture comes once, in random order, before any comes twice.

    Pictures come in rounds, each shuffled anew. The first holds every picture. Of two pictures the one with
    half the weight is in every second of the later rounds, so that in the long run pictures come as often
    as their weights say. A batch holds pictures of one of the `buckets`, one for each picture; it is smaller
    where no more of that are left in the round. It goes on with the next round when no picture is left.
    """

    def __init__(self, weights: Sequence[Fraction], buckets: Sequence[Any] = ()):
        self._buckets = buckets or [None] * len(weights)
        heaviest = max(weights)
        self._shares = [weight / heaviest for weight in weights]
        self._next_round = 0
        self._left: list[int] = []  # of the current round, in order
        self.drawn: set[int] | None = set()

    def next_batch(self, size: int, generator: torch.Generator) -> Tensor:
        """Return the indices of the next pictures, at most `size`."""
        pictures: list[int] = []
        while len(pictures) < size:
            if not self._left:
                self._start_round(generator)
            bucket = self._buckets[(pictures or self._left)[0]]
            same = [index for index in self._left if self._buckets[index] == bucket][: size - len(pictures)]
            pictures += same
            drawn = set(same)
            self._left = [index for index in self._left if index not in drawn]
            if self._left:
                break
        self.drawn = None if self.drawn is None else self.drawn | set(pictures)
        return torch.tensor(pictures)

    def _start_round(self, generator: torch.Generator) -> None:
        due = [index for index in range(len(self._shares)) if self._is_due(index)]
        self._left = [due[i] for i in torch.randperm(len(due), generator=generator).tolist()]
        self._next_round += 1

    def _is_due(self, index: int) -> bool:
        """Return whether a picture is in the next round.

        Pictures of one weight are spread evenly over the rounds, by multiples of the golden ratio.
        """
        share, offset = self._shares[index], Fraction(987 * index % 1597, 1597)
        number = self._next_round
        return number == 0 or (number * share + offset) // 1 > ((number - 1) * share + offset) // 1

    def state_dict(self) -> dict[str, Any]:
        """Return the round, what is left of it, and what was drawn."""
        return {
            "next_round": self._next_round,
            "left": torch.tensor(self._left, dtype=torch.long),
            "drawn": _to_tensor(self.drawn),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self._next_round, self._left = state["next_round"], state["left"].tolist()
        self.drawn = _to_set(state["drawn"])


class WithReplacement:
    """Every draw is from all pictures, as in versions 0.1 and 0.2: some come late, or never."""

    def __init__(self, count: int):
        self._count = count
        self.drawn: set[int] | None = set()

    def next_batch(self, size: int, generator: torch.Generator) -> Tensor:
        """Return the indices of the next pictures, (size,)."""
        pictures = torch.randint(self._count, (size,), generator=generator)
        self.drawn = None if self.drawn is None else self.drawn | set(pictures.tolist())
        return pictures

    def state_dict(self) -> dict[str, Any]:
        """Return what was drawn."""
        return {"drawn": _to_tensor(self.drawn)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.drawn = _to_set(state["drawn"])


def _to_tensor(indices: set[int] | None) -> Tensor | None:
    return None if indices is None else torch.tensor(sorted(indices), dtype=torch.long)


def _to_set(indices: Tensor | None) -> set[int] | None:
    return None if indices is None else set(indices.tolist())
