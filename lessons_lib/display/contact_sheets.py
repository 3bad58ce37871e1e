"""Contact sheets: many pictures on one page, in their own shapes,
each with its name or its group's heading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageOps

from lessons_lib.display.theme import INK, MUTED, PAPER, font, paste_framed, wrap_text

_COLUMNS = 8  # pictures of a group in a row


def crop_sheet(
    crops: Sequence[Mapping[str, Image.Image]], names: Sequence[str], side: int = 160
) -> Image.Image:
    """Return a contact sheet with a row for each picture: its crops by name, in columns,
    and the picture's name below.

    No crop is larger than `side` px. Raises ValueError without crops,
    or unless there is a name for every row.
    """
    if not crops or len(crops) != len(names):
        raise ValueError(
            f"{len(crops)} rows of crops and {len(names)} names; expected one name a row, and a row at least"
        )
    columns, gap = list(crops[0]), side + 12
    page = Image.new("RGB", (12 + len(columns) * gap, 34 + len(crops) * (side + 34)), PAPER)
    pen = ImageDraw.Draw(page)
    for i, column in enumerate(columns):
        pen.text((12 + i * gap, 8), column, fill=MUTED, font=font(15))
    for row, (images, name) in enumerate(zip(crops, names, strict=True)):
        y = 34 + row * (side + 34)
        for i, column in enumerate(columns):
            paste_framed(page, images[column], 12 + i * gap, y)
        pen.text((12, y + side + 5), _printable(name, row, len(columns) * gap), fill=INK, font=font(13))
    return page


def group_sheet(groups: Mapping[str, Sequence[Image.Image]], height: int = 130) -> Image.Image:
    """Return a contact sheet with a heading for each group of pictures, which says how many they are.

    Pictures keep their shapes, at most `height` px high and twice as wide.
    Raises ValueError without pictures.
    """
    rows: list[tuple[str, list[Image.Image]]] = []  # the heading of a group stands above its first row only
    for name, images in groups.items():
        small = [ImageOps.contain(image, (2 * height, height)) for image in images]
        parts = [small[i : i + _COLUMNS] for i in range(0, len(small), _COLUMNS)]
        rows += [(f"{name}: {len(images)}" if i == 0 else "", part) for i, part in enumerate(parts)]
    if not rows:
        raise ValueError("no pictures for a contact sheet; expected a group with at least one picture")
    width = max(12 + sum(image.width + 8 for image in images) for _, images in rows)
    page = Image.new("RGB", (max(width, 360), 12 + len(rows) * (height + 34)), PAPER)
    pen = ImageDraw.Draw(page)
    for row, (heading, images) in enumerate(rows):
        x, y = 12, 12 + row * (height + 34)
        pen.text((x, y), heading, fill=MUTED, font=font(15))
        for image in images:
            paste_framed(page, image, x, y + 24)
            x += image.width + 8
    return page


def _printable(name: str, index: int, width: int) -> str:
    """Return a name in one line of so many px, or the picture's number where the sheet's font lacks the
    letters.
    """
    return wrap_text(name if max(name, default="") < "\u0590" else f"picture {index + 1}", font(13), width, 1)
