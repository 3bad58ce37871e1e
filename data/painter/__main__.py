"""Command line: `python -m data.painter --out data/sample_mughal`; with `--details`, data/sample_details."""

from __future__ import annotations

import argparse
import csv
import hashlib
from pathlib import Path
from typing import Protocol

from PIL import Image

from .album import ALBUM, Piece, paint
from .details import DETAILS, SIDE, Detail, paint_detail


class Drawn(Protocol):
    """What the metadata say of a picture."""

    @property
    def file_name(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def caption(self) -> str: ...


SEED, QUALITY = 7, 90  # what the committed pictures were drawn and saved with


def metadata(piece: Drawn, path: Path, source: str = "data/painter") -> dict[str, str]:
    """Return the metadata line of one saved picture, in the order of the columns."""
    return {
        "file_name": piece.file_name,
        "split": piece.split,
        "title": piece.title,
        "caption": piece.caption,
        "maker": "lessons_lib painter (course code)",
        "date": "2026",
        "licence": "CC0-1.0",
        "source": source,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def save(
    piece: Piece | Detail, out: Path, scale: float = 1.0, seed: int = SEED, quality: int = QUALITY
) -> Path:
    """Paint one page or detail, write it as JPEG and return where it lies."""
    path = out / piece.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(piece, Detail):
        pixels = paint_detail(piece, seed, round(SIDE * scale))
    else:
        pixels = paint(piece, scale, seed)
    Image.fromarray(pixels).save(path, quality=quality, optimize=True)
    return path


def write_metadata(rows: list[dict[str, str]], out: Path) -> None:
    """Write metadata.csv of all the pictures."""
    with (out / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Paint the whole album or its details with the metadata, or only those whose name holds --only."""
    parser = argparse.ArgumentParser(prog="python -m data.painter", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--details", action="store_true", help="squares of the pages with one thing each")
    parser.add_argument("--only", default="", help="paint only pictures whose name holds this text")
    parser.add_argument("--scale", type=float, default=1.0, help="1.0: pages 830 pixels high, details 512")
    parser.add_argument("--seed", type=int, default=SEED, help="start of the random numbers")
    parser.add_argument("--quality", type=int, default=QUALITY, help="JPEG quality")
    args = parser.parse_args()
    rows = []
    pieces: tuple[Piece | Detail, ...] = DETAILS if args.details else ALBUM
    for piece in pieces:
        if args.only in piece.name:
            path = save(piece, args.out, args.scale, args.seed, args.quality)
            rows.append(metadata(piece, path))
            print(path)
    if not args.only:
        write_metadata(rows, args.out)


if __name__ == "__main__":
    main()
