"""What a run will cost, from a few steps that are then forgotten, and what it did cost."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

import torch
from torch import nn

from lessons_lib.adapters import lora
from lessons_lib.adapters.settings import ResolvedSettings
from lessons_lib.models.families import Family
from lessons_lib.training import distributed, loop, optimizers
from lessons_lib.training.data import TrainingData
from lessons_lib.training.state import State

STEPS = 10


@dataclass(frozen=True)
class Costs:
    """Seconds for all steps, the highest memory in GB, the adapter's size in MB."""

    seconds: float
    memory_gb: float
    file_mb: float

    def __str__(self) -> str:
        time_taken = f"{self.seconds / 60:.1f} min" if self.seconds >= 100 else f"{self.seconds:.0f} s"
        return f"{time_taken}, {self.memory_gb:.1f} GB memory, a file of {self.file_mb:.1f} MB"

    def price(self, per_hour: float) -> float:
        """Return what so many seconds cost at a price an hour, in its currency."""
        return self.seconds / 3600 * per_hour

    def energy(self, watts: float) -> float:
        """Return the energy in kWh at a constant power."""
        return self.seconds / 3.6e6 * watts


def forecast(family: Family, model: nn.Module, lesson: TrainingData, plan: ResolvedSettings) -> Costs:
    """Return what the run will cost, from ten steps that leave the adapter as it was. Pictures drawn on the way not included.

    The first of them is not timed: it makes room that the others use again.
    """
    accelerator = distributed.accelerator()
    parameters = lora.trainable_parameters(model)
    before = {name: value.detach().clone() for name, value in parameters.items()}
    optimizer = optimizers.optimizer(list(parameters.values()), plan)
    generator = torch.Generator().manual_seed(plan.seed)
    state = State(parameters, optimizer, optimizers.schedule(optimizer, plan), generator, loop.scaler(model))
    start = 0.0
    for number in range(STEPS):
        if number == 1:
            start = time.monotonic()
        loop.one_step(family, model, lesson, plan, state, accelerator)
    seconds = (time.monotonic() - start) / (STEPS - 1)
    if lesson.validation:
        start = time.monotonic()
        loop.validation_loss(family, model, lesson.validation)
        seconds += (time.monotonic() - start) / plan.validate_every
    with torch.no_grad():
        for name, value in parameters.items():
            value.copy_(before[name])
    return Costs(seconds * plan.steps, peak_memory(), size(parameters))


def size(parameters: dict[str, nn.Parameter]) -> float:
    """Return the bytes of some parameters in MB (1e6)."""
    return sum(p.numel() * p.element_size() for p in parameters.values()) / 1e6


def peak_memory() -> float:
    """Return the most memory this process has held so far in GB (1e9 bytes): the GPU's where there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
