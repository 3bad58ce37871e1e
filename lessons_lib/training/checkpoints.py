"""The whole state of a training on disk, so that a run that was killed goes on as if nothing had happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from lessons_lib import storage


def write(folder: Path, step: int, job: str, state: dict[str, Any]) -> Path:
    """Write a state as NNNNNN.safetensors, whole or not at all and with its checksum, then remove the older ones.

    `state` may nest dicts, lists, tensors, numbers and texts; tuples come back as lists. `job` says what it belongs to.
    Raises OSError when there is no room; the older state is then still there.
    """
    tensors: dict[str, Tensor] = {}
    shape = taken_apart(state, "state", tensors)
    path = folder / f"{step:06d}.safetensors"
    try:
        storage.write(path, tensors, {"job": job, "state": json.dumps(shape)}, save)
    except OSError as problem:
        reason = getattr(problem.__cause__, "strerror", None) or problem
        raise OSError(
            f"step {step} cannot be kept in {folder} ({reason}); free some space and run the same again: "
            "it goes on from the last step that was kept"
        ) from problem
    for older in files(folder):
        if older != path:
            older.unlink()
    return path


def latest(folder: Path, job: str) -> dict[str, Any] | None:
    """Return the newest whole state of this job, or None. A damaged file and another job's are passed over."""
    for path in reversed(files(folder)):
        found = storage.read(path)
        if found and found[1]["job"] == job:
            state: dict[str, Any] = put_together(json.loads(found[1]["state"]), load(found[0]))
            return state
    return None


def files(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first."""
    return sorted(folder.glob("*.safetensors"))


def taken_apart(tree: Any, name: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return what JSON can hold of a state; its tensors go into `tensors`. Keys keep their kind, which JSON's do not."""
    if isinstance(tree, Tensor):
        tensors[name] = tree.detach().cpu().contiguous()
        return {"tensor": name}
    if isinstance(tree, dict):
        return {"dict": [[key, taken_apart(value, f"{name}.{key}", tensors)] for key, value in tree.items()]}
    if isinstance(tree, (list, tuple)):
        return {"list": [taken_apart(value, f"{name}.{i}", tensors) for i, value in enumerate(tree)]}
    return {"value": tree}


def put_together(shape: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    """Return the state that `taken_apart` took apart."""
    ((kind, inside),) = shape.items()
    if kind == "tensor":
        return tensors[inside]
    if kind == "dict":
        return {key: put_together(value, tensors) for key, value in inside}
    if kind == "list":
        return [put_together(value, tensors) for value in inside]
    return inside
