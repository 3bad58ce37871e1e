"""Paper, pigment grain, gold flecks and age, worked on the finished sheet."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .ink import Ink
from .shapes import polygon


def cloud(rng: np.random.Generator, h: int, w: int, cell: float) -> np.ndarray:
    """Return smooth noise around zero, about one lump for every `cell` pixels."""
    rough = rng.normal(size=(max(int(h / cell), 2), max(int(w / cell), 2))).astype(np.float32)
    return np.asarray(Image.fromarray(rough).resize((w, h), Image.Resampling.BICUBIC))


def flecks(ink: Ink, w: float, h: float, count: int, alpha: float = 0.8) -> None:
    """Scatter beaten-gold flecks over the sheet."""
    for _ in range(count):
        x, y, r = ink.rand(0, w), ink.rand(0, h), ink.rand(0.4, 1.5)
        pts = [(x + ink.near(r), y + ink.near(r)) for _ in range(4)]
        ink.fill(polygon(pts), "#cfa548", ink.near(0.1), alpha)


def fibres(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """Return paper grain around zero: long thin fibres one way, short ones the other."""
    across = cloud(rng, h, w // 9, 1.6)
    along = cloud(rng, h // 9, w, 1.6)
    wide = np.asarray(Image.fromarray(across).resize((w, h), Image.Resampling.BILINEAR))
    tall = np.asarray(Image.fromarray(along).resize((w, h), Image.Resampling.BILINEAR))
    return 0.6 * wide + 0.4 * tall


def age(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return RGB bytes with uneven pigment, paper grain, warm tone, worn spots and dark edges."""
    h, w = pixels.shape[:2]
    image = pixels[..., :3].astype(np.float32) / 255.0
    # Colours sink into old paper: pull them slightly together before the warm tint.
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * 0.9
    tone = 1 + 0.020 * cloud(rng, h, w, 90) + 0.014 * cloud(rng, h, w, 14)
    tone += 0.013 * fibres(rng, h, w) + 0.008 * rng.normal(size=(h, w)).astype(np.float32)
    image *= tone[..., None]
    worn = cloud(rng, h, w, 5) + 0.8 * cloud(rng, h, w, 60)
    worn = np.clip((worn - 3.15) * 1.5, 0, 0.4)[..., None]
    image = image * (1 - worn) + np.array([0.86, 0.77, 0.6], np.float32) * worn
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    edge = np.minimum.reduce([xx, yy, w - 1 - xx, h - 1 - yy]) / (0.05 * w)
    edge = edge + 0.35 * cloud(rng, h, w, 40)
    image *= (1 - 0.16 * np.exp(-np.clip(edge, 0, None) * 1.6))[..., None]
    image = image * np.array([1.0, 0.975, 0.92], np.float32) + np.array([0.012, 0.006, 0], np.float32)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
