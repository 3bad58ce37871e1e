"""Drawings with names: what pocket-flux learns from, and where each drawing came from.

Everything is fetched from package registries when the corpus is built and nothing of it is committed, except
`provenance.csv`, which has a row a drawing: `python -m pocket.assemble` puts it beside the weights that learned from it. Run `python -m pocket.corpus` once; the later stages read its cache.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import tarfile
import tomllib
from collections.abc import Container
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image, ImageFilter

HERE = Path(__file__).parent
# some 2 GB; every stage goes on from what is in it
CACHE = Path(os.environ.get("POCKET_CACHE", HERE / "cache"))
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
# as the packages draw them: one shape a thing, so that a style is a change of dress
DRAWN = ("flat", "glossy 3d", "outline")
# the other three are made from "flat"
STYLES = ("flat", "cartoon", "glossy 3d", "outline", "silhouette", "pixel art")
INK = (40, 30, 36)

TONES = ("light", "medium", "dark")  # people are drawn with these as often as without
ALIKE = 0.9  # two silhouettes that share this much of their area cannot be told apart


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


def entries() -> list[tuple[str, list[str]]]:
    """Return (icon name, [plain name, synonym, ...]) in the order of concepts.txt."""
    words = [
        w
        for line in (HERE / "concepts.txt").read_text().splitlines()
        if not line.startswith("#")
        for w in line.split()
    ]
    out = []
    for word in words:
        icon, *names = word.split("=")
        out.append(
            (icon, [n.replace("--", "\0").replace("-", " ").replace("\0", "-") for n in names or [icon]])
        )
    return out


def concepts() -> dict[str, str]:
    """Return {icon name: plain name} in the order of concepts.txt."""
    return {icon: names[0] for icon, names in entries()}


@cache
def synonyms() -> dict[str, list[str]]:
    """Return {plain name: other names of the same thing}."""
    return {names[0]: names[1:] for _, names in entries()}


def fetch(package: str, version: str) -> Path:
    """Return the unpacked folder of an npm package, fetching it once."""
    folder = CACHE / "packages" / f"{package.replace('/', '+')}-{version}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    run = subprocess.run(
        ["npm", "pack", "--silent", f"{package}@{version}"],
        cwd=folder.parent,
        check=True,
        capture_output=True,
        text=True,
    )
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
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{item.get("left", 0)} {item.get("top", 0)} {width} {height}">{item["body"]}</svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg.replace("currentColor", "#222"), width=SIDE))
    return Image.open(io.BytesIO(png)).convert("RGBA").resize((SIDE, SIDE), Image.LANCZOS)


def webp_picture(folder: Path, code: str) -> Image.Image | None:
    """Return a picture that a package stores by Unicode code point, or None where it lacks it."""
    for name in (code, f"{code}-fe0f"):
        path = folder / "package" / "assets" / f"{name}.webp"
        if path.exists():
            return Image.open(path).convert("RGBA").resize((SIDE, SIDE), Image.LANCZOS)
    return None


def toned(icon: str, known: Container[str]) -> list[str]:
    """Return an icon's name and those of its skin tones; a police car's light is no light police car."""
    for end in ("", "-skin-tone"):
        if f"{icon}-medium-dark{end}" in known:
            return [icon, *(f"{icon}-{tone}{end}" for tone in TONES)]
    return [icon]


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
        icons = (
            json.loads((folder / "package" / "icons.json").read_text())
            if source["kind"] == "iconify"
            else None
        )
        for icon, concept in concepts().items():
            for name in toned(icon, codes if icons is None else icons["icons"]):
                if icons is not None:
                    picture = svg_picture(icons, name)
                else:
                    picture = webp_picture(folder, codes.get(name, ""))
                if picture is not None:
                    pictures.append(np.asarray(picture))
                    drawings.append(
                        Drawing(
                            concept,
                            source["style"],
                            source["package"],
                            source["version"],
                            name,
                            source["maker"],
                            source["licence"],
                        )
                    )
    return np.stack(pictures), drawings


@cache
def load() -> tuple[np.ndarray, list[Drawing]]:
    """Return the cached corpus; only concepts drawn in every one of DRAWN are kept."""
    pictures = np.load(CACHE / "drawings.npy", mmap_mode="r")
    rows = json.loads((CACHE / "drawings.json").read_text())
    return pictures, [Drawing(**row) for row in rows]


def silhouette(rgba: np.ndarray) -> np.ndarray:
    """Return the drawing's shape filled with near-black, (SIDE, SIDE, 4) uint8."""
    out = np.empty_like(rgba)
    out[..., :3], out[..., 3] = (24, 24, 28), rgba[..., 3]
    return out


def cartoon(rgba: np.ndarray) -> np.ndarray:
    """Return the drawing with ink around it and between its colours, (SIDE, SIDE, 4) uint8."""
    image = Image.fromarray(rgba)
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32)[..., None] / 255
    wider = (
        np.asarray(image.getchannel("A").filter(ImageFilter.MaxFilter(5)), dtype=np.float32)[..., None] / 255
    )
    paint = np.asarray(image.convert("RGBa"), dtype=np.float32)[..., :3]
    on_grey = Image.fromarray((paint + 128 * (1 - alpha)).clip(0, 255).astype(np.uint8))
    step = (
        np.asarray(on_grey.filter(ImageFilter.MaxFilter(3)), dtype=np.float32)
        - np.asarray(on_grey.filter(ImageFilter.MinFilter(3)), dtype=np.float32)
    ).max(-1, keepdims=True)
    between = ((step - 50) / 60).clip(0, 1) * (alpha > 0.5)
    drawn = (paint + np.array(INK) * (wider - alpha)) * (1 - between) + np.array(INK) * between
    return np.concatenate([drawn / np.maximum(wider, 1e-3), 255 * wider], 2).clip(0, 255).astype(np.uint8)


def pixel_art(rgba: np.ndarray, cells: int = 20) -> np.ndarray:
    """Return the drawing in so many square cells a side, each of one colour, (SIDE, SIDE, 4) uint8."""
    small = np.asarray(Image.fromarray(rgba).convert("RGBa").resize((cells, cells), Image.BOX)).copy()
    alpha = small[..., 3:].astype(np.float32) / 255
    small[..., :3] = (small[..., :3] / np.maximum(alpha, 1e-3)).clip(0, 255)
    small[..., 3] = np.where(small[..., 3] > 110, 255, 0)
    return np.asarray(Image.fromarray(small, "RGBA").resize((SIDE, SIDE), Image.NEAREST))


def told_apart(pictures: np.ndarray) -> np.ndarray:
    """Return for each of (n, SIDE, SIDE, 4) drawings whether no other has nearly its shape, (n,) bool."""
    shapes = np.stack([np.asarray(Image.fromarray(p[..., 3]).resize((32, 32), Image.BOX)) for p in pictures])
    shapes = shapes.reshape(len(shapes), -1).astype(np.float32) / 255
    shared = shapes @ shapes.T
    area = shapes.sum(1)
    alike = shared / (area[:, None] + area[None] - shared)
    np.fill_diagonal(alike, 0)
    return alike.max(1) < ALIKE


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
    wanted = set(DRAWN)
    full = {d.concept for d in drawings if wanted <= {e.style for e in drawings if e.concept == d.concept}}
    first = {concept: icon for icon, concept in concepts().items()}
    missing = sorted(set(concepts().values()) - full)
    keep = [i for i, d in enumerate(drawings) if d.concept in full]
    drawings = [drawings[i] for i in keep]
    pictures = pictures[keep]
    for style, change in {"cartoon": cartoon, "silhouette": silhouette, "pixel art": pixel_art}.items():
        rows = [
            i
            for i, d in enumerate(drawings)
            if d.style == "flat" and (style == "cartoon" or d.name == first[d.concept])
        ]
        if style == "silhouette":
            rows = [i for i, apart in zip(rows, told_apart(pictures[rows]), strict=True) if apart]
        pictures = np.concatenate([pictures, np.stack([change(pictures[i]) for i in rows])])
        drawings += [replace(drawings[i], style=style) for i in rows]
    np.save(CACHE / "drawings.npy", pictures)
    (CACHE / "drawings.json").write_text(json.dumps([d.__dict__ for d in drawings]))
    with open(CACHE / "provenance.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(Drawing.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(d.__dict__ for d in drawings)
    each = {style: sum(d.style == style for d in drawings) for style in STYLES}
    print(
        f"{len(drawings)} drawings of {len(full)} concepts, {each}; not in every style, left out: {missing}"
    )


if __name__ == "__main__":
    main()
