"""Styles that are made from flat drawings, and which drawings have a shape of their own."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

INK = (40, 30, 36)
SAME_SHAPE = 0.9  # two silhouettes that share this much of their area look the same


def silhouette(rgba: np.ndarray) -> np.ndarray:
    """Return the drawing's shape filled with near-black, (h, w, 4) uint8."""
    out = np.empty_like(rgba)
    out[..., :3], out[..., 3] = (24, 24, 28), rgba[..., 3]
    return out


def cartoon(rgba: np.ndarray) -> np.ndarray:
    """Return the drawing with ink around it and between its colours, (h, w, 4) uint8."""
    image = Image.fromarray(rgba)
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32)[..., None] / 255
    wider = (
        np.asarray(image.getchannel("A").filter(ImageFilter.MaxFilter(5)), dtype=np.float32)[..., None] / 255
    )
    paint = np.asarray(image.convert("RGBa"), dtype=np.float32)[..., :3]
    on_grey = Image.fromarray((paint + 128 * (1 - alpha)).clip(0, 255).astype(np.uint8))
    step = (
        np.asarray(on_grey.filter(ImageFilter.MaxFilter(3)), dtype=np.float32)
        - np.asarray(on_grey.filter(ImageFilter.MinFilter(3)), dtype=np.float32)
    ).max(-1, keepdims=True)
    between = ((step - 50) / 60).clip(0, 1) * (alpha > 0.5)
    drawn = (paint + np.array(INK) * (wider - alpha)) * (1 - between) + np.array(INK) * between
    return np.concatenate([drawn / np.maximum(wider, 1e-3), 255 * wider], 2).clip(0, 255).astype(np.uint8)


def pixel_art(rgba: np.ndarray, cells: int = 20) -> np.ndarray:
    """Return the drawing in so many square cells a side, each of one colour, (h, w, 4) uint8."""
    height, width = rgba.shape[:2]
    small = np.asarray(
        Image.fromarray(rgba).convert("RGBa").resize((cells, cells), Image.Resampling.BOX)
    ).copy()
    alpha = small[..., 3:].astype(np.float32) / 255
    small[..., :3] = (small[..., :3] / np.maximum(alpha, 1e-3)).clip(0, 255)
    small[..., 3] = np.where(small[..., 3] > 110, 255, 0)
    return np.asarray(Image.fromarray(small, "RGBA").resize((width, height), Image.Resampling.NEAREST))


def distinct_shapes(pictures: np.ndarray) -> np.ndarray:
    """Return for each of (n, h, w, 4) drawings whether no other has nearly its shape, (n,) bool."""
    shapes = np.stack(
        [np.asarray(Image.fromarray(p[..., 3]).resize((32, 32), Image.Resampling.BOX)) for p in pictures]
    )
    shapes = shapes.reshape(len(shapes), -1).astype(np.float32) / 255
    shared = shapes @ shapes.T
    area = shapes.sum(1)
    overlap = shared / (area[:, None] + area[None] - shared)
    np.fill_diagonal(overlap, 0)
    return overlap.max(1) < SAME_SHAPE
