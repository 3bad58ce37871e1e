"""Where pictures come from: a folder, some files, a zip, an upload. Nothing is decoded here and nothing is written."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from lessons_lib.dataset import archives
from lessons_lib.dataset.archives import Problem, Reader
from lessons_lib.dataset.decode import PictureError, contents, shown
from lessons_lib.dataset.metadata import SIDECARS, TABLES, in_tables, rows_of, sidecar

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
UNREAD = {".heic", ".heif", ".jxl", ".jp2", ".psd", ".svg", ".dng", ".cr2", ".nef", ".arw", ".tga"}
SPLITS = {
    "train": "train", "training": "train", "held_out": "held_out", "test": "test", "testing": "test", "eval": "test",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
}  # fmt: skip
Source = str | Path | Sequence[str | Path] | Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Entry:
    """A picture file that was found: how to read it, its row of a table, and the text file that is its caption."""

    path: Path
    read: Reader
    row: dict[str, str] = field(default_factory=dict)
    note: tuple[Path, Reader] | None = None


@dataclass
class Found:
    """The pictures of a source; `problems` name a file each, `notes` say what was passed over on purpose."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find(source: Source) -> Found:
    """Return what a folder, a zip, a list of files or an upload holds, sorted by name, a table's files in its order.

    An upload is the value of ipywidgets' FileUpload (7 or 8) or of google.colab.files.upload().
    Raises PictureError when the source is not there, or holds no pictures and nothing that went wrong.
    """
    found = Found()
    if isinstance(source, (str, Path)):
        root = Path(source)
        sort_out(in_place(root, found), root, found)
    elif isinstance(source, Mapping) or any(isinstance(part, Mapping) for part in source):
        root = Path("upload")
        sort_out(uploaded(contents_of(source), found), root, found)
    else:
        root = Path("list")
        in_list([Path(str(part)) for part in source], found)
    if not found.entries and not found.problems:
        raise PictureError(
            f"{shown(root)}: holds no pictures; expected files that end in {', '.join(sorted(SUFFIXES))}"
            + "".join(f". {note}" for note in found.notes)
        )
    return found


def in_place(root: Path, found: Found) -> dict[str, Reader]:
    """Return the files of a folder or of a zip, by name. Raises PictureError when it is neither."""
    if root.is_dir():
        return walk(root, found)
    if not root.exists():
        raise PictureError(
            f"{shown(root)}: no such folder; expected one that holds your pictures. Check its spelling"
        )
    if root.is_file():
        with root.open("rb") as file:
            if archives.is_zip(file.read(4)):
                return archives.members(root, root, found.problems)
    raise PictureError(
        f"{shown(root)}: is a file; expected a folder of pictures, or a zip. Put them into one and name that"
    )


def walk(root: Path, found: Found) -> dict[str, Reader]:
    """Return the files in a folder and its subfolders by name, hidden ones left out; links to folders or out are noted."""
    home = os.path.realpath(root)
    files: dict[str, Reader] = {}
    strays: list[str] = []

    def closed(problem: OSError) -> None:
        found.notes.append(
            f"{shown(problem.filename)}: cannot be opened ({problem.strerror}). Check permissions"
        )

    for up, folders, names in os.walk(root, onerror=closed):
        folders[:] = [name for name in folders if not is_hidden(name)]
        strays += [name for name in folders if os.path.islink(os.path.join(up, name))]
        for path in (Path(up, name) for name in names if not is_hidden(name)):
            inside = Path(os.path.realpath(path)).is_relative_to(home)
            if not inside:
                strays.append(path.name)
            elif path.is_file():  # no pipe or device, which could be waited for without end
                files[path.relative_to(root).as_posix()] = partial(contents, path)
    if strays:
        found.notes.append(
            f"{listed(sorted(strays))}: links that lead elsewhere are not followed. Copy the files in"
        )
    return files


def contents_of(upload: Any) -> dict[str, bytes]:
    """Return name and bytes of each uploaded file: Colab's and ipywidgets 7's are mappings, ipywidgets 8's a sequence."""
    if isinstance(upload, Mapping):
        pairs = [(name, value["content"] if isinstance(value, Mapping) else value) for name, value in upload.items()]  # fmt: skip
    else:
        pairs = [(part["name"], part["content"]) for part in upload]
    return {str(name): bytes(data) for name, data in pairs}


def uploaded(upload: Mapping[str, bytes], found: Found) -> dict[str, Reader]:
    """Return the uploaded files by name, the members of an uploaded zip among them."""
    files: dict[str, Reader] = {}
    for name, data in upload.items():
        safe = PurePosixPath(name.replace("\\", "/")).name or "unnamed"
        if not archives.is_zip(data):
            files[archives.unused(safe, files)] = partial(bytes, data)
            continue
        try:
            prefix = f"{safe}/" if len(upload) > 1 else ""
            files |= archives.members(data, Path(safe), found.problems, prefix)
        except PictureError as problem:
            found.problems.append((Path(safe), str(problem)))
    return files


def in_list(files: list[Path], found: Found) -> None:
    """Add the files with their rows of a table in their own folder or in the one above. Raises PictureError for none."""
    if not files:
        raise PictureError("the list of pictures is empty; expected at least one path")
    rows: dict[Path, dict[str, str]] = {}
    for table in dict.fromkeys(
        up / name for path in files for up in path.resolve().parents[:2] for name in TABLES
    ):
        if table.is_file():
            read = rows_of(table, partial(contents, table), found.problems)
            rows |= {Path(os.path.normpath(table.parent / row["file_name"])): row for row in read}
    for path in files:
        if path.is_file():
            notes = [path.with_suffix(end) for end in SIDECARS if path.with_suffix(end).is_file()]
            note = (notes[0], partial(contents, notes[0])) if notes else None
            found.entries.append(Entry(path, partial(contents, path), rows.get(path.resolve(), {}), note))
        else:
            say = f"{shown(path)}: no such file; expected the path of a picture. Check its spelling"
            found.problems.append((path, say))


def sort_out(files: Mapping[str, Reader], root: Path, found: Found) -> None:
    """Add the pictures among some files, by their tables where there are any."""
    files = {name: read for name, read in files.items() if not is_hidden(name)}
    spelt = {unicodedata.normalize("NFC", name): name for name in reversed(list(files))}
    rows = in_tables(files, spelt, root, found.problems)
    told = {PurePosixPath(name).parent for name in files if PurePosixPath(name).name in TABLES}
    rest = sorted((n for n in files if n not in rows and suffix(n) in SUFFIXES), key=PurePosixPath)
    is_told = {n: bool(told & set(PurePosixPath(n).parents)) for n in rest}
    unnamed = [n for n in rest if is_told[n]]
    names = [*rows, *(n for n in rest if not is_told[n])]
    by_folder = any(SPLITS.get(n.split("/")[0].lower()) == "train" for n in names if "/" in n)
    for name in names:
        row = rows.get(name, {})
        if by_folder and "split" not in row:
            row = row | {"split": SPLITS.get(name.split("/")[0].lower(), "")}
        found.entries.append(Entry(root / name, files[name], row, sidecar(name, files, spelt, root)))
    if unnamed:
        found.notes.append(
            f"{listed(unnamed)}: not in the table beside them, so left out. Add a row for each"
        )
    unread = [name for name in files if suffix(name) in UNREAD]
    if unread:
        found.notes.append(f"{listed(unread)}: of a kind that is not read. Export them as JPEG")


def suffix(name: str) -> str:
    """Return how a name ends, in small letters."""
    return PurePosixPath(name).suffix.lower()


def is_hidden(name: str) -> bool:
    """Tell whether a file is one that computers keep for themselves."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def listed(names: Iterable[str], most: int = 4) -> str:
    """Return a few names, safe to print, and how many more there are."""
    every = [shown(name) for name in names]
    rest = len(every) - most
    return ", ".join(every[:most]) + (f" and {rest} more" if rest > 0 else "")
