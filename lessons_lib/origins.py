"""Which cached files came from which folder of pictures, so that they can be removed with it.

The cache is keyed by content, and so knows no folders. Beside it lie lists, each of a folder and what was
cached of it. A list is written once and called by the hashes of its folder and of its content, so that two
trainings lose nothing of each other's, and a file that is no list of this course is never taken for one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from lessons_lib import storage

_LISTS = "folders"


def record(files: Iterable[tuple[Path, Path]]) -> list[str]:
    """Note for each pair of a picture's path and a cached file that the one came from the other.

    Files outside the cache are left out. A list that cannot be written stops nothing: what that means is
    returned, a line a folder.
    """
    cache, by_folder = storage.cache_dir().absolute(), defaultdict[Path, set[str]](set)
    failures = []
    for picture, file in files:
        if file.absolute().is_relative_to(cache):
            name = file.absolute().relative_to(cache).as_posix()
            by_folder[_absolute(picture).parent].add(name)
    for folder, names in by_folder.items():
        recorded = {name for path in _lists().glob(f"{_digest(folder)}*") for name in _read(path)[1]}
        if not names <= recorded:
            data = json.dumps({"folder": str(folder), "files": sorted(names - recorded)}).encode()
            try:
                storage.write_bytes(_lists() / _name(folder, data), data)
            except OSError as problem:
                failures.append(
                    f"lessons forget will not know what was cached from {str(folder)!r} ({problem}); "
                    "lessons forget --all removes it"
                )
    return failures


def forget(folder: Path) -> tuple[int, int]:
    """Remove all cached files that came from a folder or a zip, also where it is gone by now.

    Return how many were removed and their bytes. Nothing outside the cache is removed, whatever a list says.
    Raises OSError when one cannot be removed.
    """
    outer = _absolute(folder)
    return _forget(lambda inner: inner.is_relative_to(outer))


def forget_all() -> tuple[int, int]:
    """Remove every file that this course wrote into the cache, and its folders there where they are empty.

    Return how many were removed, and how many others lie in those folders and stay. OSError as `forget`.
    """
    cache, (count, _) = storage.cache_dir(), _forget(lambda _: True)
    left = 0
    for path in (path for name in storage.FOLDERS for path in (cache / name).glob("*")):
        file = storage.cached_file(path.relative_to(cache).as_posix())
        if file and storage.is_written_here(file):
            file.unlink()
            count += 1
        else:
            left += 1
    for name in (*storage.FOLDERS, _LISTS):
        with suppress(OSError):  # it is not there, or not empty
            (cache / name).rmdir()
    return count, left


def _forget(is_meant: Callable[[Path], bool]) -> tuple[int, int]:
    """Remove the cached files of the folders that are meant, and then their lists."""
    count = size = 0
    for path in sorted(_lists().glob("*")):
        folder, names = _read(path)
        if folder is None or not is_meant(folder):
            continue
        for file in filter(None, map(storage.cached_file, names)):
            count, size = count + 1, size + file.stat().st_size
            file.unlink()
        path.unlink()
    return count, size


def _read(path: Path) -> tuple[Path | None, list[str]]:
    """Return the folder of a list and the names of the cached files in it; no folder where a file is no list
    that this course wrote, or is damaged.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".txt":
            return _read_earlier(path.stem, data)
        values = json.loads(data)
        folder, names = Path(values["folder"]), [str(name) for name in values["files"]]
        return (folder, names) if path.name == _name(folder, data) else (None, [])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None, []


def _read_earlier(digest: str, data: bytes) -> tuple[Path | None, list[str]]:
    """Return what `_read` does for a list of version 0.3: the folder, which may hold line breaks itself, and
    a name a line.
    """
    lines = data.decode("utf-8", "surrogateescape").split("\n")[:-1]
    for count in range(1, len(lines) + 1):
        folder = Path("\n".join(lines[:count]))
        if _digest(folder) == digest:
            return folder, lines[count:]
    return None, []


def _lists() -> Path:
    return storage.cache_dir() / _LISTS


def _name(folder: Path, data: bytes) -> str:
    return f"{_digest(folder)}-{hashlib.sha256(data).hexdigest()[:16]}.json"


def _digest(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
