"""A comparison in five lines."""

from __future__ import annotations

from lessons_lib.evaluation import copies, metrics
from lessons_lib.evaluation.comparison import Comparison, Measure
from lessons_lib.models import features


def lines(comparison: Comparison) -> list[str]:
    """Return exactly five lines that say what changed: style, prompt, seeds, copies,
    and the base at strength 0.
    """
    m = comparison.measures
    highest = max(similarity for _, similarity in comparison.nearest)
    at_zero = (
        "is the base's, bit for bit" if comparison.is_off_at_zero else "is NOT the base's: please report this"
    )
    return [
        _style_line(m["style match"], bool(comparison.dataset.held_out))
        + _centre_part(m["style match, centre crops"]),
        prompt_line(m.get("prompt match")),
        _seeds_line(m.get("seeds differ")),
        _copies_line(highest, len(comparison.nearest)),
        f"switched off: at strength 0 the picture {at_zero}",
    ]


def prompt_line(m: Measure | None) -> str:
    """Return the line on prompts.

    The share that is kept is given only where the base itself follows prompts.
    """
    if m is None and not features.CONCEPTS.is_file():
        return f"prompt: not measured, as {features.CONCEPTS.name} is missing from pocket/model"
    if m is None:
        return "prompt: not measured, as no prompt names a concept from pocket's list"
    share = f"{100 * m.tuned / m.base:.0f} % kept; " if 0.05 < m.base > m.tuned else ""
    return f"prompt: {share}match {m.base:.2f} before, {m.tuned:.2f} after (chance 0, always right 1)"


def _style_line(m: Measure, has_held_out: bool) -> str:
    reference = "held-out pictures" if has_held_out else "training pictures (none were held out)"
    values = (
        f"similarity to the {reference} {m.base:.2f} before, {m.tuned:.2f} after, {m.ceiling:.2f} at best"
    )
    if m.ceiling <= m.floor:
        return f"style: {values}; the base was as similar already, so there was no gap to close"
    return f"style: {_percent(m)} % of the gap to the paintings closed; {values}"


def _centre_part(m: Measure) -> str:
    """Return the share of the gap that is closed without borders, as the end of a line.

    Empty where there is no gap.
    """
    return f"; in centre crops, without borders, {_percent(m)} %" if m.ceiling > m.floor else ""


def _percent(m: Measure) -> int:
    return round(100 * metrics.share_of_gap(m.tuned, m.floor, m.ceiling))


def _seeds_line(m: Measure | None) -> str:
    if m is None:
        return "seeds: not measured, as that takes two seeds and two training pictures"
    return (
        f"seeds: the distance between pictures of one prompt is {m.base:.2f} before, {m.tuned:.2f} after "
        f"(all the same = 0, training pictures {m.ceiling:.2f})"
    )


def _copies_line(highest: float, count: int) -> str:
    verdict = "look at the report, one may be a copy" if highest >= copies.COPY_THRESHOLD else "none found"
    return (
        f"copies: {verdict}; of {count} pictures the one most similar in layout to a training picture is at "
        f"{highest:.2f} (a copy = 1.00)"
    )
