"""Drawings with names: what pocket-flux learns from, and where each drawing came from.

Run `python -m pocket.corpus` once; the later stages read its cache. Everything is fetched from package
registries when the corpus is built and nothing of it is committed, except `provenance.csv`, which has a row
for each drawing: `python -m pocket.assemble` puts it beside the weights that learned from it.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import tomllib
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from pocket import provenance, styles

HERE = Path(__file__).parent
# Some 2 GB; every stage continues from what is in it.
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
# Styles that the packages draw: each thing has one shape in all of them, so that only the style differs.
DRAWN = ("flat", "glossy 3d", "outline")
# The three that are not in DRAWN are made from "flat".
STYLES = ("flat", "cartoon", "glossy 3d", "outline", "silhouette", "pixel art")

TONES = ("light", "medium", "dark")  # skin tones; people are drawn with these as often as without


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
    lines = (HERE / "concepts.txt").read_text().splitlines()
    words = [word for line in lines if not line.startswith("#") for word in line.split()]
    icons_and_names = []
    for word in words:
        icon, *names = word.split("=")
        icons_and_names.append((icon, [_plain_name(name) for name in names or [icon]]))
    return icons_and_names


def _plain_name(name: str) -> str:
    """Return a name of concepts.txt with spaces for hyphens; a double hyphen stands for a real one."""
    return name.replace("--", "\0").replace("-", " ").replace("\0", "-")


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
    import resvg_py  # a machine that only trains has no need of it

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
    return Image.open(io.BytesIO(png)).convert("RGBA").resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def webp_picture(folder: Path, code: str) -> Image.Image | None:
    """Return a picture that a package stores by Unicode code point, or None where it lacks it."""
    for name in (code, f"{code}-fe0f"):
        path = folder / "package" / "assets" / f"{name}.webp"
        if path.exists():
            return Image.open(path).convert("RGBA").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return None


def skin_tones(icon: str, names: Container[str]) -> list[str]:
    """Return an icon's name and those of its skin tones.

    A police car's light is not a skin tone: "dark" has to exist too.
    """
    for end in ("", "-skin-tone"):
        if f"{icon}-medium-dark{end}" in names:
            return [icon, *(f"{icon}-{tone}{end}" for tone in TONES)]
    return [icon]


def icon_codes() -> dict[str, str]:
    """Return {icon name: Unicode code point} as the icon packages say."""
    codes: dict[str, str] = {}
    for source in sources():
        if source["kind"] == "iconify":
            chars = fetch(source["package"], source["version"]) / "package" / "chars.json"
            if chars.exists():
                codes |= {name: code for code, name in json.loads(chars.read_text()).items()}
    return codes


def draw_source(source: dict, codes: dict[str, str]) -> Iterator[tuple[np.ndarray, Drawing]]:
    """Yield every drawing of one package, (SIDE, SIDE, 4) uint8, with its provenance."""
    folder = fetch(source["package"], source["version"])
    icons = None
    if source["kind"] == "iconify":
        icons = json.loads((folder / "package" / "icons.json").read_text())
    provenance = (source["package"], source["version"])
    for icon, concept in concepts().items():
        for name in skin_tones(icon, codes if icons is None else icons["icons"]):
            if icons is not None:
                picture = svg_picture(icons, name)
            else:
                picture = webp_picture(folder, codes.get(name, ""))
            if picture is not None:
                rights = (source["maker"], source["licence"])
                yield np.asarray(picture), Drawing(concept, source["style"], *provenance, name, *rights)


def draw_all() -> tuple[np.ndarray, list[Drawing]]:
    """Return every drawing as (N, SIDE, SIDE, 4) uint8 with its provenance, in a fixed order."""
    codes = icon_codes()
    both = [pair for source in sources() for pair in draw_source(source, codes)]
    return np.stack([picture for picture, _ in both]), [drawing for _, drawing in both]


@cache
def load() -> tuple[np.ndarray, list[Drawing]]:
    """Return the cached corpus; only concepts drawn in every one of DRAWN are kept."""
    pictures = np.load(CACHE / "drawings.npy", mmap_mode="r")
    rows = json.loads((CACHE / "drawings.json").read_text())
    return pictures, [Drawing(**row) for row in rows]


def compose_one(rgba: np.ndarray, canvas: np.ndarray, side: int, left: int, top: int, flip: bool) -> None:
    """Paint a drawing onto the (SIDE, SIDE, 3) float canvas, in place."""
    image = Image.fromarray(rgba)
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    patch = np.asarray(
        image.convert("RGBa").resize((side, side), Image.Resampling.BILINEAR), dtype=np.float32
    )
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


def complete_concepts(drawings: list[Drawing]) -> set[str]:
    """Return the concepts that are drawn in every style of DRAWN."""
    drawn: dict[str, set[str]] = {}
    for drawing in drawings:
        drawn.setdefault(drawing.concept, set()).add(drawing.style)
    return {concept for concept, its_styles in drawn.items() if its_styles >= set(DRAWN)}


def add_derived_styles(pictures: np.ndarray, drawings: list[Drawing]) -> tuple[np.ndarray, list[Drawing]]:
    """Return the corpus with the styles that are made from the flat drawings.

    A silhouette or pixel art is made of a concept's first drawing only, and a silhouette only of a shape of
    its own.
    """
    first = {concept: icon for icon, concept in concepts().items()}
    for style, change in {
        "cartoon": styles.cartoon,
        "silhouette": styles.silhouette,
        "pixel art": styles.pixel_art,
    }.items():
        rows = [i for i, d in enumerate(drawings) if d.style == "flat"]
        if style != "cartoon":
            rows = [i for i in rows if drawings[i].name == first[drawings[i].concept]]
        if style == "silhouette":
            rows = [rows[k] for k in np.flatnonzero(styles.distinct_shapes(pictures[rows]))]
        pictures = np.concatenate([pictures, np.stack([change(pictures[i]) for i in rows])])
        drawings = drawings + [replace(drawings[i], style=style) for i in rows]
    return pictures, drawings


def save(pictures: np.ndarray, drawings: list[Drawing]) -> None:
    """Write the corpus and its provenance to the cache."""
    np.save(CACHE / "drawings.npy", pictures)
    (CACHE / "drawings.json").write_text(json.dumps([d.__dict__ for d in drawings]))
    provenance.write([d.__dict__ | {"thing": d.concept} for d in drawings], CACHE)


def main() -> None:
    CACHE.mkdir(exist_ok=True)
    pictures, drawings = draw_all()
    complete = complete_concepts(drawings)
    missing = sorted(set(concepts().values()) - complete)
    rows = [i for i, d in enumerate(drawings) if d.concept in complete]
    pictures, drawings = add_derived_styles(pictures[rows], [drawings[i] for i in rows])
    save(pictures, drawings)
    each = {style: sum(d.style == style for d in drawings) for style in STYLES}
    print(f"{len(drawings)} drawings of {len(complete)} concepts, {each}")
    print(f"left out, as they are not in every style: {missing}")


if __name__ == "__main__":
    main()
