"""What is told of pictures beside them: rows of a metadata.csv or .jsonl, and text files that are captions."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from lessons_lib.dataset.archives import Problem, Reader
from lessons_lib.dataset.decode import PictureError, one_line, shown

TABLES = ("metadata.csv", "metadata.jsonl")  # Hugging Face's imagefolder
SIDECARS = (".txt", ".caption")  # kohya, ai-toolkit


def in_tables(
    files: Mapping[str, Reader], spelt: Mapping[str, str], root: Path, problems: list[Problem]
) -> dict[str, dict[str, str]]:
    """Return the rows of all tables by the file they are about; rows about no file there are problems."""
    rows: dict[str, dict[str, str]] = {}
    for table in sorted(n for n in files if PurePosixPath(n).name in TABLES):
        path, folder = root / table, PurePosixPath(table).parent
        for row in rows_of(path, files[table], problems):
            given = row["file_name"]
            name = spelt.get(
                unicodedata.normalize("NFC", os.path.normpath(folder / given)).replace("\\", "/")
            )
            if ".." in PurePosixPath(given).parts or given.startswith("/"):
                say = f"{shown(given)} lies outside the folder; expected files inside it. Move the picture in"
                problems.append((path, f"{shown(path)}: {say}"))
            elif name is None:
                say = f"names {shown(given)}, which is not there. Add the file or take out its row"
                problems.append((path, f"{shown(path)}: {say}"))
            else:
                rows.setdefault(name, row)
    return rows


def rows_of(path: Path, read: Reader, problems: list[Problem]) -> list[dict[str, str]]:
    """Return the rows of a metadata.csv or .jsonl that name a file; what is wrong with the table is a problem."""
    try:
        text = read().decode("utf-8-sig")
        lines = (json.loads(line) for line in text.split("\n") if line.strip())
        table = list(lines if path.suffix == ".jsonl" else csv.DictReader(io.StringIO(text, newline="")))
        rows = [
            {k: str(v or "") if k == "file_name" else cell(v) for k, v in row.items() if k} for row in table
        ]
    except PictureError as problem:
        problems.append((path, str(problem)))
        return []
    except (ValueError, csv.Error, AttributeError, RecursionError) as problem:
        kind = "a JSON object a line" if path.suffix == ".jsonl" else "a CSV file"
        say = f"cannot be read ({one_line(problem)}); expected {kind} in UTF-8. Save it again"
        problems.append((path, f"{shown(path)}: {say}"))
        return []
    nameless = sum(not row.get("file_name") for row in rows)
    if nameless:
        say = f"{nameless} of {len(rows)} rows without file_name; expected that column, filled in for every picture"
        problems.append((path, f"{shown(path)}: {say}"))
    return [row for row in rows if row.get("file_name")]


def cell(value: object) -> str:
    """Return what a table says, in one line; half characters, which no file can hold, become question marks."""
    return " ".join(str(value or "").split()).encode("utf-8", "replace").decode()


def sidecar(
    name: str, files: Mapping[str, Reader], spelt: Mapping[str, str], root: Path
) -> tuple[Path, Reader] | None:
    """Return the text file beside a picture and how to read it."""
    for end in SIDECARS:
        note = spelt.get(unicodedata.normalize("NFC", str(PurePosixPath(name).with_suffix(end))))
        if note:
            return root / note, files[note]
    return None


def caption_in(note: tuple[Path, Reader]) -> str | None:
    """Return the text of a sidecar in one line, or None where it is empty. Raises PictureError when it is not UTF-8."""
    path, read = note
    try:
        return " ".join(read().decode("utf-8-sig").split()) or None
    except UnicodeDecodeError:
        raise PictureError(
            f"{shown(path)}: is not UTF-8 text; expected a caption in UTF-8. Save it again as UTF-8"
        ) from None
