"""What the exercise checkers of all lessons share: the fixed answers and the hint for the first mistake that
was made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

NOT_ATTEMPTED = "not attempted yet"
RIGHT = "right"


def not_yet(hint: str) -> str:
    """Return what a checker prints for an answer that is wrong."""
    return f"not yet: {hint}"


def first_hint(mistakes: Iterable[tuple[bool, str]]) -> str | None:
    """Return what to print for the first mistake that was made, or None; each is (was it made, hint)."""
    return next((not_yet(hint) for was_made, hint in mistakes if was_made), None)


def first_wrong(letters: Iterable[str], right: Collection[str], hints: Mapping[str, str], what: str) -> str:
    """Return the first letter that was picked wrongly or is missing, with its hint, such as "b: who chose
    them?"; empty where none is. `what` the letters stand for.
    """
    wrong = sorted(set(letters) ^ set(right))
    return f"{wrong[0]}: {hints.get(wrong[0], f'there is no such {what}')}" if wrong else ""


def is_close(answer: Any, expected: Tensor) -> bool:
    """Return whether an answer is a tensor of the expected shape with the expected values, to within 1e-5."""
    if not isinstance(answer, Tensor) or answer.shape != expected.shape:
        return False
    return torch.allclose(answer, expected, atol=1e-5)
