"""The training loop: the loss of a batch, one step, and all steps with what surrounds them.

Shown in lesson 05.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from lessons_lib.adapters.run import Outcome
from lessons_lib.adapters.settings import ResolvedSettings
from lessons_lib.models.families import Family
from lessons_lib.session import explain_out_of_memory
from lessons_lib.training import checkpoints, distributed, divergence, interrupt
from lessons_lib.training import log as logs
from lessons_lib.training.data import TrainingData
from lessons_lib.training.order import Order
from lessons_lib.training.state import State

_VALIDATION_SIGMAS = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Step:
    """The report of a step: `loss` of its batch, `smooth_loss` of about the last fifty, `seconds` since the
    start and `left`, the seconds that are left.

    `validation` is the last loss on held-out pictures, None before the first or without such pictures.
    """

    step: int
    steps: int
    loss: float
    smooth_loss: float
    seconds: float
    left: float
    validation: float | None = None


class Ending(NamedTuple):
    """How a training ended: the step of the final adapter, the outcome, and for DIVERGED the reason.

    `unseen`: how many training pictures were in no batch; 0 also where that is not known.
    `earlier_schedules`: as in State.
    """

    step: int
    outcome: Outcome
    reason: str = ""
    unseen: int = 0
    earlier_schedules: tuple[int, ...] = ()


@dataclass(frozen=True)
class Loop:
    """The training loop and what it works on, all constant during a training: the denoiser with its
    adapter, the encoded training set, the settings, the processes.

    `compiled`: whether the denoiser's blocks are, which each checkpoint records.
    """

    family: Family
    denoiser: nn.Module
    data: TrainingData
    settings: ResolvedSettings
    accelerator: Accelerator
    compiled: bool = False

    def batch_loss(
        self, data: TrainingData, dropout: float, generator: torch.Generator, order: Order | None = None
    ) -> Tensor:
        """Return the mean loss of the next batch of an order.

        Of several processes each draws the same batch and takes its own part of it.
        """
        latents, embeddings = data.batch(self.settings.batch, dropout, generator, order)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        sampling = self.settings.sigma_sampling or "uniform"
        sigma = self.family.sample_sigma(len(latents), generator, sampling).to(latents.device)
        shift = self.settings.sigma_shift
        sigma = shift * sigma / (1 + (shift - 1) * sigma)
        own, weight = distributed.own_part(self.accelerator, len(latents))
        embeddings = {name: value[own] for name, value in embeddings.items()}
        losses = self.family.loss(self.denoiser, latents[own], embeddings, noise[own], sigma[own])
        return weight * losses.mean()

    def step(self, state: State) -> float:
        """Change the adapter once and return the loss of its pictures.

        MemoryError when a batch does not fit.
        """
        total, batches = 0.0, self.settings.gradient_accumulation_steps
        with explain_out_of_memory(_out_of_memory_message(self.settings)):
            for _ in range(batches):
                dropout = self.settings.caption_dropout
                loss = self.batch_loss(self.data, dropout, state.generator, state.order)
                total += loss.item() / batches
                if self.data.prior:
                    prior_loss = self.batch_loss(self.data.prior, 0.0, state.generator, state.prior_order)
                    loss = loss + self.settings.prior_weight * prior_loss
                state.scaler.scale(loss / batches).backward()
        distributed.mean_gradients(state.parameters.values(), self.accelerator)
        state.scaler.unscale_(state.optimizer)
        nn.utils.clip_grad_norm_(state.parameters.values(), 1.0)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.optimizer.zero_grad()
        return distributed.mean(total, self.accelerator)

    def run(self, folder: Path, fingerprints: Sequence[str], on_step: Callable[[Step], None] | None,
            on_sample: Callable[[int], None]) -> Ending:  # fmt: skip
        """Train the adapter, from this run's checkpoint if there is one.

        Write log and checkpoints into `folder`. `fingerprints`: the run's, and others that its checkpoints
        may have. A loss that has diverged ends it as DIVERGED, with the adapter of a checkpoint from before
        that. Raises FloatingPointError for that when there is no checkpoint, MemoryError when a batch does
        not fit, ValueError when TensorBoard or an optimizer is wanted and not installed.
        """
        settings, writes = self.settings, self.accelerator.is_main_process
        state = State.start(self.denoiser, self.data, settings)
        checkpoint_dir = folder / "checkpoints"
        state.load(checkpoint_dir, *fingerprints)
        state.progress["compiled"] = self.compiled
        start, good_step = time.monotonic() - state.progress.get("seconds", 0.0), state.step
        rows = logs.open_log(folder / "log.jsonl", state.step) if writes else nullcontext(lambda row: None)
        trackers = logs.trackers(self.accelerator, settings.tensorboard)
        stop = False
        with rows as log, interrupt.stop_signal() as is_pressed, trackers:
            while state.step < settings.steps and not stop:
                loss = self.step(state)
                if divergence.is_diverged(loss, state.progress):
                    checkpoints.remove_after(checkpoint_dir, good_step)
                    return _restored(state, checkpoint_dir, fingerprints, settings, loss)
                if divergence.is_stable(loss, state.progress):  # so the state before this step is good
                    good_step = state.step
                    checkpoints.keep_newest(checkpoint_dir)
                self._record(state, loss, time.monotonic() - start, log)
                if state.step % settings.sample_every == 0:
                    with state.averaged():
                        on_sample(state.step)
                wants_stop = _report(on_step, state, settings.steps, loss) or is_pressed()
                stop = distributed.any_process(wants_stop, self.accelerator)
                if writes and (stop or state.step % settings.checkpoint_every == 0):
                    state.save(checkpoint_dir, fingerprints[0], settings)
        if not state.is_finite:
            checkpoints.remove_after(checkpoint_dir, good_step)
            return _restored(state, checkpoint_dir, fingerprints, settings, math.nan)
        return self._ended(state, checkpoint_dir)

    def _ended(self, state: State, checkpoint_dir: Path) -> Ending:
        """Return how a training ended whose loss is on course; of its checkpoints the newest is kept."""
        checkpoints.keep_newest(checkpoint_dir)
        state.copy_ema()
        drawn = state.order.drawn
        unseen = len(self.data.latents) - len(drawn) if drawn else 0
        outcome = Outcome.DONE if state.step == self.settings.steps else Outcome.STOPPED
        return Ending(state.step, outcome, "", unseen, tuple(state.earlier_schedules))

    def _record(
        self, state: State, loss: float, seconds: float, log: Callable[[dict[str, Any]], None]
    ) -> None:
        """Count a step that was made, and write its row, with the loss on held-out pictures where it is
        due.
        """
        row = state.advance(loss, seconds)
        if self.data.validation and state.step % self.settings.validate_every == 0:
            row["validation"] = state.progress["validation"] = self.validation_loss()
        log(row)
        self.accelerator.log(row, step=state.step)

    def validation_loss(self) -> float:
        """Return the mean loss on the held-out pictures; see the function `validation_loss` below.

        ValueError without such pictures.
        """
        if not self.data.validation:
            raise ValueError("there are no held-out pictures to measure the loss on; expected at least one")
        return validation_loss(self.family, self.denoiser, self.data.validation)


@torch.no_grad()
def validation_loss(family: Family, denoiser: nn.Module, data: TrainingData) -> float:
    """Return the mean loss over all pictures at four fixed noise levels, with noise from a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    losses = []
    for index in range(len(data.latents)):
        repeated = torch.full((len(_VALIDATION_SIGMAS),), index)
        latents, embeddings = data.rows(repeated, repeated)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        sigma = torch.tensor(_VALIDATION_SIGMAS).to(latents.device)
        losses.append(family.loss(denoiser, latents, embeddings, noise, sigma).mean())
    return float(torch.stack(losses).mean())


def _out_of_memory_message(settings: ResolvedSettings) -> str:
    """Return what to do when a batch does not fit into memory."""
    half, batches = settings.batch // 2, 2 * settings.gradient_accumulation_steps
    smaller = f"batch {half} with {batches} accumulation steps, which learns the same, or " if half else ""
    return f"batch {settings.batch} does not fit into memory; try {smaller}gradient checkpointing"


def _report(on_step: Callable[[Step], None] | None, state: State, steps: int, loss: float) -> bool:
    """Report the step to the caller.

    True after the last step, and when it raises KeyboardInterrupt, as a program's own stop button does.
    """
    is_last = state.step == steps
    if not on_step:
        return is_last
    seconds = state.progress["seconds"]
    left = seconds / state.step * (steps - state.step)
    smooth, validation = state.progress["smooth_loss"], state.progress.get("validation")
    try:
        on_step(Step(state.step, steps, loss, smooth, seconds, left, validation))
    except KeyboardInterrupt:
        return True
    return is_last


def _restored(
    state: State, checkpoint_dir: Path, fingerprints: Sequence[str], settings: ResolvedSettings, loss: float
) -> Ending:
    """Return to the last checkpoint after a loss that has run away; FloatingPointError when there is none."""
    change = divergence.describe(loss, state.progress)
    reason = (
        f"the loss {change} at step {state.step + 1}; lower the learning rate ({settings.learning_rate:g})"
    )
    if not state.load(checkpoint_dir, *fingerprints):
        raise FloatingPointError(f"{reason}. Nothing of this training is kept")
    state.copy_ema()
    return Ending(state.step, Outcome.DIVERGED, reason, 0, tuple(state.earlier_schedules))
