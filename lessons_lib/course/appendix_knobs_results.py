"""The appendix's recorded run as tables, sentences and charts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from IPython.display import Image as NotebookImage

from lessons_lib.course import charts, trials
from lessons_lib.course.appendix_knobs import STANDARD
from lessons_lib.course.trials import Scores
from lessons_lib.evaluation import metrics

Result = Mapping[str, Any]
MEASURES = {"style": "whole", "centre": "centres", "prompt_rank": "prompt kept", "moved": "moved"}


def scores(result: Result, key: str, recipe: str) -> list[Scores]:
    """Return one measure of a recipe, a list of values for each training."""
    return trials.column(result["rows"], key, recipe=recipe)


def values(result: Result, key: str, recipe: str) -> Scores:
    """Return the same in one list."""
    return trials.values(result["rows"], key, recipe=recipe)


def table(
    result: Result, recipes: Sequence[str] | Mapping[str, str], measures: Mapping[str, str] = MEASURES
) -> list[str]:
    """Return a line a recipe: the mean of each measure with its 95 % interval; then floor and ceiling.

    `recipes`: in a mapping, what each is called.
    """
    names = recipes if isinstance(recipes, Mapping) else dict(zip(recipes, recipes, strict=True))
    width = max(map(len, names.values())) + 2
    lines = [" " * width + "".join(f"{title:24}" for title in measures.values()).rstrip()]
    for recipe, name in names.items():
        cells = [_interval(values(result, key, recipe)) for key in measures]
        lines.append(f"{name:{width}}" + "".join(f"{cell:24}" for cell in cells).rstrip())
    ends = result["ends"]
    pairs = {title: ends[key] for key, title in measures.items() if key in ends}
    texts = (f"{title} {low:.2f} and {high:.2f}" for title, (low, high) in pairs.items())
    return [*lines, f"floor and ceiling: {', '.join(texts)}"]


def _interval(values: Scores) -> str:
    low, high = metrics.bootstrap_interval(values)
    return f"{trials.mean_score([values]):.2f} ({low:.2f} to {high:.2f})"


def verdicts(
    result: Result, recipes: Sequence[str], other: str = STANDARD, measures: Mapping[str, str] = MEASURES
) -> list[str]:
    """Return what the run shows of some recipes beside another: a sentence for each difference, and one more
    that says where none shows.
    """
    differences: list[str] = []
    alike: dict[str, list[str]] = {}
    count = 0
    for recipe, (key, title) in itertools.product(recipes, measures.items()):
        pair = [scores(result, key, one) for one in (recipe, other)]
        count = sum(map(len, pair[0]))
        if trials.direction(*pair):
            differences.append(trials.verdict(title, recipe, other, *pair))
        else:
            of = f"of {recipe} " if len(recipes) > 1 else ""
            alike.setdefault(title, []).append(f"{of}({_span(*pair)})")
    if not alike:
        return differences
    between = f"from {other}" if len(recipes) > 1 else f"between {recipes[0]} and {other}"
    where = "; ".join(f"{title} {', '.join(parts)}" for title, parts in alike.items())
    return [*differences, f"{count} drawings show no difference {between}: {where}"]


def _span(a: Sequence[Scores], b: Sequence[Scores]) -> str:
    """Return the interval of a difference that does not count, and why where it leaves zero out."""
    _, low, high = trials.difference(a, b)
    reason = "" if low <= 0 <= high else ", but the trainings disagree"
    return f"{low:+.3f} to {high:+.3f}{reason}"


def chance_lines(result: Result) -> list[str]:
    """Return how far two trainings that differ in their random numbers alone are apart, and what a training
    changes at all.
    """
    chance = values(result, "moved", STANDARD)
    return [
        f"the base and a training: {result['moved_by_training']:.2f} apart",
        f"two trainings that differ in their seed alone: {_interval(chance)} apart",
    ]


def costs(result: Result, recipes: Sequence[str]) -> list[str]:
    """Return what each recipe trains, and how long a step takes beside the standard one."""

    def mean(key: str, recipe: str) -> float:
        return float(np.mean([row[key] for row in result["rows"] if row["recipe"] == recipe]))

    usual, lines = mean("step_seconds", STANDARD), []
    for recipe in recipes:
        count, times = mean("parameters", recipe), mean("step_seconds", recipe) / usual
        size = f"{count:,.0f} numbers, {4e-6 * count:.1f} MB"
        lines.append(f"{recipe}: {size}; a step takes {times:.1f} times the standard's")
    return lines


def chart(result: Result, recipes: Mapping[str, str]) -> NotebookImage:
    """Return as a JPEG the share of the style gap that recipes closed, in whole drawings and in centres.

    `recipes`: what each is called on the x axis.
    """
    groups = {
        label: {
            title: [
                metrics.share_of_gap(value, *result["ends"][key]) for value in values(result, key, recipe)
            ]
            for key, title in (("style", "whole drawings"), ("centre", "their centres"))
        }
        for recipe, label in recipes.items()
    }
    return charts.interval_chart(groups, 0.0, 1.0, "share of the style gap")
