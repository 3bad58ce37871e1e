"""The whole state of a training on disk, so that a run that was killed resumes exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from lessons_lib import storage


def write(folder: Path, step: int, fingerprint: str, state: dict[str, Any]) -> Path:
    """Write a state as NNNNNN.safetensors, atomically and with its checksum,
    then remove the older ones.

    `state` may nest dicts, lists, tensors, numbers and texts; tuples come back as lists.
    `fingerprint` is the run's. Raises OSError when there is no room; the older state is then still there.
    """
    tensors: dict[str, Tensor] = {}
    structure = _flatten(state, "state", tensors)
    path = folder / f"{step:06d}.safetensors"
    try:
        storage.write(path, tensors, {"fingerprint": fingerprint, "state": json.dumps(structure)}, save)
    except OSError as problem:
        reason = getattr(problem.__cause__, "strerror", None) or problem
        raise OSError(
            f"the checkpoint of step {step} cannot be written to {folder} ({reason}); free some space and "
            "run the same again: it goes on from the last checkpoint"
        ) from problem
    for older in files(folder):
        if older != path:
            older.unlink()
    return path


def latest(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """Return the newest valid state of the run with this fingerprint, or None.

    Damaged files and other runs' are skipped.
    """
    for path in reversed(files(folder)):
        content = storage.read(path)
        if content and _fingerprint_of(content[1]) == fingerprint:
            state: dict[str, Any] = _unflatten(json.loads(content[1]["state"]), load(content[0]))
            return state
    return None


def files(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first."""
    return sorted(folder.glob("*.safetensors"))


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
