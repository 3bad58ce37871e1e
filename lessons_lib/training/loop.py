"""The training loop: every step, what it needs to go on after a stop, and what a watcher is told. Shown in lesson 05."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import is_tensorboard_available
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.amp import GradScaler

from lessons_lib.adapters import lora
from lessons_lib.adapters.settings import ResolvedSettings
from lessons_lib.models.families import Family
from lessons_lib.training import distributed, optimizers
from lessons_lib.training.data import TrainingData
from lessons_lib.training.state import State, Step

VALIDATION_SIGMAS = (0.2, 0.4, 0.6, 0.8)


def learn(family: Family, model: nn.Module, lesson: TrainingData, plan: ResolvedSettings, folder: Path, job: str,
          on_step: Callable[[Step], None] | None, on_sample: Callable[[int], None]) -> tuple[int, str]:  # fmt: skip
    """Teach the adapter, from where this job was stopped if it was; keep a log and checkpoints in `folder`.

    Returns the last step and why the loop ended there: "done", "stopped" with Ctrl-C, or what was wrong with the loss,
    in which case the adapter is the last checkpoint's. Raises FloatingPointError for that when there is no checkpoint,
    MemoryError when a batch does not fit, ValueError when TensorBoard is asked for and not installed.
    """
    accelerator = distributed.accelerator(
        log_with="tensorboard" if plan.tensorboard else None, project_dir=folder
    )
    keeps_books = accelerator.is_main_process  # one of them, where there are several
    parameters = lora.trainable_parameters(model)
    optimizer = optimizers.optimizer(list(parameters.values()), plan)
    rates = optimizers.schedule(optimizer, plan)
    average = EMAModel(parameters.values(), plan.ema_decay) if plan.ema_decay else None
    state = State(
        parameters, optimizer, rates, torch.Generator().manual_seed(plan.seed), scaler(model), average
    )
    places = folder / "checkpoints"
    state.read(places, job)
    start = time.monotonic() - state.numbers.get("seconds", 0.0)
    book = log_from(folder / "log.jsonl", state.step) if keeps_books else nullcontext(lambda row: None)
    stop = False
    with book as log, stop_signal() as pressed, trackers(accelerator, plan):
        while state.step < plan.steps and not stop:
            loss = one_step(family, model, lesson, plan, state, accelerator)
            if not math.isfinite(loss):
                return fallen_back(state, places, job, loss)
            row = state.count(loss, time.monotonic() - start)
            if lesson.validation and state.step % plan.validate_every == 0:
                found = validation_loss(family, model, lesson.validation)
                row["validation"] = state.numbers["validation"] = found
            log(row)
            accelerator.log(row, step=state.step)
            if state.step % plan.sample_every == 0:
                with state.averaged():
                    on_sample(state.step)
            stop = distributed.any_of(told_to_stop(on_step, state, plan, loss) or pressed(), accelerator)
            if keeps_books and (stop or state.step % plan.checkpoint_every == 0):
                state.write(places, job)
    state.settle()
    return state.step, "done" if state.step == plan.steps else "stopped"


def one_step(
    family: Family,
    model: nn.Module,
    lesson: TrainingData,
    plan: ResolvedSettings,
    state: State,
    accelerator: Accelerator,
) -> float:
    """Change the adapter once and return the loss of its pictures."""
    total, times = 0.0, plan.gradient_accumulation_steps
    try:
        for _ in range(times):
            loss = batch_loss(family, model, lesson, plan, plan.caption_dropout, state.generator, accelerator)
            total += loss.item() / times
            if lesson.prior:
                loss = loss + plan.prior_weight * batch_loss(
                    family, model, lesson.prior, plan, 0.0, state.generator, accelerator
                )
            state.scaler.scale(loss / times).backward()
    except torch.OutOfMemoryError as problem:
        half = (
            f"batch {plan.batch // 2} with {2 * times} accumulation steps, which learns the same, or "
            if plan.batch > 1
            else ""
        )
        raise MemoryError(f"batch {plan.batch} does not fit into memory; try {half}gradient checkpointing") from problem  # fmt: skip
    distributed.mean_gradients(state.parameters.values(), accelerator)
    state.scaler.unscale_(state.optimizer)
    nn.utils.clip_grad_norm_(state.parameters.values(), 1.0)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad()
    return distributed.mean(total, accelerator)


def scaler(model: nn.Module) -> GradScaler:
    """Return what keeps small gradients from vanishing where a model's weights are float16; elsewhere it does nothing."""
    weights = next(p for p in model.parameters() if not p.requires_grad)
    return GradScaler(weights.device.type, enabled=weights.dtype == torch.float16)


def batch_loss(family: Family, model: nn.Module, lesson: TrainingData, plan: ResolvedSettings, dropout: float,
               generator: torch.Generator, accelerator: Accelerator) -> Tensor:  # fmt: skip
    """Return the mean loss of a batch. Of several processes each draws the same batch and takes its own share of it."""
    latents, embeddings = lesson.batch(plan.batch, dropout, generator)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    sigma = family.sample_sigma(len(latents), generator).to(latents.device)
    sigma = plan.sigma_shift * sigma / (1 + (plan.sigma_shift - 1) * sigma)
    own = distributed.share(accelerator)
    embeddings = {name: value[own] for name, value in embeddings.items()}
    return family.loss(model, latents[own], embeddings, noise[own], sigma[own]).mean()


@torch.no_grad()
def validation_loss(family: Family, model: nn.Module, lesson: TrainingData) -> float:
    """Return the mean loss on pictures at fixed noise and noise levels, so that two steps can be compared."""
    generator = torch.Generator().manual_seed(0)
    losses = []
    for number in range(len(lesson.latents)):
        same = torch.full((len(VALIDATION_SIGMAS),), number)
        latents, embeddings = lesson.rows(same, same)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        sigma = torch.tensor(VALIDATION_SIGMAS).to(latents.device)
        losses.append(family.loss(model, latents, embeddings, noise, sigma).mean())
    return float(torch.stack(losses).mean())


def told_to_stop(
    on_step: Callable[[Step], None] | None, state: State, plan: ResolvedSettings, loss: float
) -> bool:
    """Tell a watcher of the step; True when it raises KeyboardInterrupt, as a program's own stop button does."""
    if not on_step:
        return False
    seconds = state.numbers["seconds"]
    left = seconds / state.step * (plan.steps - state.step)
    smooth, validation = state.numbers["smooth_loss"], state.numbers.get("validation")
    try:
        on_step(Step(state.step, plan.steps, loss, smooth, seconds, left, validation))
    except KeyboardInterrupt:
        return True
    return False


def fallen_back(state: State, places: Path, job: str, loss: float) -> tuple[int, str]:
    """Return to the last checkpoint after a loss that is no number; FloatingPointError when there is none."""
    wrong = f"the loss became {loss} at step {state.step + 1}; lower the learning rate ({state.rate:g})"
    if not state.read(places, job):
        raise FloatingPointError(wrong)
    state.settle()
    return state.step, wrong


@contextmanager
def log_from(path: Path, step: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Give a function that writes a row; rows after `step`, from before a stop, are taken off first."""
    rows = path.read_text().splitlines(keepends=True)[:step] if path.exists() else []
    with open(path, "w", buffering=1) as file:
        file.writelines(rows)
        yield lambda row: print(json.dumps(row), file=file)


@contextmanager
def trackers(accelerator: Accelerator, plan: ResolvedSettings) -> Iterator[None]:
    """While inside, what `accelerator.log` is told goes to TensorBoard where the plan asks for it.

    Raises ValueError when TensorBoard is asked for and not installed.
    """
    if plan.tensorboard:
        if not is_tensorboard_available():
            raise ValueError("tensorboard is not installed: pip install tensorboard, or leave it out")
        accelerator.init_trackers("tensorboard")
    try:
        yield
    finally:
        for tracker in accelerator.trackers if plan.tensorboard else ():
            tracker.finish()


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C was pressed, so that the loop ends between two steps and not within one.

    A second Ctrl-C interrupts at once. Outside the main thread signals cannot be caught and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    pressed = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: Any) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
