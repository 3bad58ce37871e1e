"""Write pictures and captions as a folder that other programs train from, and that this library reads back unchanged."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from lessons_lib.dataset.decode import decode_bytes
from lessons_lib.dataset.messages import printable
from lessons_lib.dataset.pictures import RIGHTS, Picture

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")  # what kohya, ai-toolkit and imagefolder all take
COLUMNS = ("file_name", "split", "caption", *RIGHTS)
FOLDERS = {
    "train": "train",
    "validation": "validation",
}  # splits that imagefolder knows; all others lie in test/


def write(pictures: Sequence[Picture], out: Path, captions: Sequence[str] | None = None) -> Path:
    """Return `out`, a new folder with the pictures in train/ (and test/, validation/), each with a metadata.csv.

    Hugging Face's ``load_dataset("imagefolder", data_dir=out)`` reads it, captions and rights as columns. Every picture has
    its caption in NAME.txt too, for kohya and ai-toolkit, which take out/train. Files are copied byte for byte, except
    those that had to be turned, converted or laid on white to be read right: they become PNG. All or nothing is written.
    Raises ValueError when the counts differ or `out` holds something, OSError when it cannot be written.
    """
    texts = [p.caption or "" for p in pictures] if captions is None else list(captions)
    if len(texts) != len(pictures) or not texts:
        raise ValueError(
            f"{len(pictures)} pictures and {len(texts)} captions; expected one each, and one at least"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} holds something already; expected a new folder. Name another")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for folder, rows in laid_out(pictures, texts, part).items():
            (folder / "metadata.csv").write_text(table(rows), encoding="utf-8", newline="")
        part.chmod(0o755)
        if out.exists():
            out.rmdir()
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def laid_out(
    pictures: Sequence[Picture], texts: Sequence[str], part: Path
) -> dict[Path, list[dict[str, str]]]:
    """Write the pictures and their text files; return the rows of each folder's table."""
    rows: dict[Path, list[dict[str, str]]] = {}
    taken: set[str] = set()
    for picture, text in zip(pictures, texts, strict=True):
        folder = part / FOLDERS.get(picture.split or "train", "test")
        folder.mkdir(exist_ok=True)
        data, end, is_copy = packed(picture)
        stem = free_stem(picture.path.stem, taken)
        caption = " ".join(text.split())  # kohya reads the first line of a text file and no more
        (folder / f"{stem}{end}").write_bytes(data)
        (folder / f"{stem}.txt").write_text(caption + "\n" if caption else "", encoding="utf-8", newline="")
        told = {"file_name": f"{stem}{end}", "split": picture.split or "", "caption": caption}
        more = picture.more if is_copy else {k: v for k, v in picture.more.items() if k != "sha256"}
        rows.setdefault(folder, []).append(told | picture.rights | more)
    return rows


def packed(picture: Picture) -> tuple[bytes, str, bool]:
    """Return a picture's bytes, how their name ends, and whether they are the file's own; else every program gets a PNG."""
    data = picture.file.read() if picture.file.read else None
    end = picture.path.suffix.lower()
    if data is not None and not picture.file.notes and end in SUFFIXES:
        return data, end, True
    image = (
        picture.image if data is None else decode_bytes(data, picture.path).image
    )  # whole: picture.image may be shrunk
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue(), ".png", False


def free_stem(stem: str, taken: set[str]) -> str:
    """Return a name that no other has on any computer: unlike in more than capitals, accents' spelling and ending."""
    safe = "".join("_" if c in '<>:"/\\|?*' or c != printable(c) else c for c in stem).strip(" .")
    safe = safe.encode()[:180].decode(errors="ignore") or "picture"  # file systems count bytes
    free, number = safe, 2
    while unicodedata.normalize("NFC", free).casefold() in taken:
        free, number = f"{safe}_{number}", number + 1
    taken.add(unicodedata.normalize("NFC", free).casefold())
    return free


def table(rows: Sequence[dict[str, str]]) -> str:
    """Return a metadata.csv with the rights' columns first and whatever else the rows hold."""
    out = io.StringIO(newline="")
    names = list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)]))
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
