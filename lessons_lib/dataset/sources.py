"""Where pictures come from: a folder, some files, a zip, an upload.

Nothing is decoded here and nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from lessons_lib.dataset import archives, layouts, repeats
from lessons_lib.dataset.archives import Problem, Reader
from lessons_lib.dataset.decode import HEIF_SUFFIXES, INSTALL_HEIF, read_bytes, reads_heif
from lessons_lib.dataset.messages import PictureError, left_out, name_list, printable
from lessons_lib.dataset.metadata import (
    CaptionFile,
    FileNames,
    find_caption_files,
    find_lookalikes,
    read_tables,
)
from lessons_lib.dataset.tables import Row, read_table, table_kind

SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff",
    ".avif",
}  # fmt: skip
_UNREADABLE = {
    ".jxl", ".jp2", ".psd", ".svg", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".tga",
    ".pdf", ".eps",
    *HEIF_SUFFIXES,
}  # fmt: skip
Source = str | Path | Sequence[str | Path] | Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ListedFile:
    """A picture file of a source: how to read it, its row of a table, files that may caption it, its mask."""

    path: Path
    read: Reader
    row: Row = field(default_factory=lambda: Row(""))
    caption_files: list[CaptionFile] = field(default_factory=list)
    mask: tuple[Path, Reader] | None = None


@dataclass
class Listing:
    """The picture files of a source; `problems` name a file each, `notes` say what was skipped on
    purpose.

    `lookalikes` are files that look like captions and belong to no picture.
    """

    files: list[ListedFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lookalikes: list[str] = field(default_factory=list)


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
    links, hidden = list[str](), list[str]()

    def on_error(problem: OSError) -> None:
        notes.append(
            f"{printable(problem.filename)}: cannot be opened ({problem.strerror}). Check its permissions"
        )

    for parent, folders, names in os.walk(root, onerror=on_error):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        links += [name for name in folders if os.path.islink(os.path.join(parent, name))]
        hidden += [name for name in names if _is_hidden_picture(name)]
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
    _note_hidden(hidden, notes)
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
    rows: dict[Path, Row] = {}
    for folder in dict.fromkeys(parent for path in files for parent in path.resolve().parents[:2]):
        for table in (folder / name for name in _siblings(folder) if table_kind(name)):
            read = read_table(table, partial(read_bytes, table))
            listing.problems += read.problems
            rows |= {Path(os.path.normpath(folder / row.file_name)): row for row in read.rows}
    beside = {folder: _siblings(folder) for folder in dict.fromkeys(path.parent for path in files)}
    names = {folder: FileNames(readers) for folder, readers in beside.items()}
    for path in files:
        if path.is_file():
            folder = path.parent
            texts = find_caption_files(path.name, beside[folder], names[folder], folder)
            row = rows.get(path.resolve(), Row(""))
            listing.files.append(ListedFile(path, partial(read_bytes, path), row, texts))
        else:
            message = f"{printable(path)}: no such file; expected the path of a picture. Check its spelling"
            listing.problems.append((path, message))


def _siblings(folder: Path) -> dict[str, Reader]:
    """Return the names of the files in a folder and how to read them; none where it cannot be opened."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file())
    except OSError:
        return {}
    return {name: partial(read_bytes, folder / name) for name in names}


def _add_pictures(files: Mapping[str, Reader], root: Path, listing: Listing) -> None:
    """Add the pictures among some files, by their tables where there are any, without masks and class
    pictures.
    """
    _note_hidden([name for name in files if _is_hidden_picture(name)], listing.notes)
    from_course = layouts.course_files(files) | set(layouts.trainer_output(files))
    files = {name: read for name, read in files.items() if not _is_hidden(name) and name not in from_course}
    names = FileNames(files)
    rows, folders_with_table, tables = read_tables(files, names, root)
    listing.problems += [problem for table in tables for problem in table.problems]
    listing.notes += [note for table in tables for note in table.notes]
    is_picture = {name for name in files if file_suffix(name) in SUFFIXES or _is_heif(name)}
    candidates = sorted(is_picture | rows.keys(), key=PurePosixPath)
    prior = layouts.regularisation(candidates)
    masks = [
        name for name in layouts.masks([n for n in candidates if n not in set(prior)]) if name not in rows
    ]
    passed_over = {*prior, *masks}
    others = [name for name in candidates if name not in rows and name not in passed_over]
    without_row = dict.fromkeys(n for n in others if folders_with_table & set(PurePosixPath(n).parents))
    in_list = [name for name in rows if name not in passed_over]
    if not folders_with_table:  # tables that only caption keep the order of names
        in_list, others = [], [name for name in candidates if name not in passed_over]
    pictures = [*in_list, *(name for name in others if name not in without_row)]
    splits, pairs = layouts.splits_by_folder(pictures), layouts.pair_masks(masks, pictures)
    used: set[str] = set()
    for name in pictures:
        row = rows.get(name, Row(name))
        if splits and "split" not in row.more:
            row.more["split"] = splits[name]
        if not row.more.get("repeats") and (number := repeats.in_path(name)):
            row.more["repeats"] = number
        texts = find_caption_files(name, files, names, root)
        mask = (root / pairs[name], files[pairs[name]]) if name in pairs else None
        used |= {path.relative_to(root).as_posix() for path, _ in texts}
        listing.files.append(ListedFile(root / name, files[name], row, texts, mask))
    listing.lookalikes = find_lookalikes(files, used)
    listing.notes += layouts.layout_notes(masks, pairs, prior, root)
    listing.notes += repeats.note([listed.row.more.get("repeats", "") for listed in listing.files])
    _note_left_out(files, list(without_row), from_course, listing)


def _note_left_out(
    files: Mapping[str, Reader], without_row: list[str], from_course: set[str], listing: Listing
) -> None:
    """Add a line on each kind of file that is not read, with how many there are and why."""
    if without_row:
        reason = "not in the table beside them. Add a row for each"
        listing.notes.append(left_out(without_row, "picture", reason))
    phone = [name for name in sorted(files) if file_suffix(name) in HEIF_SUFFIXES and not reads_heif()]
    if phone:
        reason = f"HEIC, a phone's own format. {INSTALL_HEIF}, or export them as JPEG"
        listing.notes.append(left_out(phone, "file", reason))
    unreadable = [
        n for n in sorted(files) if file_suffix(n) in _UNREADABLE and file_suffix(n) not in HEIF_SUFFIXES
    ]
    if unreadable:
        reason = "in formats that are not read here. Export them as JPEG"
        listing.notes.append(left_out(unreadable, "file", reason))
    made_here = sorted(name for name in from_course if file_suffix(name) in SUFFIXES)
    if made_here:
        listing.notes.append(left_out(made_here, "picture", "runs and samples that training itself made"))


def _is_heif(name: str) -> bool:
    """Return whether this is a phone's picture, and the decoder for it is installed."""
    return file_suffix(name) in HEIF_SUFFIXES and reads_heif()


def file_suffix(name: str) -> str:
    """Return how a name ends, in lowercase letters."""
    return PurePosixPath(name).suffix.lower()


def _is_hidden_picture(name: str) -> bool:
    """Return whether a hidden file may be meant as a picture; macOS writes a ._a.jpg beside each."""
    *folders, own = name.split("/")
    is_hidden = own.startswith(".") and not own.startswith("._") and not _is_hidden("/".join(folders))
    return is_hidden and (file_suffix(own) or own.lower()) in SUFFIXES


def _note_hidden(names: list[str], notes: list[str]) -> None:
    if names:
        notes.append(left_out(sorted(names), "picture", "hidden, as the name begins with a dot. Rename it"))


def _is_hidden(name: str) -> bool:
    """Return whether a file is one that computers keep for themselves."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
