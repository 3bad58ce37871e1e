"""The state of a training: all that the next step depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.training_utils import EMAModel
from torch import nn
from torch.amp import GradScaler

from lessons_lib.adapters import lora
from lessons_lib.adapters.settings import ResolvedSettings
from lessons_lib.training import checkpoints, divergence, optimizers
from lessons_lib.training.data import TrainingData
from lessons_lib.training.order import Order

_EARLIER_NAMES = {
    "rates": "lr_scheduler",
    "average": "ema",
    "numbers": "progress",
}  # in checkpoints of version 0.1


@dataclass
class State:
    """All that the next step depends on.

    Written and read back, it makes a stopped run the same as an uninterrupted one.
    """

    parameters: dict[str, nn.Parameter]
    optimizer: Any
    lr_scheduler: Any
    generator: torch.Generator
    scaler: GradScaler
    order: Order
    prior_order: Order | None = None
    ema: EMAModel | None = None
    step: int = 0
    # smooth_loss, start_loss, seconds, validation, compiled
    progress: dict[str, float] = field(default_factory=dict)
    # Steps of shorter trainings that this one goes on from, where their learning rates were not its own.
    earlier_schedules: list[int] = field(default_factory=list)
    settings: ResolvedSettings | None = None

    @classmethod
    def start(
        cls, denoiser: nn.Module, data: TrainingData, settings: ResolvedSettings, with_ema: bool = True
    ) -> State:
        """Return the state before the first step.

        ValueError when the optimizer's package is not installed.
        """
        parameters = lora.trainable_parameters(denoiser)
        optimizer = optimizers.optimizer(list(parameters.values()), settings)
        scheduler = optimizers.lr_scheduler(optimizer, settings)
        ema = EMAModel(parameters.values(), settings.ema_decay) if settings.ema_decay and with_ema else None
        generator = torch.Generator().manual_seed(settings.seed)
        is_shuffled = settings.picture_order == "shuffle"
        order, prior_order = data.order(is_shuffled), data.prior.order(is_shuffled) if data.prior else None
        scaler = _gradient_scaler(denoiser)
        return cls(
            parameters, optimizer, scheduler, generator, scaler, order, prior_order, ema, settings=settings
        )

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; Prodigy's is its estimate d times the factor it was given."""
        group = self.optimizer.param_groups[0]
        return float(group["lr"] * group.get("d", 1.0))

    def advance(self, loss: float, seconds: float) -> dict[str, float]:
        """Count a step, advance the learning rate schedule and the EMA; return the step's row for the log."""
        row = {
            "step": self.step + 1,
            "loss": loss,
            "seconds": round(seconds, 3),
            "learning_rate": self.learning_rate,
        }
        self.lr_scheduler.step()
        if self.ema:
            self.ema.step(self.parameters.values())
        self.step += 1
        smooth = self.progress.get("smooth_loss", loss)
        if self.step <= divergence.START_STEPS:
            start = self.progress.get("start_loss", loss)
            self.progress["start_loss"] = start + (loss - start) / self.step
        self.progress |= {"smooth_loss": smooth + (loss - smooth) / min(self.step, 50), "seconds": seconds}
        return row

    @property
    def is_finite(self) -> bool:
        """Whether every parameter of the adapter is a finite number."""
        return all(bool(torch.isfinite(parameter).all()) for parameter in self.parameters.values())

    def copy_ema(self) -> None:
        """Copy the EMA weights into the adapter, where there are any."""
        if self.ema:
            self.ema.copy_to(self.parameters.values())

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """While inside, the adapter has its EMA weights, where there are any."""
        if self.ema:
            self.ema.store(self.parameters.values())
            self.ema.copy_to(self.parameters.values())
        try:
            yield
        finally:
            if self.ema:
                self.ema.restore(self.parameters.values())

    def save(self, folder: Path, fingerprint: str, settings: ResolvedSettings) -> None:
        """Write a checkpoint of the run with this fingerprint and these settings into a folder."""
        values = {
            "adapter": self.parameters, "optimizer": self.optimizer.state_dict(),
            "lr_scheduler": self.lr_scheduler.state_dict(), "generator": self.generator.get_state(),
            "scaler": self.scaler.state_dict(), "ema": self.ema.state_dict() if self.ema else None,
            "step": self.step, "progress": self.progress,
            "order": self.order.state_dict(),
            "prior_order": self.prior_order.state_dict() if self.prior_order else None,
            "earlier_schedules": self.earlier_schedules, "steps": settings.steps,
        }  # fmt: skip
        checkpoints.write(folder, self.step, fingerprint, values, dataclasses.asdict(settings))

    def load(self, folder: Path, *fingerprints: str) -> bool:
        """Load the newest valid checkpoint of this run from a folder; False when there is none.

        That of a shorter training goes on with this one's learning rates.
        """
        checkpoint = checkpoints.latest(folder, *fingerprints)
        if checkpoint is None:
            return False
        values = {_EARLIER_NAMES.get(name, name): value for name, value in checkpoint.items()}
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(values["adapter"][name])
        for name in ("optimizer", "lr_scheduler", "scaler"):
            getattr(self, name).load_state_dict(values[name])
        self.generator.set_state(values["generator"])
        if self.ema:
            self.ema.load_state_dict(values["ema"])
            self.ema.to(next(iter(self.parameters.values())).device)  # a checkpoint is read on the CPU
        self.step, self.progress = values["step"], values["progress"]
        earlier_state = {"drawn": values.get("drawn")}  # of version 0.2; 0.1 did not record it
        self.order.load_state_dict(values.get("order") or earlier_state)
        if self.prior_order:
            self.prior_order.load_state_dict(values.get("prior_order") or earlier_state)
        self._take_over_schedule(values.get("steps"), values.get("earlier_schedules", ()))
        return True

    def _take_over_schedule(self, steps: int | None, earlier: Sequence[int]) -> None:
        """Follow the own learning rates where a checkpoint is of a training with another number of steps."""
        self.earlier_schedules = list(earlier)
        if self.settings and steps and steps != self.settings.steps:
            optimizers.set_rate(self.optimizer, self.lr_scheduler)
            if not optimizers.has_equal_rates(self.settings, steps, self.step):
                self.earlier_schedules.append(steps)


def _gradient_scaler(denoiser: nn.Module) -> GradScaler:
    """Return a GradScaler, enabled where any frozen weight of a model is float16.

    A quantised model's first weights are whole numbers, and diffusers leaves some norms in float32.
    """
    frozen = [p for p in denoiser.parameters() if not p.requires_grad]
    enabled = any(p.dtype == torch.float16 for p in frozen)
    return GradScaler(frozen[0].device.type, enabled=enabled)
