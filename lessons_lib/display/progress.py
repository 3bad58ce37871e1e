"""Progress bars of the command: one that counts, one that shows a training's loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from tqdm import tqdm


class StepLike(Protocol):
    """What the bar shows of a training step."""

    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def smooth_loss(self) -> float: ...
    @property
    def validation(self) -> float | None: ...


@contextmanager
def training_bar() -> Iterator[Callable[[StepLike], None]]:
    """Yield a function that shows each training step with the loss and the time left."""
    with tqdm(desc="training", unit="step", total=0) as bar:

        def show(step: StepLike) -> None:
            bar.total = step.steps
            held_out = "" if step.validation is None else f", held out {step.validation:.3f}"
            bar.set_postfix_str(f"loss {step.smooth_loss:.3f}{held_out}", refresh=False)
            bar.update(step.step - bar.n)

        yield show


@contextmanager
def counting_bar(activity: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how many of something are done.

    The bar comes with the first call, so that errors stand alone.
    """
    with ExitStack() as stack:
        bars: list[tqdm] = []

        def show(done: int, total: int) -> None:
            if not bars:
                bars.append(stack.enter_context(tqdm(desc=activity, unit=unit, total=total)))
            bars[0].update(done - bars[0].n)

        yield show
