"""Results in a notebook: one JPEG a cell, a slider with its frames cached, a dial that draws, source code, the loss curve."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import Image as Shown
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


def image_grid(
    rows: Sequence[Sequence[Image.Image]] | Sequence[Image.Image], labels: Sequence[str] = (), side: int = 160
) -> Shown:
    """Return one JPEG of a grid: rows of pictures (or a single row), a label to the left of each row.

    For a single row with as many labels as pictures, the labels stand below the pictures instead.
    Raises ValueError when the labels fit neither.
    """
    grid = [[row] if isinstance(row, Image.Image) else list(row) for row in rows]
    if rows and isinstance(rows[0], Image.Image):
        grid = [[image for row in grid for image in row]]
    if not grid or not all(grid):
        raise ValueError("no pictures to show; expected at least one row with at least one picture")
    below = len(grid) == 1 and len(labels) == len(grid[0]) > 1
    if labels and not below and len(labels) != len(grid):
        raise ValueError(f"{len(labels)} labels for {len(grid)} rows; expected one label a row")
    face, left = font(15), 0
    if labels and not below:
        left = min(150, int(max(face.getlength(t) for t in labels)) + 18)
    width = left + max(map(len, grid)) * (side + 8) + 8
    page = Image.new("RGB", (width, len(grid) * (side + 8) + 8 + (44 if below else 0)), PAPER)
    pen = ImageDraw.Draw(page)
    for i, row in enumerate(grid):
        y = 8 + i * (side + 8)
        if left:
            text = wrap_text(labels[i], face, left - 14, 4)
            pen.multiline_text((10, y + side // 2), text, fill=INK, font=face, anchor="lm")
        for j, image in enumerate(row):
            x = 8 + left + j * (side + 8)
            paste_square(page, image, x, y, side)
            if below:
                text = wrap_text(labels[j], face, side)
                pen.multiline_text(
                    (x + side // 2, y + side + 22), text, fill=INK, font=face, anchor="mm", align="center"
                )
    return Shown(data=jpeg(page), format="jpeg")


def image(image: Image.Image, width: int = 900) -> Shown:
    """Return one picture, such as a comparison's sheet, as a JPEG of at most so many px across."""
    copy = image.convert("RGB")
    copy.thumbnail((width, 10 * width), Image.Resampling.LANCZOS)
    return Shown(data=jpeg(copy), format="jpeg")


def strength_slider(frames: Sequence[Image.Image], labels: Sequence[str], side: int = 384) -> ipywidgets.VBox:
    """Return a slider that turns through frames. They are kept as JPEG bytes, so that it answers at once.

    Uses only what ipywidgets 7.7 and 8 share. Raises ValueError unless there is a label for every frame.
    """
    if not frames or len(frames) != len(labels):
        raise ValueError(
            f"{len(frames)} frames and {len(labels)} labels; expected one label a frame, and a frame at least"
        )
    cached = [jpeg(f.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)) for f in frames]
    last = len(frames) - 1
    view = ipywidgets.Image(value=cached[last], format="jpeg", width=side, height=side)
    handle = ipywidgets.SelectionSlider(
        options=[(str(label), i) for i, label in enumerate(labels)],
        value=last,
        description="strength",
        layout=ipywidgets.Layout(width=f"{side + 60}px"),
    )

    def turn(change: dict) -> None:
        view.value = cached[change["new"]]

    handle.observe(turn, names="value")
    return ipywidgets.VBox([view, handle])


def live_sampler(
    draw: Callable[[str, float], Image.Image], prompt: str, strength: float = 1.0, side: int = 384
) -> ipywidgets.VBox:
    """Return a box for a prompt and a slider for the strength; `draw(prompt, strength)` is asked again at every change.

    For a base that draws in well under a second; where nothing runs, the first picture is what is seen.
    """
    words = ipywidgets.Text(value=prompt, description="prompt", continuous_update=False)
    handle = ipywidgets.FloatSlider(
        value=strength, min=0.0, max=1.5, step=0.05, description="strength", continuous_update=False
    )
    for control in (words, handle):
        control.layout.width = f"{side + 60}px"
    view = ipywidgets.Image(format="jpeg", width=side, height=side)

    def turn(change: dict | None = None) -> None:
        made = draw(words.value, handle.value).convert("RGB")
        view.value = jpeg(made.resize((side, side), Image.Resampling.LANCZOS))

    turn()
    for control in (words, handle):
        control.observe(turn, names="value")
    return ipywidgets.VBox([view, words, handle])


def caption_table(images: Sequence[Image.Image], texts: list[str], side: int = 96) -> ipywidgets.VBox:
    """Return a table of thumbnails with a box of words beside each; what is typed is written into `texts` itself.

    The same by hand: ``texts[3] = "a tiger by a stream"``. Raises ValueError unless there is a text for every picture.
    """
    if len(images) != len(texts):
        raise ValueError(f"{len(images)} pictures and {len(texts)} captions; expected one caption a picture")
    return ipywidgets.VBox([caption_row(image, texts, i, side) for i, image in enumerate(images)])


def caption_row(image: Image.Image, texts: list[str], index: int, side: int) -> ipywidgets.HBox:
    """Return one row of a caption table."""
    small = image.convert("RGB")
    small.thumbnail((side, side))
    box = ipywidgets.Textarea(
        value=texts[index], layout=ipywidgets.Layout(width="640px", height=f"{side - 20}px")
    )

    def keep(change: dict) -> None:
        texts[index] = change["new"]

    box.observe(keep, names="value")
    return ipywidgets.HBox([ipywidgets.Image(value=jpeg(small), format="jpeg", width=side), box])


def source_code(*things: Callable | type) -> Markdown:
    """Return the source code of functions or classes of the library, as the notebook shows code."""
    code = "\n\n\n".join(inspect.getsource(thing).rstrip() for thing in things)
    return Markdown(f"```python\n{code}\n```")


def loss_curve(log: Sequence[Mapping[str, Any]], window: int = 25) -> Shown:
    """Return the loss in the rows of a run's log, each step faint and a running mean on top. ValueError for an empty log."""
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


def figure_image(figure: Figure) -> Shown:
    """Return a figure as a JPEG; without pyplot, which would draw a second, uncalled-for figure in the cell."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Shown(data=jpeg(Image.fromarray(np.asarray(canvas.buffer_rgba()))), format="jpeg")
