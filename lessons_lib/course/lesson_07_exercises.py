"""Lesson 07's exercises: the faults by name, a rule that tells two of them apart, which remedies help."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, check_letters, checker, not_yet
from lessons_lib.course.lesson_07_faults import FAULTS
from lessons_lib.course.lesson_07_measures import HEALTHY, Measures, as_table
from lessons_lib.course.lesson_07_record import letters_of

Rule = Callable[[Measures, Measures], str | None]
TWO = ("many", "repeat")  # both have a training loss far below the healthy one


@checker
def check_names(names: Mapping[str, str] | None, seed: int) -> str:
    """Return how many faults of a seed's museum a learner named, and what to look at again.

    `names`: the key of a fault by letter. What is said of a wrong answer is what that fault would look like.
    """
    if not names:
        return NOT_ATTEMPTED
    right = letters_of(seed)
    unknown = [key for key in names.values() if key not in FAULTS] + [x for x in names if x not in right]
    if unknown:
        return not_yet(
            f"{unknown[0]!r} is no fault and no letter of this museum; expected {', '.join(FAULTS)}"
        )
    wrong = [letter for letter in sorted(names) if names[letter] != right[letter]]
    if not wrong and len(names) == len(right):
        return RIGHT
    lines = [f"{len(names) - len(wrong)} of {len(right)}"]
    lines += [
        f"{letter} is not {names[letter]!r}; that has: {FAULTS[names[letter]].signs}" for letter in wrong
    ]
    return not_yet("\n  ".join(lines))


@checker
def check_rule(rule: Rule, record: Mapping[str, Any], but_seed: int) -> str:
    """Return whether a learner's rule tells two faults from each other and from all else.

    It is tried on every recorded training but those of the seed that the learner has seen.
    """
    table = as_table([row for row in record["result"]["rows"] if row["seed"] != but_seed])
    for (fault, seed), measures in table.items():
        answer = rule(measures, table[HEALTHY, seed])
        if answer is None and fault == TWO[0] and seed == min(s for _, s in table):
            return NOT_ATTEMPTED if _is_untouched(rule, table) else not_yet(f"{fault!r} was not recognised")
        expected = fault if fault in TWO else None
        if answer != expected:
            return not_yet(f"a training with the fault {fault!r}, seed {seed}: your rule says {answer!r}")
    return RIGHT


def _is_untouched(rule: Rule, table: Mapping[tuple[str, int], Measures]) -> bool:
    """Return whether a rule never names any fault."""
    return all(rule(measures, table[HEALTHY, seed]) is None for (_, seed), measures in table.items())


REMEDIES = {
    "a": "Every picture is noise after 50 steps: train for longer, the model is still searching.",
    "b": "The held-out loss was lowest at step 200 of 800: take the checkpoint of step 200.",
    "c": "Before and after are the same to the last bit: raise the strength to 2.",
    "d": "The style comes with the training captions and not with new prompts: look for style words in them.",
    "e": "The loss is NaN from the second step on: use more pictures.",
    "f": "Fine in the trainer and overdone in ComfyUI: compare alpha with the rank.",
}
_THAT_HELP: Collection[str] = "bdf"
_HINTS = {
    "a": "what does the next step do, when this one went too far?",
    "b": "one that helps is missing",
    "c": "what is twice zero?",
    "d": "one that helps is missing",
    "e": "do more pictures change what float16 can hold?",
    "f": "one that helps is missing",
}


@checker
def check_remedies(letters: str | None) -> str:
    """Return whether a learner picked the remedies that help."""
    return check_letters(letters, _THAT_HELP, _HINTS, "remedy")
