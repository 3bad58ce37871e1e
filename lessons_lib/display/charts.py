"""What all charts have in common: the empty chart in the course's colours, a level with its name, a running
mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from lessons_lib.display.theme import ACCENT, INK, MUTED, PAPER

COLOURS = (ACCENT, INK, MUTED)


def new_chart(width: float, height: float, dpi: int) -> tuple[Figure, Any]:
    """Return an empty figure of so many inches in the course's colours,
    and its axes without the upper and right line.
    """
    figure, (axes,) = new_panels(width, height, dpi, 1)
    return figure, axes


def new_panels(
    width: float, height: float, dpi: int, count: int, sharey: bool = False
) -> tuple[Figure, list[Any]]:
    """Return the same with several axes side by side."""
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor=PAPER, layout="constrained")
    panels = list(figure.subplots(1, count, squeeze=False, sharey=sharey, subplot_kw={"facecolor": PAPER})[0])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def mark_level(axes: Any, name: str, value: float, place: float = 0.995) -> None:
    """Draw a dashed line at a value with its name above the right end, in front of what lies there."""
    axes.axhline(value, color=MUTED, linewidth=1, linestyle="--")
    axes.annotate(
        name,
        (place, value),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        color=MUTED,
        fontsize=9,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1, "alpha": 0.85},
        zorder=5,
    )


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Return the means of each `window` values that follow one another, window - 1 fewer than there are."""
    return np.convolve(values, np.ones(window) / window, "valid")


def to_image(figure: Figure) -> Image.Image:
    """Return a figure as a picture, without pyplot, which would show a second figure in the cell."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba()))
