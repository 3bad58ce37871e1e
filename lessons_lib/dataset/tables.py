"""A metadata.csv or a table that another program wrote, to rows with the columns file_name, caption, split
and rights.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lessons_lib.dataset import repeats
from lessons_lib.dataset.archives import Problem, Reader
from lessons_lib.dataset.csv_records import (
    FILE_COLUMNS,
    column_name,
    is_picture_name,
    read_records,
    sniff_delimiter,
    to_lines,
    without_single_quotes,
)
from lessons_lib.dataset.decode import GIT_LFS, LFS_POINTER
from lessons_lib.dataset.messages import PictureError, count_of, name_list, one_line, printable

_CAPTION_COLUMNS = ("caption", "text", "prompt", "captions")
SPLITS = {
    "train": "train", "training": "train", "held_out": "held_out", "test": "test", "testing": "test",
    "eval": "test",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
}  # fmt: skip
_EMPTY = {"nan", "-nan", "null", "none", "n/a", "#n/a", "<na>"}  # as programs write a cell without a value


@dataclass
class Row:
    """One row of a table: a picture's name, its caption (the first of several), and the other columns by
    their names.
    """

    file_name: str
    captions: list[str] = field(default_factory=list)
    more: dict[str, str] = field(default_factory=dict)


@dataclass
class Table:
    """The rows of a table, with what is wrong in it and what its reader should know (`notes`)."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        """Add one problem of the table."""
        self.problems.append((self.path, f"{printable(self.path)}: {text}"))

    def note(self, names: list[str], text: str) -> None:
        """Add one note on several rows, with their count and the names of a few."""
        if names:
            self.notes.append(f"{printable(self.path)}: {count_of(names, 'row')} ({name_list(names)}) {text}")


def table_kind(name: str) -> str:
    """Return "list" for a table that decides which pictures are read, "captions" for one that only captions
    them, or "".

    A list is metadata.csv, .tsv, .jsonl or .json (Hugging Face's imagefolder); captions are captions.csv and
    its like, and
    kohya's meta_cap.json.
    """
    path = PurePosixPath(name.lower())
    if path.suffix not in (".csv", ".tsv", ".jsonl", ".json"):
        return ""
    if path.stem == "metadata":
        return "list"
    is_kohya = path.suffix == ".json" and path.stem.startswith("meta_")
    return "captions" if is_kohya or path.stem in ("captions", "caption", "prompts") else ""


def read_table(path: Path, read: Reader) -> Table:
    """Return the rows of a table that name a file; what is wrong with it becomes a problem, a line each."""
    table = Table(path)
    try:
        text = decode_text(read(), path)
        _read_json(table, text) if path.suffix.lower() in (".jsonl", ".json") else _read_csv(table, text)
    except PictureError as problem:
        return Table(path, problems=[(path, str(problem))])
    except (ValueError, csv.Error, AttributeError, TypeError, RecursionError) as problem:
        kind = {".jsonl": "a JSON object a line", ".json": "a JSON file"}.get(
            path.suffix.lower(), "a CSV file"
        )
        table = Table(path)
        table.problem(f"cannot be read ({one_line(problem)}); expected {kind} in UTF-8. Save it again")
        return table
    if not table.rows and not table.problems:
        table.notes.append(f"{printable(path)}: holds no rows, so it is not used")
    _drop_unnamed_rows(table)
    _normalise_splits(table)
    for text in repeats.normalise([(row.file_name, row.more) for row in table.rows]):
        table.problem(text)
    several = [row.file_name for row in table.rows if len(row.captions) > 1]
    table.note(several, "with several captions: one at random at each step")
    return table


def decode_text(data: bytes, path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 as Excel and Notepad write it.

    Raises ValueError for other bytes, PictureError for a Git LFS pointer and for rich text.
    """
    if data.startswith(GIT_LFS):
        raise PictureError(f"{printable(path)}: {LFS_POINTER}")
    if data.startswith(b"{\\rtf"):
        raise PictureError(
            f"{printable(path)}: is rich text; expected plain text. Save it again as plain text"
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    if data[1:2] == b"\0":
        return data.decode("utf-16-le")
    text = data.decode("utf-8-sig")
    if "\0" in text:
        raise ValueError("it holds bytes that are no text")
    return text


def split_captions(value: object) -> list[str]:
    """Return the captions in one value: a list's items, a text's lines.

    The word nan of another program is none.
    """
    if isinstance(value, str):
        text = value.strip()
        if text[:1] == "[" and text[-1:] == "]" and text[1:2] in "'\"":
            try:
                return split_captions(ast.literal_eval(text))
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                pass
        lines = [_one_line_text(line) for line in re.split(r"[\r\n]+", value)]
        return [line for line in lines if line and line.lower() not in _EMPTY]
    if isinstance(value, dict):
        return next((split_captions(value[name]) for name in _CAPTION_COLUMNS if value.get(name)), [])
    if isinstance(value, list):
        return [caption for item in value for caption in split_captions(item)]
    return split_captions(str(value)) if value else []


def _one_line_text(value: object) -> str:
    """Return a value in one line; lone surrogates, which no file can hold, become question marks."""
    return " ".join(str(value or "").split()).encode("utf-8", "replace").decode()


def _read_json(table: Table, text: str) -> None:
    """Read objects a line, a list of them, or kohya's {"name": {"caption": ...}}.

    A name there may lack its suffix.
    """
    if table.path.suffix.lower() == ".jsonl":
        values = [_json_line(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    else:
        content = json.loads(text)
        if isinstance(content, dict):
            pairs = content.items()
            content = [{"file_name": k} | (v if isinstance(v, dict) else {"caption": v}) for k, v in pairs]
            content = [row if "caption" in row else row | {"caption": row.get("tags")} for row in content]
        values = list(content)
    rows = [{column_name(name): value for name, value in row.items()} for row in values]
    table.columns = list(dict.fromkeys(name for row in rows for name in row))
    table.rows = [_row(row) for row in rows]
    no_text = [row.file_name for row, value in zip(table.rows, rows, strict=True) if not row.captions
               and any(isinstance(value.get(name), dict) for name in _CAPTION_COLUMNS)]  # fmt: skip
    table.note(no_text, "whose caption is an object without a caption in it; expected a text")


def _json_line(number: int, line: str) -> dict[str, object]:
    """Return the object in a line. Raises ValueError that names the line."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as problem:
        raise ValueError(f"line {number}: {problem.msg}") from None
    if not isinstance(value, dict):
        raise ValueError(f"line {number}: no object in braces")
    return value


def _read_csv(table: Table, text: str) -> None:
    """Read a table whose cells are parted by commas, semicolons, tabs or bars, as its first line shows."""
    lines = text.splitlines(keepends=True) if "\r" in text and "\n" not in text else to_lines(text)
    if lines and (separator := re.fullmatch(r"\"?sep=(.)\"?\s*", lines[0])):
        lines, delimiter = lines[1:], separator[1]
    else:
        delimiter = sniff_delimiter(lines[0] if lines else "")
    has_spaces = bool(lines) and f"{delimiter} " in lines[0]
    has_spaces = has_spaces or any(re.search(re.escape(delimiter) + r" +\"", line) for line in lines)
    records = read_records(lines, delimiter, has_spaces, table.problem)
    header, _ = next(records, ([], ""))
    table.columns = [column_name(cell) for cell in header]
    joined, wide, spaced, short = list[str](), list[str](), list[str](), list[str]()
    for cells, raw in records:
        while len(cells) > len(header) and not cells[-1].strip():
            cells.pop()
        name = _named_cell(table.columns, cells)
        if len(cells) > len(header):
            whole = _join_caption(table.columns, cells, raw, delimiter)
            (joined if whole else wide).append(_named_cell(table.columns, whole) if whole else name)
            cells = whole or cells[: _caption_index(table.columns)]
        elif len(cells) < len(header) and delimiter in raw:
            short.append(name)
        elif not has_spaces and _is_spaced(table.columns, cells):
            spaced.append(name)
        if cells:
            table.rows.append(_row(dict(reversed(list(zip(table.columns, cells, strict=False))))))
    if 0 < len(spaced) < len(table.rows):
        wide += spaced
    if wide:
        table.problem(
            f"{count_of(wide, 'row')} ({name_list(wide)}) with more cells than the {len(header)} columns; "
            f"expected a caption that holds {delimiter!r} in quotation marks. Put them around it"
        )
    _take_off_single_quotes(table)
    table.note(short, f"with fewer cells than the {len(header)} columns; check that each is in its column")
    table.note(joined, f"with {delimiter!r} in a caption without quotation marks; the caption is read whole")


def _take_off_single_quotes(table: Table) -> None:
    quoted = [row for row in table.rows if row.captions]
    if unquoted := without_single_quotes([row.captions for row in quoted]):
        for row, texts in zip(quoted, unquoted, strict=True):
            row.captions = texts
        table.note([row.file_name for row in quoted], "in single quotation marks, which were taken off")


def _caption_index(columns: list[str]) -> int:
    """Return the place of the column with captions; behind the last one where there is none."""
    return next((i for i, name in enumerate(columns) if name in _CAPTION_COLUMNS), len(columns))


def _join_caption(columns: list[str], cells: list[str], raw: str, delimiter: str) -> list[str] | None:
    """Return a row of too many cells with those of its caption put together.

    None where it is not certain which cells are the caption: with quotation marks in the row, or with other
    columns behind the caption than a picture's name and a split.
    """
    start = _caption_index(columns)
    after = columns[start + 1 :]
    rest = cells[len(cells) - len(after) :]
    fits = all(
        (name in FILE_COLUMNS and is_picture_name(cell))
        or (name == "split" and cell.strip().lower() in SPLITS)
        for name, cell in zip(after, rest, strict=True)
    )
    if start == len(columns) or '"' in raw or not fits:
        return None
    parts = raw.split(delimiter)[: len(cells)]
    return [*cells[:start], delimiter.join(parts[start : len(parts) - len(after)]), *rest]


def _named_cell(columns: list[str], cells: list[str]) -> str:
    """Return the file name in a record, to name it by."""
    named = dict(reversed(list(zip(columns, cells, strict=False))))
    names = [named[name].strip() for name in FILE_COLUMNS if name in named]
    return (names or cells or ["?"])[0]


def _is_spaced(columns: list[str], cells: list[str]) -> bool:
    """Return whether the cell behind the caption begins with a space, as after a comma that belongs to the
    caption.
    """
    pairs = zip(columns, cells[1:], strict=False)
    return any(name in _CAPTION_COLUMNS and cell.startswith(" ") for name, cell in pairs)


def _row(values: dict[str, object]) -> Row:
    """Return a row from its values by column; a word such as nan or NULL is an empty cell."""
    names = [str(values[name] or "") for name in FILE_COLUMNS if values.get(name)]
    captions = next((c for name in _CAPTION_COLUMNS if (c := split_captions(values.get(name)))), [])
    special = {*FILE_COLUMNS, *_CAPTION_COLUMNS}
    more = {name: _one_line_text(v) for name, v in values.items() if name and name not in special}
    more = {name: "" if text.lower() in _EMPTY else text for name, text in more.items()}
    return Row(names[0].strip("\r\n") if names else "", captions, more)


def _drop_unnamed_rows(table: Table) -> None:
    """Keep the rows that name a file; a line says how many do not, and which columns there are."""
    unnamed = sum(not row.file_name for row in table.rows)
    if unnamed:
        columns = "" if set(FILE_COLUMNS) & set(table.columns) else f" (it has {name_list(table.columns)})"
        table.problem(
            f"{unnamed} of {len(table.rows)} rows without file_name; expected that column{columns}, "
            "filled in for every picture"
        )
    table.rows = [row for row in table.rows if row.file_name]
    if table.rows and not set(_CAPTION_COLUMNS) & set(table.columns) and len(table.columns) > 1:
        usual = {"split", "crop", "book", "sha256", "title", "maker", "date", "licence", "source"}
        others = [name for name in table.columns if name not in {*FILE_COLUMNS, *usual}]
        if others:
            table.notes.append(
                f"{printable(table.path)}: no column is called caption, text or prompt; it has "
                f"{name_list(table.columns, 8)}. "
                "Rename the one that holds captions"
            )


def _normalise_splits(table: Table) -> None:
    """Map split names to those of `SPLITS`; add a note on others, which are held out."""
    unknown: dict[str, list[str]] = {}
    for row in table.rows:
        if split := row.more.get("split", ""):
            row.more["split"] = SPLITS.get(split.lower().replace(" ", "_").replace("-", "_"), split)
            if row.more["split"] not in SPLITS:
                unknown.setdefault(split, []).append(row.file_name)
    for split, names in unknown.items():
        table.note(names, f"in the split {split!r}, which is none of train, validation, test; held out")
