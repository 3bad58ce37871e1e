"""Lesson 11's stand-in for a set of the learner's own: crayon drawings as a phone photographs them, with what
goes wrong in such a folder.

`python -m lessons_lib.course.lesson_11_set FOLDER` writes it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from lessons_lib.dataset import dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.paths import BRAND, in_course

Pixels = NDArray[np.float64]  # (height, width, 3), 0 ... 1

BLURRED, SIDEWAYS, TWICE, PLACED = "IMG_0015.jpg", "IMG_0004.jpg", "IMG_0016.jpg", "IMG_0006.jpg"
_SIDE = 512
_PAPER, _PEN = np.array([0.97, 0.95, 0.90]), np.array([0.13, 0.12, 0.17])
_MARK = (412, 412, 512, 512)  # where a card has the brand's mark, px
_GPS = 0x8825  # a tag of EXIF


def write(folder: Path) -> Path:
    """Write sixteen photographs with a caption file beside each, and return the folder: fourteen drawings,
    of which one stands on its head and one says where it was taken, one blurred, one photographed twice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cards = dataset.read(in_course(BRAND), side=_SIDE).train
    names = [f"IMG_{number:04}.jpg" for number in range(1, len(cards) + 1)]
    for name, card in zip(names, cards, strict=True):
        _save(crayon(card.image, seed=int(name[4:8])), folder / name, card)
    again = cards[2]
    _save(crayon(again.image, seed=3).filter(ImageFilter.GaussianBlur(9)), folder / BLURRED, again)
    _save(crayon(again.image, seed=3).crop((6, 6, _SIDE - 6, _SIDE - 6)), folder / TWICE, again)
    return folder


def crayon(card: Image.Image, seed: int) -> Image.Image:
    """Return a picture of flat colours as a crayon drawing on paper under a lamp, of its size."""
    rng = np.random.default_rng(seed)
    flat = card.convert("RGB").filter(ImageFilter.MedianFilter(5))
    ImageDraw.Draw(flat).rectangle(_MARK, fill=flat.getpixel((2, 2)))
    pixels = _shaken(np.asarray(flat, float) / 255, rng, amount=7, grain=26)
    wax = 0.25 + 0.75 * (_strokes(rng) > 0.42)[..., None]  # where the crayon met the paper
    drawing = _PAPER * (1 - wax) + wax * (0.15 * _PAPER + 0.85 * pixels)
    for _ in range(2):  # two outlines that do not meet, as a hand draws them
        line = _outline(_shaken(np.asarray(flat, float) / 255, rng, amount=9, grain=40))
        drawing = drawing * (1 - line) + _PEN * line
    return Image.fromarray((255 * np.clip(drawing * _light(rng), 0, 1)).astype(np.uint8))


def _shaken(pixels: Pixels, rng: np.random.Generator, amount: float, grain: float) -> Pixels:
    """Return a picture whose points are moved by up to so many px, smoothly over so many px."""
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    moves = [amount * _smooth(rng, grain) for _ in range(2)]
    at = [
        np.clip(np.rint(place + move), 0, _SIDE - 1).astype(int)
        for place, move in zip((rows, columns), moves, strict=True)
    ]
    return pixels[at[0], at[1]]


def _smooth(rng: np.random.Generator, grain: float) -> NDArray[np.float64]:
    """Return smooth noise in -1 ... 1, (side, side)."""
    cells = max(3, round(_SIDE / grain))
    noise = Image.fromarray(rng.uniform(-1, 1, (cells, cells)).astype(np.float32))
    return np.asarray(noise.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), float)


def _strokes(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the marks of a crayon that goes to and fro in one direction, 0 ... 1, (side, side)."""
    noise = Image.fromarray((255 * rng.random((2 * _SIDE, 2 * _SIDE // 14))).astype(np.uint8))
    stretched = noise.resize((2 * _SIDE, 2 * _SIDE), Image.Resampling.BILINEAR).filter(ImageFilter.BoxBlur(1))
    turned = np.asarray(stretched.rotate(float(rng.uniform(25, 65))), float)
    middle = turned[_SIDE // 2 : -_SIDE // 2, _SIDE // 2 : -_SIDE // 2]
    return middle.argsort(axis=None).argsort().reshape(middle.shape) / middle.size  # ranks: even coverage


def _outline(pixels: Pixels) -> Pixels:
    """Return where colours meet as a soft line, 0 ... 1, (side, side, 1)."""
    across = np.abs(np.diff(pixels, axis=0, append=pixels[-1:])).sum(2)
    down = np.abs(np.diff(pixels, axis=1, append=pixels[:, -1:])).sum(2)
    edges = Image.fromarray((255 * np.clip(3 * (across + down), 0, 1)).astype(np.uint8))
    line = (
        np.asarray(edges.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.GaussianBlur(0.9)), float) / 255
    )
    return 0.85 * line[..., None]


def _light(rng: np.random.Generator) -> Pixels:
    """Return the light of a lamp from one side, (side, side, 1)."""
    rows, columns = np.mgrid[:_SIDE, :_SIDE] / _SIDE
    angle = rng.uniform(0, 2 * np.pi)
    return (1 - 0.14 * (rows * np.sin(angle) + columns * np.cos(angle) + 0.6))[..., None]


def _save(image: Image.Image, path: Path, card: Picture) -> None:
    """Write a photograph as a phone does, with its caption beside it."""
    exif = Image.Exif()
    if path.name == SIDEWAYS:
        image = image.rotate(90)
    if path.name == PLACED:
        exif.get_ifd(_GPS)[2] = (48.0, 12.0, 0.0)
    image.save(path, quality=90, exif=exif)
    path.with_suffix(".txt").write_text(f"{card.caption}\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
