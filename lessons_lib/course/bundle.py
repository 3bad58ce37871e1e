"""The course and the wheels of its packages in one zip, from which a machine without network is set up."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lessons_lib.course import offline_setup
from lessons_lib.paths import ROOT

FOLDER = "lora-lessons"  # what the archive unpacks to
INSTALLER = "install.py"
_BUILD = ("setuptools>=77", "wheel")  # of which an isolated pip builds the course's own package
_CONSTRAINTS = ROOT / "constraints.txt"
# Systems that a bundle can be made for from another: uv's name, and the tags of the wheels that pip takes.
SYSTEMS = {
    "windows": ("x86_64-pc-windows-msvc", ("win_amd64",)),
    "mac": ("aarch64-apple-darwin", ("macosx_14_0_arm64",)),
    "linux": (
        "x86_64-manylinux_2_28",
        ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux1_x86_64"),
    ),
}
_PIP_SOURCES = ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS")
_NOT_COURSE = {"runs", "build", "museum", "wheels", "__pycache__"}


@dataclass(frozen=True)
class Machine:
    """Another machine than this one: a system of `SYSTEMS` and a Python such as "3.12"."""

    system: str
    python: str

    def __str__(self) -> str:
        """What its wheels are called by, as `machine_kind` does."""
        return f"{SYSTEMS[self.system][1][0]}-py{self.python}"


def machine_kind() -> str:
    """Return the system and the Python whose wheels are fetched, such as "linux_x86_64-py3.11"."""
    return f"{sysconfig.get_platform().replace('-', '_')}-py{python_version()}"


def python_version() -> str:
    """Return this Python's version without its last part, such as "3.11"."""
    return ".".join(platform.python_version_tuple()[:2])


def write(out: Path, machine: Machine | None = None) -> dict[str, float]:
    """Write the archive for this machine or another, whole or not at all; return the seconds of `fetch` and
    `pack`.

    Raises OSError when pip cannot fetch a wheel, or when there is no room.
    """
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=".bundle") as folder:
        wheels, unfinished = Path(folder) / offline_setup.WHEELS, Path(folder) / "bundle.zip"
        fetch_wheels(wheels, machine)
        end_of_fetch = time.monotonic()
        with zipfile.ZipFile(unfinished, "w") as archive:
            for path in course_files():
                name = f"{FOLDER}/{path.relative_to(ROOT).as_posix()}"
                archive.write(path, name, zipfile.ZIP_DEFLATED, compresslevel=6)
            for path in sorted(wheels.iterdir()):
                archive.write(path, f"{FOLDER}/{offline_setup.WHEELS}/{path.name}")
            archive.write(offline_setup.__file__, f"{FOLDER}/{INSTALLER}")
        os.replace(unfinished, out)
    return {"fetch": end_of_fetch - start, "pack": time.monotonic() - end_of_fetch}


def try_out(archive: Path) -> tuple[dict[str, float], float]:
    """Set a new archive up in a folder beside it as a room would; return the seconds of `unpack`, `install`
    and `preflight`, and the megabytes that lie on the disk then.

    Nothing is fetched: pip and the Hub are told that there is no network, and no setting of pip holds. Raises
    OSError with the last line of the step that fails.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    offline = own | {"PIP_CONFIG_FILE": os.devnull, "HF_HUB_OFFLINE": "1", "LESSONS_HOME": ""}
    seconds = {}
    with tempfile.TemporaryDirectory(dir=archive.absolute().parent, prefix=".try") as folder:
        course = Path(folder) / FOLDER
        steps = {
            "unpack": [sys.executable, "-m", "zipfile", "-e", str(archive.absolute()), folder],
            "install": [sys.executable, str(course / INSTALLER)],
            "preflight": [str(offline_setup.programs_of(course) / "lessons"), "preflight"],
        }
        for step, command in steps.items():
            start = time.monotonic()
            env = offline | {"LESSONS_CACHE": str(Path(folder) / "cache")}
            done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
            if done.returncode:
                line = (f"{done.stdout}\n{done.stderr}".strip().splitlines() or ["no output"])[-1]
                raise OSError(f"the archive was written, and {step} of it fails: {line}")
            seconds[step] = time.monotonic() - start
        size = sum(path.lstat().st_size for path in Path(folder).rglob("*")) / 1e6
    return seconds, size


def fetch_wheels(folder: Path, machine: Machine | None = None) -> None:
    """Fetch the wheels of the course, of JupyterLab and of what reads phones' pictures, for this machine or
    another.

    They come from where pip is set to look. What another machine needs is found by uv, which looks where
    PIP_INDEX_URL, PIP_EXTRA_INDEX_URL and PIP_FIND_LINKS say, unless its own variables say where, and reads
    no pip.conf. Raises OSError with the last line of either when one cannot be had.
    """
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    extras = [line for name in offline_setup.EXTRAS for line in project["optional-dependencies"][name]]
    packages = [*project["dependencies"], *extras, *_BUILD]
    options = ["-q", "--only-binary=:all:", "-c", str(_CONSTRAINTS), "-d", str(folder)]
    if machine:
        packages = _resolved(packages, machine)
        tags = [f"--platform={tag}" for tag in SYSTEMS[machine.system][1]]
        options += ["--no-deps", "--implementation=cp", f"--python-version={machine.python}", *tags]
    _python_module("pip", "--disable-pip-version-check", "download", *options, *packages)


def _resolved(packages: Sequence[str], machine: Machine) -> list[str]:
    """Return all packages that some need on another machine, each with its version.

    By uv, for pip asks about this machine where a package needs another on some systems only.
    """
    if importlib.util.find_spec("uv") is None:
        raise OSError("what another system needs is found by uv, which is not installed: pip install uv")
    options = ["-q", "--no-header", "--no-annotate", "--only-binary=:all:", "-c", str(_CONSTRAINTS)]
    target = [f"--python-platform={SYSTEMS[machine.system][0]}", f"--python-version={machine.python}"]
    lines = _python_module("uv", "pip", "compile", *options, *target, "-", text="\n".join(packages))
    return lines.split()


def _python_module(name: str, *arguments: str, text: str = "") -> str:
    """Run a module of this Python and return what it prints. Raises OSError with the last line of its
    complaint.
    """
    env = {"MACOSX_DEPLOYMENT_TARGET": "14.0", **_uv_sources(), **os.environ}  # PyTorch's wheels: macOS 14
    command = [sys.executable, "-m", name, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=env)
    if done.returncode:
        line = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
        task = "find out what is needed" if name == "uv" else "fetch the wheels"
        raise OSError(f"{name} could not {task} ({line}); a bundle is made where there is a network")
    return done.stdout


def _uv_sources() -> dict[str, str]:
    """Return uv's variables for where pip's say that packages are; uv then weighs all places alike, as pip
    does.
    """
    pip = {name: " ".join(os.environ.get(f"PIP_{name}", "").split()) for name in _PIP_SOURCES}
    values = {
        "UV_DEFAULT_INDEX": pip["INDEX_URL"],
        "UV_INDEX": pip["EXTRA_INDEX_URL"],
        "UV_INDEX_STRATEGY": "unsafe-best-match" if pip["EXTRA_INDEX_URL"] else "",
        "UV_FIND_LINKS": pip["FIND_LINKS"].replace(" ", ","),
    }
    return {name: value for name, value in values.items() if value}


def course_files() -> list[Path]:
    """Return the files of the course: those that git tracks, or in a folder that is no clone all but what was
    made. Raises OSError when git refuses to say.
    """
    names: Iterable[str] = _tracked_names()
    if not names:
        names = (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if not _is_by_product(path))
    return [ROOT / name for name in sorted(names) if (ROOT / name).is_file()]


def _tracked_names() -> list[str]:
    """Return what git tracks of the course, as paths in it; none without git, or where this is no clone.

    Raises OSError when git refuses to say, as in a clone of another user's.
    """
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError:
        return []
    if done.returncode and "not a git repository" not in done.stderr:
        line = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[0]
        raise OSError(f"git does not say which files are the course's: {line}")
    return [name for name in done.stdout.split("\0") if name]


def _is_by_product(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    is_hidden = any(part.startswith(".") and part not in (".github", ".ci") for part in parts[:-1])
    return is_hidden or bool(_NOT_COURSE & set(parts)) or path.suffix == ".zip"
