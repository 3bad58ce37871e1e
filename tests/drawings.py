"""Pictures for tests: two styles of drawings for what judges them, and some of the practice paintings."""

import shutil

import numpy as np
from PIL import Image, ImageDraw

from lessons_lib.paths import SAMPLE


def copied_paintings(folder, names):
    """Return a new folder with the first practice paintings as NAME.jpg, without captions."""
    folder.mkdir()
    paintings = sorted((SAMPLE / "train").glob("*.jpg"))
    for name, source in zip(names, paintings, strict=False):
        shutil.copy2(source, folder / f"{name}.jpg")
    return folder


def discs(seed, colour="red", count=6):
    """A drawing of discs in one colour."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (128, 128), "white")
    for x, y in rng.integers(15, 113, (count, 2)).tolist():
        ImageDraw.Draw(image).ellipse((x - 12, y - 12, x + 12, y + 12), fill=colour)
    return image


def stripes(seed, colour="black"):
    """A drawing of stripes, another style."""
    image = Image.new("RGB", (128, 128), "white")
    for x in range(seed, 128, 9):
        ImageDraw.Draw(image).line((x, 0, x, 128), fill=colour, width=4)
    return image
