"""Colours, fonts and how text is broken: what every picture and page of the course shares."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont, ImageOps

PAPER, INK, MUTED, LINE, ACCENT = "#faf6ee", "#2a2520", "#82776a", "#dcd2c1", "#9c2f22"


@lru_cache(64)
def font(size: int, weight: str = "") -> ImageFont.FreeTypeFont:
    """Return DejaVu, which comes with matplotlib, in so many px; weight "", "Bold" or "Serif"."""
    name = {"": "DejaVuSans", "Bold": "DejaVuSans-Bold", "Serif": "DejaVuSerif-Bold"}[weight]
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size)


def wrapped(text: str, face: ImageFont.FreeTypeFont, width: int, most: int = 2) -> str:
    """Return a text broken into at most so many lines of so many px, with an ellipsis where it goes on."""
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
        while face.getlength(line) > width:
            line = line.removesuffix(" ...")[:-1] + " ..."
        lines[i] = line
    return "\n".join(lines)


def paste(page: Image.Image, image: Image.Image, x: int, y: int, side: int) -> None:
    """Put a picture on the page as a square with a hairline around it."""
    page.paste(ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS), (x, y))
    ImageDraw.Draw(page).rectangle((x - 1, y - 1, x + side, y + side), outline=LINE)
