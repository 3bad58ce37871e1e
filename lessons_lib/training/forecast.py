"""What a run will cost, from a few steps that are then undone, and what it did cost."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import nn

from lessons_lib import session
from lessons_lib.training.loop import Loop
from lessons_lib.training.state import State

STEPS = 10


@dataclass(frozen=True)
class Costs:
    """Seconds for all steps, the highest memory in GB, the adapter's size in MB."""

    seconds: float
    memory_gb: float
    file_mb: float

    def __str__(self) -> str:
        return f"{duration(self.seconds)}, {self.memory_gb:.1f} GB memory, a file of {self.file_mb:.1f} MB"


def duration(seconds: float) -> str:
    """Return a time as text: "45 s", or "2.5 min" from 100 seconds on."""
    return f"{seconds / 60:.1f} min" if seconds >= 100 else f"{seconds:.0f} s"


def forecast(loop: Loop) -> Costs:
    """Return what a run will cost, from ten steps that leave the adapter as it was.

    Samples on the way are not included.
    The first step is not timed: it allocates what the others use again.
    """
    state = State.start(loop.denoiser, loop.data, loop.settings, with_ema=False)
    initial = {name: value.detach().clone() for name, value in state.parameters.items()}
    start = 0.0
    for number in range(STEPS):
        if number == 1:
            start = time.monotonic()
        loop.step(state)
    seconds = (time.monotonic() - start) / (STEPS - 1)
    if loop.data.validation:
        start = time.monotonic()
        loop.validation_loss()
        seconds += (time.monotonic() - start) / loop.settings.validate_every
    with torch.no_grad():
        for name, value in state.parameters.items():
            value.copy_(initial[name])
    return Costs(seconds * loop.settings.steps, peak_memory(), size_mb(state.parameters))


def size_mb(parameters: dict[str, nn.Parameter]) -> float:
    """Return the bytes of some parameters in MB (1e6)."""
    return sum(p.numel() * p.element_size() for p in parameters.values()) / 1e6


def peak_memory() -> float:
    """Return the most memory this process has held so far in GB (1e9 bytes): the GPU's where there is one.

    MPS reports no peak: its present allocation is returned, which is the peak because freed memory stays with
    the process.
    """
    kind = session.current().device.type
    if kind == "mps":
        return torch.mps.driver_allocated_memory() / 1e9
    if kind in ("cuda", "xpu"):
        return torch.get_device_module(kind).max_memory_allocated() / 1e9
    return session.peak_ram()
