"""Command line: `python -m data.character --out data/sample_character`; with `--second`, the fox."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from data.painter.__main__ import QUALITY, SEED, metadata, write_metadata

from .fox_scenes import FOX_SCENES
from .scenes import SCENES
from .stage import Scene, mask, paint

SIDE = 512  # pixels of a saved picture


def save(scene: Scene, out: Path, seed: int = SEED) -> Path:
    """Paint one picture, write it as JPEG and return where it lies."""
    path = out / scene.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(paint(scene, SIDE, seed)).save(path, quality=QUALITY, optimize=True)
    return path


def save_mask(scene: Scene, out: Path, seed: int = SEED) -> Path:
    """Write the mask of one picture, white where the character is, and return where it lies."""
    path = out / "masks" / f"{scene.name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask(scene, SIDE // 2, seed)).save(path, optimize=True)
    return path


def main() -> None:
    """Paint all pictures of a character, with their metadata and the masks of those to train on."""
    parser = argparse.ArgumentParser(prog="python -m data.character", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--second", action="store_true", help="the fox in the place of the owl")
    parser.add_argument("--seed", type=int, default=SEED, help="start of the random numbers")
    args = parser.parse_args()
    scenes = FOX_SCENES if args.second else SCENES
    rows = [metadata(scene, save(scene, args.out, args.seed), "data/character") for scene in scenes]
    write_metadata(rows, args.out)
    for scene in scenes:
        if scene.split == "train":
            save_mask(scene, args.out, args.seed)


if __name__ == "__main__":
    main()
