"""A blind test: which of two pictures is better, when nobody says which is which,
and what the answers prove.
"""

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
SIGNIFICANCE = 0.05  # a result that a coin reaches more often than this proves nothing


@dataclass
class BlindTest:
    """Pairs of pictures, left and right at random.

    `names`: what the first and the second of every pair are. `prompts`: a text for each pair, shown above it.
    Raises ValueError without pairs, or unless there are as many prompts as pairs.
    """

    pairs: Sequence[tuple[Image.Image, Image.Image]]
    names: tuple[str, str]
    prompts: Sequence[str] = ()
    seed: int = 0
    answers: dict[int, Side] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.pairs:
            raise ValueError("no pairs to choose from; expected at least one")
        if self.prompts and len(self.prompts) != len(self.pairs):
            raise ValueError(f"{len(self.prompts)} prompts for {len(self.pairs)} pairs; expected one a pair")
        is_left = np.random.default_rng(self.seed).integers(0, 2, len(self.pairs))
        self._sides_of_first: list[Side] = ["left" if left else "right" for left in is_left]

    def left_and_right(self, number: int) -> tuple[Image.Image, Image.Image]:
        """Return the left and the right picture of a pair."""
        first, second = self.pairs[number]
        return (first, second) if self._sides_of_first[number] == "left" else (second, first)

    def choose(self, number: int, side: Side) -> None:
        """Answer a pair; a second answer replaces the first.

        Raises ValueError for a pair or a side that does not exist.
        """
        if not 0 <= number < len(self.pairs) or side not in ("left", "right"):
            raise ValueError(
                f"pair {number}, {side!r}: expected a number below {len(self.pairs)} and left or right"
            )
        self.answers[number] = side

    def panel(self, side: int = 128) -> ipywidgets.HBox:
        """Return every pair with a choice below it, which is written into `answers`.

        The same by hand: ``choose(3, "left")``.
        """
        return ipywidgets.HBox([self._pair_box(number, side) for number in range(len(self.pairs))],
                               layout=ipywidgets.Layout(flex_flow="row wrap"))  # fmt: skip

    def _pair_box(self, number: int, side: int) -> ipywidgets.VBox:
        views = [
            ipywidgets.Image(
                value=jpeg(i.resize((side, side), Image.Resampling.LANCZOS)), format="jpeg", width=side
            )
            for i in self.left_and_right(number)
        ]
        choice = ipywidgets.ToggleButtons(
            options=["?", "left", "right"], style={"button_width": f"{side * 0.6:.0f}px"}
        )

        def on_choice(change: dict) -> None:
            if change["new"] == "?":
                self.answers.pop(number, None)
            else:
                self.choose(number, change["new"])

        choice.observe(on_choice, names="value")
        heading = [ipywidgets.Label(self.prompts[number])] if self.prompts else []
        return ipywidgets.VBox(
            [*heading, ipywidgets.HBox(views), choice], layout=ipywidgets.Layout(margin="0 16px 12px 0")
        )

    def count_first(self) -> int:
        """Return how many answers went to the first of their pair."""
        return sum(self._sides_of_first[number] == side for number, side in self.answers.items())

    def __str__(self) -> str:
        count = len(self.answers)
        if not count:
            return "no pair was answered yet"
        better, worse = self.names if 2 * self.count_first() >= count else self.names[::-1]
        most = max(self.count_first(), count - self.count_first())
        p_value = sign_test(most, count)
        counts = (
            f"{most} of {count} answers for {better}; a coin is as one-sided in {p_value:.0%} of such tests"
        )
        verdict = f"{better} was preferred to {worse}" if p_value < SIGNIFICANCE else "nothing is proved"
        return f"{counts}: {verdict}"


def sign_test(most: int, answers: int) -> float:
    """Return the p-value of so many equal answers: how often a coin gives as many or more of either side.

    Arbuthnot 1710.
    """
    tail = sum(math.comb(answers, k) for k in range(most, answers + 1)) / 2**answers
    return min(1.0, 2 * tail)


def answers_needed(answers: int) -> int | None:
    """Return how many equal answers out of so many prove a preference; None if even all of them do not."""
    counts = range(answers // 2 + 1, answers + 1)
    return next((most for most in counts if sign_test(most, answers) < SIGNIFICANCE), None)
