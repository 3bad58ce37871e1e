"""From a picture of any shape to the shapes a model trains on: three crops to a square,
and aspect-ratio buckets.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from PIL import Image, ImageOps

from lessons_lib.dataset.messages import PictureError, printable
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.models.pixels import WHITE, to_square

Box = tuple[int, int, int, int]  # left, top, right, bottom in px of the picture's file
CropMethod = Literal["centre", "letterbox", "hand"]
Bucket = tuple[int, int]  # width, height


def crop_square(picture: Picture, side: int, method: CropMethod = "centre") -> Image.Image:
    """Return a square of a picture; "hand" cuts out the box in its table's column `crop`,
    and the centre where there is none.

    Raises ValueError for a method that does not exist, or a box outside the picture.
    """
    if method != "hand":
        return to_square(picture.image, side, method)
    box = table_box(picture)
    return crop_to_box(picture, box, side) if box else to_square(picture.image, side)


def table_box(picture: Picture) -> Box | None:
    """Return the box in the column `crop` of a picture's table, "left top right bottom".

    Raises ValueError for another text.
    """
    text = picture.more.get("crop")
    if not text:
        return None
    numbers = text.replace(",", " ").split()
    if len(numbers) != 4 or not all(n.isdigit() for n in numbers):
        raise ValueError(
            f"{printable(picture.path)}: its crop is {text!r}; expected four numbers, left top right bottom, "
            "in px"
        )
    left, top, right, bottom = map(int, numbers)
    return left, top, right, bottom


def square_box(size: tuple[int, int], position: float) -> Box:
    """Return the largest square of a picture, in px; position 0 is its left or upper end and 1 the other."""
    width, height = size
    side = min(size)
    left, top = round(position * (width - side)), round(position * (height - side))
    return left, top, left + side, top + side


def in_per_cent(box: Box, size: tuple[int, int]) -> dict[str, float] | None:
    """Return where a box lies in a picture, as a page's style: left, top, width and height in per cent.

    None for a picture that is square.
    """
    (left, top, right, bottom), (width, height) = box, size
    if width == height:
        return None
    return {
        "left": 100 * left / width, "top": 100 * top / height,
        "width": 100 * (right - left) / width, "height": 100 * (bottom - top) / height,
    }  # fmt: skip


def crop_to_box(picture: Picture, box: Box, side: int) -> Image.Image:
    """Return the smallest square around a box, moved inside the picture; what cannot fit gets white bars.

    The box is in px of the file, whatever size the image was shrunk to.
    Raises ValueError for a box outside the picture.
    """
    width, height = picture.size
    left, top, right, bottom = box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError(
            f"{printable(picture.path)}: the box {box} does not fit; expected left < right up to {width} "
            f"and top < bottom up to {height}"
        )
    part = _cut(picture, _square_around(picture.size, box))
    return ImageOps.pad(part, (side, side), Image.Resampling.LANCZOS, color=WHITE)


def _square_around(size: tuple[int, int], box: Box) -> Box:
    """Return the smallest square around a box, moved inside a picture, or as much of it as fits."""
    (width, height), (left, top, right, bottom) = size, box
    longer = max(right - left, bottom - top)
    crop_width, crop_height = min(longer, width), min(longer, height)
    x = min(max(0, (left + right - crop_width) // 2), width - crop_width)
    y = min(max(0, (top + bottom - crop_height) // 2), height - crop_height)
    return x, y, x + crop_width, y + crop_height


def _cut(picture: Picture, box: Box) -> Image.Image:
    """Return the part of a picture in a box, which is in px of its file."""
    image = picture.image  # which may be decoded for this
    scale = image.width / picture.size[0]
    left, top, right, bottom = (round(value * scale) for value in box)
    return image.crop((left, top, right, bottom))


def bucket_of(picture: Picture, side: int) -> Bucket:
    """Return the bucket nearest to a picture, or to the box in its table's column `crop`."""
    left, top, right, bottom = table_box(picture) or (0, 0, *picture.size)
    return nearest_bucket((right - left, bottom - top), bucket_sizes(side))


def crop_for_training(picture: Picture, side: int, in_buckets: bool = False) -> Image.Image:
    """Return a picture as it is trained on, or the box in its table's column `crop`: a square, or with
    `in_buckets` the size of its bucket.
    """
    if not in_buckets:
        return crop_square(picture, side, "hand")
    box = table_box(picture) or (0, 0, *picture.size)
    return fit_to_bucket(_cut(picture, box), bucket_of(picture, side))


def size_ids(picture: Picture, side: int, in_buckets: bool = False) -> tuple[int, ...]:
    """Return what SDXL takes of a picture: its height and width, the top and left of the crop in px of the
    scaled picture, and the height and width of the crop.

    As diffusers' train_dreambooth_lora_sdxl.py with ``--center_crop``; with buckets the crop is the bucket.
    """
    box, target = table_box(picture), bucket_of(picture, side) if in_buckets else (side, side)
    if box and not in_buckets:
        box = _square_around(picture.size, box)
    left, top, right, bottom = box or (0, 0, *picture.size)
    (width, height), scale = target, max(target[0] / (right - left), target[1] / (bottom - top))
    y = round(top * scale + (round((bottom - top) * scale) - height) / 2)
    x = round(left * scale + (round((right - left) * scale) - width) / 2)
    return picture.size[1], picture.size[0], max(0, y), max(0, x), height, width


def mask_of(picture: Picture) -> Picture:
    """Return the mask of a picture as one that is cropped just as it is.

    Raises PictureError for a mask of another shape.
    """
    if picture.mask is None:
        raise ValueError(f"{printable(picture.path)}: has no mask; expected one")
    (width, height), (mask_width, mask_height) = picture.size, picture.mask.size
    if abs(math.log(mask_width / mask_height * height / width)) > 0.02:
        raise PictureError(
            f"{printable(picture.mask.path)}: is a mask of {mask_width} x {mask_height} px, and its picture "
            f"is {width} x {height} px; expected the same shape. Make it again, or take it out"
        )
    image = picture.mask.image.convert("L").resize(picture.image.size, Image.Resampling.BILINEAR)
    return replace(picture, file=ImageFile.of(image.convert("RGB"), picture.size), mask=None)


def bucket_sizes(side: int) -> list[Bucket]:
    """Return the shapes to train in: sides in steps, from half to twice `side`,
    area at most side squared.

    The rule of kohya's sd-scripts and SDXL (Podell et al. 2023, arXiv 2307.01952). Steps are 64 px,
    and 16 for bases of 256 px or less, so that latents keep whole numbers of tokens.
    """
    step = 16 if side <= 256 else 64
    sizes = {(side // step * step, side // step * step)}
    for width in range(max(step, side // 2 // step * step), 2 * side + 1, step):
        height = min(2 * side, side * side // width) // step * step
        if height >= side // 2:
            sizes |= {(width, height), (height, width)}
    return sorted(sizes)


def nearest_bucket(size: tuple[int, int], sizes: Sequence[Bucket]) -> Bucket:
    """Return the bucket whose shape is nearest to a picture's.

    Twice as wide and twice as high are equally distant.
    """
    shape = math.log(size[0] / size[1])
    return min(sizes, key=lambda b: (abs(math.log(b[0] / b[1]) - shape), -b[0] * b[1]))


def fit_to_bucket(image: Image.Image, bucket: Bucket) -> Image.Image:
    """Return the picture at a bucket's size; what does not fit is cut evenly from both ends."""
    return ImageOps.fit(image, bucket, Image.Resampling.LANCZOS)


def count_buckets(sizes: Iterable[tuple[int, int]], side: int) -> list[tuple[Bucket, int]]:
    """Return the buckets that pictures of these sizes fall into and how many each, most first."""
    buckets = bucket_sizes(side)
    return Counter(nearest_bucket(size, buckets) for size in sizes).most_common()


def all_crops(picture: Picture, side: int) -> dict[str, Image.Image]:
    """Return a picture whole, at most `side` px, and cropped by each method: centre, letterbox,
    by hand (centre where its table has no box).
    """
    return {
        "whole": ImageOps.contain(picture.image, (side, side)),
        "middle square": crop_square(picture, side, "centre"),
        "letterbox": crop_square(picture, side, "letterbox"),
        "by hand": crop_square(picture, side, "hand"),
    }


def group_by_bucket(pictures: Sequence[Picture], side: int) -> dict[str, list[Image.Image]]:
    """Return the pictures cropped to their buckets, by the name of the bucket, fullest first."""
    buckets, groups = bucket_sizes(side), {}
    for bucket, _ in count_buckets((p.size for p in pictures), side):
        members = [p for p in pictures if nearest_bucket(p.size, buckets) == bucket]
        groups[f"{bucket[0]} x {bucket[1]} px"] = [fit_to_bucket(p.image, bucket) for p in members]
    return groups
