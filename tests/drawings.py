"""Two styles of drawings for tests of what judges pictures."""

import numpy as np
from PIL import Image, ImageDraw


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
