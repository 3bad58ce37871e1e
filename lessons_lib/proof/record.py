"""The record of a proof: a JSON file to send in, without paths or names of this machine."""

from __future__ import annotations

import platform
import re
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lessons_lib import storage
from lessons_lib.adapters.settings import ResolvedSettings
from lessons_lib.models.bases import Base
from lessons_lib.session import Session
from lessons_lib.training import capacity

_PACKAGES = ("torch", "diffusers", "transformers", "peft", "accelerate", "bitsandbytes")
_SETTINGS = ("quantize", "gradient_checkpointing", "rank", "alpha", "steps", "batch", "learning_rate", "seed")
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][^\\/\s'\":,;()]+){2,}")


def start(base: Base, settings: ResolvedSettings, session: Session) -> dict[str, Any]:
    """Return what a record begins with: the day, the base, the machine, the versions, the settings."""
    values = {name: getattr(settings, name) for name in _SETTINGS} | {"resolution": base.side}
    return {
        "date": date.today().isoformat(),
        "base": base.name,
        "weights": "published" if capacity.is_published(base) else "others, in a folder",
        "machine": {
            "tier": session.tier,
            "device": session.device.type,
            "precision": str(base.precision(session)).removeprefix("torch."),
            "gpu": session.gpu,
            "gpu_gb": round(session.gpu_gb, 1),
            "ram_gb": round(session.memory_gb, 1),
            "cores": session.cores,
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {"python": platform.python_version()} | _versions(),
        "settings": values,
    }


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def without_paths(text: str) -> str:
    """Return a message in one line with only the last part of each path in it."""
    return _PATH.sub(lambda match: re.split(r"[\\/]", match[0])[-1], " ".join(text.split()))


def write(record: dict[str, Any], folder: Path) -> Path:
    """Write a record as BASE-TIER.json into a folder, which is made; return the file."""
    path = folder / f"{record['base']}-{record['machine']['tier']}.json"
    storage.write_json(path, record)
    return path
