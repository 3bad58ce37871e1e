"""Ctrl-C between two steps and not within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl-C was pressed.

    A second Ctrl-C interrupts at once. Outside the main thread signals cannot be caught and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    pressed = threading.Event()
    earlier_handler = signal.getsignal(signal.SIGINT)

    def on_signal(number: int, frame: Any) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, earlier_handler)

    signal.signal(signal.SIGINT, on_signal)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, earlier_handler)
