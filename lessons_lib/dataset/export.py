"""Write pictures and captions as a folder that other programs train from and that this library reads back
unchanged.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lessons_lib.dataset import privacy
from lessons_lib.dataset.decode import HAS_PLACE, decode_bytes
from lessons_lib.dataset.messages import printable
from lessons_lib.dataset.pictures import RIGHTS, Picture
from lessons_lib.paths import is_reserved

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")  # that kohya, ai-toolkit and imagefolder all read
_COLUMNS = ("file_name", "split", "caption", *RIGHTS)
MASKS = "masks"  # the folder for what weighs the loss, each called like its picture
_FOLDERS = {name: name for name in ("train", "validation", "unused")}  # all other splits lie in test/


def write(pictures: Sequence[Picture], out: Path, captions: Sequence[str] | None = None) -> Path:
    """Return `out`, a new folder: pictures in train/ (and test/, validation/), a metadata.csv in each.

    Pictures without a split, where others have one, lie in unused/, which nobody trains on.

    Hugging Face's ``load_dataset("imagefolder", data_dir=out)`` reads it, captions and rights as columns.
    Every picture has its caption in NAME.txt too, for kohya and ai-toolkit, which take out/train.
    Masks lie in masks/, each called like its picture, as kohya's conditioning_data_dir has them.
    Files are copied without their private metadata, such as the place; their pixels stay to the byte. Those
    that were turned, converted or put on white when they were decoded become PNG. Written atomically.
    Raises ValueError when the counts differ or `out` holds something, OSError when it cannot be written.
    """
    texts = [p.captions for p in pictures] if captions is None else [[text] for text in captions]
    if len(texts) != len(pictures) or not texts:
        raise ValueError(
            f"{len(pictures)} pictures and {len(texts)} captions; expected one each, and one at least"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty; expected a new folder. Name another")
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for folder, rows in _write_files(pictures, texts, temporary).items():
            (folder / "metadata.csv").write_text(to_csv(rows), encoding="utf-8", newline="")
        temporary.chmod(0o755)
        if out.exists():
            out.rmdir()
        os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def _write_files(
    pictures: Sequence[Picture], texts: Sequence[Sequence[str]], out: Path
) -> dict[Path, list[dict[str, str]]]:
    """Write the pictures, their masks and text files; return the rows of each folder's table."""
    without_split = "unused" if any(picture.split for picture in pictures) else "train"
    rows: dict[Path, list[dict[str, str]]] = {}
    used_stems: set[str] = set()
    for picture, of_picture in zip(pictures, texts, strict=True):
        folder = out / _FOLDERS.get(picture.split or without_split, "test")
        folder.mkdir(exist_ok=True)
        data, suffix, is_copy = encode(picture)
        stem = unused_stem(picture.path.stem, used_stems)
        # a line each: kohya reads the first and no more, or one at random with enable_wildcard
        caption = "\n".join(line for line in (" ".join(text.split()) for text in of_picture) if line)
        (folder / f"{stem}{suffix}").write_bytes(data)
        (folder / f"{stem}.txt").write_text(caption + "\n" if caption else "", encoding="utf-8", newline="")
        if picture.mask:
            (out / MASKS).mkdir(exist_ok=True)
            picture.mask.decode().image.save(out / MASKS / f"{stem}.png")
        row = {"file_name": f"{stem}{suffix}", "split": picture.split or "", "caption": caption}
        rows.setdefault(folder, []).append(row | picture.rights | columns_of_copy(picture, is_copy))
    return rows


def columns_of_copy(picture: Picture, is_copy: bool) -> dict[str, str]:
    """Return what a table says of a picture beyond its caption and rights, without places; the hash of the
    file only where the copy is its bytes.
    """
    private = privacy.PLACE_COLUMNS | (set() if is_copy else {"sha256"})
    return {name: value for name, value in picture.more.items() if name not in private}


def encode(picture: Picture) -> tuple[bytes, str, bool]:
    """Return a picture's bytes without private metadata, their suffix, and whether they are its file's."""
    data = picture.file.read() if picture.file.read else None
    suffix = picture.path.suffix.lower()
    if data is not None and not set(picture.file.notes) - {HAS_PLACE} and suffix in _SUFFIXES:
        with suppress(ValueError):  # another format than its name says, such as GIF
            cleaned = privacy.remove_metadata(data)
            return cleaned, suffix, cleaned == data
    # picture.image may be shrunk, so the file is decoded again
    image = picture.image if data is None else decode_bytes(data, picture.path).image
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue(), ".png", False


def unused_stem(stem: str, used: set[str]) -> str:
    """Return a name that is unique on every file system: it differs in more than case,
    Unicode form and suffix.
    """
    safe_stem = "".join("_" if c in '<>:"/\\|?*' or c != printable(c) else c for c in stem).strip(" .")
    safe_stem = safe_stem.encode()[:120].decode(errors="ignore").rstrip(" .") or "picture"  # bytes count
    safe_stem = f"_{safe_stem}" if is_reserved(safe_stem) else safe_stem
    unused, number = safe_stem, 2
    while unicodedata.normalize("NFC", unused).casefold() in used:
        unused, number = f"{safe_stem}_{number}", number + 1
    used.add(unicodedata.normalize("NFC", unused).casefold())
    return unused


def to_csv(rows: Sequence[dict[str, str]]) -> str:
    """Return a metadata.csv: the columns of all pictures first, then whatever else the rows hold."""
    out = io.StringIO(newline="")
    names = list(dict.fromkeys([*_COLUMNS, *(name for row in rows for name in row)]))
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
