"""Lesson 06's recorded checkpoints: whether known cases come in the right order, and whether `lessons pick`,
a judge that it does not use and a reader would keep the same checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lessons_lib.course.lesson_06_checkpoints import OTHER, OWN
from lessons_lib.evaluation import metrics, picker
from lessons_lib.evaluation.picker import Candidate

Case = Mapping[str, Any]  # a recorded training: its ceilings, and what was measured at each count
Interval = tuple[float, float]


def candidates(case: Case, judge: str = OWN) -> tuple[Candidate, list[Candidate]]:
    """Return the base and the checkpoints of a recorded training, as a judge measured them; the held-out
    loss, which is the picker's own, is with the picker's judge alone.
    """
    base, *options = (
        Candidate(
            row["count"], 1.0, tuple(row[judge]["styles"]), tuple(row[judge]["prompts"]),
            row["validation"] if judge == OWN else None,
        )
        for row in case["rows"]
    )  # fmt: skip
    return base, options


def picked(case: Case) -> int:
    """Return the count that `lessons pick` recommends."""
    return picker.choose(*candidates(case)).candidate.step


def preferred(case: Case, is_loss_near_lowest: bool = False) -> int:
    """Return the count to which the other judge gives the highest sum of two shares: of the style gap that is
    closed, and of the base's prompt match that is left; of all, or of those whose held-out loss is near the
    lowest.
    """
    base, options = candidates(case, OTHER)
    if is_loss_near_lowest:
        lowest = min(row["validation"] for row in case["rows"][1:])
        near = {row["count"] for row in case["rows"][1:] if row["validation"] <= picker.NEAR * lowest}
        options = [one for one in options if one.step in near]

    def score(one: Candidate) -> float:
        closed = metrics.share_of_gap(one.style, base.style, case["ceilings"][OTHER])
        return closed + one.prompt / base.prompt

    return max(options, key=score).step


def apart(case: Case, one: int, other: int) -> int:
    """Return how many checkpoints lie between two counts, 1 for neighbours."""
    counts = [row["count"] for row in case["rows"]]
    return abs(counts.index(one) - counts.index(other))


def order(case: Case, judge: str = OWN) -> dict[str, Interval]:
    """Return 95 % intervals of paired differences that must lie above zero: an early checkpoint's style above
    the base's, the best one's above the early one's, the base's prompt match above the last's.

    The early one is the second: after the first, most of which is warm-up, nothing has changed yet.
    The best is the one that the other judge gives the highest style, so that none is best by its own luck.
    """
    base, options = candidates(case, judge)
    others = candidates(case, OTHER if judge == OWN else OWN)[1]
    best = options[int(np.argmax([one.style for one in others]))]
    early, last = options[1], options[-1]
    return {
        "style: base < early": _interval(early.styles, base.styles),
        "style: early < best": _interval(best.styles, early.styles),
        "prompt: base > last": _interval(base.prompts, last.prompts),
    }


def _interval(higher: Sequence[float], lower: Sequence[float]) -> Interval:
    return metrics.bootstrap_interval(np.subtract(higher, lower).tolist())


def order_table(record: Mapping[str, Any]) -> str:
    """Return `order` of all recorded trainings as a Markdown table."""
    cases = record["result"]["cases"]
    lines = [f"| known order | judge | {' | '.join(case['case'] for case in cases)} |"]
    lines.append("|---" * (2 + len(cases)) + "|")
    for judge in (OWN, OTHER):
        rows = [order(case, judge) for case in cases]
        for claim in rows[0]:
            cells = [f"{row[claim][0]:+.2f} to {row[claim][1]:+.2f}" for row in rows]
            lines.append(f"| {claim} | {judge} | {' | '.join(cells)} |")
    return "\n".join(lines)


def choice_table(record: Mapping[str, Any], reader: Mapping[str, Any]) -> str:
    """Return the steps that the picker, the other judge alone and with the held-out loss, and a reader would
    keep, and how many checkpoints these are apart from the picker's, as a Markdown table. What was read on
    other weights is left out.
    """
    lines = [
        f"| training | `lessons pick` | {OTHER} | {OTHER} and held-out loss | a reader |",
        "|---" * 5 + "|",
    ]
    by_reader = reader["result"]["preferred"] if reader["base"] == record["base"] else {}
    for case in record["result"]["cases"]:
        counts = preferred(case), preferred(case, True), by_reader.get(case["case"])
        cells = [f"{n} ({apart(case, picked(case), n)} apart)" if n else "not read" for n in counts]
        lines.append(f"| {case['case']} | {picked(case)} | {' | '.join(cells)} |")
    return "\n".join(lines)
