"""The appendix's exercises: an alpha that keeps the product, and which posts compare fairly."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, check_letters, checker, first_hint, not_yet

POSTS = {
    "a": "LoKr at rate 1e-3 beats LoRA at 1e-4; here are the four best pictures of each",
    "b": "DoRA and LoRA with files of one size, each at three rates, the best rate of each, four seeds, "
    "every picture shown",
    "c": "with EMA 0.62, without 0.60; one training each",
    "d": "alpha = rank is wrong: at alpha 1 and the same rate my pictures no longer burn",
    "e": "the same seeds and prompts at five shifts; the differences with their intervals; two of five are "
    "clear, three are not, and I say so",
    "f": "training the text encoder helps: the style is stronger. I did not try a prompt without the trigger",
}
_FAIR = "be"
_HINTS = {
    "a": "two things changed, and who chose the four?",
    "b": "one size, several rates, several seeds, nothing chosen. What is missing?",
    "c": "how far apart are two trainings that differ in their seed alone?",
    "d": "alpha and the product changed together. Which of them was it?",
    "e": "differences with intervals, and what is unclear is called so. What is missing?",
    "f": "what did it cost? One side of a trade is no comparison",
}


@checker
def check_alpha(answer: Callable[[int, float, float, int, float], float | None]) -> str:
    """Return what to say of a learner's answer(rank, alpha, rate, new_rank, new_rate): the alpha that keeps
    rate x alpha / rank.
    """
    given = (32, 32.0, 3e-3, 8, 1e-3)
    alpha = answer(*given)
    if alpha is None:
        return NOT_ATTEMPTED
    if not isinstance(alpha, int | float):
        return not_yet(f"expected a number, found {type(alpha).__name__}")

    def is_near(value: float) -> bool:
        return abs(alpha - value) < 1e-6 * value

    mistakes = [
        (is_near(32 * 3), "the rank divides alpha: with a smaller rank the same alpha is more"),
        (is_near(8), "that keeps alpha / rank; the rate is a third, so alpha has to be more"),
        (is_near(8 / 3), "the other way round: a smaller rate needs a larger alpha"),
        (is_near(32 * 3 * 4), "the other way round: a smaller rank needs a smaller alpha"),
        (not is_near(24), f"{alpha:g} for rank 32, alpha 32, rate 3e-3, then rank 8 and rate 1e-3"),
    ]
    return first_hint(mistakes) or RIGHT


@checker
def check_posts(letters: Iterable[str] | None) -> str:
    """Return what to say of the letters of POSTS that compare fairly."""
    return check_letters(letters, _FAIR, _HINTS, "post")
