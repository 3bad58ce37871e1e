"""The temporary folder of a training; its content is moved to the run folder at the end.

It is inside the run's folder where there is one, so that both are on one disk and a link or a mounted disk
stays what it is; else it is beside it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from accelerate import Accelerator
from filelock import FileLock, Timeout

from lessons_lib.adapters.run import OTHER_FORMATS, SETTINGS, STEPS, WEIGHTS_NAME

INSIDE = ".unfinished"
LOCK = ".lock"
_BESIDE = re.compile(r"\.(.+)\.unfinished")
_RESUMED = ("log.jsonl", "samples", STEPS, "tensorboard", "checkpoints")  # what a stopped run resumes with
_LAST = (SETTINGS, "log.jsonl", "checkpoints")  # moved in this order, after everything else
_OF_STATE = (r"samples/\d{5,}_\d+\.jpg", r"checkpoints/\d{6,}\.safetensors")  # of one state of a run
# What else a run holds that the next one does not write over.
_OF_RUN = (
    rf"{STEPS}/\d{{6,}}/{re.escape(WEIGHTS_NAME)}", r"[^/]*_comfyui\.safetensors",
    rf"{OTHER_FORMATS}/[^/]*_(comfyui|kohya)\.safetensors", r"tensorboard/.*events\.out\.tfevents\.[^/]*",
    r"before_after\.jpg", r"report\.html", r"pick\.jpg",
)  # fmt: skip
_SYSTEM_FILES = {"lost+found", "thumbs.db", "desktop.ini", "system volume information", "$recycle.bin"}


def run_dir(out: Path) -> Path:
    """Return the folder of a run without links; that of the run itself where its unfinished folder is
    named.
    """
    out = Path(out).resolve()
    if out.name == INSIDE:
        return out.parent
    match = _BESIDE.fullmatch(out.name)
    return out.with_name(match[1]) if match and has_checkpoints(out) else out


def unfinished_dir(out: Path) -> Path:
    """Return the folder that the run at `out` is made in: one with checkpoints, else inside `out`, else
    beside it.
    """
    beside, inside = out.with_name(f".{out.name}.unfinished"), out / INSIDE
    for folder in (beside, inside):
        if has_checkpoints(folder):
            return folder
    return inside if out.is_dir() else beside


def has_checkpoints(folder: Path) -> bool:
    """Return whether a folder holds the state of a training."""
    return any((folder / "checkpoints").glob("*.safetensors"))


@contextmanager
def workspace(
    out: Path, accelerator: Accelerator | None = None, claim: Callable[[], bool] = lambda: False
) -> Iterator[Path]:
    """Yield a temporary folder whose content is moved to `out` when no error was raised.

    When it went wrong, or the process was killed, a folder that holds checkpoints stays for the next try;
    any other is removed. A run that was stopped with Ctrl-C resumes from a copy. Of several processes the
    first makes the folder and moves it to its place; the others wait for that. `claim` is called before
    anything is written, and returns whether another run is replaced. Raises OSError before any work when
    the place cannot be written, ValueError when `out` holds something else or another program is training
    into it.
    """
    if accelerator is None or accelerator.is_main_process:
        with exclusive(out):
            is_replacing, unfinished = claim(), unfinished_dir(out)
            _prepare(out, unfinished)
            try:
                if accelerator:
                    accelerator.wait_for_everyone()
                yield unfinished
                _place(unfinished, out, is_replacing)
            finally:
                if not has_checkpoints(unfinished):
                    shutil.rmtree(unfinished, ignore_errors=True)
    else:
        accelerator.wait_for_everyone()
        yield unfinished_dir(out)
    if accelerator:
        accelerator.wait_for_everyone()


@contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """Raise ValueError when another program is training into `out`. The lock goes with the process.

    It lies where the run is made, so that programs with other temporary folders meet it. ValueError, too,
    when `out` holds something that is no run; OSError when nothing can be written there.
    """
    refuse_other_content(out)
    with _writing_to(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
    path = out / LOCK if out.is_dir() else out.with_name(f".{out.name}{LOCK}")
    lock = FileLock(path)
    try:
        with _writing_to(path.parent):
            lock.acquire(timeout=0)
    except Timeout as problem:
        raise ValueError(
            f"another program is training into {out} right now; wait for it, or choose another place"
        ) from problem
    try:
        yield
    finally:
        if os.name == "nt":  # where a file that is locked cannot be removed
            lock.release()
            with suppress(OSError):  # another program has locked it by now
                path.unlink()
        else:  # not after the release: the file may be another program's then
            path.unlink(missing_ok=True)
            lock.release()


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    """Say where nothing can be written when an OSError is raised inside."""
    try:
        yield
    except OSError as problem:
        if isinstance(problem, Timeout):
            raise
        raise OSError(f"cannot write to {folder} ({problem.strerror}); choose another place") from problem


def refuse_other_content(out: Path) -> None:
    """Raise ValueError when `out` holds something that is neither a run nor a part of one."""
    if not out.exists() or (out.is_dir() and (out / SETTINGS).exists()) or has_checkpoints(out):
        return
    own = {INSIDE, LOCK}
    if not out.is_dir() or any(
        entry.name not in own and entry.name.lower() not in _SYSTEM_FILES and not entry.name.startswith(".")
        for entry in out.iterdir()
    ):
        raise ValueError(f"{out} exists and is not a run; choose another place, or remove it first")


def _prepare(out: Path, unfinished: Path) -> None:
    """Make the folder to work in, with what a stopped run left."""
    with _writing_to(unfinished.parent):
        unfinished.mkdir(exist_ok=True)
        names = _RESUMED if not has_checkpoints(unfinished) and has_checkpoints(out) else _RESUMED[:1]
        for source in (out / name for name in names):
            target = unfinished / source.name
            if source.is_dir() and not target.exists():
                shutil.copytree(source, target)
            elif source.is_file() and not target.exists():
                shutil.copy2(source, target)


def _place(unfinished: Path, out: Path, is_replacing: bool) -> None:
    """Move a run to its folder. Checkpoints are moved last, so that a failed move can be resumed from them.

    Raises OSError that says where the run is, when it cannot be moved.
    """
    try:
        if not out.exists():
            os.replace(unfinished, out)
            return
        _remove_earlier(out, is_replacing)
        names = sorted(path.name for path in unfinished.iterdir())
        for name in [
            *(name for name in names if name not in _LAST),
            *(name for name in _LAST if name in names),
        ]:
            _move(unfinished / name, out / name)
        unfinished.rmdir()
    except OSError as problem:
        raise OSError(
            f"the run cannot be put into {out} ({problem.strerror or problem}); it is kept in "
            f"{unfinished}, and "
            "the same command goes on from there"
        ) from problem


def _remove_earlier(out: Path, is_replacing: bool) -> None:
    """Remove the samples and checkpoints of an earlier state of the run; whatever else lies there stays, and
    what a link leads to.

    Of another run that is replaced go, too, the adapters that it kept on the way, its files for other
    programs, its log for TensorBoard, and what was drawn with it.
    """
    pattern = re.compile("|".join((*_OF_STATE, *(_OF_RUN if is_replacing else ()))))
    own = [path for path in out.iterdir() if path.is_file()]
    for name in ("samples", "checkpoints", STEPS, OTHER_FORMATS, "tensorboard"):
        if not (out / name).is_symlink():
            own += [Path(folder, file) for folder, _, files in os.walk(out / name) for file in files]
    for path in own:
        if pattern.fullmatch(path.relative_to(out).as_posix()):
            path.unlink()
    for step in (out / STEPS).glob("[0-9]*") if is_replacing else ():
        with suppress(OSError):  # something else lies in it
            step.rmdir()


def _move(source: Path, target: Path) -> None:
    """Move a file, or a folder into the folder of that name, also from one disk to another."""
    if source.is_dir():
        target.mkdir(exist_ok=True)
        for path in source.iterdir():
            _move(path, target / path.name)
        source.rmdir()
        return
    try:
        os.replace(source, target)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        shutil.copy2(source, target)
        source.unlink()
