"""The Python of a hosted notebook, made ready for the course; the second cell of every lesson calls it.

Standard library only. Each part is checked on its own, so that the next call mends an interrupted one, and
a call that has nothing to do prints nothing. No package that is there is moved: a lesson must not change
what Colab ships under a running kernel.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lessons_lib.paths import NOTEBOOKS, ROOT

_RESTART = "Choose Runtime > Restart session, then run this cell again"


@dataclass(frozen=True)
class Requirement:
    """A package that the course needs, its lowest version, and the installed one; empty where missing."""

    name: str
    lowest: str
    version: str

    @property
    def is_met(self) -> bool:
        """Whether it is installed and new enough."""
        return _numbers(self.version) >= _numbers(self.lowest)

    def __str__(self) -> str:
        return f"{self.name} is {self.version or 'missing'}, and the course needs {self.lowest} or newer"


def requirements() -> list[Requirement]:
    """Return what pyproject.toml asks for, beside what this Python has."""
    return _read(_project()["dependencies"])


def gpu_requirements() -> list[Requirement]:
    """Return what packs weights into 4 bits, beside what this Python has; nothing without an NVIDIA GPU."""
    extra = _read(_project()["optional-dependencies"]["gpu"]) if shutil.which("nvidia-smi") else []
    return [requirement for requirement in extra if requirement.name == "bitsandbytes"]


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def _read(lines: Iterable[str]) -> list[Requirement]:
    parts = (line.partition(">=") for line in lines)
    return [Requirement(name, lowest, _version(name)) for name, _, lowest in parts]


def prepare() -> None:
    """Mark the course as fetched, remove torchao, install the packages of the course that are missing and,
    beside an NVIDIA GPU, bitsandbytes, put the course on the path of programs that the notebook starts, and
    go to the folder of the lessons.

    Prints a line for each change, one for a package that is older than the course needs, and one where
    bitsandbytes cannot be had.
    Raises SystemExit, whose message a notebook shows without a traceback, when pip fails otherwise or the
    session must be restarted.
    """
    (ROOT / ".fetched").touch()
    _remove_torchao()
    _install(r.name for r in requirements() if not r.version)
    try:
        _install(r.name for r in gpu_requirements() if not r.version)
    except SystemExit as problem:
        print(f"{problem}, where weights are to be packed into 4 bits; all else works without it")
    for requirement in (*requirements(), *gpu_requirements()):
        if requirement.version and not requirement.is_met:
            print(f"{requirement}: choose a newer version under Runtime > Change runtime type")
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(ROOT) not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, paths)])
    os.chdir(NOTEBOOKS)


def _remove_torchao() -> None:
    """Remove torchao: Colab's is so old that PEFT refuses every LoRA beside it, also on a model that is not
    quantised.
    """
    if version := _version("torchao"):
        _pip("uninstall", "-y", "torchao")
        print(f"removed torchao {version}, which PEFT does not take")
    importlib.invalidate_caches()
    if (rest := importlib.util.find_spec("torchao")) and rest.submodule_search_locations:
        shutil.rmtree(rest.submodule_search_locations[0])  # what an interrupted removal left
    if version and {"transformers", "diffusers", "peft"} & set(sys.modules):
        raise SystemExit(f"torchao was in use before it was removed. {_RESTART}")


def _install(names: Iterable[str]) -> None:
    """Install packages in the versions that the course was last tested with."""
    for name in names:
        _pip("install", "--no-deps", f"--constraint={ROOT / 'constraints.txt'}", name)
        print(f"installed {name}")
    importlib.invalidate_caches()


def _pip(*arguments: str) -> None:
    """Run pip quietly. Raises SystemExit with its last line when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"code {done.returncode}"]
        raise SystemExit(f"pip {' '.join(arguments)} failed ({lines[-1]}): run this cell again")


def _version(name: str) -> str:
    """Return the version of a package that is installed, or an empty text."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _numbers(version: str) -> list[int]:
    """Return the leading numbers of a version, to compare: 2.11.0+cu128 is [2, 11, 0]."""
    return [int(number) for number in re.findall(r"\d+", re.split(r"[^\d.]", version)[0])]
