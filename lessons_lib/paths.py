"""Where the files of the course are: in the clone that this library is part of,
or in the one that LESSONS_HOME names.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_NOT_IN_NAMES = re.compile(r'[\s<>:"/\\|?*\x00-\x1f\x7f]+')
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}

ROOT = Path(os.environ.get("LESSONS_HOME") or Path(__file__).resolve().parents[1])

POCKET = ROOT / "pocket" / "model"
POCKET_CLIP = ROOT / "pocket" / "clip"
SAMPLE = ROOT / "data" / "sample_mughal"
RECORDED = ROOT / "notebooks" / "recorded"
NOTEBOOK_PICTURES = ROOT / "notebooks" / "pictures"
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
    name = _NOT_IN_NAMES.sub("-", text).strip(".- ")
    name = "".join(letter for letter in name if letter.isprintable() or letter in "\u200c\u200d")
    while len(name.encode("utf-8", "replace")) > 80:
        name = name[:-1].rstrip(".- ")
    is_reserved = name.split(".")[0].lower() in _RESERVED
    return f"run-{name}" if is_reserved else name or "run"
