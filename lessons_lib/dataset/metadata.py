"""Tables and caption files that lie beside pictures: rows of a metadata.csv or .jsonl, and NAME.txt."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from lessons_lib.dataset.archives import Problem, Reader
from lessons_lib.dataset.messages import PictureError, one_line, printable

TABLES = ("metadata.csv", "metadata.jsonl")  # Hugging Face's imagefolder
CAPTION_SUFFIXES = (".txt", ".caption")  # kohya, ai-toolkit


def read_tables(
    files: Mapping[str, Reader], spellings: Mapping[str, str], root: Path, problems: list[Problem]
) -> dict[str, dict[str, str]]:
    """Return the rows of all tables by the file they are about; a row without its file becomes a problem."""
    rows: dict[str, dict[str, str]] = {}
    for table in sorted(n for n in files if PurePosixPath(n).name in TABLES):
        path, folder = root / table, PurePosixPath(table).parent
        for row in read_table(path, files[table], problems):
            file_name = row["file_name"]
            name = spellings.get(
                unicodedata.normalize("NFC", os.path.normpath(folder / file_name)).replace("\\", "/")
            )
            if ".." in PurePosixPath(file_name).parts or file_name.startswith("/"):
                message = (
                    f"{printable(file_name)} lies outside the folder; expected files inside it. Move the "
                    "picture in"
                )
                problems.append((path, f"{printable(path)}: {message}"))
            elif name is None:
                message = (
                    f"names {printable(file_name)}, which is not there. Add the file or take out its row"
                )
                problems.append((path, f"{printable(path)}: {message}"))
            else:
                rows.setdefault(name, row)
    return rows


def read_table(path: Path, read: Reader, problems: list[Problem]) -> list[dict[str, str]]:
    """Return the rows of a metadata.csv or .jsonl that name a file.

    What is wrong with the table becomes a problem.
    """
    try:
        text = read().decode("utf-8-sig")
        lines = (json.loads(line) for line in text.split("\n") if line.strip())
        table = list(lines if path.suffix == ".jsonl" else csv.DictReader(io.StringIO(text, newline="")))
        rows = [
            {k: str(v or "") if k == "file_name" else _one_line_text(v) for k, v in row.items() if k}
            for row in table
        ]
    except PictureError as problem:
        problems.append((path, str(problem)))
        return []
    except (ValueError, csv.Error, AttributeError, RecursionError) as problem:
        kind = "a JSON object a line" if path.suffix == ".jsonl" else "a CSV file"
        message = f"cannot be read ({one_line(problem)}); expected {kind} in UTF-8. Save it again"
        problems.append((path, f"{printable(path)}: {message}"))
        return []
    without_name = sum(not row.get("file_name") for row in rows)
    if without_name:
        message = (
            f"{without_name} of {len(rows)} rows without file_name; expected that column, filled in for "
            "every picture"
        )
        problems.append((path, f"{printable(path)}: {message}"))
    return [row for row in rows if row.get("file_name")]


def _one_line_text(value: object) -> str:
    """Return a value of a table in one line.

    Half characters, which no file can hold, become question marks.
    """
    return " ".join(str(value or "").split()).encode("utf-8", "replace").decode()


def find_caption_file(
    name: str, files: Mapping[str, Reader], spellings: Mapping[str, str], root: Path
) -> tuple[Path, Reader] | None:
    """Return the text file beside a picture and how to read it."""
    for suffix in CAPTION_SUFFIXES:
        text_file = spellings.get(unicodedata.normalize("NFC", str(PurePosixPath(name).with_suffix(suffix))))
        if text_file:
            return root / text_file, files[text_file]
    return None


def read_caption(caption_file: tuple[Path, Reader]) -> str | None:
    """Return the text of a caption file in one line, or None where it is empty.

    Raises PictureError when it is not UTF-8.
    """
    path, read = caption_file
    try:
        return " ".join(read().decode("utf-8-sig").split()) or None
    except UnicodeDecodeError:
        raise PictureError(
            f"{printable(path)}: is not UTF-8 text; expected a caption in UTF-8. Save it again as UTF-8"
        ) from None
