"""Lesson 09's exercises: two changes as one pair of factors, a rank to share, and what may be published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lessons_lib.adapters.files import Factors
from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, check_letters, checker, not_yet

Merge = Callable[[Factors, Factors, float, float], tuple[Tensor, Tensor]]


@checker
def check_merge(merge: Merge) -> str:
    """Return whether a learner's factors multiply to the weighted sum of two changes of different ranks."""
    rng = torch.Generator().manual_seed(0)
    first, second = (
        Factors(torch.randn(rank, 6, generator=rng), torch.randn(5, rank, generator=rng), alpha)
        for rank, alpha in ((2, 4.0), (3, 3.0))
    )
    try:
        answer: Any = merge(first, second, 0.5, -2.0)
    except (RuntimeError, TypeError, ValueError) as problem:
        return not_yet(f"{type(problem).__name__}: which dimension do the factors share?")
    if answer is None:
        return NOT_ATTEMPTED
    if not isinstance(answer, tuple) or len(answer) != 2:
        return not_yet("return two tensors, down and up")
    down, up = answer
    if down.shape != (5, 6) or up.shape != (5, 5):
        return not_yet(f"down is {tuple(down.shape)} and up {tuple(up.shape)}; the ranks add up to 5")
    expected = {
        RIGHT: 0.5 * first.delta - 2 * second.delta,
        not_yet("the weights are missing"): first.delta + second.delta,
        not_yet("each change has its own alpha / rank, `scaling`"): 0.5 * first.up @ first.down
        - 2 * second.up @ second.down,
    }
    matches = (text for text, change in expected.items() if torch.allclose(up @ down, change, atol=1e-4))
    return next(matches, not_yet("compare up @ down with the weighted sum of the two `delta`"))


@checker
def check_rank(answer: int | None, losses: dict[int, float]) -> str:
    """Return whether a learner named the smallest of some ranks that loses no more than a tenth."""
    if answer is None:
        return NOT_ATTEMPTED
    if answer not in losses:
        return not_yet(f"choose one of {', '.join(map(str, losses))}")
    right = min((rank for rank, loss in losses.items() if loss <= 0.1), default=max(losses))
    if answer < right:
        return not_yet("that loses more")
    return RIGHT if answer == right else not_yet("a smaller one will do")


FILES = {
    "a": "pytorch_lora_weights.safetensors",
    "b": "report.html, with the training pictures in it",
    "c": "settings.json, whole, with the pictures' paths",
    "d": "README.md, with every picture's maker and licence",
    "e": "samples, drawn with the adapter",
}
_MAY_GO = {"a", "d", "e"}
_HINTS = {
    "a": "without it there is nothing to load",
    "b": "are the pictures in it yours to show?",
    "c": "what do the paths tell of you?",
    "d": "whose pictures were they?",
    "e": "a gallery needs pictures, and these are nobody's original",
}


@checker
def check_files(letters: Sequence[str] | None) -> str:
    """Return whether a learner picked the files that may go to a public page."""
    return check_letters(letters, _MAY_GO, _HINTS, "file")
