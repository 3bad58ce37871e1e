"""Lesson 08's exercises: the loss with class pictures, a caption for a picture with company, and consent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, check_letters, checker, first_hint, not_yet
from lessons_lib.dataset.captions import has_trigger

Loss = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]
_COMPANY, _LOOKS = ("bird",), ("plum", "purple", "scarf", "mustard", "yellow")


@checker
def check_loss(loss: Loss) -> str:
    """Return whether a learner's loss of predictions and targets, of pictures and of class pictures, with the
    weight of the latter, is that of DreamBooth.
    """
    rng = torch.Generator().manual_seed(0)
    own, own_target, prior, prior_target = (torch.randn(2, 3, 4, 4, generator=rng) for _ in range(4))
    try:
        answer: Any = loss(own, own_target, prior, prior_target, 0.5)
    except (RuntimeError, TypeError, ValueError) as problem:
        return not_yet(f"{type(problem).__name__}: the four tensors have one shape")
    if answer is None:
        return NOT_ATTEMPTED
    first, second = (own - own_target).square().mean(), (prior - prior_target).square().mean()
    hints = {
        RIGHT: first + 0.5 * second,
        not_yet("the weight is missing"): first + second,
        not_yet("the weight belongs to the class pictures"): 0.5 * first + second,
        not_yet("the class pictures are missing"): first,
        not_yet("add the two, the class pictures' with its weight; do not share one between them"): (
            0.5 * first + 0.5 * second
        ),
    }
    if not isinstance(answer, Tensor) or answer.ndim:
        return not_yet("return one number, as a tensor: the mean of the squares")
    matches = (text for text, value in hints.items() if torch.allclose(answer, value, atol=1e-5))
    return next(matches, not_yet("the mean squared error of each pair, the second times the weight"))


@checker
def check_caption(caption: str | None, trigger: str) -> str:
    """Return whether a caption separates the character from its company: the trigger, the class noun, the
    company named, nothing of what the character always looks like.
    """
    if caption is None:
        return NOT_ATTEMPTED
    words = {word.strip(",.;:!").lower() for word in caption.split()}
    looks = sorted(words & set(_LOOKS))
    mistakes = [
        (not has_trigger(caption, trigger), f"the word {trigger} is missing"),
        ("owl" not in words, "what is it? The class noun follows the word"),
        (
            not words & set(_COMPANY),
            "somebody else is in the picture; who is not named is learned as part of it",
        ),
        (bool(looks), f"{', '.join(looks)}: that it always has, and the word shall carry it"),
        (len(words) < 6, "where are they? The ground is not to be learned, either"),
    ]
    return first_hint(mistakes) or RIGHT


CASES = {
    "a": "holiday pictures of a friend who said 'sure, do your AI thing'; no date, nothing written",
    "b": "your own face",
    "c": "a choir; everybody signed for training and for showing the results, with the date",
    "d": "children of a school class; the photographer agreed",
    "e": "an actor; his pictures are under CC BY",
    "f": "your late grandmother; her children agreed in writing to training and to a family album",
}
_MAY = {"b", "c", "f"}
_HINTS = {
    "a": "to what, and when? Ask again, show a sample, write it down",
    "b": "you can agree for yourself",
    "c": "who, to what, when: it is all there",
    "d": "a photographer cannot agree for those who are shown; and children have parents",
    "e": "a licence is the photographer's; the face is not hers to give",
    "f": "those who may speak for her agreed to exactly this",
}


@checker
def check_consent(letters: Sequence[str] | None) -> str:
    """Return whether a learner picked the sets of CASES that may be trained on as they stand."""
    return check_letters(letters, _MAY, _HINTS, "set")
