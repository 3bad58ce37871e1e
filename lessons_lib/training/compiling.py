"""Whether the blocks of a denoiser are compiled where the settings leave that open.

Compiled blocks make steps shorter, after a first one that takes a minute or more. What they gain depends on
the GPU, the base and the libraries, so it is measured: plain steps, then compiled ones. A training that goes
on from a checkpoint goes on as that did, so that it learns the same to the bit.
Only the repeated blocks are compiled, each kind once: diffusers' ``compile_repeated_blocks``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from lessons_lib import session
from lessons_lib.dataset.messages import one_line
from lessons_lib.training import checkpoints, distributed
from lessons_lib.training.loop import Loop
from lessons_lib.training.state import State

KINDS = ("cuda", "xpu")  # of devices; on a CPU and on MPS nothing is tried

# Seconds that all plain steps take at least where compiling is tried. klein's steps took 0.71 of the time on
# an H100 (benchmarks/REAL_SIZE.md): of 15 minutes that saves 4, and on Colab's two cores compiling takes
# minutes.
WORTH_SECONDS = 900.0
FEWEST_STEPS = 100  # of fewer, twenty steps that only measure would cost about what can be gained


class Choice(NamedTuple):
    """Whether the blocks are compiled, None where that is still to be measured, and a line that says why.

    The line is empty where they are not compiled and nothing was tried.
    """

    compiled: bool | None
    line: str = ""


def earlier_choice(loop: Loop, checkpoint_dir: Path, fingerprints: Sequence[str]) -> Choice:
    """Return what the settings, the device, or the checkpoint that a training goes on from have decided.

    The denoiser is compiled where the checkpoint's steps were; where that fails here, it is plain. Nothing is
    tried where processes share the weights: they wait for each other inside each block.
    """
    wanted, device = loop.settings.compile, loop.accelerator.device
    if wanted is not None:
        return Choice(wanted, "compiled, as the settings say" if wanted else "")
    is_sharded = distributed.is_sharded(loop.accelerator)
    if device.type not in KINDS or is_sharded or loop.settings.steps < FEWEST_STEPS:
        return Choice(False)
    checkpoint = checkpoints.latest(checkpoint_dir, *fingerprints)
    if checkpoint is None:
        return Choice(None)
    if not checkpoint.get("progress", {}).get("compiled"):
        return Choice(False, "not compiled, as the steps so far")
    problem = _compile(loop, State.start(loop.denoiser, loop.data, loop.settings, with_ema=False))
    return Choice(False, problem) if problem else Choice(True, "compiled, as the steps so far")


def measured_choice(
    loop: Loop, state: State, plain: float, seconds_a_step: Callable[[], float]
) -> tuple[Choice, float]:
    """Return the way that pays, in which the denoiser is left, and the seconds of its steps.

    `plain`: the seconds of a step that is not compiled. `seconds_a_step` measures them anew, with steps that
    change the adapter. Nothing is tried where all steps take less than WORTH_SECONDS. Compiled steps have to
    save more than trying them took: samples and other shapes are compiled later, perhaps for as long again.
    What goes wrong leaves the denoiser plain and the training going, unless one of several processes fails
    alone while steps are measured: the others wait for it. All processes do as the main one measures.
    """
    if not _main_process_says(plain * loop.settings.steps >= WORTH_SECONDS, loop):
        return Choice(False), plain
    start = time.monotonic()
    problem, compiled = _compile(loop, state), math.inf
    if not problem:
        compiled, problem = _attempt(loop, state, seconds_a_step)
    if problem:
        return Choice(False, problem), plain
    took = time.monotonic() - start
    if _main_process_says((plain - compiled) * loop.settings.steps > took, loop):
        return Choice(True, f"compiled: {compiled:.2f} s a step, {plain:.2f} s if not"), compiled
    _undo(loop.denoiser)
    line = f"{plain:.2f} s a step, {compiled:.2f} s if compiled, which took {took:.0f} s to try"
    return Choice(False, f"not compiled: {line}"), plain


def _compile(loop: Loop, state: State) -> str:
    """Compile the denoiser's blocks and run one batch and the held-out pictures through them, which is when
    they are compiled. The adapter stays as it is.

    Return why that fails, as a line; then the denoiser is plain again. Empty where it does not.
    """

    def first_batches() -> float:
        loop.denoiser.compile_repeated_blocks()
        loss = loop.batch_loss(loop.data, loop.settings.caption_dropout, state.generator, state.order)
        loss.backward()
        if loop.data.validation:  # without gradients and in batches of four, so compiled once more
            loop.validation_loss()
        return loss.item()

    return _attempt(loop, state, first_batches)[1]


def _attempt(loop: Loop, state: State, work: Callable[[], float]) -> tuple[float, str]:
    """Return what a function returns, and an empty text; where it fails, in this or in another process,
    infinity and why, and the denoiser is plain again.
    """
    result, problem = math.inf, ""
    try:
        result = work()
    except Exception as error:  # no compiler, no Triton, an old GPU, no memory: each has its own class
        problem = f"{type(error).__name__}: {one_line(error)}"
    state.optimizer.zero_grad()
    if not distributed.any_process(bool(problem), loop.accelerator):
        return result, ""
    _undo(loop.denoiser)
    return math.inf, f"not compiled, because that fails here: {problem or 'in another process'}"


def _main_process_says(flag: bool, loop: Loop) -> bool:
    """Return the main process's flag, in all of them."""
    return distributed.any_process(flag and loop.accelerator.is_main_process, loop.accelerator)


def _undo(denoiser: nn.Module) -> None:
    """Let the blocks run as if they had never been compiled, and free what compiling holds."""
    with suppress(ValueError, RuntimeError):  # no blocks, or no torch.compile here: nothing is compiled
        denoiser.compile_repeated_blocks(disable=True)
    torch.compiler.reset()
    session.release_memory()
