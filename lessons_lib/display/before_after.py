"""The before/after sheet: one picture that says what was taught and what changed, to be understood at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps

from lessons_lib.display.theme import ACCENT, INK, LINE, MUTED, PAPER, font, paste_square, wrap_text

MARGIN, GUTTER, GAP = 56, 136, 16
CELL = 296  # a pocket picture (128 px) at a little over twice its size
COLUMNS = 4
Row = list[Image.Image]


@dataclass(frozen=True)
class Pairs:
    """Prompts with their pictures before and after: rows prompts, columns seeds."""

    prompts: Sequence[str]
    base: Sequence[Row]
    tuned: Sequence[Row]


@dataclass(frozen=True)
class Strip:
    """One picture at several strengths, with the words below each."""

    prompt: str
    frames: Row
    labels: Sequence[str]


def sheet(
    title: str, subtitle: str, pairs: Pairs, strip: Strip, taught: Sequence[Image.Image]
) -> Image.Image:
    """Return the sheet: what was taught, before above after for each prompt, and the strength strip below."""
    columns = min(COLUMNS, max(2, len(pairs.prompts)))
    width = 2 * MARGIN + GUTTER + columns * CELL + (columns - 1) * GAP
    page = Image.new("RGB", (width, 1000 + 2 * CELL * (2 + len(pairs.prompts))), PAPER)
    y = heading(page, title, subtitle, taught)
    for start in range(0, len(pairs.prompts), columns):
        part = slice(start, start + columns)
        y = block(page, y, Pairs(pairs.prompts[part], pairs.base[part], pairs.tuned[part]))
    y = strength_strip(page, y, strip)
    return page.crop((0, 0, width, y + MARGIN - 12))


def heading(page: Image.Image, title: str, subtitle: str, taught: Sequence[Image.Image]) -> int:
    """Draw the title and thumbnails of what was taught; return the y below them."""
    pen = ImageDraw.Draw(page)
    room = page.width - 2 * MARGIN
    pen.text((MARGIN, 44), wrap_text(title, font(50, "Serif"), room, 1), fill=INK, font=font(50, "Serif"))
    pen.text((MARGIN, 112), wrap_text(subtitle, font(21), room, 1), fill=MUTED, font=font(21))
    y, height, left = 166, 124, MARGIN + GUTTER
    while height > 88 and thumbs_width(taught, height) > page.width - MARGIN - left:
        height -= 4
    label(pen, "taught", y + height // 2, MUTED)
    x, shown = left, 0
    for image in taught:
        thumb = ImageOps.contain(image.convert("RGB"), (2 * height, height), Image.Resampling.LANCZOS)
        rest = 70 if shown + 1 < len(taught) else 0
        if x + thumb.width > page.width - MARGIN - rest:
            break
        page.paste(thumb, (x, y + height - thumb.height))
        x, shown = x + thumb.width + 10, shown + 1
    if shown < len(taught):
        pen.text((x + 6, y + height // 2), f"+ {len(taught) - shown}", fill=MUTED, font=font(21), anchor="lm")
    return y + height + 34


def thumbs_width(taught: Sequence[Image.Image], height: int) -> int:
    """Return the px that thumbnails of this height take side by side."""
    return sum(min(2 * height, round(i.width * height / i.height)) + 11 for i in taught)


def label(pen: ImageDraw.ImageDraw, text: str, middle: int, colour: str) -> None:
    pen.text((MARGIN, middle), text, fill=colour, font=font(23, "Bold"), anchor="lm")


def block(page: Image.Image, y: int, pairs: Pairs) -> int:
    """Draw up to four prompts side by side, the first seed large, the next two small; return the y below."""
    pen = ImageDraw.Draw(page)
    for i, prompt in enumerate(pairs.prompts):
        middle = MARGIN + GUTTER + i * (CELL + GAP) + CELL // 2
        pen.multiline_text((middle, y + 30), wrap_text(prompt, font(20), CELL), fill=INK, font=font(20), anchor="mm",
                           align="center", spacing=6)  # fmt: skip
    y += 64
    y = pair(page, y, pairs, slice(0, 1), CELL)
    if len(pairs.base[0]) > 1:
        y = pair(page, y + 10, pairs, slice(1, 3), (CELL - 8) // 2)
    return y + 14


def pair(page: Image.Image, y: int, pairs: Pairs, seeds: slice, side: int) -> int:
    """Draw the row before and the row after for some seeds; return the y below."""
    pen = ImageDraw.Draw(page)
    for name, colour, rows in (("before", MUTED, pairs.base), ("after", ACCENT, pairs.tuned)):
        label(pen, name, y + side // 2, colour)
        for i, row in enumerate(rows):
            for j, image in enumerate(row[seeds]):
                paste_square(page, image, MARGIN + GUTTER + i * (CELL + GAP) + j * (side + 8), y, side)
        y += side + 8
    return y


def strength_strip(page: Image.Image, y: int, strip: Strip) -> int:
    """Draw one picture at rising strength across the page; return the y below its labels."""
    pen = ImageDraw.Draw(page)
    pen.line((MARGIN, y + 8, page.width - MARGIN, y + 8), fill=LINE, width=2)
    left, room = MARGIN + GUTTER, page.width - 2 * MARGIN - GUTTER
    text = wrap_text(f"{strip.prompt}: one seed, the adapter turned up from left to right", font(20), room, 1)
    pen.text((left, y + 34), text, fill=INK, font=font(20), anchor="lm")
    y += 58
    side = min(CELL, (room - GAP * (len(strip.frames) - 1)) // len(strip.frames))
    label(pen, "strength", y + side // 2, MUTED)
    for i, (image, words) in enumerate(zip(strip.frames, strip.labels, strict=True)):
        x = left + i * (side + GAP)
        paste_square(page, image, x, y, side)
        pen.text((x + side // 2, y + side + 20), words, fill=MUTED, font=font(17), anchor="mm")
    return y + side + 36
