"""Read a folder of pictures: every file checked, turned upright, in sRGB, with its caption and its rights."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from lessons_lib.bases import Base
from lessons_lib.decode import WHITE, PictureError, decode

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
RIGHTS = ("title", "maker", "date", "licence", "source")


@dataclass
class Picture:
    """One picture, upright, 8-bit sRGB. `size` is that of the file: `image` may have been shrunk to save memory."""

    path: Path
    image: Image.Image
    rights: dict[str, str] = field(default_factory=dict)
    caption: str | None = None
    split: str | None = None
    notes: list[str] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)


def load(
    source: str | Path | Sequence[str | Path], side: int | None = None, min_side: int = 64
) -> list[Picture]:
    """Return the pictures of a folder (or of a list of files), sorted by name, every one decoded whole.

    A `metadata.csv` in the folder (columns file_name, caption or text, split, and rights) decides which files are read;
    a `NAME.txt` beside a picture is its caption where the table has none. With `side`, larger pictures are shrunk to
    twice that short side, so that three thousand photographs fit in memory.
    Raises PictureError that names the first file that cannot be used, and counts the others.
    """
    rows = find(source)
    pictures, problems = [], []
    for path, row in rows:
        try:
            pictures.append(read(path, row, side, min_side))
        except PictureError as problem:
            problems.append((path.name, str(problem)))
    if problems:
        others = ", ".join(name for name, _ in problems[1:5]) + (", ..." if len(problems) > 5 else "")
        more = f" ({len(problems) - 1} more cannot be used: {others})" if others else ""
        raise PictureError(problems[0][1] + more)
    return pictures


def find(source: str | Path | Sequence[str | Path]) -> list[tuple[Path, dict[str, str]]]:
    """Return each picture file with its row of `metadata.csv` (empty where there is none). Raises PictureError."""
    if not isinstance(source, (str, Path)):
        return in_list([Path(s) for s in source])
    folder = Path(source)
    if not folder.exists():
        raise PictureError(
            f"{folder}: no such folder; expected one that holds your pictures. Check its spelling"
        )
    if not folder.is_dir():
        raise PictureError(
            f"{folder}: is a file; expected a folder of pictures. Put them into one and name that"
        )
    table = folder / "metadata.csv"
    found = in_table(table) if table.is_file() else in_folder(folder)
    if not found:
        raise PictureError(
            f"{folder}: holds no pictures; expected files that end in {', '.join(sorted(SUFFIXES))}"
        )
    return found


def in_list(files: list[Path]) -> list[tuple[Path, dict[str, str]]]:
    """Return the files with their rows of a `metadata.csv` in their own folder or in the one above."""
    if not files:
        raise PictureError("the list of pictures is empty; expected at least one path")
    tables = {up / "metadata.csv" for path in files for up in path.resolve().parents[:2]}
    rows = {p.resolve(): row for table in tables if table.is_file() for p, row in in_table(table)}
    for path in files:
        if not path.is_file():
            raise PictureError(f"{path}: no such file; expected the path of a picture. Check its spelling")
    return [(path, rows.get(path.resolve(), {})) for path in files]


def in_folder(folder: Path) -> list[tuple[Path, dict[str, str]]]:
    """Return the picture files in a folder and its subfolders, hidden ones left out."""
    files = (p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file())
    return [(p, {}) for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts)]


def in_table(table: Path) -> list[tuple[Path, dict[str, str]]]:
    """Return the files that a `metadata.csv` names, each with its row. Raises PictureError for a table it cannot follow."""
    with table.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = list(csv.DictReader(file))
        except (UnicodeDecodeError, csv.Error) as problem:
            raise PictureError(
                f"{table}: cannot be read ({problem}); expected a CSV file in UTF-8. Save it again"
            ) from None
    found = []
    for row in rows:
        name = row.get("file_name")
        if not name:
            raise PictureError(
                f"{table}: a row without file_name; expected that column, filled in for every picture"
            )
        path = table.parent / name
        if not path.resolve().is_relative_to(table.parent.resolve()):
            raise PictureError(
                f"{table}: {name} lies outside the folder; expected files inside it. Move the picture in"
            )
        if not path.is_file():
            raise PictureError(f"{table}: names {name}, which is not there. Add the file or take out its row")
        found.append((path, {key: (row[key] or "").strip() for key in row if isinstance(key, str)}))
    return found


def read(path: Path, row: dict[str, str], side: int | None = None, min_side: int = 64) -> Picture:
    """Return one file as a Picture. Raises PictureError: not a picture, cut short, too large, too small."""
    image, notes = decode(path)
    size = image.size
    if min(size) < min_side:
        raise PictureError(
            f"{path}: is {size[0]} x {size[1]} px; expected at least {min_side} px on the short side. "
            "Leave it out, or find a larger copy"
        )
    if side and min(size) > 2 * side:
        scale = 2 * side / min(size)
        image = image.resize((round(size[0] * scale), round(size[1] * scale)), Image.Resampling.LANCZOS)
    rights = {key: row[key] for key in RIGHTS if row.get(key)}
    caption = row.get("caption") or row.get("text") or sidecar(path)
    return Picture(path, image, rights, caption or None, row.get("split") or None, notes, size)


def sidecar(path: Path) -> str | None:
    """Return the text of `NAME.txt` beside a picture, in one line, or None. Raises PictureError when it is not UTF-8."""
    note = path.with_suffix(".txt")
    if not note.is_file():
        return None
    try:
        return " ".join(note.read_text(encoding="utf-8-sig").split()) or None
    except UnicodeDecodeError:
        raise PictureError(
            f"{note}: is not UTF-8 text; expected a caption in UTF-8. Save it again as UTF-8"
        ) from None


def for_training(pictures: Iterable[Picture]) -> list[Picture]:
    """Return the pictures to train on: those of split "train" where a table names splits, all of them else."""
    pictures = list(pictures)
    if not any(p.split for p in pictures):
        return pictures
    chosen = [p for p in pictures if p.split == "train"]
    if not chosen:
        names = sorted({p.split for p in pictures if p.split})
        raise PictureError(
            f"metadata.csv has the splits {', '.join(names)}; expected some pictures in split train"
        )
    return chosen


def held_out(pictures: Iterable[Picture]) -> list[Picture]:
    """Return the pictures kept back for judging: every named split but "train"; none where no split is named."""
    return [p for p in pictures if p.split and p.split != "train"]


def square(image: Image.Image, side: int, way: Literal["centre", "letterbox"] = "centre") -> Image.Image:
    """Return a square: the middle of the picture, or the whole of it with white bars ("letterbox")."""
    if way == "centre":
        return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    if way == "letterbox":
        return ImageOps.pad(image, (side, side), Image.Resampling.LANCZOS, color=WHITE)
    raise ValueError(f"way is {way!r}; expected 'centre' or 'letterbox'")


def pixels(images: Sequence[Image.Image], side: int) -> Tensor:
    """Return (n, 3, side, side) float32 in -1 ... 1, each picture cut to its middle square."""
    rows = np.stack([np.asarray(square(i.convert("RGB"), side), dtype=np.float32) for i in images])
    return torch.from_numpy(rows / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


def report(pictures: Sequence[Picture], base: Base) -> list[str]:
    """Return what a learner should know before training, one finding a line: counts, sizes, captions, twins, rights."""
    train, kept = for_training(pictures), held_out(pictures)
    shorts = [min(p.size) for p in train]
    lines = [f"{len(train)} pictures to train on, {len(kept)} held out for judging"]
    if len(train) < 6:
        lines.append(
            f"only {len(train)} to train on: expected 6 or more; with fewer the model tends to copy them"
        )
    lines.append(f"short sides {min(shorts)} to {max(shorts)} px; {base.name} draws {base.side} px")
    small = [p.path.name for p in train if min(p.size) < base.side]
    if small:
        lines.append(f"smaller than {base.side} px and so enlarged: {listed(small)}")
    captioned = sum(bool(p.caption) for p in train)
    lines.append(f"{captioned} of {len(train)} have a caption")
    lines += [f"{a} and {b} look alike: keep one, or the model learns it twice" for a, b in twins(train)]
    unknown = [p.path.name for p in pictures if not p.rights.get("licence")]
    lines.append(
        f"no licence known for {listed(unknown)}: fine to try, not to publish"
        if unknown
        else "every picture has a licence"
    )
    return lines + [f"{p.path.name}: {note}" for p in pictures for note in p.notes]


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return a few names and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def twins(pictures: Sequence[Picture], bits: int = 5) -> list[tuple[str, str]]:
    """Return the names of pictures whose 64-bit difference hashes differ by at most so many bits."""
    hashes = []
    for picture in pictures:
        grey = np.asarray(picture.image.convert("L").resize((9, 8), Image.Resampling.LANCZOS), dtype=np.int16)
        hashes.append((grey[:, 1:] > grey[:, :-1]).ravel())
    pairs = ((i, j) for i in range(len(hashes)) for j in range(i) if (hashes[i] ^ hashes[j]).sum() <= bits)
    return [(pictures[j].path.name, pictures[i].path.name) for i, j in pairs]
