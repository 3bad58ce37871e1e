"""Drawings with names: what pocket-flux learns from, and where each drawing came from.

Everything is fetched from package registries when the corpus is built and nothing of it is committed, except
`provenance.csv`, which has a row a drawing. Run `python -m pocket.corpus` once; the later stages read its cache.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import tarfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

HERE = Path(__file__).parent
CACHE = HERE / "cache"
SIDE = 128  # px, the model's native picture side

COLOURS = {
    "white": (250, 250, 248), "grey": (150, 152, 156), "black": (28, 27, 30), "red": (205, 50, 48),
    "orange": (240, 146, 46), "yellow": (250, 215, 75), "green": (92, 166, 84), "teal": (44, 150, 150),
    "blue": (66, 120, 206), "purple": (128, 82, 168), "pink": (242, 160, 188), "brown": (134, 92, 62),
}  # fmt: skip
PLACES = {  # name: (upper, lower) colours; the horizon lies at about two thirds
    "garden": ((168, 214, 240), (110, 178, 80)), "sea": ((180, 220, 245), (40, 110, 180)),
    "desert": ((190, 222, 240), (228, 192, 120)), "night sky": ((22, 28, 68), (32, 46, 60)),
    "room": ((236, 222, 196), (160, 112, 76)),
}  # fmt: skip
STYLES = ("flat", "cartoon", "glossy 3d", "outline")


@dataclass(frozen=True)
class Drawing:
    """One source picture: what it shows, in which style, and whose it is."""

    concept: str
    style: str
    package: str
    version: str
    name: str
    maker: str
    licence: str


def sources() -> list[dict]:
    return tomllib.loads((HERE / "sources.toml").read_text())["npm"]


def concepts() -> dict[str, str]:
    """Return {icon name: plain name} in the order of concepts.txt."""
    words = [w for line in (HERE / "concepts.txt").read_text().splitlines()
             if not line.startswith("#") for w in line.split()]  # fmt: skip
    pairs = (w.split("=") for w in words)
    return {pair[0]: pair[-1].replace("-", " ") for pair in pairs}


def fetch(package: str, version: str) -> Path:
    """Return the unpacked folder of an npm package, fetching it once."""
    folder = CACHE / "packages" / f"{package.replace('/', '+')}-{version}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    run = subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder.parent,
                         check=True, capture_output=True, text=True)  # fmt: skip
    archive = folder.parent / run.stdout.split()[-1]
    with tarfile.open(archive) as tar:
        tar.extractall(folder.with_suffix(".part"), filter="data")
    archive.unlink()
    folder.with_suffix(".part").rename(folder)
    return folder


def svg_picture(icons: dict, icon: str) -> Image.Image | None:
    """Return an Iconify icon drawn at SIDE px with transparency, or None where the set lacks it."""
    while icon in icons.get("aliases", {}):
        icon = icons["aliases"][icon]["parent"]
    if icon not in icons["icons"]:
        return None
    item = icons["icons"][icon]
    width = item.get("width", icons.get("width", 16))
    height = item.get("height", icons.get("height", 16))
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
           f'viewBox="{item.get("left", 0)} {item.get("top", 0)} {width} {height}">{item["body"]}</svg>')
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg.replace("currentColor", "#222"), width=SIDE))
    return Image.open(io.BytesIO(png)).convert("RGBA").resize((SIDE, SIDE), Image.LANCZOS)


def webp_picture(folder: Path, code: str) -> Image.Image | None:
    """Return a picture that a package stores by Unicode code point, or None where it lacks it."""
    for name in (code, f"{code}-fe0f"):
        path = folder / "package" / "assets" / f"{name}.webp"
        if path.exists():
            return Image.open(path).convert("RGBA").resize((SIDE, SIDE), Image.LANCZOS)
    return None


def draw_all() -> tuple[np.ndarray, list[Drawing]]:
    """Return every drawing as (N, SIDE, SIDE, 4) uint8 with its provenance, in a fixed order."""
    codes = {}
    for source in sources():
        if source["kind"] == "iconify":
            chars = fetch(source["package"], source["version"]) / "package" / "chars.json"
            if chars.exists():
                codes |= {name: code for code, name in json.loads(chars.read_text()).items()}
    pictures, drawings = [], []
    for source in sources():
        folder = fetch(source["package"], source["version"])
        icons = (json.loads((folder / "package" / "icons.json").read_text())
                 if source["kind"] == "iconify" else None)  # fmt: skip
        for icon, concept in concepts().items():
            if icons is not None:
                picture = svg_picture(icons, icon)
            else:
                picture = webp_picture(folder, codes.get(icon, ""))
            if picture is not None:
                pictures.append(np.asarray(picture))
                drawings.append(Drawing(concept, source["style"], source["package"],
                                        source["version"], icon, source["maker"], source["licence"]))  # fmt: skip
    return np.stack(pictures), drawings


@cache
def load() -> tuple[np.ndarray, list[Drawing]]:
    """Return the cached corpus; only concepts that every style draws are kept, so styles stay comparable."""
    pictures = np.load(CACHE / "drawings.npy", mmap_mode="r")
    rows = json.loads((CACHE / "drawings.json").read_text())
    return pictures, [Drawing(**row) for row in rows]


def compose_one(rgba: np.ndarray, canvas: np.ndarray, side: int, left: int, top: int, flip: bool) -> None:
    """Paint a drawing onto the (SIDE, SIDE, 3) float canvas, in place."""
    image = Image.fromarray(rgba)
    if flip:
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    patch = np.asarray(image.convert("RGBa").resize((side, side), Image.BILINEAR), dtype=np.float32)
    alpha = patch[..., 3:] / 255
    window = canvas[top : top + side, left : left + side]
    window *= 1 - alpha
    window += patch[..., :3]


def ground(rng: np.random.Generator, name: str) -> np.ndarray:
    """Return a (SIDE, SIDE, 3) float canvas of a plain colour, or of a place with a horizon."""
    canvas = np.empty((SIDE, SIDE, 3), np.float32)
    if name in COLOURS:
        canvas[:] = COLOURS[name]
        return canvas + rng.normal(0, 3, 3).astype(np.float32)
    upper, lower = PLACES[name]
    horizon = int(SIDE * rng.uniform(0.6, 0.7))
    canvas[:horizon], canvas[horizon:] = upper, lower
    if name == "night sky":
        ys, xs = rng.integers(0, horizon - 1, 24), rng.integers(0, SIDE - 1, 24)
        canvas[ys, xs] = (235, 235, 210)
    return canvas


def main() -> None:
    CACHE.mkdir(exist_ok=True)
    pictures, drawings = draw_all()
    wanted = set(STYLES)
    full = {d.concept for d in drawings if wanted <= {e.style for e in drawings if e.concept == d.concept}}
    missing = sorted(set(concepts().values()) - full)
    keep = [i for i, d in enumerate(drawings) if d.concept in full]
    drawings = [drawings[i] for i in keep]
    np.save(CACHE / "drawings.npy", pictures[keep])
    (CACHE / "drawings.json").write_text(json.dumps([d.__dict__ for d in drawings]))
    with open(HERE / "provenance.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(Drawing.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(d.__dict__ for d in drawings)
    print(f"{len(drawings)} drawings of {len(full)} concepts; not in every style, left out: {missing}")


if __name__ == "__main__":
    main()
