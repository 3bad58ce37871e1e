"""The clock of a training, and how the stages of a rented run share it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

SHARES = {"text": 0.07, "flow": 0.72, "guidance": 0.13, "four steps": 0.08}


WRITE_EVERY = 120.0
LOOKED_AT = (1, 8, 32, 64, 128)  # steps of a stage after which it is said how it goes, whatever the time


RESERVE = 0.05  # of the seconds, for the last writing, sheets and losses; twelve seconds at the least


class Clock:
    """Seconds since a training began, of those that it may take, and when it has to report; `now` can be
    another clock, for tests.
    """

    def __init__(
        self, seconds: float, now: Callable[[], float] = time.monotonic, report_every: float = 60.0
    ) -> None:
        self.now, self.seconds, self.report_every = now, seconds, report_every
        self.start = self.last_report = now()

    def passed(self) -> float:
        return self.now() - self.start

    def left(self) -> float:
        return self.seconds - self.passed()

    def share(self) -> float:
        """Return the part of the time that has passed; 1 is the end."""
        return self.passed() / self.seconds

    def is_report_due(self) -> bool:
        """Return whether `report_every` seconds have passed since the last report, and count from now on if
        so.
        """
        if self.now() - self.last_report <= self.report_every:
            return False
        self.last_report = self.now()
        return True

    def rate(self, count: int) -> float:
        """Return how many of `count` things a second were done until the last report."""
        return count / (self.last_report - self.start)


def seconds_of(stages_left: list[str], left: float, decoder: float, begun: float = 0.0) -> dict[str, float]:
    """Return how long each stage may take, in its order; the decoder's seconds are its own. `begun` is the
    part of the first stage that an earlier run did.
    """
    decoder = min(decoder, 0.5 * left)
    shares = {s: SHARES[s] * (1 - begun if s == stages_left[0] else 1) for s in stages_left if s in SHARES}
    whole = sum(shares.values())
    out = {s: share / whole * (left - decoder) for s, share in shares.items()}
    return out | ({"decoder": decoder} if "decoder" in stages_left and decoder else {})


@dataclass
class Progress:
    """What a run has done, and where it says so."""

    log: Callable[[str], None]
    stage: str = ""
    share: float = 0.0
    steps: int = 0
    pictures: int = 0
    losses: dict[str, float] = field(default_factory=dict)


class Timer:
    """A stage's part of the clock. `tick` is called after every step: it reports, and writes weights when
    they are due.
    """

    def __init__(
        self,
        name: str,
        seconds: float,
        now: Callable[[], float],
        tick: Callable[[], None],
        progress: Progress,
        every: float,
        begun: float = 0.0,
    ) -> None:
        self.name, self.seconds, self.now, self._tick, self.progress, self.every = (
            name,
            seconds,
            now,
            tick,
            progress,
            every,
        )
        self._begun = begun
        self.start = self._said = now()
        self.step = 0
        progress.stage = name

    def share(self) -> float:
        """Return the part of the stage's time that has passed, in an earlier run too; 1 is the end."""
        if self.seconds <= 0:
            return 1.0
        return self._begun + (1 - self._begun) * (self.now() - self.start) / self.seconds

    def done(self, pictures: int, **values: Tensor) -> None:
        """Count a step; now and then say how it goes.

        Raises FloatingPointError where a value is no longer a number.
        """
        self.step += 1
        self.progress.steps += 1
        self.progress.pictures += pictures
        if self.now() - self._said > self.every or self.step in LOOKED_AT:
            self._said = self.now()
            self.progress.share = self.share()
            rate = self.step * pictures / max(self._said - self.start, 1e-6)
            self.progress.losses |= {f"{self.name} {k}": float(v) for k, v in values.items()}
            numbers = " ".join(f"{k} {float(v):.4f}" for k, v in values.items())
            if not all(map(math.isfinite, self.progress.losses.values())):
                raise FloatingPointError(f"{self.name} step {self.step}: {self.progress.losses}")
            self.progress.log(
                f"{self.name} step {self.step} {self.share():.0%} {rate:.0f} pictures/s {numbers}"
            )
        self._tick()
