"""Command line: `python -m data.brand --out data/sample_brand`."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from data.painter.__main__ import metadata, write_metadata

from .cards import CARDS, Card, paint

SIDE = 512  # pixels of a saved picture


def save(card: Card, out: Path) -> Path:
    """Paint one card, write it as PNG and return where it lies."""
    path = out / card.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(paint(card, SIDE)).save(path, optimize=True)
    return path


def main() -> None:
    """Paint all cards of the brand, with their metadata."""
    parser = argparse.ArgumentParser(prog="python -m data.brand", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    args = parser.parse_args()
    write_metadata([metadata(card, save(card, args.out), "data/brand") for card in CARDS], args.out)


if __name__ == "__main__":
    main()
