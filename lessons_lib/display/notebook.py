"""Results in a notebook: one JPEG a cell, a slider over cached images, a live sampler, source code,
the loss curve.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import Image as NotebookImage
from IPython.display import Markdown
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from lessons_lib.display.theme import ACCENT, INK, LINE, PAPER, font, paste_square, wrap_text


def jpeg(image: Image.Image, quality: int = 64) -> bytes:
    """Return a picture as JPEG bytes."""
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def image(picture: Image.Image, width: int = 900) -> NotebookImage:
    """Return one picture, such as a before/after sheet, as a JPEG of at most so many px across."""
    copy = picture.convert("RGB")
    copy.thumbnail((width, 10 * width), Image.Resampling.LANCZOS)
    return NotebookImage(data=jpeg(copy), format="jpeg")


def image_grid(
    rows: Sequence[Sequence[Image.Image]] | Sequence[Image.Image], labels: Sequence[str] = (), side: int = 160
) -> NotebookImage:
    """Return one JPEG of a grid: rows of pictures (or a single row), a label to the left of each row.

    For a single row with as many labels as pictures, the labels stand below the pictures instead.
    Raises ValueError without pictures, or when the labels fit neither.
    """
    grid = _as_rows(rows)
    is_below = len(grid) == 1 and len(labels) == len(grid[0]) > 1
    if labels and not is_below and len(labels) != len(grid):
        raise ValueError(f"{len(labels)} labels for {len(grid)} rows; expected one label a row")
    face, left = font(15), 8
    if labels and not is_below:
        left += min(150, int(max(face.getlength(label) for label in labels)) + 18)
    width = left + max(map(len, grid)) * (side + 8)
    page = Image.new("RGB", (width, len(grid) * (side + 8) + 8 + (44 if is_below else 0)), PAPER)
    pen = ImageDraw.Draw(page)
    for i, row in enumerate(grid):
        y = 8 + i * (side + 8)
        for j, picture in enumerate(row):
            paste_square(page, picture, left + j * (side + 8), y, side)
    for i, label in enumerate(labels):
        if is_below:
            place, text = (left + i * (side + 8) + side // 2, 8 + side + 22), wrap_text(label, face, side)
            pen.multiline_text(place, text, fill=INK, font=face, anchor="mm", align="center")
        else:
            place, text = (10, 8 + i * (side + 8) + side // 2), wrap_text(label, face, left - 22, 4)
            pen.multiline_text(place, text, fill=INK, font=face, anchor="lm")
    return NotebookImage(data=jpeg(page), format="jpeg")


def _as_rows(rows: Sequence[Sequence[Image.Image]] | Sequence[Image.Image]) -> list[list[Image.Image]]:
    """Return rows of pictures; pictures that come without rows are one row.

    Raises ValueError without pictures.
    """
    grid = [[row] if isinstance(row, Image.Image) else list(row) for row in rows]
    if rows and isinstance(rows[0], Image.Image):
        grid = [[picture for row in grid for picture in row]]
    if not grid or not all(grid):
        raise ValueError("no pictures to show; expected at least one row with at least one picture")
    return grid


def strength_slider(images: Sequence[Image.Image], labels: Sequence[str], side: int = 384) -> ipywidgets.VBox:
    """Return a slider over images, such as one prompt at rising strength.

    It holds JPEG bytes, so that it answers at once.
    Uses only what ipywidgets 7.7 and 8 share. Raises ValueError unless there is a label for every image.
    """
    if not images or len(images) != len(labels):
        raise ValueError(
            f"{len(images)} frames and {len(labels)} labels; expected one label a frame, and a frame at least"
        )
    cached = [jpeg(i.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)) for i in images]
    last = len(images) - 1
    view = ipywidgets.Image(value=cached[last], format="jpeg", width=side, height=side)
    slider = ipywidgets.SelectionSlider(
        options=[(str(label), i) for i, label in enumerate(labels)],
        value=last,
        description="strength",
        layout=ipywidgets.Layout(width=f"{side + 60}px"),
    )

    def on_change(change: dict) -> None:
        view.value = cached[change["new"]]

    slider.observe(on_change, names="value")
    return ipywidgets.VBox([view, slider])


def live_sampler(
    sample: Callable[[str, float], Image.Image], prompt: str, strength: float = 1.0, side: int = 384
) -> ipywidgets.VBox:
    """Return a box for a prompt and a slider for the strength.

    `sample(prompt, strength)` is called at every change.
    For a base that samples in well under a second. On a page where nothing runs, the first image is shown.
    """
    prompt_box = ipywidgets.Text(value=prompt, description="prompt", continuous_update=False)
    slider = ipywidgets.FloatSlider(
        value=strength, min=0.0, max=1.5, step=0.05, description="strength", continuous_update=False
    )
    for control in (prompt_box, slider):
        control.layout.width = f"{side + 60}px"
    view = ipywidgets.Image(format="jpeg", width=side, height=side)

    def on_change(change: dict | None = None) -> None:
        picture = sample(prompt_box.value, slider.value).convert("RGB")
        view.value = jpeg(picture.resize((side, side), Image.Resampling.LANCZOS))

    on_change()
    for control in (prompt_box, slider):
        control.observe(on_change, names="value")
    return ipywidgets.VBox([view, prompt_box, slider])


def caption_table(images: Sequence[Image.Image], captions: list[str], side: int = 96) -> ipywidgets.VBox:
    """Return a table of thumbnails with a text box beside each.

    What is typed is written into `captions` itself.
    The same by hand: ``captions[3] = "a tiger by a stream"``. Raises ValueError unless there is a caption for
    every picture.
    """
    if len(images) != len(captions):
        raise ValueError(
            f"{len(images)} pictures and {len(captions)} captions; expected one caption a picture"
        )
    return ipywidgets.VBox([_caption_row(picture, captions, i, side) for i, picture in enumerate(images)])


def _caption_row(picture: Image.Image, captions: list[str], index: int, side: int) -> ipywidgets.HBox:
    thumbnail = picture.convert("RGB")
    thumbnail.thumbnail((side, side))
    box = ipywidgets.Textarea(
        value=captions[index], layout=ipywidgets.Layout(width="640px", height=f"{side - 20}px")
    )

    def on_change(change: dict) -> None:
        captions[index] = change["new"]

    box.observe(on_change, names="value")
    return ipywidgets.HBox([ipywidgets.Image(value=jpeg(thumbnail), format="jpeg", width=side), box])


def source_code(*objects: Callable | type) -> Markdown:
    """Return the source code of functions or classes, as the notebook shows code."""
    code = "\n\n\n".join(inspect.getsource(thing).rstrip() for thing in objects)
    return Markdown(f"```python\n{code}\n```")


def loss_curve(log: Sequence[Mapping[str, Any]], window: int = 25) -> NotebookImage:
    """Return the loss in the rows of a run's log, each step faint and a running mean on top.

    ValueError for an empty log.
    """
    steps = [row["step"] for row in log]
    values = np.array([row["loss"] for row in log], dtype=float)
    if not len(values):
        raise ValueError("the log has no steps; expected a row for each step in log.jsonl. Train again")
    window = min(window, len(values))
    mean = np.convolve(values, np.ones(window) / window, "valid")
    figure = Figure(figsize=(7.2, 3.2), dpi=110, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot(facecolor=PAPER)
    axes.plot(steps, values, color=LINE, linewidth=1, label="each step")
    axes.plot(steps[window - 1 :], mean, color=ACCENT, linewidth=2, label=f"mean of {window} steps")
    axes.set(xlabel="step", ylabel="loss")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure_image(figure)


def figure_image(figure: Figure) -> NotebookImage:
    """Return a figure as a JPEG, without pyplot, which would show a second figure in the cell."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return NotebookImage(data=jpeg(Image.fromarray(np.asarray(canvas.buffer_rgba()))), format="jpeg")
