"""Before and after on disk: one picture at rising strength, and what was measured,
beside the run's own files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lessons_lib import storage
from lessons_lib.adapters.run import Run
from lessons_lib.evaluation import verdict
from lessons_lib.evaluation.comparison import Comparison
from lessons_lib.models import bases

_FOLDER, _FILE = "strength", "results.json"


@dataclass(frozen=True)
class Results:
    """What a comparison showed: lines to read, a prompt at rising strength,
    the strength that it is drawn at.
    """

    lines: list[str]
    prompt: str
    strengths: list[float]
    frames: list[Path]
    strength: float


def save(comparison: Comparison, notes: Sequence[str] = ()) -> None:
    """Write the frames and the lines into the run's folder. Raises OSError when there is no room."""
    run = comparison.run
    folder = run.folder / _FOLDER
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(comparison.frames):
        frame.save(folder / f"{number}.jpg", quality=92, subsampling=0)
    values = {
        "step": run.step,
        "lines": [*verdict.lines(comparison), *notes],
        "prompt": comparison.prompts[0],
        "strengths": list(comparison.strengths),
        "strength": bases.find(run.settings.base).strength,
    }
    storage.write_json(folder / _FILE, values)


def load(run: Run) -> Results | None:
    """Return what was found for a run as it is now; None before a comparison, or after more steps."""
    path = run.folder / _FOLDER / _FILE
    if not path.is_file():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    if values["step"] != run.step or not (run.folder / "before_after.jpg").is_file():
        return None
    frames = [path.parent / f"{number}.jpg" for number in range(len(values["strengths"]))]
    return Results(values["lines"], values["prompt"], values["strengths"], frames, values["strength"])
