"""Lesson 07's cards: the curve of a training beside its pictures, one card or several in a picture.

`python -m lessons_lib.course.lesson_07_cards picture` draws the lesson's opening picture.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from IPython.display import Image as NotebookImage
from PIL import Image, ImageDraw

from lessons_lib.course import long_run
from lessons_lib.course.lesson_07 import CAPTIONS, SUBJECTS
from lessons_lib.course.lesson_07_measures import HEALTHY
from lessons_lib.course.lesson_07_record import SEEDS, TILE, letters_of, rows_of, strip_path
from lessons_lib.course.long_run import Row
from lessons_lib.display import charts, notebook
from lessons_lib.display.theme import ACCENT, INK, LINE, MUTED, PAPER, font
from lessons_lib.paths import NOTEBOOK_PICTURES

_HEADINGS = ("before", "after", "after, in another program", "after, no trigger", "captions of the set")
_CURVE = (270, 3 * TILE)  # px
_TOP, _FOOT, _GAP = 50, 32, 12  # px above and below the pictures of a card, and between cards
_ROWS = (f"from above: {', '.join(SUBJECTS)};", f"last column: {', '.join(CAPTIONS)}")
OPENING_PICTURE = NOTEBOOK_PICTURES / "07_museum.jpg"
_WIDTH = 640  # px of what is shown: a lesson has room for fourteen cards
_EVEN, _HIGHEST = 2.0, 50.0  # a chart of losses has even steps up to the first and is squeezed above it


def museum_room(record: Mapping[str, Any], seed: int, faults: Mapping[str, str]) -> NotebookImage:
    """Return a JPEG with one card for each letter, recorded with a seed; `faults`: the fault by letter."""
    rows = rows_of(record, seed)
    cards = [
        card(letter, rows[fault], rows[HEALTHY], Image.open(strip_path(fault, seed)))
        for letter, fault in faults.items()
    ]
    return _stacked(cards, f"curve and pictures of {len(cards)} trainings: {', '.join(faults)}")


def numbered_cards(record: Mapping[str, Any], cases: Sequence[tuple[str, int]], first: int) -> NotebookImage:
    """Return a JPEG with the card of each (fault, seed) under a number, from `first` on."""
    cards = []
    for number, (fault, seed) in enumerate(cases, first):
        rows = rows_of(record, seed)
        cards.append(card(str(number), rows[fault], rows[HEALTHY], Image.open(strip_path(fault, seed))))
    return _stacked(cards, f"curve and pictures of {len(cards)} trainings, from {first} on")


def live_card(title: str, row: Row, healthy: Row, strip: Image.Image) -> NotebookImage:
    """Return a JPEG with the card of a training that was made here."""
    return _stacked([card(title, row, healthy, strip)], f"curve and pictures of a training: {title}")


def card(title: str, row: Row, healthy: Row, strip: Image.Image) -> Image.Image:
    """Return the card of a training: its losses beside those of the healthy one, and its pictures."""
    page = Image.new("RGB", (_CURVE[0] + 10 + strip.width, _TOP + strip.height + _FOOT), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((4, 2), title, fill=ACCENT, font=font(22, "Bold"))
    for index, heading in enumerate(_HEADINGS):
        text = textwrap.fill(heading, 13)
        place = (_CURVE[0] + 12 + index * TILE, _TOP - 6 - 14 * len(text.splitlines()))
        pen.multiline_text(place, text, fill=INK, font=font(11), spacing=2)
    page.paste(_curve(row, healthy), (0, _TOP))
    page.paste(strip, (_CURVE[0] + 10, _TOP))
    place = (page.width - 6, _TOP + strip.height + 2)
    pen.multiline_text(
        place, "\n".join(_ROWS), fill=MUTED, font=font(11), spacing=2, anchor="ra", align="right"
    )
    return page


def _stacked(cards: Sequence[Image.Image], alt: str) -> NotebookImage:
    """Return cards below one another as a JPEG."""
    height = sum(one.height + _GAP for one in cards)
    page = Image.new("RGB", (max(one.width for one in cards), height), PAPER)
    y = 0
    for one in cards:
        page.paste(one, (0, y))
        y += one.height + _GAP
    return notebook.image(page, width=_WIDTH, alt=alt)


def _curve(row: Row, healthy: Row) -> Image.Image:
    """Return the chart of a training's losses beside the healthy ones, the held-out loss dashed; of the
    healthy training its own alone.
    """
    figure, axes = charts.new_chart(_CURVE[0] / 90, _CURVE[1] / 90, 90)
    losses = np.asarray(row["losses"], dtype=float)
    axes.plot(range(1, len(losses) + 1), losses, color=LINE, linewidth=0.8)
    lines = [(row, INK, "-", "")]
    if row is not healthy:
        lines.insert(0, (healthy, MUTED, "--", "healthy, "))
    for values, colour, _, whose in lines:
        if mean := _running_mean(values["losses"]):
            axes.plot(list(mean), list(mean.values()), color=colour, linewidth=1.5, label=f"{whose}training")
    for values, _, style, whose in lines:
        steps = [int(step) for step in values["validation"]]
        colour = MUTED if style == "--" else ACCENT
        held_out = list(values["validation"].values())
        axes.plot(steps, held_out, style, color=colour, linewidth=1.6, label=f"{whose}held out")
    if len(losses) < row["measures"]["steps"]:
        axes.plot(len(losses) + 1, 0.2, "x", color=ACCENT, markersize=9)
        axes.annotate("NaN", (len(losses) + 1, 0.2), xytext=(6, -3), textcoords="offset points", color=ACCENT)
    axes.set_yscale("symlog", linthresh=_EVEN, linscale=3)
    axes.set(ylim=(0, _HIGHEST), yticks=(ticks := (0, 0.5, 1, 1.5, 2, 10, 50)), yticklabels=ticks)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("step", fontsize=7)
    axes.set_ylabel("loss", fontsize=7)
    axes.legend(frameon=False, fontsize=7, loc="upper right")
    return charts.to_image(figure).convert("RGB").resize(_CURVE)


def _running_mean(losses: Sequence[float]) -> dict[int, float]:
    """Return the mean of the last eighth of the losses by step."""
    values = np.asarray(losses, dtype=float)
    window = max(1, len(values) // 8)
    return dict(enumerate(charts.running_mean(values, window).tolist(), window)) if len(values) else {}


def save_opening_picture() -> None:
    """Draw the castle after each of the twelve trainings, in the order of the letters."""
    box = (TILE, 0, 2 * TILE, TILE)  # the first prompt, after
    faults = list(letters_of(SEEDS[0]).values())
    tiles = [Image.open(strip_path(fault, SEEDS[0])).crop(box) for fault in faults]
    OPENING_PICTURE.write_bytes(notebook.image_grid([tiles[:6], tiles[6:]], side=116).data)


if __name__ == "__main__":
    long_run.command_line("lesson_07_cards", {"picture": save_opening_picture})
