"""A blind comparison: which of two pictures is better, asked without saying which is which, and what the answers prove."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import ipywidgets
import numpy as np
from PIL import Image

from lessons_lib.display.notebook import jpeg

Side = Literal["left", "right"]
DOUBT = 0.05  # a result that a coin reaches more often than this proves nothing


@dataclass
class Blind:
    """Pairs of pictures whose sides were drawn by lot.

    `names`: what the first and the second of every pair are. `asked`: what each pair is a picture of, shown above it.
    """

    pairs: Sequence[tuple[Image.Image, Image.Image]]
    names: tuple[str, str]
    asked: Sequence[str] = ()
    seed: int = 0
    answers: dict[int, Side] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.pairs:
            raise ValueError("no pairs to choose from; expected at least one")
        if self.asked and len(self.asked) != len(self.pairs):
            raise ValueError(f"{len(self.asked)} texts for {len(self.pairs)} pairs; expected one a pair")
        lots = np.random.default_rng(self.seed).integers(0, 2, len(self.pairs))
        self._first_is: list[Side] = ["left" if lot else "right" for lot in lots]

    def shown(self, number: int) -> tuple[Image.Image, Image.Image]:
        """Return the left and the right picture of a pair."""
        first, second = self.pairs[number]
        return (first, second) if self._first_is[number] == "left" else (second, first)

    def choose(self, number: int, side: Side) -> None:
        """Answer a pair; a second answer takes the place of the first. ValueError for a pair or a side that is not there."""
        if not 0 <= number < len(self.pairs) or side not in ("left", "right"):
            raise ValueError(
                f"pair {number}, {side!r}: expected a number below {len(self.pairs)} and left or right"
            )
        self.answers[number] = side

    def panel(self, side: int = 128) -> ipywidgets.HBox:
        """Return every pair with a choice below it. What is chosen goes into `answers`; the same by hand: ``choose(3, "left")``."""
        return ipywidgets.HBox([self._one(number, side) for number in range(len(self.pairs))],
                               layout=ipywidgets.Layout(flex_flow="row wrap"))  # fmt: skip

    def _one(self, number: int, side: int) -> ipywidgets.VBox:
        views = [
            ipywidgets.Image(
                value=jpeg(i.resize((side, side), Image.Resampling.LANCZOS)), format="jpeg", width=side
            )
            for i in self.shown(number)
        ]
        choice = ipywidgets.ToggleButtons(
            options=["?", "left", "right"], style={"button_width": f"{side * 0.6:.0f}px"}
        )

        def keep(change: dict) -> None:
            if change["new"] == "?":
                self.answers.pop(number, None)
            else:
                self.choose(number, change["new"])

        choice.observe(keep, names="value")
        words = [ipywidgets.Label(self.asked[number])] if self.asked else []
        return ipywidgets.VBox(
            [*words, ipywidgets.HBox(views), choice], layout=ipywidgets.Layout(margin="0 16px 12px 0")
        )

    def firsts(self) -> int:
        """Return how many answers went to the first of their pair."""
        return sum(self._first_is[number] == side for number, side in self.answers.items())

    def __str__(self) -> str:
        count = len(self.answers)
        if not count:
            return "no pair was answered yet"
        better, worse = self.names if 2 * self.firsts() >= count else self.names[::-1]
        most = max(self.firsts(), count - self.firsts())
        luck = two_sided(most, count)
        said = f"{most} of {count} answers for {better}; a coin is as one-sided in {luck:.0%} of such tests"
        return f"{said}: {better} was preferred to {worse}" if luck < DOUBT else f"{said}: nothing is proved"


def at_least(right: int, answers: int) -> float:
    """Return how often a coin gives so many heads or more, 0 ... 1."""
    return sum(math.comb(answers, k) for k in range(right, answers + 1)) / 2**answers


def two_sided(most: int, answers: int) -> float:
    """Return how often a coin gives so many or more of either side, 0 ... 1: the sign test, Arbuthnot 1710."""
    return min(1.0, 2 * at_least(most, answers))


def needed(answers: int) -> int | None:
    """Return how many answers for one side it takes until a coin does so in less than one test of twenty; None if all are too few."""
    return next(
        (most for most in range(answers // 2 + 1, answers + 1) if two_sided(most, answers) < DOUBT), None
    )
