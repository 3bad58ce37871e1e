"""Memorisation: copies of training pictures among samples, found by layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from lessons_lib.models.pixels import to_pixels

COPY_THRESHOLD = (
    0.8  # layouts of different paintings, practice and real, stay below 0.7; memorised ones reach 0.9
)
_GRID = 16  # px of a picture's layout


def layout_features(images: Iterable[Image.Image]) -> Tensor:
    """Return (n, 768) of unit length: pictures as 16 x 16 px without each colour's mean.

    Blur and tint hardly change it. One picture at a time is asked for.
    """
    pixels = torch.cat([to_pixels([image], _GRID) for image in images]).double()  # (n, 3, 16, 16)
    return nn.functional.normalize((pixels - pixels.mean((2, 3), keepdim=True)).flatten(1), dim=1)


def nearest_layouts(
    images: Sequence[Image.Image], squares: Sequence[Image.Image] | Tensor
) -> list[tuple[int, float]]:
    """Return for each image the index of the training square whose layout is most similar, and how similar,
    -1 ... 1 = a copy.

    The correlation of their `layout_features`, mirrored or not; those of the squares may be given in their
    place. `metrics.nearest_neighbours` misses copies that a base draws softly, since a soft picture is unlike
    every sharp one. This misses a figure that was copied to another place. Lesson 06 tries both. After the
    pixel distance of Carlini et al. 2023, arXiv 2301.13188. Raises ValueError for no pictures.
    """
    if not len(images) or not len(squares):
        raise ValueError(f"{len(images)} pictures, {len(squares)} training pictures: expected some of both")
    samples = layout_features(images)
    train = squares if isinstance(squares, Tensor) else layout_features(squares)
    mirrored = train.view(-1, 3, _GRID, _GRID).flip(3).flatten(1)
    best = torch.maximum(samples @ train.T, samples @ mirrored.T).max(1)
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))
