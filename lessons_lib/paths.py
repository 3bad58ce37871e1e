"""Where the files of the course are: in the clone that this library is part of,
or in the one that LESSONS_HOME names.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_NOT_IN_NAMES = re.compile(r'[\s<>:"/\\|?*\x00-\x1f\x7f]+')
_RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$",
             *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")}  # fmt: skip

ROOT = Path(os.environ.get("LESSONS_HOME") or Path(__file__).resolve().parents[1])

POCKET = ROOT / "pocket" / "model"
POCKET_CLIP = ROOT / "pocket" / "clip"
SAMPLE = ROOT / "data" / "sample_mughal"
DETAILS = ROOT / "data" / "sample_details"
BRAND = ROOT / "data" / "sample_brand"
HANDBOOK = ROOT / "data" / "sample_handbook"
POCKET_TEXT = ROOT / "data" / "pocket_text" / "model"
NOTEBOOKS = ROOT / "notebooks"
RECORDED = NOTEBOOKS / "recorded"
PROOFS = RECORDED / "proofs"
NOTEBOOK_PICTURES = NOTEBOOKS / "pictures"
EXPERIMENTS = ROOT / "runs" / "experiments"


def in_course(path: Path) -> Path:
    """Return the path of a file of the course.

    FileNotFoundError says what to do when this library lies outside a clone.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: expected a clone of the course with its models and pictures. Clone it and "
            "run `pip install -e .` there, or set LESSONS_HOME to the folder of a clone"
        )
    return path


def safe_name(text: str) -> str:
    """Return a text as the name of a file on Linux, macOS and Windows: "zq/7" is "zq-7".

    A name that is one already comes back as it is; one of which nothing is left is "run".
    """
    name = "".join(letter for letter in text if letter.isprintable() or letter in " \t\r\n\u200c\u200d")
    name = _NOT_IN_NAMES.sub("-", name).strip(".- ")
    while len(name.encode("utf-8", "replace")) > 60:  # Windows takes 260 characters of a whole path
        name = name[:-1].rstrip(".- ")
    return f"run-{name}" if is_reserved(name) else name or "run"


def is_reserved(name: str) -> bool:
    """Return whether Windows takes the name of a file for a device: "con", "aux.txt", "COM1"."""
    return name.split(".")[0].rstrip(" ").lower() in _RESERVED
