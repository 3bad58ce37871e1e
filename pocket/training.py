"""What the training loops share: a clock, mixed precision, an optimizer step, an average of the weights."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from pocket.muon import FAST


class Clock:
    """The time that a training may take, and when it has to report."""

    def __init__(self, minutes: float, report_every: float = 60) -> None:
        self.minutes, self.report_every = minutes, report_every
        self.start = self.last_report = time.time()

    def share(self) -> float:
        """Return the part of the time that has passed; 1 is the end."""
        return (time.time() - self.start) / (60 * self.minutes)

    def is_report_due(self) -> bool:
        """Return whether `report_every` seconds have passed since the last report, and count from now on if
        so.
        """
        if time.time() - self.last_report <= self.report_every:
            return False
        self.last_report = time.time()
        return True

    def rate(self, count: int) -> float:
        """Return how many of `count` things a second were done until the last report."""
        return count / (self.last_report - self.start)


class Average:
    """The running mean of a model's weights, which is what a stage keeps in the end."""

    def __init__(self, model: nn.Module, decay: float = 0.998, warmup: int = 20) -> None:
        self.decay, self.warmup = decay, warmup
        self.weights: dict[str, Tensor] = {name: value.clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the mean towards the weights after step 1, 2 and so on; the first steps move it most."""
        names, values = zip(*model.state_dict().items(), strict=True)
        weight = 1 - min(self.decay, step / (step + self.warmup))
        torch._foreach_lerp_([self.weights[name] for name in names], list(values), weight)


def autocast() -> torch.autocast:
    """Return a context in which products run in bfloat16 where the processor has units for it, else in
    float32.
    """
    return torch.autocast("cpu", FAST, enabled=FAST != torch.float32)


def apply_gradients(optimizers: list[torch.optim.Optimizer]) -> None:
    """Take one step with every optimizer and forget the gradients."""
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
