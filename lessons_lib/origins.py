"""Which cached files came from which folder of pictures, so that they can be removed with it.

The cache is keyed by content, and so knows no folders. Beside it lies a list for each folder that was read.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from lessons_lib import storage


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
        path = _list_of(folder)
        before = set(_lines(path)[1:])
        if not names <= before:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                text = "\n".join([str(folder), *sorted(before | names)]) + "\n"
                path.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")
            except OSError as problem:
                failures.append(
                    f"lessons forget will not know what was cached from {str(folder)!r} ({problem}); "
                    "lessons forget --all removes it"
                )
    return failures


def forget(folder: Path) -> tuple[int, int]:
    """Remove all cached files that came from a folder or a zip, also where it is gone by now.

    Return how many were removed and their bytes. Raises OSError when one cannot be removed.
    """
    count = size = 0
    for path, names in _lists(_absolute(folder)):
        for file in (storage.cache_dir() / name for name in names):
            if file.is_file():
                count, size = count + 1, size + file.stat().st_size
                file.unlink()
        path.unlink()
    return count, size


def _lists(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the list of a folder and those of the folders in it, with the cached files they name."""
    for path in sorted((storage.cache_dir() / "folders").glob("*.txt")):
        first, *names = _lines(path) or [""]
        if first and Path(first).is_relative_to(folder):
            yield path, names


def _list_of(folder: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()
    return storage.cache_dir() / "folders" / f"{digest[:32]}.txt"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")[:-1]
    except OSError:
        return []


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
