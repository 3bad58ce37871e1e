"""A picture of measured groups: every value a dot, their mean with its interval, between a floor and a ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from IPython.display import Image as Shown
from matplotlib.figure import Figure

from lessons_lib.display.notebook import figure_image
from lessons_lib.display.theme import ACCENT, INK, LINE, MUTED, PAPER
from lessons_lib.evaluation import metrics

COLOURS = (ACCENT, INK, MUTED)


def levels(
    groups: Mapping[str, Mapping[str, Sequence[float]]], floor: float, ceiling: float, measured: str
) -> Shown:
    """Return a JPEG: a place on the x axis for each group, in it a colour for each series, the same in all groups.

    Bars are 95 % intervals of the mean (`metrics.bootstrap_interval`). Raises ValueError unless all groups have the same series.
    """
    names = [tuple(series) for series in groups.values()]
    if not names or set(names) != {names[0]} or len(names[0]) > len(COLOURS):
        raise ValueError(
            f"series are {names}; expected the same ones, at most {len(COLOURS)}, in every group"
        )
    figure = Figure(figsize=(7.2, 3.4), dpi=92, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot(facecolor=PAPER)
    for value, name in ((floor, "the base"), (ceiling, "training paintings")):
        axes.axhline(value, color=MUTED, linewidth=1, linestyle="--")
        axes.annotate(name, (0.995, value), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                      color=MUTED, fontsize=9)  # fmt: skip
    for place, series in enumerate(groups.values()):
        for index, (name, values) in enumerate(series.items()):
            x = place + 0.3 * (index - (len(series) - 1) / 2)
            low, high = metrics.bootstrap_interval(values)
            spread = x + np.linspace(-0.05, 0.05, len(values))
            axes.plot(spread, values, ".", color=LINE, markersize=4, zorder=1)
            axes.plot([x, x], [low, high], color=COLOURS[index], linewidth=3, zorder=2)
            axes.plot(x, np.mean(values), "o", color=COLOURS[index], markersize=8, zorder=3,
                      label="" if place else name)  # fmt: skip
    axes.set_xticks(range(len(groups)), list(groups))
    axes.set(ylabel=measured, xlim=(-0.5, len(groups) - 0.1))  # room for the names of the lines
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, ncols=len(names[0]), loc="outside upper left", fontsize=9)
    return figure_image(figure)
