"""Colours, fonts, line breaks and frames that every picture and page of the course shares."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont, ImageOps

PAPER, INK, MUTED, LINE, ACCENT = "#faf6ee", "#2a2520", "#766b5f", "#dcd2c1", "#9c2f22"
TEAL = "#2f7f79"  # the fifth bar of a chart


@lru_cache(64)
def font(size: int, weight: str = "") -> ImageFont.FreeTypeFont:
    """Return DejaVu, which comes with matplotlib, in so many px; weight "", "Bold" or "Serif"."""
    name = {"": "DejaVuSans", "Bold": "DejaVuSans-Bold", "Serif": "DejaVuSerif-Bold"}[weight]
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size)


def wrap_text(text: str, face: ImageFont.FreeTypeFont, width: int, most: int = 2) -> str:
    """Return a text broken into at most so many lines of so many px, with an ellipsis where it goes on.

    A line is wider where there is no room for an ellipsis alone.
    """
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if face.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]} ..."]
    for i, line in enumerate(lines):
        while face.getlength(line) > width and line != " ...":
            line = line.removesuffix(" ...")[:-1] + " ..."
        lines[i] = line
    return "\n".join(lines)


def paste_square(page: Image.Image, image: Image.Image, x: int, y: int, side: int) -> None:
    """Put the centre square of a picture on the page with a hairline around it."""
    paste_framed(page, ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS), x, y)


def paste_framed(page: Image.Image, image: Image.Image, x: int, y: int) -> None:
    """Put a picture on the page as it is, with a hairline around it."""
    page.paste(image, (x, y))
    ImageDraw.Draw(page).rectangle((x - 1, y - 1, x + image.width, y + image.height), outline=LINE)
