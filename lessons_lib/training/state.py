"""What a training works on and remembers: the encoded pictures, the state after each step, and the news of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers.training_utils import EMAModel
from torch import nn
from torch.amp import GradScaler

from lessons_lib.training import checkpoints

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Step:
    """One step's news: `loss` of its batch, `smooth_loss` of the last fifty or so, `seconds` so far and `left`.

    `validation` is the last loss on held-out pictures, None before the first or without such pictures.
    """

    step: int
    steps: int
    loss: float
    smooth_loss: float
    seconds: float
    left: float
    validation: float | None = None


@dataclass
class State:
    """All that the next step depends on. Written and read back, it makes a stopped run the same as an unbroken one."""

    parameters: dict[str, nn.Parameter]
    optimizer: Any
    rates: Any
    generator: torch.Generator
    scaler: GradScaler
    average: EMAModel | None = None
    step: int = 0
    numbers: dict[str, float] = field(default_factory=dict)  # smooth_loss, seconds, validation

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def count(self, loss: float, seconds: float) -> dict[str, float]:
        """Take note of a step that was made and return its row for the log."""
        row = {"step": self.step + 1, "loss": loss, "seconds": round(seconds, 3), "learning_rate": self.rate}
        self.rates.step()
        if self.average:
            self.average.step(self.parameters.values())
        self.step += 1
        smooth = self.numbers.get("smooth_loss", loss)
        self.numbers |= {"smooth_loss": smooth + (loss - smooth) / min(self.step, 50), "seconds": seconds}
        return row

    def settle(self) -> None:
        """Let the adapter be its own average for good, where one is kept."""
        if self.average:
            self.average.copy_to(self.parameters.values())

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """While inside, the adapter is its own average, where one is kept."""
        if self.average:
            self.average.store(self.parameters.values())
            self.average.copy_to(self.parameters.values())
        yield
        if self.average:
            self.average.restore(self.parameters.values())

    def write(self, folder: Path, job: str) -> None:
        """Keep it in a folder as the state of this job."""
        kept = {
            "adapter": self.parameters, "optimizer": self.optimizer.state_dict(),
            "rates": self.rates.state_dict(), "generator": self.generator.get_state(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "step": self.step, "numbers": self.numbers,
        }  # fmt: skip
        checkpoints.write(folder, self.step, job, kept)

    def read(self, folder: Path, job: str) -> bool:
        """Take the newest whole state of this job from a folder; False when there is none."""
        kept = checkpoints.latest(folder, job)
        if kept is None:
            return False
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(kept["adapter"][name])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.rates.load_state_dict(kept["rates"])
        self.generator.set_state(kept["generator"])
        self.scaler.load_state_dict(kept["scaler"])
        if self.average:
            self.average.load_state_dict(kept["average"])
        self.step, self.numbers = kept["step"], kept["numbers"]
        return True
