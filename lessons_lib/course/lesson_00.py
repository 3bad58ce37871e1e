"""Lesson 00's exercise: how alike drawings and held-out paintings are, in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, checker, first_hint, not_yet
from lessons_lib.evaluation import metrics

StyleMatch = Callable[[Tensor, Tensor], Any]


@checker
def check_style_match(answer: StyleMatch) -> str:
    """Return what to say of a learner's answer(features, held_out): the mean likeness, (n, width) both."""
    generator = torch.Generator().manual_seed(0)
    features, held_out = (normalize(torch.randn(n, 8, generator=generator) + 1, dim=1) for n in (5, 3))
    try:
        value = answer(features, held_out)
    except RuntimeError:
        return not_yet("the second needs a .T, so that each row meets each row")
    if value is None:
        return NOT_ATTEMPTED
    value = torch.as_tensor(value)
    likeness = features @ held_out.T
    mistakes = [
        (value.ndim > 0, f"of shape {tuple(value.shape)}; take the mean, one number"),
        (_is_near(value, likeness.max()), "that is the nearest pair; take the mean"),
        (_is_near(value, likeness.sum()), "that is the sum; take the mean"),
        (not _is_near(value, likeness.mean()), "the mean of features @ held_out.T"),
    ]  # fmt: skip
    return first_hint(mistakes) or RIGHT


def _is_near(value: Tensor, expected: Tensor) -> bool:
    return value.ndim == 0 and bool(torch.isclose(value, expected))


def style_match_to_use(answer: StyleMatch) -> Callable[[Tensor, Tensor], float]:
    """Return a learner's measure where it is right, and else the library's."""
    if check_style_match(answer) != RIGHT:
        return metrics.style_match
    return lambda features, held_out: float(answer(features, held_out))
