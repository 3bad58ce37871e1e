"""What a run will cost, from a few steps that are then undone, and what it did cost.

Where that is open, the same steps decide whether the denoiser is compiled.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from lessons_lib import session
from lessons_lib.training.compiling import Choice, earlier_choice, measured_choice
from lessons_lib.training.loop import Loop
from lessons_lib.training.state import State

STEPS = 10


@dataclass(frozen=True)
class Costs:
    """Seconds for all steps, the highest memory in GB, the adapter's size in MB.

    `compiling`: the line of the Choice that they are for.
    """

    seconds: float
    memory_gb: float
    file_mb: float
    compiling: str = ""

    def __str__(self) -> str:
        line = f"{duration(self.seconds)}, {self.memory_gb:.1f} GB memory, a file of {self.file_mb:.1f} MB"
        return f"{line}; {self.compiling}" if self.compiling else line


def duration(seconds: float) -> str:
    """Return a time as text: "45 s", or "2.5 min" from 100 seconds on."""
    return f"{seconds / 60:.1f} min" if seconds >= 100 else f"{seconds:.0f} s"


def forecast(loop: Loop, choice: Choice) -> tuple[Costs, Choice]:
    """Return what a run will cost, from ten steps that leave the adapter as it was, and whether it compiles.

    Where `choice` leaves that open it is measured with ten more steps, the costs are those of the way that
    pays, and the denoiser is left in it. Samples on the way are not included.
    """
    state = State.start(loop.denoiser, loop.data, loop.settings, with_ema=False)
    initial = {name: value.detach().clone() for name, value in state.parameters.items()}
    measure = partial(_seconds_a_step, loop, state)
    seconds, validation_seconds = measure(), 0.0
    if loop.data.validation:
        start = time.monotonic()
        loop.validation_loss()
        validation_seconds = (time.monotonic() - start) / loop.settings.validate_every
    memory = peak_memory()
    if choice.compiled is None:
        choice, seconds = measured_choice(loop, state, seconds, measure)
        memory = peak_memory() if choice.compiled else memory
    with torch.no_grad():
        for name, value in state.parameters.items():
            value.copy_(initial[name])
    total = (seconds + validation_seconds) * loop.settings.steps
    return Costs(total, memory, size_mb(state.parameters), choice.line), choice


def settle_compiling(
    loop: Loop,
    checkpoint_dir: Path,
    fingerprints: Sequence[str],
    on_forecast: Callable[[Costs], None] | None = None,
) -> tuple[Loop, str]:
    """Return the loop, compiled or not, and a line that says why; `on_forecast` is called with its costs.

    Nothing is measured where neither wants it: no on_forecast, and compiling not left open.
    """
    choice = earlier_choice(loop, checkpoint_dir, fingerprints)
    if on_forecast or choice.compiled is None:
        costs, choice = forecast(loop, choice)
        if on_forecast:
            on_forecast(costs)
    return replace(loop, compiled=bool(choice.compiled)), choice.line


def _seconds_a_step(loop: Loop, state: State) -> float:
    """Return the median time of ten steps without the first, which allocates what the others use again."""
    ends = []
    for _ in range(STEPS):
        loop.step(state)
        ends.append(time.monotonic())
    return statistics.median(after - before for before, after in pairwise(ends))


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
