"""Fetch real paintings from three museums: licence confirmed, one request a second, every file whole or not there."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lessons_lib.dataset.decode import PictureError, decode
from lessons_lib.dataset.http import Refused, Web
from lessons_lib.dataset.sources import SUFFIXES, Found, suffix, walk
from lessons_lib.paths import SAMPLE

LIST = SAMPLE / "museum.csv"
COLUMNS = ("file_name", "split", "title", "caption", "maker", "date", "licence", "source", "sha256")

# Where a museum's records and pictures may come from; also after a redirect.
MUSEUMS = {
    "walters": ("https://art.thewalters.org",),
    "met": ("https://collectionapi.metmuseum.org", "https://images.metmuseum.org"),
    "cleveland": ("https://openaccess-api.clevelandart.org", "https://openaccess-cdn.clevelandart.org"),
}
RECORD_TYPES = ("application/json",)
PICTURE_TYPES = ("image/jpeg", "image/jpg", "application/octet-stream", "binary/octet-stream")
RECORD_BYTES, PICTURE_BYTES = 2 << 20, 64 << 20
MIN_SIDE = 256  # px; below it is a thumbnail or a sign that says "no image"


@dataclass(frozen=True)
class Fetched:
    """What `fetch` ends with. `folder` is for `pictures.load`: the practice paintings' own where `fell_back`."""

    folder: Path
    pictures: tuple[Path, ...]  # all that the folder holds, earlier ones included
    failures: dict[str, str]  # id in museum.csv: reason, one printable line
    fell_back: bool


@dataclass(frozen=True)
class Record:
    """What a museum says of a painting: licence, where its picture is, and what museum.csv may not know."""

    licence: str
    address: str
    accession: str = ""
    maker: str = ""
    date: str = ""


def fetch(
    folder: str | Path,
    only: str | Sequence[str] | None = None,
    side: int = 1024,
    recommended: bool = False,
    on_picture: Callable[[int, int], None] | None = None,
    web: Web | None = None,
    table: Path = LIST,
) -> Fetched:
    """Fetch the paintings of museum.csv into `folder`, with a metadata.csv that `pictures.load` reads.

    only: museums, such as "met" or "walters,met". side: px, the most a short side may have. recommended: only the dozen
    for a first training. What is there with the hash noted in metadata.csv is not asked for again, so a stopped call
    goes on where it was; another `side` needs another folder. A painting that cannot be had is a failure with a
    reason, not an error; without a single one the practice paintings take their place, and `folder` is left alone.
    Raises ValueError for an unknown museum, a side below 64, or a folder that holds other pictures; OSError when it
    cannot be written.  Used in lesson 02.
    """
    if side < 64:
        raise ValueError(f"side is {side}; expected at least 64 px")
    folder, web, everything = Path(folder), web or Web(MUSEUMS), rows_of(table)
    names = [file_name(row) for row in everything]
    wanted, failures = chosen(everything, only, recommended), {}
    if kept := earlier(folder, names):
        note(list(kept.values()), folder)  # without lines of removed pictures, which pictures.load would miss
    for done, row in enumerate(wanted, start=1):
        known = kept.get(file_name(row))
        try:
            if not known or not is_whole(folder / file_name(row), known["sha256"]):
                kept[file_name(row)] = add(row, folder, known, web, side)
                note([kept[name] for name in names if name in kept], folder)
        except ValueError as problem:
            failures[row["id"]] = plain(problem)
        if on_picture:
            on_picture(done, len(wanted))
    saved = tuple(folder / name for name in names if name in kept)
    return Fetched(folder if saved else SAMPLE, saved, failures, fell_back=not saved)


def report(fetched: Fetched) -> list[str]:
    """Return what was fetched and where it is, and each failure with its reason, one a line."""
    if fetched.fell_back:
        return [
            "No painting could be fetched:",
            *[f"  {reason}" for reason in dict.fromkeys(fetched.failures.values())],
            f"The practice paintings take their place: {fetched.folder}. They were drawn by code, for this course. "
            "When the museums can be reached, run the same command again.",
        ]
    lost = [f"not fetched: {name}: {reason}" for name, reason in fetched.failures.items()]
    return [
        f"paintings in {fetched.folder}: {len(fetched.pictures)}; their rights are in metadata.csv",
        *lost,
    ]


def rows_of(table: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file. Raises ValueError when it cannot be read as one."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            return [
                {k: v or "" for k, v in row.items() if isinstance(k, str)} for row in csv.DictReader(file)
            ]
    except (UnicodeDecodeError, csv.Error) as problem:
        raise ValueError(
            f"{table}: cannot be read ({problem}); expected a CSV file in UTF-8. Restore or remove it"
        ) from None


def chosen(
    rows: list[dict[str, str]], only: str | Sequence[str] | None, recommended: bool
) -> list[dict[str, str]]:
    """Return the rows to fetch, the recommended dozen first. Raises ValueError for a museum that is not in the list."""
    asked = only.split(",") if isinstance(only, str) else list(only or MUSEUMS)
    museums = {name.strip().lower() for name in asked}
    if unknown := museums - set(MUSEUMS):
        raise ValueError(f"only names {', '.join(sorted(unknown))}; expected some of {', '.join(MUSEUMS)}")
    found = [row for row in rows if museum_of(row) in museums]
    first = [row for row in found if row["recommended"] == "yes"]
    return first if recommended else first + [row for row in found if row["recommended"] != "yes"]


def museum_of(row: dict[str, str]) -> str:
    """Return the museum's short name, which begins every id."""
    return row["id"].partition("_")[0]


def file_name(row: dict[str, str]) -> str:
    """Return where the picture goes, seen from the folder: held-out ones apart, as in the practice paintings."""
    return f"{row['split']}/{row['id']}.jpg"


def earlier(folder: Path, names: Container[str]) -> dict[str, dict[str, str]]:
    """Return the metadata rows of pictures that are there, by file name. Raises ValueError when there are others."""
    strangers = [n for n in walk(folder, Found()) if suffix(n) in SUFFIXES and n not in names]
    if strangers:
        raise ValueError(
            f"{folder}: holds {min(strangers)}, which is not from the museums; expected a folder of their own. "
            "Name another"
        )
    table = folder / "metadata.csv"
    rows = rows_of(table) if table.is_file() else []
    found = {row.get("file_name", ""): {"sha256": "", **row} for row in rows}
    return {name: row for name, row in found.items() if name in names and (folder / name).is_file()}


def add(
    row: dict[str, str], folder: Path, known: dict[str, str] | None, web: Web, side: int
) -> dict[str, str]:
    """Fetch one painting, save it, and return its metadata row. Raises Refused, with nothing changed.

    known: its row from an earlier call. A picture that has changed since does not replace what was kept then.
    """
    record = RECORDS[museum_of(row)](row, web, side)
    if not record.address:
        raise Refused("its record names no picture")
    data = as_jpeg(web.get(museum_of(row), record.address, PICTURE_TYPES, PICTURE_BYTES), side)
    found = hashlib.sha256(data).hexdigest()
    if known and known["sha256"] != found:
        raise Refused(
            "is not the picture of the first time (other bytes, size or Pillow version), so nothing was replaced; "
            "to take the new one, remove its line from metadata.csv"
        )
    write(folder / file_name(row), data)
    number = row["accession_number"] or record.accession
    told = {
        "file_name": file_name(row),
        "maker": row["maker"] or record.maker or "not recorded",
        "date": row["date"] or record.date or "not recorded",
        "licence": record.licence,
        "source": ", ".join(part for part in (row["museum"], number, row["page_url"]) if part),
        "sha256": found,
    }
    return {column: cell((row | told)[column]) for column in COLUMNS}


def walters(row: dict[str, str], web: Web, side: int) -> Record:
    """Return the record of a Walters painting: no live one exists, so the licence is the museum's general statement."""
    return Record("CC0-1.0 (the museum's statement for all its pictures; no live record)", row["image_url"])


def met(row: dict[str, str], web: Web, side: int) -> Record:
    """Return the live record of a painting in the Met. Raises Refused unless it says isPublicDomain: true."""
    live = live_record("met", row, web)
    number = row["api_url"].rpartition("/")[2]
    if str(inside(live, "objectID")) != number:
        raise Refused(f"its record is that of object {inside(live, 'objectID')}; expected {number}")
    if (free := inside(live, "isPublicDomain")) is not True:
        raise Refused(f"its record says isPublicDomain {free}; expected true, so it was not taken")
    return Record(
        "CC0-1.0 (live record: isPublicDomain true)",
        text(live, "primaryImage") or row["image_url"],
        text(live, "accessionNumber"),
        text(live, "artistDisplayName"),
        text(live, "objectDate"),
    )


def cleveland(row: dict[str, str], web: Web, side: int) -> Record:
    """Return the live record of a painting in Cleveland, with its larger picture where the one for the web is too small.

    Raises Refused unless it says share_license_status: CC0.
    """
    live = inside(live_record("cleveland", row, web), "data")
    if (number := inside(live, "accession_number")) != row["accession_number"]:
        raise Refused(f"its record is that of {number}; expected {row['accession_number']}")
    if (licence := inside(live, "share_license_status")) != "CC0":
        raise Refused(f"its record says share_license_status {licence}; expected CC0, so it was not taken")
    sizes = [text(live, "images", "web", key) for key in ("width", "height")]
    large_enough = all(size.isdecimal() and int(size) >= side for size in sizes)
    web_picture, print_picture = (text(live, "images", name, "url") for name in ("web", "print"))
    makers = inside(live, "creators")
    names = [text(maker, "description") for maker in makers] if isinstance(makers, list) else []
    return Record(
        "CC0-1.0 (live record: share_license_status CC0)",
        web_picture if large_enough else print_picture or web_picture,
        maker="; ".join(name for name in names if name),
        date=text(live, "creation_date"),
    )


RECORDS: dict[str, Callable[[dict[str, str], Web, int], Record]] = {
    "walters": walters, "met": met, "cleveland": cleveland,
}  # fmt: skip


def live_record(museum: str, row: dict[str, str], web: Web) -> object:
    """Return the museum's own record of a painting, as JSON gives it. Raises Refused."""
    data = web.get(museum, row["api_url"], RECORD_TYPES, RECORD_BYTES)
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Refused(f"its record is not JSON (it begins with {data[:24]!r})") from None


def inside(record: object, *names: str) -> object:
    """Return what lies under these names in a record that may have any shape; None where nothing does."""
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def text(record: object, *names: str) -> str:
    """Return the text or number under these names in a record, as text; empty where there is none."""
    found = inside(record, *names)
    return str(found) if isinstance(found, str | int) else ""


def as_jpeg(data: bytes, side: int) -> bytes:
    """Return the picture as an upright sRGB JPEG whose short side is at most `side`. Raises Refused."""
    if not data.startswith(b"\xff\xd8\xff"):
        raise Refused(f"is not a JPEG, though it came as one (it begins with {data[:24]!r})")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "picture.jpg"
        path.write_bytes(data)
        try:
            image, _ = decode(path)
        except PictureError as problem:
            raise Refused(str(problem).replace(f"{path}: ", "")) from None
    short = min(image.size)
    if short < MIN_SIDE:
        raise Refused(f"is {image.width} x {image.height} px; expected at least {MIN_SIDE} on the short side")
    if short > side:
        size = (round(image.width * side / short), round(image.height * side / short))
        image = image.resize(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


def note(rows: list[dict[str, str]], folder: Path) -> None:
    """Write metadata.csv anew; columns that a learner has added stay."""
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])))
    table.writeheader()
    table.writerows(rows)
    write(folder / "metadata.csv", out.getvalue().encode())


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, also when stopped with Ctrl-C."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def is_whole(path: Path, sha256: str) -> bool:
    """Return whether a file is as it was fetched, not damaged. Raises Refused when it is another picture by now.

    A learner may have cropped it: it is neither replaced nor taken for what the museum has.
    """
    if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return True
    try:
        decode(path)
    except PictureError:
        return False
    raise Refused("was changed after it was fetched, and is kept as it is; remove the file to fetch it again")


def plain(told: object) -> str:
    """Return text from outside as one line of at most 400 printable characters: no escape sequence, no hidden mark."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(told)).split())[:400]


def cell(told: object) -> str:
    """Return text for a CSV file; an apostrophe keeps a spreadsheet from taking it for a formula."""
    line = plain(told)
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line
