"""Files that are whole or not there, and a cache on disk of what can be computed again: one safetensors file
for each input and its settings, with a checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDERS = ("latents", "embeddings", "image_stats")  # of the files in the cache, each called by a hash
_MOST_HEADER = 10**6  # bytes
_NUMBER = r"-?\d[\d.e+-]*"
_NUMBERS = re.compile(rf"\[\n *({_NUMBER}(?:,\n *{_NUMBER})*)\n *\]")  # in JSON with an item a line
_CACHED = re.compile(rf"({'|'.join(FOLDERS)})/([0-9a-f]{{64}}\.safetensors|\.[0-9a-f]{{32}}\.part)")


def cache_dir() -> Path:
    """Return the folder of the cache: LESSONS_CACHE where that is set, which may hold files of others."""
    if own := os.environ.get("LESSONS_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lora-lessons"


def cached_file(name: str) -> Path | None:
    """Return the file of the cache with a name such as "latents/01...ef.safetensors", or what a process that
    was killed left of one; None where there is none, or the name has another form.

    Raises OSError for a file outside the cache that a link in it leads to.
    """
    path = cache_dir() / name
    if not _CACHED.fullmatch(name) or not path.is_file():
        return None
    if path.resolve() != cache_dir().resolve() / name:
        raise OSError(f"{path} is {path.resolve()} by a link; remove that file and the link yourself")
    return path


def is_written_here(path: Path) -> bool:
    """Return whether `write` made a file, by its header; its tensors are not read."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), _MOST_HEADER)))
        return "sha256" in header["__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield where to write a file, beside `path`, which it replaces in the end: a reader finds the old
    content or the new, never a part. Where writing is stopped or fails nothing is left of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file by `atomic`."""
    with atomic(path) as partial:
        partial.write_bytes(data)


def to_json(value: Any) -> bytes:
    """Return a value as JSON that people can read too: indented, a list of numbers on one line; in UTF-8,
    with a line break at the end.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return (_NUMBERS.sub(lambda match: f"[{' '.join(match[1].split())}]", text) + "\n").encode()


def write_json(path: Path, value: Any) -> None:
    """Write a value as `to_json` has it, by `atomic`."""
    write_bytes(path, to_json(value))


def path_for(folder: Path, digest: str, settings: Mapping[str, Any]) -> Path:
    """Return the file for an input, by its hash, and the settings; a change of either gives another file."""
    key = json.dumps([digest, dict(settings)], sort_keys=True)
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()}.safetensors"


def write(path: Path, tensors: Any, metadata: Mapping[str, str], save: Callable[..., bytes]) -> None:
    """Write a safetensors file with its own checksum atomically.

    `save`: safetensors.torch's or .numpy's.
    Raises OSError that names the folder when it cannot be written.
    """
    data = save(tensors, {**metadata, "sha256": _checksum(_tensor_bytes(save(tensors)), metadata)})
    try:
        with atomic(path) as partial:
            partial.touch(0o600)
            partial.write_bytes(data)
    except OSError as problem:
        raise OSError(
            f"cannot write to {path.parent} ({problem.strerror}); free some space, or set LESSONS_CACHE to "
            "another folder"
        ) from problem


def read(path: Path) -> tuple[bytes, dict[str, str]] | None:
    """Return a file's bytes, for safetensors' load(), and its metadata.

    None when it is not there or is damaged.
    """
    try:
        data = path.read_bytes()
        metadata = json.loads(data[8 : len(data) - len(_tensor_bytes(data))])["__metadata__"]
        is_whole = metadata.pop("sha256") == _checksum(_tensor_bytes(data), metadata)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return (data, metadata) if is_whole else None


def _checksum(tensors: bytes, metadata: Mapping[str, str]) -> str:
    """Return a hash of all that a file holds."""
    return hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode() + tensors).hexdigest()


def _tensor_bytes(data: bytes) -> bytes:
    """Return the tensors of a safetensors file: what follows 8 bytes of length and the header."""
    return data[8 + int.from_bytes(data[:8], "little") :]
