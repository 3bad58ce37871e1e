"""Set the course up from the wheels beside this file, with no network: python install.py

Standard library only; `lessons bundle` writes this file into its archive as install.py.
"""

from __future__ import annotations

import subprocess
import sys
import time
import venv
from pathlib import Path

WHEELS = "wheels"
EXTRAS = ("lab", "phone")


def programs_of(course: Path) -> Path:
    """Return the folder of the programs that `install` makes."""
    return course / ".venv" / ("Scripts" if sys.platform == "win32" else "bin")


def install(course: Path) -> Path:
    """Make `.venv` in the course's folder, install the course and its extras into it from the wheels, and
    return the folder of its programs.

    Raises SystemExit with a line when the Python is another than the wheels', or pip fails.
    """
    environment, programs = course / ".venv", programs_of(course)
    try:
        venv.create(environment, with_pip=True)
    except subprocess.CalledProcessError:
        raise SystemExit(
            "this Python has no venv with pip; on Debian and Ubuntu it is python3-venv"
        ) from None
    pip = [
        str(programs / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "-q",
        "--no-index",
    ]
    done = subprocess.run([*pip, "--find-links", str(course / WHEELS), "-e", f"{course}[{','.join(EXTRAS)}]"])
    if done.returncode:
        raise SystemExit(
            f"pip could not install from {WHEELS}/. The wheels fit one system and one Python, which the "
            f"archive's name tells; this is Python {sys.version_info.major}.{sys.version_info.minor} on "
            f"{sys.platform}"
        )
    for stamp in (".core", ".lab"):  # so that `make demo` and `make lab` fetch nothing
        (environment / stamp).touch()
    return programs


def main() -> None:
    """Install, and print how long that took and the next two commands."""
    start = time.monotonic()
    programs = install(Path(__file__).resolve().parent)
    print(f"ready in {time.monotonic() - start:.0f} s. See it work: {programs / 'lessons'} demo")
    print(f"Open lesson 00:     {programs / 'jupyter'} lab notebooks/00_start_here.ipynb")


if __name__ == "__main__":
    main()
