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
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from lessons_lib.display import charts
from lessons_lib.display.html import jpeg_uri, render_template
from lessons_lib.display.theme import ACCENT, INK, LINE, PAPER, font, paste_square, wrap_text

_LIVE_SIDE = 384  # px of the picture that the live sampler shows
_THUMBNAIL_SIDE = 96
_MEAN_STEPS = 25  # of the running mean over a loss


def jpeg(image: Image.Image, quality: int = 64) -> bytes:
    """Return a picture as JPEG bytes, packed as small as its quality allows."""
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()


def image(picture: Image.Image, width: int = 900, alt: str = "") -> NotebookImage:
    """Return one picture, such as a before/after sheet, as a JPEG of at most so many px across.

    `alt`: what it shows, for those who do not see it.
    """
    copy = picture.convert("RGB")
    copy.thumbnail((width, 10 * width), Image.Resampling.LANCZOS)
    return _notebook_image(copy, alt)


def _notebook_image(picture: Image.Image, alt: str) -> NotebookImage:
    """Return a cell's output with its text in the metadata, from where nbconvert and VS Code take it."""
    return NotebookImage(data=jpeg(picture), format="jpeg", metadata={"alt": alt} if alt else None)


def image_grid(
    rows: Sequence[Sequence[Image.Image]] | Sequence[Image.Image],
    labels: Sequence[str] | Sequence[Sequence[str]] = (),
    side: int = 160,
    alt: str = "",
    columns: Sequence[str] = (),
) -> NotebookImage:
    """Return one JPEG of a grid: rows of pictures (or a single row), a label to the left of each row.

    Labels in rows, as many as pictures, stand below the pictures instead, and so do those of a single row.
    `columns`: headings above the columns.
    `alt`: what it shows, for those who do not see it; without it the labels, or how many pictures there are.
    Raises ValueError without pictures, or when the labels fit neither.
    """
    grid = _as_rows(rows)
    beside, below = _place_labels(grid, labels)
    face, left, head, foot = font(15), 8, 44 if columns else 0, 44 if below else 0
    if beside:
        left += min(150, int(max(face.getlength(label) for label in beside)) + 18)
    width, line = left + max(map(len, grid)) * (side + 8), side + 8 + foot
    page = Image.new("RGB", (width, head + len(grid) * line + 8), PAPER)
    pen = ImageDraw.Draw(page)

    for j, text in enumerate(columns):
        _write_centred(pen, text, left + j * (side + 8), 8 + head // 2, side)
    for i, row in enumerate(grid):
        y = head + 8 + i * line
        for j, picture in enumerate(row):
            paste_square(page, picture, x := left + j * (side + 8), y, side)
            if below:
                _write_centred(pen, below[i][j], x, y + side + 22, side)
        if beside:
            text = wrap_text(beside[i], face, left - 22, 4)
            pen.multiline_text((10, y + side // 2), text, fill=INK, font=face, anchor="lm")
    texts = [*columns, *beside, *(text for row in below for text in row)]
    count = sum(map(len, grid))
    return _notebook_image(page, alt or f"{count} pictures" + (f": {', '.join(texts)}" if texts else ""))


def _write_centred(pen: ImageDraw.ImageDraw, text: str, x: int, y: int, width: int) -> None:
    """Write a text in at most two lines round the middle of a strip that begins at x."""
    lines = wrap_text(text, face := font(15), width)
    pen.multiline_text((x + width // 2, y), lines, fill=INK, font=face, anchor="mm", align="center")


def _place_labels(
    grid: Sequence[Sequence[Image.Image]], labels: Sequence[str] | Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Return the labels beside the rows and those below the pictures; one of the two is empty.

    Raises ValueError when they fit neither.
    """
    texts = [label for label in labels if isinstance(label, str)]
    below = [list(row) for row in labels if not isinstance(row, str)]
    if len(grid) == 1 and len(texts) == len(grid[0]) > 1:
        texts, below = [], [texts]
    if below and list(map(len, below)) != list(map(len, grid)):
        raise ValueError(f"labels in rows of {list(map(len, below))}; expected {list(map(len, grid))}")
    if texts and len(texts) != len(grid):
        raise ValueError(f"{len(texts)} labels for {len(grid)} rows; expected one label a row")
    return texts, below


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


def strength_slider(
    images: Sequence[Image.Image], labels: Sequence[str], side: int = 384, start: int = -1, text: str = ""
) -> ipywidgets.HTML:
    """Return a slider over images, such as one prompt at rising strength; `labels` are the strengths.

    The images lie in the page, so that it answers at once, with no kernel behind it, too.
    A screen reader announces the label of the image. `start`: the one that is shown first. `text`:
    what all of them show. Raises ValueError unless there is a label for every image.
    """
    if not images or len(images) != len(labels):
        raise ValueError(
            f"{len(images)} frames and {len(labels)} labels; expected one label a frame, and a frame at least"
        )
    frames = [(_uri(image, side), label) for image, label in zip(images, labels, strict=True)]
    values = {"name": "strength", "text": text, "side": side, "start": start % len(frames)}
    return ipywidgets.HTML(render_template("strength.html.j2", frames=frames, **values))


def _uri(picture: Image.Image, side: int) -> str:
    """Return a picture as a data URI of `side` px."""
    return jpeg_uri(jpeg(picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)))


def _img(picture: Image.Image, side: int, alt: str, slider: str) -> str:
    """Return a picture of `side` px as HTML, with a text for those who do not see it, which names the slider
    of its box.
    """
    return render_template("img.html.j2", uri=_uri(picture, side), alt=alt, side=side, slider=slider)


def live_sampler(
    sample: Callable[[str, float], Image.Image], prompt: str, strength: float = 1.0
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
        control.layout.width, control.layout.max_width = f"{_LIVE_SIDE + 60}px", "100%"
    view = ipywidgets.HTML()

    def on_change(change: dict | None = None) -> None:
        alt = f"{prompt_box.value}, strength {slider.value:g}"
        view.value = _img(sample(prompt_box.value, slider.value), _LIVE_SIDE, alt, slider.description)

    on_change()
    for control in (prompt_box, slider):
        control.observe(on_change, names="value")
    box = ipywidgets.VBox([view, prompt_box, slider])
    box.add_class("live-sampler")
    return box


def caption_table(images: Sequence[Image.Image], captions: list[str]) -> ipywidgets.VBox:
    """Return a table of thumbnails with a text box beside each.

    What is typed is written into `captions` itself.
    The same by hand: ``captions[3] = "a tiger by a stream"``. Raises ValueError unless there is a caption for
    every picture.
    """
    if len(images) != len(captions):
        raise ValueError(
            f"{len(images)} pictures and {len(captions)} captions; expected one caption a picture"
        )
    return ipywidgets.VBox([_caption_row(picture, captions, i) for i, picture in enumerate(images)])


def _caption_row(picture: Image.Image, captions: list[str], index: int) -> ipywidgets.HBox:
    thumbnail = picture.convert("RGB")
    thumbnail.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    img = {"uri": jpeg_uri(jpeg(thumbnail)), "alt": f"picture {index + 1}", "side": thumbnail.width,
           "slider": ""}  # fmt: skip
    box = ipywidgets.Textarea(
        value=captions[index],
        description=f"picture {index + 1}",
        layout=ipywidgets.Layout(width="640px", max_width="100%", height=f"{_THUMBNAIL_SIDE - 20}px"),
    )

    def on_change(change: dict) -> None:
        captions[index] = change["new"]

    box.observe(on_change, names="value")
    return ipywidgets.HBox([ipywidgets.HTML(render_template("img.html.j2", **img)), box])


def source_code(*objects: Callable | type) -> Markdown:
    """Return the source code of functions or classes, as the notebook shows code."""
    code = "\n\n\n".join(inspect.getsource(thing).rstrip() for thing in objects)
    return Markdown(f"```python\n{code}\n```")


def loss_curve(log: Sequence[Mapping[str, Any]]) -> NotebookImage:
    """Return the loss in the rows of a run's log, each step faint and a running mean on top.

    ValueError for an empty log.
    """
    steps = [row["step"] for row in log]
    values = np.array([row["loss"] for row in log], dtype=float)
    if not len(values):
        raise ValueError("the log has no steps; expected a row for each step in log.jsonl. Train again")
    window = min(_MEAN_STEPS, len(values))
    mean = charts.running_mean(values, window)
    figure, axes = charts.new_chart(7.2, 3.2, 110)
    axes.plot(steps, values, color=LINE, linewidth=1, label="each step")
    axes.plot(steps[window - 1 :], mean, color=ACCENT, linewidth=2, label=f"mean of {window} steps")
    axes.set(xlabel="step", ylabel="loss")
    axes.legend(frameon=False)
    return figure_image(
        figure, f"the loss over {len(steps)} steps: {mean[0]:.2f} at first, {mean[-1]:.2f} at last"
    )


def figure_image(figure: Figure, alt: str) -> NotebookImage:
    """Return a figure as a JPEG; `alt`: what it shows, for those who do not see it."""
    return _notebook_image(charts.to_image(figure), alt)
