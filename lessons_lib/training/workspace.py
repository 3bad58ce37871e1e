"""The folder that a training works in until it takes its place."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accelerate import Accelerator
from filelock import FileLock, Timeout


@contextmanager
def workspace(out: Path, accelerator: Accelerator | None = None) -> Iterator[Path]:
    """Yield a folder to work in that takes the place of `out` when all went well.

    When it went wrong, or the process was killed, a folder that holds checkpoints stays for the next try;
    any other is removed. A run that was stopped with Ctrl-C goes on from a copy.
    Of several processes the first makes the folder and moves it to its place; the others wait for that.
    Raises OSError before any work when the place cannot be written, ValueError when `out` holds something
    else or another program is training into it.
    """
    unfinished = out.parent / f".{out.name}.unfinished"
    if accelerator is None or accelerator.is_main_process:
        with exclusive(out):
            _prepare(out, unfinished)
            try:
                if accelerator:
                    accelerator.wait_for_everyone()
                yield unfinished
                _replace(unfinished, out)
            finally:
                if not any((unfinished / "checkpoints").glob("*")):
                    shutil.rmtree(unfinished, ignore_errors=True)
    else:
        accelerator.wait_for_everyone()
        yield unfinished
    if accelerator:
        accelerator.wait_for_everyone()


def _prepare(out: Path, unfinished: Path) -> None:
    """Make the folder to work in, with what a stopped run left; see `workspace` for what it raises."""
    if out.exists() and (not out.is_dir() or any(out.iterdir()) and not (out / "settings.json").exists()):
        raise ValueError(f"{out} exists and is not a run; choose another place, or remove it first")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if not unfinished.exists() and (out / "checkpoints").is_dir():
            shutil.copytree(out, unfinished)
        unfinished.mkdir(exist_ok=True)
    except OSError as problem:
        raise OSError(f"cannot write to {out.parent} ({problem.strerror}); choose another place") from problem


@contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """Raise ValueError when another program on this machine is training into `out`.

    The lock goes with the process.
    """
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir()) / f"lessons-{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as problem:
        raise ValueError(
            f"another program is training into {out} right now; wait for it, or choose another place"
        ) from problem
    try:
        yield
    finally:
        lock.release()


def _replace(unfinished: Path, out: Path) -> None:
    """Put `unfinished` where `out` is; an older run there goes only when the new one has taken its place."""
    old = unfinished.with_name(unfinished.name + ".old")
    if out.exists():
        os.replace(out, old)
    os.replace(unfinished, out)
    shutil.rmtree(old, ignore_errors=True)
