"""One long piece of work at a time for a studio, in a thread, so that the page answers meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError

from lessons_lib.dataset.messages import one_line

# What a person can mend: the message says how. Anything else is a fault of the course.
EXPECTED = (ValueError, OSError, ArithmeticError, MemoryError, SafetensorError)
_PAUSE = 0.4  # seconds between two reports to a page


class Work(StrEnum):
    """What a studio does in the background, as the page names it."""

    CAPTIONS = "Writing first captions"
    FORECAST = "The forecast"
    TRAINING = "The training"
    COMPARISON = "Drawing before and after"


class Activity:
    """A piece of work in a thread of its own.

    `state` is running, done or failed; `message` says why it failed, or what happens now; `done` of `total`
    are finished. `on_change` is called from the thread at most every 0.4 seconds, and once at the end.
    """

    def __init__(self, title: str, work: Callable[[Activity], Any]):
        self.title = title
        self.state: Literal["running", "done", "failed"] = "running"
        self.message, self._said, self.done, self.total = "", "", 0, 0
        self.result: Any = None
        self.on_change: Callable[[Activity], None] = lambda activity: None
        self._work, self._last, self._stop = work, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Activity:
        """Begin, and return at once."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ask the work to end after what it is doing now; what is learned until then is kept."""
        self._stop.set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stop.is_set()

    def wait(self, seconds: float | None = None) -> Any:
        """Return the result when the work has ended. RuntimeError with the message when it failed."""
        self._thread.join(seconds)
        if self.state == "failed":
            raise RuntimeError(self.message)
        return self.result

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Report from inside the work. Raises KeyboardInterrupt when it was asked to end.

        An error in `on_change` does not end the work, which may have taken hours: it becomes the message,
        until a report comes through.
        """
        self._said = message or self._said
        self.done, self.total, self.message = done, total, message or self.message
        if time.monotonic() - self._last > _PAUSE:
            self._last = time.monotonic()
            try:
                self.on_change(self)
                self.message = self._said
            except Exception as problem:
                self.message = unexpected(problem)
        if self.is_stopping:
            raise KeyboardInterrupt

    def _run(self) -> None:
        try:
            self.result = self._work(self)
            self.state = "done"
        except KeyboardInterrupt as stop:
            self.state, self.message = "done", str(stop)
        except EXPECTED as problem:
            self.state, self.message = "failed", one_line(problem, most=None)
        except Exception as problem:
            self.state, self.message = "failed", unexpected(problem)
        self.on_change(self)


def unexpected(problem: Exception) -> str:
    """Return a line for an error that nobody foresaw."""
    what = f"{type(problem).__name__}: {one_line(problem)}"
    return f"Something went wrong that the course did not foresee: {what}"


_running: dict[Path, Activity] = {}


def current(folder: Path) -> Activity | None:
    """Return what is being done for the studio in a folder; None when nothing is.

    It lives as long as the kernel, so a page that was loaded again finds it.
    """
    activity = _running.get(folder)
    return activity if activity and activity.state == "running" else None


def begin(folder: Path, title: str, work: Callable[[Activity], Any]) -> Activity:
    """Start some work for the studio in a folder. ValueError while other work is going on there."""
    if activity := current(folder):
        raise ValueError(f"{activity.title} is going on; wait for it, or stop it first")
    _running[folder] = Activity(title, work)
    return _running[folder].start()
