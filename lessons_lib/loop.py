"""The training loop: every step, what it needs to go on after a stop, and what a watcher is told. Shown in lesson 05."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from diffusers.optimization import get_cosine_schedule_with_warmup
from torch import Tensor, nn

from lessons_lib import checkpoints, lora
from lessons_lib.families import Family
from lessons_lib.runs import Plan

if TYPE_CHECKING:
    from lessons_lib.cache import Latents


@dataclass(frozen=True)
class Step:
    """One step's news: `loss` of its batch, `smooth_loss` of the last fifty or so, `seconds` so far and `left`."""

    step: int
    steps: int
    loss: float
    smooth_loss: float
    seconds: float
    left: float


@dataclass(frozen=True)
class Lesson:
    """What the loop learns from, encoded: latents (pictures, ...), words of each caption, and last of the trigger alone."""

    latents: Tensor | Latents
    words: dict[str, Tensor]

    def batch(
        self, size: int, dropout: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return latents and words of `size` random pictures; a dropped caption is the trigger word alone."""
        picks = torch.randint(len(self.latents), (size,), generator=generator)
        dropped = torch.rand(size, generator=generator) < dropout
        told = torch.where(dropped, len(self.latents), picks)
        words = {name: value[told] for name, value in self.words.items()}
        return self.latents[picks].to(next(iter(words.values())).device), words


@dataclass
class State:
    """All that the next step depends on. Written and read back, it makes a stopped run the same as an unbroken one."""

    model: nn.Module
    optimizer: Any
    rates: Any
    generator: torch.Generator
    step: int = 0
    numbers: dict[str, float] = field(default_factory=dict)  # smooth_loss, seconds

    def write(self, folder: Path, job: str) -> None:
        """Keep it in a folder as the state of this job."""
        kept = {
            "adapter": dict(lora.learned(self.model)), "optimizer": self.optimizer.state_dict(),
            "rates": self.rates.state_dict(), "generator": self.generator.get_state(),
            "step": self.step, "numbers": self.numbers,
        }  # fmt: skip
        checkpoints.write(folder, self.step, job, kept)

    def read(self, folder: Path, job: str) -> bool:
        """Take the newest whole state of this job from a folder; False when there is none."""
        kept = checkpoints.latest(folder, job)
        if kept is None:
            return False
        with torch.no_grad():
            for name, parameter in lora.learned(self.model).items():
                parameter.copy_(kept["adapter"][name])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.rates.load_state_dict(kept["rates"])
        self.generator.set_state(kept["generator"])
        self.step, self.numbers = kept["step"], kept["numbers"]
        return True


def learn(family: Family, model: nn.Module, lesson: Lesson, plan: Plan, folder: Path, job: str,
          on_step: Callable[[Step], None] | None, on_sample: Callable[[int], None]) -> tuple[int, str]:  # fmt: skip
    """Teach the adapter, from where this job was stopped if it was; keep a log and checkpoints in `folder`.

    Returns the last step and why the loop ended there: "done", "stopped" with Ctrl-C, or what was wrong with the loss,
    in which case the adapter is the last checkpoint's. Raises FloatingPointError for that when there is no checkpoint.
    """
    accelerator = Accelerator()
    optimizer = torch.optim.AdamW(lora.learned(model).values(), plan.learning_rate, weight_decay=1e-4)
    rates = get_cosine_schedule_with_warmup(optimizer, min(20, plan.steps // 10), plan.steps)
    model, optimizer = accelerator.prepare(model, optimizer)
    state = State(model, optimizer, rates, torch.Generator().manual_seed(plan.seed))
    places = folder / "checkpoints"
    state.read(places, job)
    earlier, start = state.numbers.get("seconds", 0.0), time.monotonic()
    with log_from(folder / "log.jsonl", state.step) as log, stop_signal() as stopping:
        try:
            while state.step < plan.steps:
                rate = optimizer.param_groups[0]["lr"]
                loss = one_step(family, model, lesson, plan, state.generator, accelerator, optimizer)
                if not math.isfinite(loss):
                    return fallen_back(state, places, job, loss, rate)
                rates.step()
                state.step += 1
                smooth = state.numbers.get("smooth_loss", loss)
                smooth += (loss - smooth) / min(state.step, 50)
                seconds = earlier + time.monotonic() - start
                state.numbers = {"smooth_loss": smooth, "seconds": seconds}
                log({"step": state.step, "loss": loss, "seconds": round(seconds, 3), "learning_rate": rate})
                if state.step % plan.sample_every == 0:
                    on_sample(state.step)
                if on_step:
                    left = seconds / state.step * (plan.steps - state.step)
                    on_step(Step(state.step, plan.steps, loss, smooth, seconds, left))
                if state.step % plan.checkpoint_every == 0 or stopping():
                    state.write(places, job)
                if stopping():
                    break
        except KeyboardInterrupt:  # from on_step: a program's own stop button
            if not state.step:
                raise
            state.write(places, job)
    return state.step, "done" if state.step == plan.steps else "stopped"


def one_step(family: Family, model: nn.Module, lesson: Lesson, plan: Plan, generator: torch.Generator,
             accelerator: Accelerator, optimizer: torch.optim.Optimizer) -> float:  # fmt: skip
    """Change the adapter once and return the batch's loss."""
    latents, words = lesson.batch(plan.batch, plan.caption_dropout, generator)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    sigma = family.sample_sigma(len(latents), generator).to(latents)
    loss = family.loss(model, latents, words, noise, sigma).mean()
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(lora.learned(model).values(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def fallen_back(state: State, places: Path, job: str, loss: float, rate: float) -> tuple[int, str]:
    """Return to the last checkpoint after a loss that is no number; FloatingPointError when there is none."""
    wrong = f"the loss became {loss} at step {state.step + 1}; lower the learning rate ({rate:g})"
    if not state.read(places, job):
        raise FloatingPointError(wrong)
    return state.step, wrong


@contextmanager
def log_from(path: Path, step: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Give a function that writes a row; rows after `step`, from before a stop, are taken off first."""
    rows = path.read_text().splitlines(keepends=True)[:step] if path.exists() else []
    with open(path, "w", buffering=1) as file:
        file.writelines(rows)
        yield lambda row: print(json.dumps(row), file=file)


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
