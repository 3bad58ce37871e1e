"""Whether a loss has run away: it is no number, or far above where the training began."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

START_STEPS = 10  # of which the mean loss is where a training began
FACTOR = 100.0
# A prediction of zero has a loss of about 1 on any base. A start loss may be far below that, where the
# first noise levels
# were easy ones, so ten times 1 is the least that counts as run away.
LEAST = 10.0


def is_diverged(loss: float, progress: Mapping[str, float]) -> bool:
    """Return whether a loss is no number, or more than a hundred times the mean of the first ten."""
    return not loss <= _limit(progress)  # NaN is not, either


def is_on_course(loss: float, progress: Mapping[str, float]) -> bool:
    """Return whether a loss is less than a tenth of what counts as run away, so that the state before it is
    worth keeping.
    """
    return loss <= _limit(progress) / 10


def describe(loss: float, progress: Mapping[str, float]) -> str:
    """Return how a loss has run away, as the end of a sentence."""
    start = progress.get("start_loss")
    is_number = math.isfinite(loss) and start is not None
    return f"rose from {start:.3g} to {loss:.3g}" if is_number else f"became {loss}"


def _limit(progress: Mapping[str, float]) -> float:
    start = progress.get("start_loss", progress.get("smooth_loss"))
    return sys.float_info.max if start is None else max(LEAST, FACTOR * start)
