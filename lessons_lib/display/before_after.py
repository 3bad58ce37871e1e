"""The before/after sheet: one picture with the training pictures and what the adapter changed,
clear at a glance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps

from lessons_lib.display.theme import ACCENT, INK, LINE, MUTED, PAPER, font, paste_square, wrap_text

CELL = 296  # a pocket picture (128 px) at a little over twice its size
_MARGIN, _GUTTER, _GAP = 56, 136, 16
_COLUMNS = 4
MOST_THUMBNAILS = 40  # training pictures; no more fit in a row
Row = list[Image.Image]


@dataclass(frozen=True)
class Pairs:
    """Prompts with their images before and after: rows prompts, columns seeds."""

    prompts: Sequence[str]
    base_images: Sequence[Row]
    tuned_images: Sequence[Row]


@dataclass(frozen=True)
class Strip:
    """One image at several strengths, with the label below each."""

    prompt: str
    images: Row
    labels: Sequence[str]


def sheet(
    title: str,
    subtitle: str,
    pairs: Pairs,
    strip: Strip,
    training_images: Sequence[Image.Image],
    training_count: int,
) -> Image.Image:
    """Return the sheet: training pictures, before above after for each prompt,
    and the strength strip below.

    `training_images`: the first MOST_THUMBNAILS of the `training_count` pictures are enough.
    """
    columns = min(_COLUMNS, max(2, len(pairs.prompts)))
    width = 2 * _MARGIN + _GUTTER + columns * CELL + (columns - 1) * _GAP
    page = Image.new("RGB", (width, 1000 + 2 * CELL * (2 + len(pairs.prompts))), PAPER)
    y = _heading(page, title, subtitle, training_images, training_count)
    for start in range(0, len(pairs.prompts), columns):
        part = slice(start, start + columns)
        y = _block(page, y, Pairs(pairs.prompts[part], pairs.base_images[part], pairs.tuned_images[part]))
    y = _strength_strip(page, y, strip)
    return page.crop((0, 0, width, y + _MARGIN - 12))


def _heading(
    page: Image.Image, title: str, subtitle: str, training_images: Sequence[Image.Image], training_count: int
) -> int:
    """Draw the title and thumbnails of the training pictures, and how many more there are; return the y below
    them.
    """
    pen = ImageDraw.Draw(page)
    room = page.width - 2 * _MARGIN
    pen.text((_MARGIN, 44), wrap_text(title, font(50, "Serif"), room, 1), fill=INK, font=font(50, "Serif"))
    pen.text((_MARGIN, 112), wrap_text(subtitle, font(21), room, 1), fill=MUTED, font=font(21))
    y, height, x = 166, 124, _MARGIN + _GUTTER
    while height > 88 and _thumbnails_width(training_images, height) > page.width - _MARGIN - x:
        height -= 4
    _label(pen, "taught", y + height // 2, MUTED)
    count = 0
    for image in training_images:
        thumbnail = ImageOps.contain(image.convert("RGB"), (2 * height, height), Image.Resampling.LANCZOS)
        reserved = 70 if count + 1 < training_count else 0  # for the number of those that do not fit
        if x + thumbnail.width > page.width - _MARGIN - reserved:
            break
        page.paste(thumbnail, (x, y + height - thumbnail.height))
        x, count = x + thumbnail.width + 10, count + 1
    if count < training_count:
        more = f"+ {training_count - count}"
        pen.text((x + 6, y + height // 2), more, fill=MUTED, font=font(21), anchor="lm")
    return y + height + 34


def _thumbnails_width(images: Sequence[Image.Image], height: int) -> int:
    """Return the px that thumbnails of this height take side by side."""
    return sum(min(2 * height, round(i.width * height / i.height)) + 11 for i in images)


def _label(pen: ImageDraw.ImageDraw, text: str, y: int, colour: str) -> None:
    pen.text((_MARGIN, y), text, fill=colour, font=font(23, "Bold"), anchor="lm")


def _block(page: Image.Image, y: int, pairs: Pairs) -> int:
    """Draw up to four prompts side by side, the first seed large, the next two small; return the y below."""
    pen = ImageDraw.Draw(page)
    for i, prompt in enumerate(pairs.prompts):
        x = _MARGIN + _GUTTER + i * (CELL + _GAP) + CELL // 2
        pen.multiline_text(
            (x, y + 30),
            wrap_text(prompt, font(20), CELL),
            fill=INK,
            font=font(20),
            anchor="mm",
            align="center",
            spacing=6,
        )
    y += 64
    y = _pair(page, y, pairs, slice(0, 1), CELL)
    if len(pairs.base_images[0]) > 1:
        y = _pair(page, y + 10, pairs, slice(1, 3), (CELL - 8) // 2)
    return y + 14


def _pair(page: Image.Image, y: int, pairs: Pairs, seeds: slice, side: int) -> int:
    """Draw the row before and the row after for some seeds; return the y below."""
    pen = ImageDraw.Draw(page)
    for name, colour, rows in (("before", MUTED, pairs.base_images), ("after", ACCENT, pairs.tuned_images)):
        _label(pen, name, y + side // 2, colour)
        for i, row in enumerate(rows):
            for j, image in enumerate(row[seeds]):
                paste_square(page, image, _MARGIN + _GUTTER + i * (CELL + _GAP) + j * (side + 8), y, side)
        y += side + 8
    return y


def _strength_strip(page: Image.Image, y: int, strip: Strip) -> int:
    """Draw one image at rising strength across the page; return the y below its labels."""
    pen = ImageDraw.Draw(page)
    pen.line((_MARGIN, y + 8, page.width - _MARGIN, y + 8), fill=LINE, width=2)
    left, room = _MARGIN + _GUTTER, page.width - 2 * _MARGIN - _GUTTER
    text = wrap_text(f"{strip.prompt}: one seed, the adapter turned up from left to right", font(20), room, 1)
    pen.text((left, y + 34), text, fill=INK, font=font(20), anchor="lm")
    y += 58
    side = min(CELL, (room - _GAP * (len(strip.images) - 1)) // len(strip.images))
    _label(pen, "strength", y + side // 2, MUTED)
    for i, (image, label) in enumerate(zip(strip.images, strip.labels, strict=True)):
        x = left + i * (side + _GAP)
        paste_square(page, image, x, y, side)
        pen.text((x + side // 2, y + side + 20), label, fill=MUTED, font=font(17), anchor="mm")
    return y + side + 36
