"""What the exercise checkers of all lessons share: the fixed answers and the hint for the first mistake that
was made.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ParamSpec

import torch
from torch import Tensor

from lessons_lib.dataset.messages import one_line

NOT_ATTEMPTED = "not attempted yet"
RIGHT = "right"
_P = ParamSpec("_P")


def not_yet(hint: str) -> str:
    """Return what a checker prints for an answer that is wrong."""
    return f"not yet: {hint}"


def first_hint(mistakes: Iterable[tuple[bool, str]]) -> str | None:
    """Return what to print for the first mistake that was made, or None; each is (was it made, hint)."""
    return next((not_yet(hint) for was_made, hint in mistakes if was_made), None)


def first_wrong(letters: Iterable[str], right: Collection[str], hints: Mapping[str, str], what: str) -> str:
    """Return the first letter that was picked wrongly or is missing, with its hint, such as "b: who chose
    them?"; empty where none is. `what` the letters stand for. Capitals, commas and spaces do not count.
    """
    picked = {letter for text in letters for letter in text.lower() if letter.isalpha()}
    wrong = sorted(picked ^ set(right))
    return f"{wrong[0]}: {hints.get(wrong[0], f'there is no such {what}')}" if wrong else ""


def check_letters(
    letters: Iterable[str] | None, right: Collection[str], hints: Mapping[str, str], what: str
) -> str:
    """Return what to say of the letters that a learner picked; see `first_wrong`."""
    if letters is None:
        return NOT_ATTEMPTED
    wrong = first_wrong(letters, right, hints, what)
    return not_yet(wrong) if wrong else RIGHT


def checker(check: Callable[_P, str]) -> Callable[_P, str]:
    """Return a checker that says in a line with what error an answer stops, of whatever kind, so that the
    notebook goes on.
    """

    @functools.wraps(check)
    def safe_check(*args: _P.args, **kwargs: _P.kwargs) -> str:
        try:
            return check(*args, **kwargs)
        except Exception as problem:
            return not_yet(f"it stops with {type(problem).__name__}: {one_line(problem)}")

    return safe_check


def is_close(answer: Any, expected: Tensor) -> bool:
    """Return whether an answer is a tensor of the expected shape with the expected values, to within 1e-5."""
    if not isinstance(answer, Tensor) or answer.shape != expected.shape:
        return False
    return torch.allclose(answer, expected, atol=1e-5)
