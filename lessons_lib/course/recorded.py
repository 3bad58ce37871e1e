"""Results of long runs, saved with the course: what a lesson shows beside the short run that the learner
makes.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lessons_lib import session, storage
from lessons_lib.paths import POCKET, RECORDED

PACKAGES = ("torch", "diffusers", "peft", "transformers")


def save(name: str, result: dict[str, Any], folder: Path = RECORDED, is_of_pocket: bool = True) -> Path:
    """Write a result as NAME.json with the day, the machine and the versions that made it.

    `is_of_pocket`: whether other weights of pocket would give another result. Return the file.
    """
    machine = session.current()
    record = {
        "date": date.today().isoformat(),
        "device": f"{machine.cores} CPU cores" if machine.device.type == "cpu" else machine.gpu,
        "base": base_fingerprint() if is_of_pocket else None,
        "versions": {package: version(package) for package in PACKAGES},
        "digest": digest(result),
        "result": result,
    }
    path = folder / f"{name}.json"
    storage.write_json(path, record)
    return path


def digest(result: dict[str, Any]) -> str:
    """Return a hash of a result, so that a figure that was changed by hand shows."""
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()[:12]


def load(name: str, folder: Path = RECORDED) -> dict[str, Any]:
    """Return what `save` wrote: date, device, base, versions, digest, result.

    Raises ValueError that lists what there is.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in folder.glob("*.json"))) or "none yet"
        raise ValueError(f"nothing is recorded under {name!r}; there is: {names}")
    return json.loads(path.read_text(encoding="utf-8"))


def provenance(record: dict[str, Any]) -> str:
    """Return one line that says when and on what a result was made, and whether pocket had other weights
    then, where it is one of pocket's.
    """
    packages = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    earlier = "" if record["base"] in (None, base_fingerprint()) else ", on earlier weights of pocket"
    return f"recorded {record['date']} on {record['device']} with {packages}{earlier}"


def base_fingerprint() -> str:
    """Return a hash of the weights of pocket's transformer, which tells a result of other weights apart."""
    weights = POCKET / "transformer" / "diffusion_pytorch_model.safetensors"
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
