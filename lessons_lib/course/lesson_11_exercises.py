"""Lesson 11's exercises: a goal that can be judged, and what a card may say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, check_letters, checker, not_yet
from lessons_lib.course.lesson_11 import Goal

SENTENCES = {
    "a": "Learned from 12 crayon drawings by Ada, used with her leave.",
    "b": "Works with every subject.",
    "c": "Of six things that were fixed before the training, all twelve pairs were judged; none was picked.",
    "d": "It copies nothing.",
    "e": "At half strength, with the first seed, two of five things are lost, at full strength nearly all.",
}
_MAY_STAND = {"a", "c", "e"}
_HINTS = {
    "a": "whose pictures they were is what a card is for",
    "b": "how many subjects did you draw?",
    "c": "it says what was drawn, when that was chosen, and that none was picked",
    "d": "some pictures were looked at, and one is near; is that all it can draw?",
    "e": "a fault that is named helps whoever uses the file",
}


@checker
def check_goal(goal: Any, set_captions: Sequence[str]) -> str:
    """Return whether a learner's goal can be judged by after the training, or the first thing it lacks."""
    if goal is None:
        return NOT_ATTEMPTED
    if not isinstance(goal, Goal):
        return not_yet("write lesson_11.Goal(change=..., keep=..., prompts=(...), style=..., prompt=...)")
    problems = goal.problems(set_captions)
    return not_yet(problems[0]) if problems else RIGHT


@checker
def check_sentences(letters: Sequence[str] | None) -> str:
    """Return whether a learner picked the sentences that a card may say."""
    return check_letters(letters, _MAY_STAND, _HINTS, "sentence")
