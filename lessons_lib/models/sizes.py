"""What each network of a base takes in memory, before any of it is downloaded or loaded."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

from safetensors import safe_open

from lessons_lib.models.bases import Base
from lessons_lib.models.quantization import BYTES, quantized_components
from lessons_lib.session import Session


def weights_gb(base: Base, session: Session) -> dict[str, float]:
    """Return the GB (1e9 bytes) of each network's weights by component, in the precision of the session, or
    quantised where the base says so.
    """
    counts = _counts_on_disk(base.repository) if base.is_local else dict(base.parameters)
    denoiser = next((name for name in counts if name != "vae" and name not in base.text_encoders), "")
    packed, width = quantized_components(base, denoiser), base.precision(session).itemsize
    return {
        name: linear * BYTES[base.quantize] + (total - linear) * width if name in packed else total * width
        for name, (total, linear) in counts.items()
    }


@cache
def _counts_on_disk(repository: str) -> dict[str, tuple[float, float]]:
    """Return billions of parameters, all and those in linear layers, by component of a base in a folder."""
    counts: dict[str, tuple[float, float]] = {}
    for path in sorted(Path(repository).glob("*/*.safetensors")):
        total, linear = counts.get(path.parent.name, (0.0, 0.0))
        with safe_open(path, "pt") as file:
            shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}
        total += sum(math.prod(shape) for shape in shapes.values()) / 1e9
        linear += sum(math.prod(shape) for shape in shapes.values() if len(shape) == 2) / 1e9
        counts[path.parent.name] = (total, linear)
    return counts
