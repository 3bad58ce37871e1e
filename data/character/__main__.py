"""Command line: `python -m data.character --out data/sample_character`."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from data.painter.__main__ import QUALITY, SEED, metadata, write_metadata

from .scenes import SCENES, Scene, paint

SIDE = 512  # pixels of a saved picture


def save(scene: Scene, out: Path, seed: int = SEED) -> Path:
    """Paint one picture, write it as JPEG and return where it lies."""
    path = out / scene.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(paint(scene, SIDE, seed)).save(path, quality=QUALITY, optimize=True)
    return path


def main() -> None:
    """Paint all pictures of the character, with their metadata."""
    parser = argparse.ArgumentParser(prog="python -m data.character", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--seed", type=int, default=SEED, help="start of the random numbers")
    args = parser.parse_args()
    rows = [metadata(scene, save(scene, args.out, args.seed), "data/character") for scene in SCENES]
    write_metadata(rows, args.out)


if __name__ == "__main__":
    main()
