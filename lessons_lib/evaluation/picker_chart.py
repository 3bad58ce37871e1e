"""What the picker chose from, as a chart."""

from __future__ import annotations

from IPython.display import Image as NotebookImage

from lessons_lib.display.frontier import FrontierChart, Point, frontier_chart
from lessons_lib.evaluation import picker
from lessons_lib.evaluation.picker import Choice


def chart(choice: Choice) -> NotebookImage:
    """Return a JPEG of the candidates, the frontier and the choice."""
    steps: dict[int, list[Point]] = {}
    for one in choice.candidates:
        steps.setdefault(one.step, []).append((one.style, one.prompt))
    points = [(one.style, one.prompt) for one in (choice.base, choice.candidate)]
    best = [(one.style, one.prompt) for one in picker.frontier(choice.candidates)]
    least = choice.keep * choice.base.prompt if choice.base.prompts else None
    return frontier_chart(FrontierChart(steps, points[0], best, points[1], str(choice.candidate), least))
