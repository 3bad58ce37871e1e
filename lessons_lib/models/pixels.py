"""From a picture to the square of numbers that a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor


def square(image: Image.Image, side: int, way: Literal["centre", "letterbox"] = "centre") -> Image.Image:
    """Return a square: the middle of the picture, or the whole of it with white bars ("letterbox")."""
    if way == "centre":
        return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    if way == "letterbox":
        return ImageOps.pad(image, (side, side), Image.Resampling.LANCZOS, color=WHITE)
    raise ValueError(f"way is {way!r}; expected 'centre' or 'letterbox'")


def to_pixels(images: Sequence[Image.Image], side: int) -> Tensor:
    """Return (n, 3, side, side) float32 in -1 ... 1, each picture cut to its middle square."""
    import torch

    rows = np.stack([np.asarray(square(i.convert("RGB"), side), dtype=np.float32) for i in images])
    return torch.from_numpy(rows / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


WHITE = (255, 255, 255)
