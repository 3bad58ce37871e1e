"""Lesson 06's exercises: a fraud that deceives a measure, how many answers it takes,
and which claims hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, check_letters, checker, first_hint, not_yet
from lessons_lib.course.lesson_06 import Chance, Change, Images, with_paintings
from lessons_lib.evaluation import blind_test, metrics
from lessons_lib.models.judges import Judge


@checker
def check_fraud(judge: Judge, fraud: Change, samples: Images, paintings: Images, held_out: Images) -> str:
    """Return whether a learner's change of a base's sample by a painting deceives the measure of picture
    centres.
    """
    changed = with_paintings(fraud, samples, paintings)
    if changed[0] is None:
        return NOT_ATTEMPTED
    if any(not isinstance(image, Image.Image) for image in changed):
        return not_yet(f"expected a picture, found {type(changed[0]).__name__}")
    side = samples[0].width
    centres = (metrics.centre_crops(images, side) for images in (samples, changed, paintings, held_out))
    gap = metrics.gap_closed(*map(judge.image_features, centres))
    if gap <= 0.2:
        return not_yet(
            f"{gap:.0%} of the gap: not deceived yet. What do the centres of paintings have that these lack?"
        )
    return f"{gap:.0%} of the gap, and nothing was learned: deceived"


@checker
def check_chance(answer: Callable[[int, int], float | None]) -> str:
    """Return what to say of a learner's answer(most, count): how often a coin is as one-sided."""
    cases = ((3, 3), (5, 5), (6, 8), (4, 8))
    chances = [answer(*case) for case in cases]
    if None in chances:
        return NOT_ATTEMPTED
    right = [blind_test.sign_test(*case) for case in cases]
    mistakes = [
        (_are_near([2 * chance for chance in chances[:3] if chance], right[:3]),
         "a coin may lean to either side: twice that"),
        (_are_near(chances[:2], right[:2]) and not _are_near(chances, right),
         "that holds where all agree; else add the ways to get more than `most`, too, and at most 1"),
        (not _are_near(chances, right), f"{chances[0]} for 3 of 3; expected {right[0]}"),
    ]  # fmt: skip
    return first_hint(mistakes) or RIGHT


def _are_near(answers: Sequence[float | None], expected: Sequence[float]) -> bool:
    return all(a is not None and abs(a - b) < 1e-6 for a, b in zip(answers, expected, strict=True))


def chance_to_use(answer: Callable[[int, int], float | None]) -> Chance:
    """Return a learner's chance where it is right, and else the library's."""
    if check_chance(answer) != RIGHT:
        return blind_test.sign_test
    return lambda most, count: float(answer(most, count) or 0)


@checker
def check_needed(count: int | None) -> str:
    """Return whether a learner named the fewest answers for one side that a coin seldom gives."""
    answers = 12
    if count is None:
        return NOT_ATTEMPTED
    if count > (blind_test.answers_needed(answers) or answers):
        return not_yet("that would do; so would fewer")
    if 2 * count < answers:
        return not_yet("then there are more for the other side: name the larger number")
    chance = blind_test.sign_test(count, answers)
    if chance >= blind_test.SIGNIFICANCE:
        return not_yet(f"a coin is as one-sided in {chance:.0%} of such tests; try another")
    return RIGHT


CLAIMS = {
    "a": "Eight things, fixed beforehand, three seeds each: all eight came nearer to the held-out paintings.",
    "b": "These are the best three of 200 drawings; as you see, it learned the style.",
    "c": "The loss fell by half, so the pictures are twice as good.",
    "d": (
        "None of the 24 drawings repeats a training picture's layout; the same measure found a run that had "
        "memorised two."
    ),
    "e": "Five of six colleagues preferred the new pictures, so they are better.",
}
_CLAIMS_THAT_HOLD = {"a", "d"}
_HINTS = {
    "a": "one that holds is missing",
    "b": "who chose them?",
    "c": "what does a loss know of pictures?",
    "d": "one that holds is missing",
    "e": "ask the coin",
}


@checker
def check_claims(letters: Sequence[str] | None) -> str:
    """Return whether a learner picked the claims that hold."""
    return check_letters(letters, _CLAIMS_THAT_HOLD, _HINTS, "claim")
