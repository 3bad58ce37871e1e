"""Where the files of the course are: in the clone that this library is part of,
or in the one that LESSONS_HOME names.
"""

from __future__ import annotations

import os
from pathlib import Path

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
