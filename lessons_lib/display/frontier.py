"""The chart of a choice between checkpoints: style against prompt, a point a checkpoint at a strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from IPython.display import Image as NotebookImage

from lessons_lib.display import charts
from lessons_lib.display.notebook import figure_image
from lessons_lib.display.theme import ACCENT, INK, LINE, MUTED

Point = tuple[float, float]  # style, prompt


@dataclass(frozen=True)
class FrontierChart:
    """What the chart shows: points of each step, the base, the points that no other beats, the choice and
    its name, and the least prompt match that is good enough, None where the match is not measured.
    """

    points: Mapping[int, Sequence[Point]]
    base: Point
    frontier: Sequence[Point]
    choice: Point
    name: str
    least: float | None


def frontier_chart(chart: FrontierChart) -> NotebookImage:
    """Return a JPEG of style against prompt match; later steps are darker."""
    figure, axes = charts.new_chart(7.2, 4.2, 92)
    if chart.least is not None:
        charts.mark_level(axes, "enough of the prompt", chart.least)
    axes.plot(*zip(*chart.frontier, strict=True), color=LINE, linewidth=2, zorder=1)
    shades = [0.35 + 0.65 * i / max(1, len(chart.points) - 1) for i in range(len(chart.points))]
    for shade, (step, points) in zip(shades, chart.points.items(), strict=True):
        axes.plot(*zip(*points, strict=True), "o", color=INK, alpha=shade, markersize=5, zorder=2)
        style, prompt = max(points)
        axes.annotate(str(step), (style, prompt), xytext=(5, -3), textcoords="offset points", fontsize=8)
    axes.plot(*chart.base, "s", color=MUTED, markersize=7)
    axes.annotate("base", chart.base, xytext=(6, 5), textcoords="offset points", color=MUTED, fontsize=9)
    axes.plot(*chart.choice, "o", markerfacecolor="none", markeredgecolor=ACCENT, markersize=15,
              markeredgewidth=2, zorder=3)  # fmt: skip
    axes.annotate(chart.name, chart.choice, xytext=(10, 10), textcoords="offset points", color=ACCENT)
    axes.set(
        xlabel="style match (held-out pictures)",
        ylabel="prompt match" if chart.least is not None else "prompt match: not measured",
    )
    return figure_image(
        figure, f"style against prompt match of {len(chart.points)} checkpoints; {chart.name}"
    )
