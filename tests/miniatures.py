"""Every architecture in miniature: random weights of the real classes, in the place of a large base and under
its name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks import blank
from lessons_lib.models import bases
from lessons_lib.models.bases import Base

NAMES = blank.NAMES


def write(name: str, folder: Path) -> Base:
    """Write the miniature of a base into a folder, which is made for it, and return its table."""
    if not folder.is_dir():
        blank.write(name, folder, small=True)
    base = bases.find(name)
    # A UNet makes three halves of its 8 px cells: at 64 px one cell is left,
    # and attention to oneself teaches nothing.
    side = 128 if base.family == "unet" else 64
    return replace(
        base,
        repository=str(folder),
        float16_vae="",
        side=side,
        num_inference_steps=2,
        caption_tokens=77,
        learning_rate=1e-2,
        rank=4,
        alpha=8,
        batch=2,
    )
