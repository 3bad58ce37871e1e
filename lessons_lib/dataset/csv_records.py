"""The records of a CSV file: any delimiter, and quotation marks that are never closed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator

from lessons_lib.dataset.messages import printable

FILE_COLUMNS = ("file_name", "filename", "file", "image", "image_file", "image_name", "image_path", "img",
                "picture", "path", "file_path", "filepath")  # fmt: skip
_DELIMITERS = (",", ";", "\t", "|")
_PICTURE_NAME = re.compile(r"\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|avif|heic)\s*\"?\s*$", re.IGNORECASE)


def to_lines(text: str) -> list[str]:
    """Return the lines of a text with their ends.

    Other separators than line breaks stay in them.
    """
    return io.StringIO(text, newline="").readlines()


def sniff_delimiter(header: str) -> str:
    """Return what parts the cells of the first line: the delimiter that gives the most cells, one of them for
    file names.
    """
    cells = {
        d: [column_name(cell) for cell in next(csv.reader([header], delimiter=d), [])] for d in _DELIMITERS
    }
    fitting = [d for d in _DELIMITERS if set(FILE_COLUMNS) & set(cells[d])]
    return max(fitting, key=lambda d: len(cells[d]), default=",")


def read_records(
    lines: list[str], delimiter: str, skips_spaces: bool, on_problem: Callable[[str], None]
) -> Iterator[tuple[list[str], str]]:
    """Yield the cells of each record and its text.

    An unclosed quotation mark is a problem and loses one row. A mark counts as unclosed when its record
    contains a line that begins with a picture's file name, or runs to the end of the table.
    """
    start = 0
    while start < len(lines):
        reader = csv.reader(
            (lines[i] for i in range(start, len(lines))), delimiter=delimiter, skipinitialspace=skips_spaces
        )
        try:
            cells, failed = next(reader), False
        except csv.Error:  # a cell longer than csv reads, or a line break in a wrong place
            cells, failed = [], True
        end = start + max(1, reader.line_num)
        raw = "".join(lines[start:end])
        if '\\"' in raw and end == start + 1 and not _is_strict(raw, delimiter, skips_spaces):  # as in C
            cells = next(csv.reader([raw], delimiter=delimiter, doublequote=False, escapechar="\\"))
        if failed or _is_open(raw, delimiter, skips_spaces) or _holds_rows(lines[start + 1 : end], delimiter):
            first = lines[start].split(delimiter)[0].strip(' "\r\n')
            on_problem(
                f"row {start} ({printable(first)[:60]}): a quotation mark is not closed; expected one at "
                "the end of the cell. "
                "Add it, or take out the one that begins the cell"
            )
            cells, raw, end = [first] if start and len(first) < 256 else [], first[:255], start + 1
        if raw.strip():
            yield cells, raw.rstrip("\r\n")
        start = end


def _is_strict(raw: str, delimiter: str, skips_spaces: bool) -> bool:
    """Return whether a record keeps the rules of CSV for quotation marks."""
    try:
        list(csv.reader(to_lines(raw), delimiter=delimiter, skipinitialspace=skips_spaces, strict=True))
    except csv.Error:
        return False
    return True


def _is_open(raw: str, delimiter: str, skips_spaces: bool) -> bool:
    """Return whether a record ends within quotation marks."""
    if '"' not in raw:
        return False
    try:
        strict = csv.reader(to_lines(raw), delimiter=delimiter, skipinitialspace=skips_spaces, strict=True)
        list(strict)
    except csv.Error as problem:
        return "unexpected end" in str(problem)
    return False


def without_single_quotes(captions: list[list[str]]) -> list[list[str]]:
    """Return the captions of rows without single quotation marks; none unless every row has them."""
    if not all(len(texts[0]) > 1 and texts[0][0] == texts[0][-1] == "'" for texts in captions):
        return []
    return [[re.sub(r"^'(.*)'$", r"\1", text).replace("''", "'") for text in texts] for texts in captions]


def is_picture_name(cell: str) -> bool:
    """Return whether a cell is the name of a picture's file."""
    return bool(_PICTURE_NAME.search(cell))


def _holds_rows(lines: list[str], delimiter: str) -> bool:
    """Return whether a line within a record is a row of its own: its first cell names a picture."""
    return any(delimiter in line and is_picture_name(line.split(delimiter)[0]) for line in lines)


def column_name(name: object) -> str:
    """Return a column's name as this library spells it: lowercase letters, no spaces around it."""
    return re.sub(r"[\s\-]+", "_", str(name or "").strip().strip("\ufeff").lower())
