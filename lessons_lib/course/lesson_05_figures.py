"""Lesson 05's charts, a sweep over steps and the loss of a run, and its opening picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from IPython.display import Image as NotebookImage
from PIL import Image, ImageDraw

from lessons_lib.adapters.run import Run
from lessons_lib.course import trials
from lessons_lib.dataset import dataset
from lessons_lib.display import charts
from lessons_lib.display.notebook import figure_image, jpeg
from lessons_lib.display.theme import ACCENT, INK, LINE, PAPER, font, paste_square
from lessons_lib.evaluation import metrics
from lessons_lib.models import pixels
from lessons_lib.paths import NOTEBOOK_PICTURES, SAMPLE

MEASURES = {"style": "style match", "prompt_rank": "prompt kept", "nearest": "nearest training painting"}
OPENING_PICTURE = NOTEBOOK_PICTURES / "05_loop.jpg"
PAINTING = SAMPLE / "train" / "09_king_at_window.jpg"


def sweep_chart(result: Mapping[str, Any]) -> NotebookImage:
    """Return a JPEG of a sweep: a panel for each of `MEASURES`, in it every sample a dot,
    means with intervals, and below them what dot, circle and bar are.
    """
    levels = {
        "style": {"the base": result["floor"], "training paintings": result["ceiling"]},
        "nearest": {"held-out paintings": float(np.mean(result["held_out_nearest"]))},
    }
    ends: list[str] = []
    figure, panels = charts.new_panels(11, 4.1, 92, len(MEASURES))
    for axes, (key, title) in zip(panels, MEASURES.items(), strict=True):
        for name, value in levels.get(key, {}).items():
            charts.mark_level(axes, f"{name} {value:.2f}", value, place=0.99)
        scores = [trials.values(result["rows"], key, count=count) for count in result["counts"]]
        for place, values in enumerate(scores):
            spread = place + np.linspace(-0.15, 0.15, len(values))
            (dots,) = axes.plot(spread, values, ".", color=LINE, markersize=4)
            (bar,) = axes.plot(
                [place, place], metrics.bootstrap_interval(values), color=ACCENT, linewidth=2.5
            )
        means = [np.mean(values) for values in scores]
        (circles,) = axes.plot(means, "o-", color=ACCENT, markersize=6, linewidth=1)
        axes.set_xticks(range(len(scores)), [str(n or "base") for n in result["counts"]], fontsize=9)
        axes.set(xlabel="steps")
        axes.set_title(title, fontsize=11, color=INK)
        ends.append(f"{title} {np.mean(scores[0]):.2f} to {np.mean(scores[-1]):.2f}")
    kinds = {"one drawing": dots, "mean of the drawings": circles, "where the mean may lie": bar}
    figure.legend(
        kinds.values(), kinds.keys(), frameon=False, ncols=3, loc="outside lower center", fontsize=9
    )
    return figure_image(figure, f"over {result['counts'][-1]} steps: {', '.join(ends)}")


def loss_chart(run: Run) -> NotebookImage:
    """Return a JPEG of the loss of each step and, where it was measured,
    of the held-out pictures at fixed noise.
    """
    figure, axes = charts.new_chart(7.2, 3.0, 76)
    axes.plot(
        [row["step"] for row in run.log], [row["loss"] for row in run.log], color=LINE, label="each step"
    )
    validation = [(row["step"], row["validation"]) for row in run.log if "validation" in row]
    if validation:
        axes.plot(*zip(*validation, strict=True), "o-", color=ACCENT, label="held out, fixed noise")
    axes.set(xlabel="step", ylabel="loss")
    axes.legend(frameon=False)
    levels = f", held out {validation[0][1]:.2f} to {validation[-1][1]:.2f}" if validation else ""
    return figure_image(figure, f"the loss of {len(run.log)} steps{levels}")


def save_opening_picture(path: Path = OPENING_PICTURE) -> None:
    """Draw one training step, from a painting to the adapter that it changes."""
    page = Image.new("RGB", (1080, 330), PAPER)
    pen = ImageDraw.Draw(page)
    side, top, middle = 136, 44, 112
    for x, (label, image) in zip((20, 200, 390, 910), _step_images().items(), strict=True):
        paste_square(page, image, x, top, side)
        pen.text((x + side // 2, top + side + 16), label, fill=INK, font=font(14), anchor="mm")
    for x, word in ((178, "mix"), (363, "=")):
        pen.text((x, middle), word, fill=INK, font=font(15), anchor="mm")
    pen.rectangle((560, top, 660, top + side), fill=INK)
    pen.text((610, middle), "frozen\nmodel", fill=PAPER, font=font(15), anchor="mm", align="center")
    pen.rectangle((560, top + side + 6, 660, top + side + 40), fill=ACCENT)
    pen.text((610, top + side + 23), "+ adapter", fill=PAPER, font=font(15), anchor="mm")
    _arrow(pen, [(530, middle), (556, middle)], INK)
    _arrow(pen, [(664, middle), (700, middle)], INK)
    pen.text((760, middle), "its answer,\na velocity", fill=INK, font=font(15), anchor="mm", align="center")
    pen.text((856, middle), "difference", fill=ACCENT, font=font(15), anchor="mm")
    pen.text((978, 28), "the target", fill=INK, font=font(15), anchor="mm")
    _arrow(pen, [(856, 130), (856, 276), (610, 276), (610, 228)], ACCENT)
    pen.text(
        (856, 300), "the error moves the adapter, and nothing else", fill=ACCENT, font=font(15), anchor="rm"
    )
    path.write_bytes(jpeg(page, 70))


def _step_images() -> dict[str, Image.Image]:
    """Return what one training step sees and is compared with, by the label below it."""
    clean = pixels.to_pixels([dataset.read([PAINTING]).train[0].image], 128)
    sigma, noise = 0.6, torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    values = {
        "a painting": clean,
        "noise": noise / 2,
        "noisy painting": (1 - sigma) * clean + sigma * noise / 2,
        "noise - painting": (noise - clean) / 3,
    }
    return {label: pixels.to_images(value)[0] for label, value in values.items()}


def _arrow(pen: ImageDraw.ImageDraw, points: Sequence[tuple[int, int]], colour: str) -> None:
    """Draw a line through points with a head at the last."""
    pen.line(points, fill=colour, width=2)
    (x, y), (before_x, before_y) = points[-1], points[-2]
    along = (np.sign(x - before_x), np.sign(y - before_y))
    back = (x - 9 * along[0], y - 9 * along[1])
    across = (5 * along[1], 5 * along[0])
    corners = [(x, y), (back[0] + across[0], back[1] + across[1]), (back[0] - across[0], back[1] - across[1])]
    pen.polygon([(int(a), int(b)) for a, b in corners], fill=colour)
