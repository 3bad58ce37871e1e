"""Fetch real paintings from three museums: licence confirmed, one request a second,
each file written atomically.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lessons_lib import storage
from lessons_lib.dataset.decode import decode_bytes, decode_file
from lessons_lib.dataset.http import DownloadError, PoliteClient
from lessons_lib.dataset.messages import PictureError
from lessons_lib.dataset.museum_records import ORIGINS, Row, museum_of, read_record
from lessons_lib.dataset.sources import SUFFIXES, file_suffix, walk
from lessons_lib.paths import SAMPLE

LIST = SAMPLE / "museum.csv"
COLUMNS = ("file_name", "split", "title", "caption", "maker", "date", "licence", "source", "sha256")
MAX_PICTURE_BYTES = 64 << 20
_MIN_SIDE = 256  # px; below it is a thumbnail or a sign that says "no image"


@dataclass(frozen=True)
class FetchResult:
    """What `fetch` ends with.

    `folder` is for `dataset.read`: the practice paintings' own where `fell_back`.
    """

    folder: Path
    pictures: tuple[Path, ...]  # all that the folder holds, earlier ones included
    failures: dict[str, str]  # id in museum.csv: reason, one printable line
    fell_back: bool


def fetch(
    folder: str | Path,
    only: str | Sequence[str] | None = None,
    side: int = 1024,
    recommended: bool = False,
    on_picture: Callable[[int, int], None] | None = None,
    client: PoliteClient | None = None,
    table: Path = LIST,
) -> FetchResult:
    """Fetch the paintings of museum.csv into `folder`, with a metadata.csv that `dataset.read` reads.

    only: museums, such as "met" or "walters,met". side: px, the most a short side may have;
    another one needs another folder. recommended: only the dozen for a first training. A picture with the
    hash of metadata.csv is not requested again, so a second call continues a stopped one. A painting that
    cannot be fetched is a failure with a reason, not an error. Without any picture the result is the practice
    paintings, and `folder` stays as it was.  Used in lesson 02. Raises ValueError for an unknown museum, a
    side below 64, or a folder with other pictures; OSError when it cannot write.
    """
    if side < 64:
        raise ValueError(f"side is {side}; expected at least 64 px")
    folder, client, paintings = Path(folder), client or PoliteClient(ORIGINS), read_csv(table)
    names, failures = [_file_name(row) for row in paintings], {}
    selection = _select(paintings, only, recommended)
    metadata = _read_metadata(folder, names)
    if metadata:
        _write_metadata(
            folder, metadata, names
        )  # without rows of removed pictures, which dataset.read would miss
    for count, row in enumerate(selection, start=1):
        name = _file_name(row)
        try:
            if not _is_intact(folder / name, metadata.get(name)):
                metadata[name] = _fetch_painting(row, folder, metadata.get(name), client, side)
                _write_metadata(folder, metadata, names)
        except ValueError as error:
            failures[row["id"]] = _one_line(error)
        if on_picture:
            on_picture(count, len(selection))
    paths = tuple(folder / name for name in names if name in metadata)
    return FetchResult(folder if paths else SAMPLE, paths, failures, fell_back=not paths)


def report(result: FetchResult) -> list[str]:
    """Return what was fetched and where it is, and each failure with its reason, one a line."""
    if not result.fell_back:
        return [
            f"paintings in {result.folder}: {len(result.pictures)}; their rights are in metadata.csv",
            *[f"not fetched: {name}: {reason}" for name, reason in result.failures.items()],
        ]
    return [
        "No painting could be fetched:",
        *[f"  {reason}" for reason in dict.fromkeys(result.failures.values())],
        f"The practice paintings take their place: {result.folder}. They were drawn by code, for this "
        "course. When the museums can be reached, run the same command again.",
    ]


def read_csv(path: Path) -> list[Row]:
    """Return the rows of a CSV file. Raises ValueError when it cannot be read as one."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{path}: cannot be read ({error}); expected a CSV file in UTF-8. Restore or remove it"
        ) from None
    return [{key: text or "" for key, text in row.items() if isinstance(key, str)} for row in rows]


def _select(paintings: list[Row], only: str | Sequence[str] | None, recommended: bool) -> list[Row]:
    """Return the paintings to fetch, the recommended dozen first. Raises ValueError for an unknown museum."""
    names = only.split(",") if isinstance(only, str) else only or ORIGINS
    museums = {name.strip().lower() for name in names}
    if unknown := museums - set(ORIGINS):
        raise ValueError(f"only names {', '.join(sorted(unknown))}; expected some of {', '.join(ORIGINS)}")
    selection = [row for row in paintings if museum_of(row) in museums]
    first = [row for row in selection if row["recommended"] == "yes"]
    return first if recommended else first + [row for row in selection if row["recommended"] != "yes"]


def _file_name(row: Row) -> str:
    """Return where the picture goes inside the folder: held-out ones apart, as in the practice paintings."""
    return f"{row['split']}/{row['id']}.jpg"


def _read_metadata(folder: Path, names: Container[str]) -> dict[str, Row]:
    """Return the metadata rows of pictures that are there, by file name.

    Raises ValueError when there are others.
    """
    others = [name for name in walk(folder, []) if file_suffix(name) in SUFFIXES and name not in names]
    if others:
        raise ValueError(
            f"{folder}: holds {min(others)}, which is not from the museums; expected a folder of their own. "
            "Name another"
        )
    table = folder / "metadata.csv"
    rows = {row.get("file_name", ""): row for row in (read_csv(table) if table.is_file() else [])}
    return {name: row for name, row in rows.items() if name in names and (folder / name).is_file()}


def _write_metadata(folder: Path, metadata: dict[str, Row], names: Sequence[str]) -> None:
    """Write metadata.csv in the order of `names`; columns that a learner has added stay."""
    rows = [metadata[name] for name in names if name in metadata]
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, list(dict.fromkeys([*COLUMNS, *(column for row in rows for column in row)])))
    table.writeheader()
    table.writerows(rows)
    storage.write_bytes(folder / "metadata.csv", out.getvalue().encode())


def _fetch_painting(row: Row, folder: Path, earlier: Row | None, client: PoliteClient, side: int) -> Row:
    """Save one painting and return its metadata row. Raises DownloadError, with nothing changed.

    earlier: its row from another call; a picture that has changed since then does not replace the old one.
    """
    record = read_record(row, client, side)
    data = _to_jpeg(client.get(museum_of(row), record.image_url, MAX_PICTURE_BYTES), side)
    sha256 = hashlib.sha256(data).hexdigest()
    if earlier is not None and earlier.get("sha256") != sha256:
        raise DownloadError(
            "is not the picture of the first time (other bytes, size or Pillow version), so nothing was "
            "replaced; to take the new one, remove its line from metadata.csv"
        )
    storage.write_bytes(folder / _file_name(row), data)
    number = row["accession_number"] or record.accession_number
    values = row | {
        "file_name": _file_name(row),
        "maker": row["maker"] or record.maker or "not recorded",
        "date": row["date"] or record.date or "not recorded",
        "licence": record.licence,
        "source": ", ".join(part for part in (row["museum"], number, row["page_url"]) if part),
        "sha256": sha256,
    }
    return {column: _csv_text(values[column]) for column in COLUMNS}


def _to_jpeg(data: bytes, side: int) -> bytes:
    """Return the picture as an upright sRGB JPEG whose short side is at most `side`. Raises DownloadError."""
    if not data.startswith(b"\xff\xd8\xff"):
        raise DownloadError(f"is not a JPEG (it begins with {data[:24]!r})")
    path = Path("picture.jpg")  # only for messages
    try:
        image, _ = decode_bytes(data, path)
    except PictureError as error:
        raise DownloadError(str(error).removeprefix(f"{path}: ")) from None
    short = min(image.size)
    if short < _MIN_SIDE:
        raise DownloadError(
            f"is {image.width} x {image.height} px; expected at least {_MIN_SIDE} on the short side"
        )
    if short > side:
        size = (round(image.width * side / short), round(image.height * side / short))
        image = image.resize(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


def _is_intact(path: Path, row: Row | None) -> bool:
    """Return whether a file is there as it was fetched; a damaged one is not.

    Raises DownloadError for a whole picture with another hash, such as one that a learner has cropped:
    it stays as it is.
    """
    if row is None:
        return False
    if hashlib.sha256(path.read_bytes()).hexdigest() == row.get("sha256"):
        return True
    try:
        decode_file(path)
    except PictureError:
        return False
    raise DownloadError(
        "was changed after it was fetched, and is kept as it is; remove the file to fetch it again"
    )


def _one_line(text: object) -> str:
    """Return text from outside as one line of at most 400 printable characters, without escape sequences."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())[:400]


def _csv_text(text: str) -> str:
    """Return text for a CSV file; an apostrophe keeps a spreadsheet from reading it as a formula."""
    line = _one_line(text)
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line
