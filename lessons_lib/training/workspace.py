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
def workspace(out: Path, machine: Accelerator | None = None) -> Iterator[Path]:
    """Give a folder to work in that takes the place of `out` when all went well.

    When it went wrong, or the process was killed, a folder that holds checkpoints stays for the next try and otherwise
    no trace does. A run that was stopped with Ctrl-C is taken up again from a copy. Of several processes the first
    makes the folder and puts it in its place; the others wait for that.
    Raises OSError before any work when the place cannot be written, ValueError when `out` holds something else or
    another program is at work on it.
    """
    part = out.parent / f".{out.name}.unfinished"
    if machine is None or machine.is_main_process:
        with exclusive(out):
            prepare(out, part)
            try:
                if machine:
                    machine.wait_for_everyone()
                yield part
                replace(part, out)
            finally:
                if not any((part / "checkpoints").glob("*")):
                    shutil.rmtree(part, ignore_errors=True)
    else:
        machine.wait_for_everyone()
        yield part
    if machine:
        machine.wait_for_everyone()


def prepare(out: Path, part: Path) -> None:
    """Make the folder to work in, with what a stopped run left; see `workplace` for what it raises."""
    if out.exists() and (not out.is_dir() or any(out.iterdir()) and not (out / "settings.json").exists()):
        raise ValueError(f"{out} exists and is not a run; choose another place, or remove it first")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if not part.exists() and (out / "checkpoints").is_dir():
            shutil.copytree(out, part)
        part.mkdir(exist_ok=True)
    except OSError as problem:
        raise OSError(f"cannot write to {out.parent} ({problem.strerror}); choose another place") from problem


@contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """Raise ValueError when another program on this machine is at work on `out`. The lock goes with the process."""
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


def replace(part: Path, out: Path) -> None:
    """Put `part` where `out` is; an older run there goes only when the new one has taken its place."""
    old = part.with_name(part.name + ".old")
    if out.exists():
        os.replace(out, old)
    os.replace(part, out)
    shutil.rmtree(old, ignore_errors=True)
