"""The whole state of a training on disk, so that a run that was killed resumes exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load, save
from torch import Tensor

from lessons_lib import storage


class Header(NamedTuple):
    """What a checkpoint says of itself: its step, its run's fingerprint, and the run's settings.

    Settings are empty where an older version wrote it.
    """

    step: int
    fingerprint: str
    settings: dict[str, Any]


def write(
    folder: Path, step: int, fingerprint: str, state: dict[str, Any], settings: dict[str, Any] | None = None
) -> Path:
    """Write a state as NNNNNN.safetensors, atomically and with its checksum; older ones stay.

    `state` may nest dicts, lists, tensors, numbers and texts; tuples come back as lists.
    `fingerprint` and `settings` are the run's. Raises OSError when there is no room.
    """
    tensors: dict[str, Tensor] = {}
    structure = _flatten(state, "state", tensors)
    path = folder / f"{step:06d}.safetensors"
    header = {"kind": "checkpoint", "fingerprint": fingerprint, "settings": json.dumps(settings or {})}
    try:
        storage.write(path, tensors, header | {"state": json.dumps(structure)}, save)
    except OSError as problem:
        reason = getattr(problem.__cause__, "strerror", None) or problem
        raise OSError(
            f"the checkpoint of step {step} cannot be written to {folder} ({reason}); free some space and "
            "run the same again: it goes on from the last checkpoint"
        ) from problem
    return path


def keep_newest(folder: Path) -> None:
    """Remove all checkpoints but the newest."""
    for older in files(folder)[:-1]:
        older.unlink(missing_ok=True)  # another process may be faster


def remove_after(folder: Path, step: int) -> None:
    """Remove the checkpoints of later steps."""
    for path in files(folder):
        if int(path.stem) > step:
            path.unlink(missing_ok=True)


def latest(folder: Path, *fingerprints: str) -> dict[str, Any] | None:
    """Return the newest valid state of a run with one of these fingerprints, or None.

    Damaged files and other runs' are skipped.
    """
    for path in reversed(files(folder)):
        content = storage.read(path)
        if content and _fingerprint_of(content[1]) in fingerprints:
            state: dict[str, Any] = _unflatten(json.loads(content[1]["state"]), load(content[0]))
            return state
    return None


def newest_header(folder: Path) -> Header | None:
    """Return what the newest whole checkpoint in a folder says of itself, or None."""
    for path in reversed(files(folder)):
        if content := storage.read(path):
            settings = json.loads(content[1].get("settings", "{}"))
            return Header(int(path.stem), _fingerprint_of(content[1]) or "", settings)
    return None


def files(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first."""
    return sorted(path for path in folder.glob("*.safetensors") if path.stem.isdecimal())


def _fingerprint_of(metadata: dict[str, str]) -> str | None:
    return metadata.get("fingerprint", metadata.get("job"))  # "job": what version 0.1 wrote


def _flatten(tree: Any, name: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return what JSON can hold of a state; its tensors go into `tensors`.

    Keys keep their type, which JSON's do not.
    """
    if isinstance(tree, Tensor):
        tensors[name] = tree.detach().cpu().contiguous()
        return {"tensor": name}
    if isinstance(tree, dict):
        return {"dict": [[key, _flatten(value, f"{name}.{key}", tensors)] for key, value in tree.items()]}
    if isinstance(tree, (list, tuple)):
        return {"list": [_flatten(value, f"{name}.{i}", tensors) for i, value in enumerate(tree)]}
    return {"value": tree}


def _unflatten(structure: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    """Return the state that `_flatten` took apart."""
    ((kind, content),) = structure.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _unflatten(value, tensors) for key, value in content}
    if kind == "list":
        return [_unflatten(value, tensors) for value in content]
    return content
