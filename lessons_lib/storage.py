"""What can be made again, kept on disk: one safetensors file a picture, found by its content and its settings."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # as in pictures.py
    pass


def cache_dir() -> Path:
    """Return the folder for all of it: LESSONS_CACHE where that is set. It may be deleted at any time."""
    up = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LESSONS_CACHE") or Path(up) / "lora-lessons")


def path_for(folder: Path, digest: str, settings: Mapping[str, Any]) -> Path:
    """Return the file that stands for some content, by its hash, under some settings; a change of either names another."""
    told = json.dumps([digest, dict(settings)], sort_keys=True)
    return folder / f"{hashlib.sha256(told.encode()).hexdigest()}.safetensors"


def write(path: Path, tensors: Any, told: Mapping[str, str], save: Callable[..., bytes]) -> None:
    """Write a safetensors file with its own checksum, whole or not at all. `save`: safetensors.torch's or .numpy's.

    Raises OSError that names the folder when it cannot be written.
    """
    data = save(tensors, {**told, "sha256": checksum(body(save(tensors)), told)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=".", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(part, path)
        except BaseException:
            os.unlink(part)
            raise
    except OSError as problem:
        raise OSError(
            f"cannot write to {path.parent} ({problem.strerror}); free some space, or set LESSONS_CACHE to another folder"
        ) from problem


def read(path: Path) -> tuple[bytes, dict[str, str]] | None:
    """Return a file's bytes, for safetensors' load(), and what it was told; None when it is not there or is damaged."""
    try:
        data = path.read_bytes()
        told = json.loads(data[8 : len(data) - len(body(data))])["__metadata__"]
        whole = told.pop("sha256") == checksum(body(data), told)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return (data, told) if whole else None


def checksum(tensors: bytes, told: Mapping[str, str]) -> str:
    """Return a hash of all that a file holds."""
    return hashlib.sha256(json.dumps(dict(told), sort_keys=True).encode() + tensors).hexdigest()


def body(data: bytes) -> bytes:
    """Return the tensors of a safetensors file: what follows 8 bytes of length and the header."""
    return data[8 + int.from_bytes(data[:8], "little") :]
