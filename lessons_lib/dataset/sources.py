"""Where pictures come from: a folder, some files, a zip, an upload.

Nothing is decoded here and nothing is written.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from lessons_lib.dataset import archives
from lessons_lib.dataset.archives import Problem, Reader
from lessons_lib.dataset.decode import read_bytes
from lessons_lib.dataset.messages import PictureError, name_list, printable
from lessons_lib.dataset.metadata import (
    CAPTION_SUFFIXES,
    TABLES,
    find_caption_file,
    read_table,
    read_tables,
)

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
_UNREADABLE = {".heic", ".heif", ".jxl", ".jp2", ".psd", ".svg", ".dng", ".cr2", ".nef", ".arw", ".tga"}
_SPLITS = {
    "train": "train", "training": "train", "held_out": "held_out", "test": "test", "testing": "test",
    "eval": "test", "validation": "validation", "valid": "validation", "val": "validation",
    "dev": "validation",
}  # fmt: skip
Source = str | Path | Sequence[str | Path] | Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ListedFile:
    """A picture file of a source: how to read it, its row of a table,
    and the text file that is its caption.
    """

    path: Path
    read: Reader
    row: dict[str, str] = field(default_factory=dict)
    caption_file: tuple[Path, Reader] | None = None


@dataclass
class Listing:
    """The picture files of a source.

    `problems` name a file each, `notes` say what was skipped on purpose.
    """

    files: list[ListedFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def list_files(source: Source) -> Listing:
    """Return what a folder, a zip, a list of files or an upload holds, sorted by name,
    a table's files in its order.

    An upload is the value of ipywidgets' FileUpload (7 or 8) or of google.colab.files.upload().
    Raises PictureError when the source is not there, or holds no pictures and nothing that went wrong.
    """
    listing = Listing()
    if isinstance(source, (str, Path)):
        root = Path(source)
        _add_pictures(_files_on_disk(root, listing), root, listing)
    elif isinstance(source, Mapping) or any(isinstance(part, Mapping) for part in source):
        root = Path("upload")
        _add_pictures(_uploaded_files(_upload_contents(source), listing), root, listing)
    else:
        root = Path("list")
        _add_listed([Path(str(part)) for part in source], listing)
    if not listing.files and not listing.problems:
        raise PictureError(
            f"{printable(root)}: holds no pictures; expected files that end in {', '.join(sorted(SUFFIXES))}"
            + "".join(f". {note}" for note in listing.notes)
        )
    return listing


def _files_on_disk(root: Path, listing: Listing) -> dict[str, Reader]:
    """Return the files of a folder or of a zip, by name. Raises PictureError when it is neither."""
    if root.is_dir():
        return walk(root, listing.notes)
    if not root.exists():
        raise PictureError(
            f"{printable(root)}: no such folder; expected one that holds your pictures. Check its spelling"
        )
    if root.is_file():
        with root.open("rb") as file:
            if archives.is_zip(file.read(4)):
                return archives.list_members(root, root, listing.problems)
    raise PictureError(
        f"{printable(root)}: is a file; expected a folder of pictures, or a zip. Put the pictures into a "
        "folder and name that"
    )


def walk(root: Path, notes: list[str]) -> dict[str, Reader]:
    """Return the files in a folder and its subfolders by name, without hidden ones and links that lead out of
    it.

    `notes` receives a line on folders that cannot be opened, and one on the links.
    """
    home = os.path.realpath(root)
    files: dict[str, Reader] = {}
    links: list[str] = []

    def on_error(problem: OSError) -> None:
        notes.append(
            f"{printable(problem.filename)}: cannot be opened ({problem.strerror}). Check its permissions"
        )

    for parent, folders, names in os.walk(root, onerror=on_error):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        links += [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for path in (Path(parent, name) for name in names if not _is_hidden(name)):
            inside = Path(os.path.realpath(path)).is_relative_to(home)
            if not inside:
                links.append(path.name)
            elif path.is_file():  # no pipe or device, which could be waited for without end
                files[path.relative_to(root).as_posix()] = partial(read_bytes, path)
    if links:
        notes.append(
            f"{name_list(sorted(links))}: links that lead elsewhere are not followed. Copy the files in"
        )
    return files


def _upload_contents(upload: Any) -> dict[str, bytes]:
    """Return name and bytes of each uploaded file: Colab's and ipywidgets 7's are mappings,
    ipywidgets 8's a sequence.
    """
    if isinstance(upload, Mapping):
        pairs = [
            (name, value["content"] if isinstance(value, Mapping) else value)
            for name, value in upload.items()
        ]
    else:
        pairs = [(part["name"], part["content"]) for part in upload]
    return {str(name): bytes(data) for name, data in pairs}


def _uploaded_files(upload: Mapping[str, bytes], listing: Listing) -> dict[str, Reader]:
    """Return the uploaded files by name, the members of an uploaded zip among them."""
    files: dict[str, Reader] = {}
    for name, data in upload.items():
        safe_name = PurePosixPath(name.replace("\\", "/")).name or "unnamed"
        if not archives.is_zip(data):
            files[archives.unused_name(safe_name, files)] = partial(bytes, data)
            continue
        try:
            prefix = f"{safe_name}/" if len(upload) > 1 else ""
            files |= archives.list_members(data, Path(safe_name), listing.problems, prefix)
        except PictureError as problem:
            listing.problems.append((Path(safe_name), str(problem)))
    return files


def _add_listed(files: list[Path], listing: Listing) -> None:
    """Add the files with their rows of a table in their own folder or in the one above.

    Raises PictureError for none.
    """
    if not files:
        raise PictureError("the list of pictures is empty; expected at least one path")
    rows: dict[Path, dict[str, str]] = {}
    for table in dict.fromkeys(
        parent / name for path in files for parent in path.resolve().parents[:2] for name in TABLES
    ):
        if table.is_file():
            table_rows = read_table(table, partial(read_bytes, table), listing.problems)
            rows |= {Path(os.path.normpath(table.parent / row["file_name"])): row for row in table_rows}
    for path in files:
        if path.is_file():
            beside = [path.with_suffix(suffix) for suffix in CAPTION_SUFFIXES]
            texts = [(text, partial(read_bytes, text)) for text in beside if text.is_file()]
            row = rows.get(path.resolve(), {})
            listing.files.append(
                ListedFile(path, partial(read_bytes, path), row, texts[0] if texts else None)
            )
        else:
            message = f"{printable(path)}: no such file; expected the path of a picture. Check its spelling"
            listing.problems.append((path, message))


def _add_pictures(files: Mapping[str, Reader], root: Path, listing: Listing) -> None:
    """Add the pictures among some files, by their tables where there are any."""
    files = {name: read for name, read in files.items() if not _is_hidden(name)}
    spellings = {unicodedata.normalize("NFC", name): name for name in reversed(list(files))}
    rows = read_tables(files, spellings, root, listing.problems)
    folders_with_table = {PurePosixPath(name).parent for name in files if PurePosixPath(name).name in TABLES}
    others = sorted((n for n in files if n not in rows and file_suffix(n) in SUFFIXES), key=PurePosixPath)
    without_row = dict.fromkeys(n for n in others if folders_with_table & set(PurePosixPath(n).parents))
    names = [*rows, *(n for n in others if n not in without_row)]
    by_folder = any(_SPLITS.get(n.split("/")[0].lower()) == "train" for n in names if "/" in n)
    for name in names:
        row = rows.get(name, {})
        if by_folder and "split" not in row:
            row = row | {"split": _SPLITS.get(name.split("/")[0].lower(), "")}
        caption_file = find_caption_file(name, files, spellings, root)
        listing.files.append(ListedFile(root / name, files[name], row, caption_file))
    if without_row:
        listing.notes.append(
            f"{name_list(without_row)}: not in the table beside them, so left out. Add a row for each"
        )
    unreadable = [name for name in files if file_suffix(name) in _UNREADABLE]
    if unreadable:
        listing.notes.append(
            f"{name_list(unreadable)}: in formats that are not read here. Export them as JPEG"
        )


def file_suffix(name: str) -> str:
    """Return how a name ends, in lowercase letters."""
    return PurePosixPath(name).suffix.lower()


def _is_hidden(name: str) -> bool:
    """Return whether a file is one that computers keep for themselves."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
