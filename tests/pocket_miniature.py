"""Drawings made up for the tests of pocket's composer and rented run: coloured shapes that bear names of
things.txt.
"""

from __future__ import annotations

import numpy as np
import torch

from pocket.drawings import Bank
from pocket.things import Drawing

NAMES = ("elephant", "tulip", "house", "cat", "star", "boat", "king", "milk")
STYLES = {"one": "flat", "two": ""}


def drawings() -> tuple[np.ndarray, list[Drawing]]:
    """Return two makers' drawings of each thing, (16, 128, 128, 4) uint8, with their rows."""
    y, x = np.mgrid[:128, :128]
    pictures, rows = [], []
    for k, name in enumerate(NAMES):
        for maker, style in STYLES.items():
            shape = (abs(x - 64) ** (1 + k % 3) + abs(y - 64) ** (1 + k % 3) < 50 ** (1 + k % 3)) & (x > 40)
            picture = np.zeros((128, 128, 4), np.uint8)
            picture[shape] = (30 * k, 255 - 30 * k, 90 if maker == "one" else 200, 255)
            pictures.append(picture)
            facing = "left" if name == "elephant" else ""
            rows.append(Drawing(name, style, facing, f"package-{maker}", "1", name, maker, "MIT"))
    return np.stack(pictures), rows


def bank() -> Bank:
    pictures, rows = drawings()
    return Bank(torch.from_numpy(pictures), rows)
