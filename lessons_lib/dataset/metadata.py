"""Metadata of pictures: table rows by the file that they describe, and caption files."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from lessons_lib.dataset.archives import Reader
from lessons_lib.dataset.messages import PictureError, name_list, printable
from lessons_lib.dataset.tables import Row, Table, decode_text, read_table, split_captions, table_kind

_CAPTION_SUFFIXES = (".txt", ".caption", ".json")  # kohya, ai-toolkit, OneTrainer; downloaders
SHARED_CAPTION = "ROOT.txt"  # of every picture in its folder that has none of its own
_LOOKS_LIKE_CAPTIONS = {
    ".txt", ".caption", ".captions", ".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".ods", ".rtf",
    ".yaml", ".yml",
}  # fmt: skip
_OTHER_TEXTS = re.compile(
    r"(readme|licen[cs]e|copying|notice|credits|requirements|settings|log|classes|museum|dataset_info)\b.*"
)
CaptionFile = tuple[Path, Reader]


class FileNames:
    """The names of some files, found also in another Unicode form, in other case, or without their suffix."""

    def __init__(self, names: Iterable[str]):
        every = list(names)[::-1]
        self._exact = {unicodedata.normalize("NFC", name): name for name in every}
        self._any_case = {name.casefold(): file for name, file in self._exact.items()}
        self._stems: dict[str, list[str]] = {}
        for name in self._any_case:
            if PurePosixPath(name).suffix not in _LOOKS_LIKE_CAPTIONS:
                self._stems.setdefault(str(PurePosixPath(name).with_suffix("")), []).append(name)

    def find(self, name: str) -> str | None:
        """Return the file of this name, or else the one that differs in case only."""
        spelling = unicodedata.normalize("NFC", name)
        return self._exact.get(spelling) or self._any_case.get(spelling.casefold())

    def find_stem(self, name: str) -> str | None:
        """Return the one file whose name without its suffix this is."""
        names = self._stems.get(unicodedata.normalize("NFC", name).casefold(), [])
        return self._any_case[names[0]] if len(names) == 1 else None


def read_tables(
    files: Mapping[str, Reader], names: FileNames, root: Path
) -> tuple[dict[str, Row], set[PurePosixPath], list[Table]]:
    """Return the rows of all tables by the file they are about, the folders whose pictures a table lists, and
    the tables with their problems and notes.

    Rows without their file become a problem of their table. If two rows name one file the first is used;
    tables that list pictures are read before tables that only hold captions.
    """
    rows: dict[str, Row] = {}
    listing_folders: set[PurePosixPath] = set()
    tables = list[Table]()
    for name in sorted(filter(table_kind, files), key=lambda n: (table_kind(n) != "list", n)):
        table = read_table(root / name, files[name])
        tables.append(table)
        folder, is_list = PurePosixPath(name).parent, table_kind(name) == "list"
        if table.rows and is_list:
            listing_folders.add(folder)
        for file, row in _match_rows(table, folder, names, is_list).items():
            if file in rows and not rows[file].captions:
                rows[file].captions = row.captions
            rows.setdefault(file, row)
    return rows, listing_folders, tables


def _match_rows(table: Table, folder: PurePosixPath, names: FileNames, is_list: bool) -> dict[str, Row]:
    """Return a table's rows by the file they are about.

    Other rows are problems of the table, or a note where it only captions.
    """
    rows: dict[str, Row] = {}
    outside, missing, twice = list[str](), list[str](), list[str]()
    for row in table.rows:
        leads_out, path = _place_of(row.file_name, folder, names)
        file_name = PurePosixPath(path).name if leads_out and not is_list else path
        name = os.path.normpath(folder / file_name).replace("\\", "/")
        file = names.find(str(folder / file_name)) or names.find(name) or names.find_stem(name)
        if leads_out and is_list:
            outside.append(row.file_name)
        elif file is None:
            missing.append(row.file_name)
        else:
            first = rows.setdefault(file, row)
            twice += [row.file_name] if set(row.captions) - set(first.captions) else []
            first.captions += [text for text in row.captions if text not in first.captions]
    texts = []
    if outside:
        lies = "lies" if len(outside) == 1 else "lie"
        texts.append(
            f"{name_list(outside)} {lies} outside the folder; expected files inside it. Move the picture in"
        )
    if missing:
        rest = "which is not there" if len(missing) == 1 else f"{len(missing)} files that are not there"
        texts.append(f"names {name_list(missing)}, {rest}. Add the file or take out its row")
    table.note(twice, "on a picture that has another row: of its captions one at random at each step")
    for text in texts:
        if is_list:
            table.problem(text)
        else:
            table.notes.append(f"{printable(table.path)}: {text}")
    return rows


def _place_of(file_name: str, folder: PurePosixPath, names: FileNames) -> tuple[bool, str]:
    """Return whether a name in a table leads out of its folder, and the name with forward slashes.

    A name that is there as it is, backslash or colon included, stays as it is.
    """
    is_there = names.find(str(folder / file_name)) is not None
    path = file_name if is_there else file_name.replace("\\", "/")
    has_drive = not is_there and re.match(r"[A-Za-z]:", path) is not None
    return has_drive or ".." in PurePosixPath(path).parts or path.startswith("/"), path


def _caption_file_names(name: str) -> list[str]:
    """Return what the caption file of a picture may be called: a.txt, a.caption, a.json, a.jpg.txt,
    ROOT.txt.
    """
    path = PurePosixPath(name)
    own = [str(path.with_suffix(suffix)) for suffix in _CAPTION_SUFFIXES]
    return [
        *own,
        *(f"{name}{suffix}" for suffix in _CAPTION_SUFFIXES),
        str(path.with_name(SHARED_CAPTION)),
    ]


def find_caption_files(
    name: str, files: Mapping[str, Reader], names: FileNames, root: Path
) -> list[CaptionFile]:
    """Return the caption files beside a picture and how to read them.

    The first that holds a caption is its caption.
    """
    present = dict.fromkeys(file for text in _caption_file_names(name) if (file := names.find(text)))
    return [(root / file, files[file]) for file in present if file != name]


def read_captions(caption_file: CaptionFile) -> list[str]:
    """Return the captions in a file, a line each; of JSON what is called caption, text or prompt.

    Raises PictureError when it is no text.
    """
    path, read = caption_file
    is_json = path.suffix.lower() == ".json"
    try:
        text = decode_text(read(), path)
    except ValueError as problem:
        if isinstance(problem, PictureError):
            raise
        raise PictureError(
            f"{printable(path)}: is not UTF-8 text; expected a caption in UTF-8. Save it again as UTF-8"
        ) from None
    if not is_json:
        return split_captions(text)
    try:
        return split_captions(json.loads(text))
    except (ValueError, RecursionError):
        return []


def find_lookalikes(names: Iterable[str], used: set[str]) -> list[str]:
    """Return the files that look like captions and are not read: a_old.txt where no picture is called
    a_old.
    """
    paths = [PurePosixPath(name) for name in sorted(names) if name not in used and not table_kind(name)]
    return [
        path.name
        for path in paths
        if path.suffix.lower() in _LOOKS_LIKE_CAPTIONS and not _OTHER_TEXTS.fullmatch(path.name.lower())
    ]
