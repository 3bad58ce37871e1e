"""What a training writes on the way: a row a step, and TensorBoard's events where they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import is_tensorboard_available


@contextmanager
def open_log(path: Path, step: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield a function that writes a row. Rows after `step`, left by a stopped run, are removed first."""
    rows = path.read_text(encoding="utf-8").splitlines(keepends=True)[:step] if path.exists() else []
    with open(path, "w", buffering=1, encoding="utf-8") as file:
        file.writelines(rows)
        yield lambda row: print(json.dumps(row), file=file)


@contextmanager
def trackers(accelerator: Accelerator, tensorboard: bool) -> Iterator[None]:
    """While inside, what goes to `accelerator.log` goes to TensorBoard where that is wanted.

    Raises ValueError when TensorBoard is wanted and not installed.
    """
    if tensorboard:
        if not is_tensorboard_available():
            raise ValueError("tensorboard is not installed: pip install tensorboard, or leave it out")
        accelerator.init_trackers("tensorboard")
    try:
        yield
    finally:
        for tracker in accelerator.trackers if tensorboard else ():
            tracker.finish()
