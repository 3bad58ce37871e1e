"""Pictures as squares of one size, and as the tensors that a VAE takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor

WHITE = (255, 255, 255)


def to_square(
    image: Image.Image, side: int, method: Literal["centre", "letterbox"] = "centre"
) -> Image.Image:
    """Return a square of `side` px: the centre of the picture, or all of it with white bars ("letterbox")."""
    if method == "centre":
        return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    if method == "letterbox":
        return ImageOps.pad(image, (side, side), Image.Resampling.LANCZOS, color=WHITE)
    raise ValueError(f"the method is {method!r}; expected 'centre' or 'letterbox'")


def to_pixels(images: Sequence[Image.Image], side: int | None = None) -> Tensor:
    """Return (n, 3, side, side) float32 in -1 ... 1, each picture cropped to its central square.

    Without `side` they stay as they are, (n, 3, height, width), and have to be of one size.
    """
    import torch

    rgb = [image.convert("RGB") for image in images]
    cropped = [to_square(image, side) for image in rgb] if side else rgb
    rows = np.stack([np.asarray(image, dtype=np.float32) for image in cropped])
    return torch.from_numpy(rows / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


def is_one_colour(image: Image.Image) -> bool:
    """Return whether a picture is of one colour, to a deviation of 1 of 255: NaN is drawn black."""
    return bool(np.asarray(image).std((0, 1)).max() <= 1)


def to_images(values: Tensor) -> list[Image.Image]:
    """Return the pictures of (n, 3, height, width) in -1 ... 1, the inverse of `to_pixels`; what lies beyond
    is clipped.
    """
    rows = ((values.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    return [Image.fromarray(row.numpy()) for row in rows]
