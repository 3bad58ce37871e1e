"""Whether a training has diverged: the loss is NaN or infinite, or far above its first values."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

from lessons_lib.adapters.run import highest_loss

START_STEPS = 10  # of which the mean loss is where a training began


def is_diverged(loss: float, progress: Mapping[str, float]) -> bool:
    """Return whether a loss is NaN, or above `highest_loss` of the mean of the first ten."""
    return not loss <= _limit(progress)  # NaN is not, either


def is_stable(loss: float, progress: Mapping[str, float]) -> bool:
    """Return whether a loss is below a tenth of the limit, so that the state before it is safe to keep."""
    return loss <= _limit(progress) / 10


def describe(loss: float, progress: Mapping[str, float]) -> str:
    """Return how a loss has diverged, as the end of a sentence."""
    start = progress.get("start_loss")
    is_number = math.isfinite(loss) and start is not None
    return f"rose from {start:.3g} to {loss:.3g}" if is_number else f"became {loss}"


def _limit(progress: Mapping[str, float]) -> float:
    start = progress.get("start_loss", progress.get("smooth_loss"))
    return sys.float_info.max if start is None else highest_loss(start)
