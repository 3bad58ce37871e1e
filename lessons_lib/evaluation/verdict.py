"""A comparison in five lines."""

from __future__ import annotations

from lessons_lib.evaluation import copies, metrics
from lessons_lib.evaluation.comparison import Comparison, Measure
from lessons_lib.models import features


def lines(comparison: Comparison) -> list[str]:
    """Return exactly five lines that say what changed: style, prompt, seeds, copies, and the adapter switched off."""
    m = comparison.measures
    closest = max(likeness for _, likeness in comparison.nearest)
    off = (
        "is the base's, bit for bit" if comparison.is_off_at_zero else "is NOT the base's: please report this"
    )
    return [
        style_line(m["style match"], bool(comparison.held_out)) + centre_part(m["style match, middles"]),
        prompt_line(m.get("prompt match")),
        seeds_line(m.get("seeds differ")),
        copies_line(closest, len(comparison.nearest)),
        f"switched off: at strength 0 the picture {off}",
    ]


def copies_line(closest: float, count: int) -> str:
    verdict = "look at the report, one may be a copy" if closest >= copies.COPY else "none found"
    return f"copies: {verdict}; of {count} pictures the closest to the layout of a training picture is at {closest:.2f} (a copy = 1.00)"


def style_line(m: Measure, has_held_out: bool) -> str:
    whose = "held-out pictures" if has_held_out else "training pictures (none were held out)"
    values = f"likeness to the {whose} {m.base:.2f} before, {m.tuned:.2f} after, {m.ceiling:.2f} at best"
    if m.ceiling <= m.floor:
        return f"style: {values}; the base was as near already, so there was no gap to close"
    return f"style: {round(100 * metrics.share(m.tuned, m.floor, m.ceiling))} % of the way to the paintings; {values}"


def centre_part(m: Measure) -> str:
    """Return the share of the gap that is closed where no frame is, as the end of a line; nothing where there is no gap."""
    if m.ceiling <= m.floor:
        return ""
    return f"; in the middles, without what lies at the edges, {round(100 * metrics.share(m.tuned, m.floor, m.ceiling))} %"


def prompt_line(m: Measure | None) -> str:
    if m is None and not features.CONCEPTS.is_file():
        return f"prompt: not measured, as {features.CONCEPTS.name} is missing from pocket/model"
    if m is None:
        return "prompt: not measured, as no prompt names a thing from pocket's list"
    kept = f"{100 * m.tuned / m.base:.0f} % kept; " if 0.05 < m.base > m.tuned else ""
    return f"prompt: {kept}match {m.base:.2f} before, {m.tuned:.2f} after (chance 0, always right 1)"


def seeds_line(m: Measure | None) -> str:
    if m is None:
        return "seeds: not measured, as that takes two seeds and two training pictures"
    return (
        f"seeds: pictures of one prompt lie {m.base:.2f} apart before, {m.tuned:.2f} after "
        f"(all the same = 0, training pictures {m.ceiling:.2f})"
    )
