"""Whether a machine is ready for the course, found by doing: training, a picture, a browser."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import psutil

from lessons_lib import session, storage
from lessons_lib.adapters.settings import EXAMPLE_TRIGGER, Settings
from lessons_lib.course import bootstrap
from lessons_lib.dataset.messages import one_line
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import pixels
from lessons_lib.models.bases import Base
from lessons_lib.paths import ROOT
from lessons_lib.proof.stages import few_paintings
from lessons_lib.training import capacity, forecast
from lessons_lib.training.train import Trainer

STEPS = 8
_FREE_DISK_GB = 2.0  # runs, and the cache of what can be computed again
_LONG_TRAINING = 180.0  # seconds; above it a room waits for lesson 00


class Level(Enum):
    """How ready one thing is."""

    READY = "ready"
    SLOW = "slow"
    MUST_FIX = "must fix"


@dataclass(frozen=True)
class Check:
    """One thing that was tried, how ready it is, and what to do where it is not."""

    name: str
    level: Level
    what: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{self.level.value:9} {self.name:9} {self.what}"
        return f"{line}. {self.advice}" if self.advice else line


def checks(base: Base, steps: int = STEPS) -> Iterator[Check]:
    """Yield what was tried on this machine, one after the other, the quick ones first.

    A base of the Hub is fetched, so that it lies in the cache afterwards. What fails is a check to fix; later
    ones are tried all the same.
    """
    yield _python()
    yield _packages()
    yield _memory(base)
    yield _disk()
    attempts: dict[str, Callable[[], Check]] = {
        "training": lambda: _training(base, steps),
        "picture": lambda: _picture(base),
    }
    for name, attempt in attempts.items():
        try:
            yield attempt()
        except (ValueError, OSError, ArithmeticError, MemoryError, RuntimeError) as problem:
            yield Check(name, Level.MUST_FIX, one_line(problem, most=None))
    yield _notebooks()
    yield _browser()


def _python() -> Check:
    """Return whether this Python is one of those that the course is tested on."""
    what = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info < (3, 14):
        return Check("python", Level.READY, what)
    return Check("python", Level.MUST_FIX, what, "The course needs Python 3.11, 3.12 or 3.13")


def _packages() -> Check:
    """Return whether the packages of pyproject.toml are here and new enough."""
    requirements = bootstrap.requirements()
    missing = [str(r) for r in requirements if not r.is_met]
    if not missing:
        return Check("packages", Level.READY, f"{len(requirements)} of {len(requirements)}")
    return Check(
        "packages",
        Level.MUST_FIX,
        "; ".join(missing),
        "`make demo` installs them; of a bundle `python install.py`",
    )


def _memory(base: Base) -> Check:
    """Return whether a training of the base fits the memory that it computes in, and without a GPU whether as
    much is free as the base's table says that it needs.
    """
    here, free = session.current(), psutil.virtual_memory().available / 1e9
    what = f"{free:.1f} GB free of {here.memory_gb:.1f} GB, {here.cores} cores"
    if here.gpu_gb:
        what += f"; {here.gpu} with {here.gpu_gb:.1f} GB"
    fit = capacity.closest(Settings(base=base.name, trigger=EXAMPLE_TRIGGER), base, here)
    if not fit.is_enough:
        return Check("memory", Level.MUST_FIX, what, f"{fit}: take a smaller base with --base")
    if here.gpu_gb:
        return Check("memory", Level.READY, what)
    if free < base.memory_gb:
        return Check(
            "memory", Level.MUST_FIX, what, f"{base.name} needs {base.memory_gb:g} GB: close programs"
        )
    return Check("memory", Level.READY, f"{what}, no GPU")


def _disk() -> Check:
    """Return whether the course's folder and the cache have room and can be written to."""
    for folder in (ROOT, storage.cache_dir()):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as problem:
            return Check("disk", Level.MUST_FIX, f"cannot write to {folder} ({problem.strerror})")
    free = min(shutil.disk_usage(folder).free for folder in (ROOT, storage.cache_dir())) / 1e9
    what = f"{free:.1f} GB free"
    if free < _FREE_DISK_GB:
        return Check("disk", Level.MUST_FIX, what, f"The lessons need {_FREE_DISK_GB:g} GB")
    return Check("disk", Level.READY, what)


def _training(base: Base, steps: int) -> Check:
    """Train for a few steps and return what the base's usual number of steps would take here."""
    settings = Settings(base=base.name, trigger=EXAMPLE_TRIGGER, steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        run = Trainer(base, few_paintings(base.side), settings).train(Path(folder) / "preflight")
        second = run.seconds_a_step or 0.0
    whole = second * base.steps
    what = (
        f"{second:.2f} s a step: {base.steps} steps in {whole:.0f} s; memory {forecast.peak_memory():.1f} GB"
    )
    if whole <= _LONG_TRAINING:
        return Check("training", Level.READY, what)
    advice = f'Put preset="quick" into Settings ({0.4 * whole:.0f} s), or train one run for several people'
    return Check("training", Level.SLOW, what, advice)


def _picture(base: Base) -> Check:
    """Draw one picture and return how long that took."""
    sampler = Sampler(base)
    start = time.monotonic()
    image = sampler.sample([f"an elephant, {EXAMPLE_TRIGGER}"], [1])[0][0]
    what = f"{time.monotonic() - start:.1f} s for one of {image.width} px"
    if pixels.is_one_colour(image):
        return Check("picture", Level.MUST_FIX, f"{what}, and it is one colour", "Try another base")
    return Check("picture", Level.READY, what)


def _notebooks() -> Check:
    """Return whether a program that opens notebooks is installed beside the course."""
    if importlib.util.find_spec("jupyterlab") or importlib.util.find_spec("notebook"):
        return Check("notebooks", Level.READY, "JupyterLab is here: `make lab` opens lesson 00")
    advice = "`make lab` installs JupyterLab; VS Code and Colab need none"
    return Check("notebooks", Level.MUST_FIX, "no JupyterLab beside the course", advice)


def _browser() -> Check:
    """Return whether a page can be opened from here."""
    try:
        name = getattr(webbrowser.get(), "name", "the system's")
    except webbrowser.Error:
        advice = "Open the address that `make lab` prints, on a machine that has one"
        return Check("browser", Level.SLOW, "none is known here", advice)
    return Check("browser", Level.READY, str(name))
