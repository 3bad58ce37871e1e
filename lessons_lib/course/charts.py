"""Groups of scores between a floor and a ceiling, as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from IPython.display import Image as NotebookImage

from lessons_lib.display.charts import COLOURS, mark_level, new_chart
from lessons_lib.display.notebook import figure_image
from lessons_lib.display.theme import LINE
from lessons_lib.evaluation import metrics


def interval_chart(
    groups: Mapping[str, Mapping[str, Sequence[float]]], floor: float, ceiling: float, measure: str
) -> NotebookImage:
    """Return a JPEG: a place on the x axis for each group, in it a colour for each series,
    the same in all groups.

    A small dot is a value, a large one the mean, a bar the 95 % interval of the mean
    (`metrics.bootstrap_interval`). Raises ValueError unless all groups have the same series.
    """
    names = [tuple(series) for series in groups.values()]
    if not names or set(names) != {names[0]} or len(names[0]) > len(COLOURS):
        raise ValueError(
            f"series are {names}; expected the same ones, at most {len(COLOURS)}, in every group"
        )
    figure, axes = new_chart(7.2, 3.4, 92)
    mark_level(axes, f"the base {floor:.2f}", floor)
    mark_level(axes, f"training paintings {ceiling:.2f}", ceiling)
    for place, series in enumerate(groups.values()):
        for index, (name, values) in enumerate(series.items()):
            x = place + 0.3 * (index - (len(series) - 1) / 2)
            _plot_interval(axes, x, values, COLOURS[index], label="" if place else name)
    axes.set_xticks(range(len(groups)), list(groups))
    axes.set(ylabel=measure, xlim=(-0.5, len(groups) - 0.1))  # room for the names of the lines
    figure.legend(frameon=False, ncols=len(names[0]), loc="outside upper left", fontsize=9)
    means = "; ".join(
        f"{group}: " + ", ".join(f"{name} {np.mean(values):.2f}" for name, values in series.items())
        for group, series in groups.items()
    )
    return figure_image(figure, f"{measure} between {floor:.2f} and {ceiling:.2f}: {means}")


def _plot_interval(axes: Any, x: float, values: Sequence[float], colour: str, label: str) -> None:
    """Plot values as dots around x, the interval of their mean as a bar and the mean as a large dot."""
    spread = x + np.linspace(-0.05, 0.05, len(values))
    axes.plot(spread, values, ".", color=LINE, markersize=4, zorder=1)
    axes.plot([x, x], metrics.bootstrap_interval(values), color=colour, linewidth=3, zorder=2)
    axes.plot(x, np.mean(values), "o", color=colour, markersize=8, zorder=3, label=label)
