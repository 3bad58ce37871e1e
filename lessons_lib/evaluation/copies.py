"""Copies of training pictures among samples, looked for by layout."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from lessons_lib.models.pixels import to_pixels

GRID = 16  # px of a picture's layout
COPY = 0.8  # layouts of different paintings, practice and real, stay below 0.7; pages learned by heart are drawn above 0.9


def layout(images: Sequence[Image.Image]) -> Tensor:
    """Return (n, 768) of unit length: pictures as 16 x 16 px, each colour's mean taken out. Blur and tint hardly change it."""
    small = to_pixels(images, GRID).double()
    return nn.functional.normalize((small - small.mean((2, 3), keepdim=True)).flatten(1), dim=1)


def repeated_layouts(
    images: Sequence[Image.Image], squares: Sequence[Image.Image]
) -> list[tuple[int, float]]:
    """Return for each picture which training square it repeats most, mirrored or not, and how closely, -1 ... 1 = a copy.

    The correlation of their `layout`. Features (`nearest`) do not find the copies of a base that draws softly: what is soft
    is unlike everything sharp. The other way round this misses a figure that was copied to another place. Lesson 06 tries both.
    After the pixel distance of Carlini et al. 2023, arXiv 2301.13188. Raises ValueError for no pictures.
    """
    if not images or not squares:
        raise ValueError(f"{len(images)} pictures, {len(squares)} training pictures: expected some of both")
    made, taught = layout(images), layout(squares)
    turned = taught.view(-1, 3, GRID, GRID).flip(3).flatten(1)
    best = torch.maximum(made @ taught.T, made @ turned.T).max(1)
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))
