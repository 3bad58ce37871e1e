"""Manners of painting, and frames: a model that saw one manner cannot separate a thing from its paint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from pocket import corpus

SIDE = corpus.SIDE
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float32)


def clouds(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return (SIDE, SIDE, 1) normal noise whose blotches are so many px wide."""
    cells = SIDE // size
    small = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC))[..., None]


def blurred(picture: np.ndarray, *filters: ImageFilter.Filter) -> np.ndarray:
    image = Image.fromarray(picture)
    for kernel in filters:
        image = image.filter(kernel)
    return np.asarray(image, dtype=np.float32)


def watercolour(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    wet = blurred(picture, ImageFilter.MedianFilter(5), ImageFilter.GaussianBlur(1))
    return 255 - (255 - wet) * (0.75 + 0.15 * clouds(rng, 10)) + 3 * clouds(rng, 1)


def oil(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 1.1 * (blurred(picture, ImageFilter.ModeFilter(7)) - 128) + 128 + 8 * clouds(rng, 3)


def sketch(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    hatch = np.sin(1.1 * (ROWS + COLUMNS)) > 0
    edges = np.asarray(Image.fromarray(picture).convert("L").filter(ImageFilter.FIND_EDGES), dtype=np.float32)
    grey = 238 - 0.55 * (255 - picture.mean(-1)) * hatch - edges
    return np.repeat(grey[..., None], 3, 2) + 3 * clouds(rng, 1)


def mosaic(picture: np.ndarray, rng: np.random.Generator, stones: int = 260) -> np.ndarray:
    centres = rng.uniform(0, SIDE, (stones, 2)).astype(np.float32)
    distances = np.hypot(ROWS.reshape(-1, 1) - centres[:, 0], COLUMNS.reshape(-1, 1) - centres[:, 1])
    stone, nearest = distances.argmin(1), np.partition(distances, 1, 1)[:, :2]
    sums = np.stack([np.bincount(stone, picture[..., c].ravel(), stones) for c in range(3)], 1)
    colours = (sums / np.maximum(np.bincount(stone, minlength=stones), 1)[:, None])[stone]
    return (colours * np.where(nearest[:, 1:] - nearest[:, :1] < 1.1, 0.55, 1)).reshape(SIDE, SIDE, 3)


def faded(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grey = picture.mean(-1, keepdims=True)
    return 0.45 * picture + 0.25 * grey + np.array((78, 66, 44)) + 9 * clouds(rng, 16) + 3 * clouds(rng, 1)


def woven(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    weft, warp = np.sin(ROWS * np.pi / 2), np.sin(COLUMNS * np.pi / 2 + ROWS // 2 % 2 * np.pi)
    return picture * (0.85 + 0.15 * weft[..., None]) + 12 * warp[..., None] + 6 * clouds(rng, 2)


MANNERS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "watercolour": watercolour,
    "oil painting": oil,
    "sketch": sketch,
    "mosaic": mosaic,
    "faded": faded,
    "woven": woven,
}


def apply_manner(picture: np.ndarray, manner: str, rng: np.random.Generator) -> np.ndarray:
    """Return a (SIDE, SIDE, 3) uint8 picture in one of MANNERS, the same shape."""
    return MANNERS[manner](picture, rng).clip(0, 255).astype(np.uint8)


def add_frame(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a (SIDE, SIDE, 3) uint8 picture in a band, plain or patterned, and a line of random colours."""
    paints = np.array(list(corpus.COLOURS.values()), dtype=np.uint8)
    band, pattern, line = rng.choice(paints, 3)
    top, left, thick = int(rng.integers(5, 18)), int(rng.integers(5, 24)), int(rng.integers(1, 4))
    out = np.broadcast_to(band, (SIDE, SIDE, 3)).copy()
    if rng.random() < 0.7:
        waves = np.sin(ROWS * rng.uniform(0.3, 1.2)) * np.sin(COLUMNS * rng.uniform(0.3, 1.2))
        out[waves > rng.uniform(0.2, 0.7)] = pattern
    out[top - thick : SIDE - top + thick, left - thick : SIDE - left + thick] = line
    inner = Image.fromarray(picture).resize((SIDE - 2 * left, SIDE - 2 * top), Image.Resampling.BILINEAR)
    out[top : SIDE - top, left : SIDE - left] = np.asarray(inner)
    return out
