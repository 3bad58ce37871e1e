"""Lesson 10's exercises: what the loss of a language model counts, a palette's share, a tool for a wish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, check_letters, checker, first_hint, not_yet
from lessons_lib.training.text import IGNORED

Example = Callable[[list[int], list[int], int], tuple[Tensor, Tensor] | None]
Share = Callable[[np.ndarray, np.ndarray, float], float | None]


@checker
def check_example(build: Example) -> str:
    """Return whether a learner's tokens and labels teach the answer and its end, and not the question."""
    prompt, answer, end = [5, 6, 7], [8, 9], 2
    try:
        result: Any = build(list(prompt), list(answer), end)
    except (RuntimeError, TypeError, ValueError) as problem:
        return not_yet(
            f"{type(problem).__name__}: lists are joined with +, torch.tensor(list) makes a tensor"
        )
    if result is None:
        return NOT_ATTEMPTED
    if (
        not isinstance(result, tuple)
        or len(result) != 2
        or not all(isinstance(part, Tensor) for part in result)
    ):
        return not_yet("return two tensors, tokens and labels")
    tokens, labels = (part.tolist() for part in result)
    mistakes = (
        (len(tokens) != len(labels), f"{len(tokens)} tokens and {len(labels)} labels; each token has one"),
        (tokens == prompt + answer, "without its end the answer never ends"),
        (
            tokens != [*prompt, *answer, end],
            "the tokens are the prompt, the answer and the end, in this order",
        ),
        (labels == tokens, "so the question is learned as well; its labels are -100"),
        (labels[:3] != [IGNORED] * 3, "the labels of the prompt's tokens are -100"),
        (labels[-1] == IGNORED, "the end is learned, too"),
        (labels[3:] == [9, 2, IGNORED], "the loss shifts the labels by itself; give each token its own"),
        (labels[3:] != [*answer, end], "the labels of the answer and the end are their tokens"),
    )
    return first_hint(mistakes) or RIGHT


@checker
def check_share(share: Share) -> str:
    """Return whether a learner's function gives the share of colours that are near to a palette's."""
    palette = np.array([[50.0, 0, 0], [80, 20, 20]], np.float32)
    colours = np.array([[50, 3, 4], [80, 20, 26], [50, 6, 6], [0, 0, 0], [52, 0, 0]], np.float32)
    try:
        answer: Any = share(colours, palette, 10.0)
    except (IndexError, RuntimeError, TypeError, ValueError) as problem:
        return not_yet(
            f"{type(problem).__name__}: colours[:, None] - palette is (n, colours of the palette, 3)"
        )
    if answer is None:
        return NOT_ATTEMPTED
    if not isinstance(answer, (float, int, np.number)):
        return not_yet("return one number, a share between 0 and 1")
    hints = {
        0.8: RIGHT,
        0.4: "one colour of the palette is enough: take the smallest distance of each colour",
        4.0: "that is how many; divide by the number of colours",
    }
    text = next((hint for value, hint in hints.items() if abs(float(answer) - value) < 1e-6), "")
    if text == RIGHT:
        return RIGHT
    return not_yet(
        text or "the distance is the root of the sum of the squared differences, over the last axis"
    )


WISHES = {
    "a": "what the canteen cooks this week",
    "b": "letters in the house's tone: short, warm, no exclamation marks",
    "c": "four thousand prices, each quoted with the page it stands on",
    "d": "every answer as three bullet points",
    "e": "salaries, which only some people may see",
}
_LOOKED_UP = {"a", "c", "e"}
_HINTS = {
    "a": "what is true next week?",
    "b": "which page would you look a tone up on?",
    "c": "can weights say where they have a number from?",
    "d": "that is a habit, not a fact",
    "e": "whom does a weight ask before it answers?",
}


@checker
def check_looked_up(letters: Sequence[str] | None) -> str:
    """Return whether a learner picked the wishes for which looking up is better than training."""
    return check_letters(letters, _LOOKED_UP, _HINTS, "wish")
