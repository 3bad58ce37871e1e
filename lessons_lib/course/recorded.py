"""Results of long runs, kept with the course: what a lesson shows beside the short run that the learner makes."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lessons_lib import session
from lessons_lib.paths import POCKET, RECORDED

PACKAGES = ("torch", "diffusers", "peft", "transformers")


def keep(name: str, result: dict[str, Any], folder: Path = RECORDED) -> Path:
    """Write a result as NAME.json with the day, the machine and the versions that made it; return the file."""
    here = session.current()
    device = f"{here.cores} CPU cores" if here.device.type == "cpu" else here.gpu
    made = {"date": date.today().isoformat(), "device": device}
    told = made | {
        "base": base_now(),
        "versions": {package: version(package) for package in PACKAGES},
        "result": result,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return path


def base_now() -> str:
    """Return a hash of pocket's transformer: what was recorded on other weights is to be known as such."""
    weights = POCKET / "transformer" / "diffusion_pytorch_model.safetensors"
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:12]


def find(name: str, folder: Path = RECORDED) -> dict[str, Any]:
    """Return what `keep` wrote: date, device, base, versions, result. Raises ValueError that lists what there is."""
    path = folder / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json"))) or "none yet"
        raise ValueError(f"nothing is recorded under {name!r}; there is: {known}")
    return json.loads(path.read_text(encoding="utf-8"))


def source(told: dict[str, Any]) -> str:
    """Return one line that says when and on what a result was made, and whether pocket's weights were others then."""
    packages = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    earlier = "" if told.get("base") == base_now() else ", on earlier weights of pocket"
    return f"recorded {told['date']} on {told['device']} with {packages}{earlier}"
