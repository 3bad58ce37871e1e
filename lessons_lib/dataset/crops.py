"""From a picture of any shape to the shapes a model trains on: three crops to a square, and aspect-ratio buckets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from PIL import Image, ImageDraw, ImageOps

from lessons_lib.dataset.decode import WHITE, shown
from lessons_lib.dataset.pictures import Picture
from lessons_lib.display.theme import INK, LINE, MUTED, PAPER, font, wrapped
from lessons_lib.models.pixels import square

Box = tuple[int, int, int, int]  # left, top, right, bottom in px of the picture's file
Way = Literal["centre", "letterbox", "hand"]
Bucket = tuple[int, int]  # width, height


def cut(picture: Picture, side: int, way: Way = "centre") -> Image.Image:
    """Return a square of a picture; "hand" cuts the box in its table's column `crop`, and the centre where there is none.

    Raises ValueError for a way that does not exist, or a box outside the picture.
    """
    if way != "hand":
        return square(picture.image, side, way)
    box = box_of(picture)
    return by_hand(picture, box, side) if box else square(picture.image, side)


def box_of(picture: Picture) -> Box | None:
    """Return the box in the column `crop` of a picture's table, "left top right bottom". Raises ValueError for another text."""
    text = picture.more.get("crop")
    if not text:
        return None
    numbers = text.replace(",", " ").split()
    if len(numbers) != 4 or not all(n.isdigit() for n in numbers):
        raise ValueError(
            f"{shown(picture.path)}: its crop is {text!r}; expected four numbers, left top right bottom, in px"
        )
    left, top, right, bottom = map(int, numbers)
    return left, top, right, bottom


def by_hand(picture: Picture, box: Box, side: int) -> Image.Image:
    """Return the smallest square around a box, moved inside the picture; what cannot fit gets white bars.

    The box is in px of the file, whatever size the image was shrunk to. Raises ValueError for a box outside the picture.
    """
    width, height = picture.size
    left, top, right, bottom = box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError(
            f"{shown(picture.path)}: the box {box} does not fit; expected left < right up to {width} "
            f"and top < bottom up to {height}"
        )
    longer = max(right - left, bottom - top)
    across, down = min(longer, width), min(longer, height)
    x = min(max(0, (left + right - across) // 2), width - across)
    y = min(max(0, (top + bottom - down) // 2), height - down)
    scale = picture.image.width / width
    area = (round(x * scale), round(y * scale), round((x + across) * scale), round((y + down) * scale))
    return ImageOps.pad(picture.image.crop(area), (side, side), Image.Resampling.LANCZOS, color=WHITE)


def buckets(side: int, step: int | None = None) -> list[Bucket]:
    """Return the shapes to train in: sides in multiples of `step`, from half to twice `side`, area at most side squared.

    The rule of kohya's sd-scripts and SDXL (Podell et al. 2023, arXiv 2307.01952). Steps are 64 px, and 16 for bases of
    256 px or less, so that latents keep whole numbers of tokens.
    """
    step = step or (16 if side <= 256 else 64)
    found = {(side // step * step, side // step * step)}
    for width in range(max(step, side // 2 // step * step), 2 * side + 1, step):
        height = min(2 * side, side * side // width) // step * step
        if height >= side // 2:
            found |= {(width, height), (height, width)}
    return sorted(found)


def bucket_of(size: tuple[int, int], among: Sequence[Bucket]) -> Bucket:
    """Return the bucket whose shape is nearest to a picture's; twice as wide and twice as high are equally far off."""
    shape = math.log(size[0] / size[1])
    return min(among, key=lambda b: (abs(math.log(b[0] / b[1]) - shape), -b[0] * b[1]))


def fit(image: Image.Image, bucket: Bucket) -> Image.Image:
    """Return the picture at a bucket's size; what its shape leaves over is cut evenly from both ends."""
    return ImageOps.fit(image, bucket, Image.Resampling.LANCZOS)


def tally(sizes: Iterable[tuple[int, int]], side: int) -> list[tuple[Bucket, int]]:
    """Return the buckets that pictures of these sizes fall into and how many each, most first."""
    among = buckets(side)
    return Counter(bucket_of(size, among) for size in sizes).most_common()


def three_sheet(pictures: Sequence[Picture], side: int = 160) -> Image.Image:
    """Return a contact sheet: each picture whole, then its centre, letterboxed and by hand (centre where no box is given)."""
    columns = ("whole", "centre", "letterbox", "by hand")
    page, gap = Image.new("RGB", (12 + 4 * (side + 12), 34 + len(pictures) * (side + 34)), PAPER), side + 12
    pen = ImageDraw.Draw(page)
    for i, name in enumerate(columns):
        pen.text((12 + i * gap, 8), name, fill=MUTED, font=font(15))
    for row, picture in enumerate(pictures):
        y = 34 + row * (side + 34)
        ways = [cut(picture, side, way) for way in ("centre", "letterbox", "hand")]
        for i, image in enumerate([ImageOps.contain(picture.image, (side, side)), *ways]):
            framed(page, image, 12 + i * gap, y)
        pen.text((12, y + side + 5), label(picture, row, 4 * gap), fill=INK, font=font(13))
    return page


def bucket_sheet(pictures: Sequence[Picture], side: int, height: int = 130, columns: int = 8) -> Image.Image:
    """Return a contact sheet of the pictures as their buckets cut them, a heading for each bucket, fullest first."""
    among, groups = buckets(side), list[tuple[Bucket, list[Image.Image]]]()
    for bucket, _ in tally((p.size for p in pictures), side):
        own = [p for p in pictures if bucket_of(p.size, among) == bucket]
        groups.append((bucket, [ImageOps.contain(fit(p.image, bucket), (2 * height, height)) for p in own]))
    rows = [
        (b, len(images), images[i : i + columns])
        for b, images in groups
        for i in range(0, len(images), columns)
    ]
    width = max(12 + sum(image.width + 8 for image in images) for _, _, images in rows)
    page = Image.new("RGB", (max(width, 360), 12 + sum(height + 34 for _ in rows)), PAPER)
    pen, y, last = ImageDraw.Draw(page), 12, None
    for bucket, count, images in rows:
        if bucket != last:
            pen.text((12, y), f"{bucket[0]} x {bucket[1]} px: {count}", fill=MUTED, font=font(15))
        x = 12
        for image in images:
            framed(page, image, x, y + 24)
            x += image.width + 8
        y, last = y + height + 34, bucket
    return page


def framed(page: Image.Image, image: Image.Image, x: int, y: int) -> None:
    """Put a picture on the page as it is, with a hairline around it."""
    page.paste(image, (x, y))
    ImageDraw.Draw(page).rectangle((x - 1, y - 1, x + image.width, y + image.height), outline=LINE)


def label(picture: Picture, index: int, width: int) -> str:
    """Return a picture's name for a sheet, or its number where the sheet's font has no letters for it."""
    name = shown(picture.path.name)
    return wrapped(name if max(name) < "\u0590" else f"picture {index + 1}", font(13), width, 1)
