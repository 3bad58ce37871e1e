"""The drawings of the rented run: several makers' pictures of each thing in things.txt. `python -m
pocket.things`.

Nothing of what it fetches is committed; `things.csv` in the cache has a row a drawing, and travels with the
archive.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from pocket import corpus
from pocket.corpus import CACHE, HERE, SIDE

PICTURES, ROWS = CACHE / "things.npy", CACHE / "things.csv"
MARGIN = 0.03  # so much likelier must a drawing be when mirrored, before it is
# a drawing that covers more of its square is a scene with a ground of its own, and left out where others
# are not
SQUARE = 0.9


@dataclass(frozen=True)
class Thing:
    """A line of things.txt; `facing` is the way in which the first maker's drawing looks, if any."""

    icons: tuple[str, ...]
    names: tuple[str, ...]
    facing: str = ""


@dataclass(frozen=True)
class Drawing:
    """One source picture: what it shows, the word for its style, and whose it is. `facing` is after
    mirroring.
    """

    thing: str
    style: str
    facing: str
    package: str
    version: str
    name: str
    maker: str
    licence: str


@cache
def things() -> tuple[Thing, ...]:
    """Return every thing of things.txt in its order."""
    lines = [line for line in (HERE / "things.txt").read_text().splitlines() if not line.startswith("#")]
    return tuple(_thing(line) for line in lines)


def _thing(line: str) -> Thing:
    icons, names = line.split(": ", 1)
    names, _, facing = names.partition("; ")
    return Thing(tuple(icons.split()), tuple(names.split(", ")), facing)


def makers() -> list[dict[str, Any]]:
    """Return the sources of makers.toml in its order."""
    return tomllib.loads((HERE / "makers.toml").read_text())["npm"]


def _icon_names(icon_names: dict[str, str], icon: str) -> list[str]:
    """Return a maker's names for an icon: with its skin tones, with numbered takes, or in one word."""
    names = [n for n in corpus.skin_tones(icon, icon_names) if n in icon_names]
    return names or [n for n in (f"{icon}-1", f"{icon}-2", icon.replace("-", "")) if n in icon_names]


def _iconify(source: dict[str, Any]) -> Iterator[tuple[Thing, str, Image.Image]]:
    folder = corpus.fetch(source["package"], source["version"]) / "package"
    icons = json.loads((folder / "icons.json").read_text())
    icon_names = dict.fromkeys([*icons["icons"], *icons.get("aliases", {})], "")
    for thing in things():
        for icon in thing.icons:
            for name in _icon_names(icon_names, icon):
                picture = corpus.svg_picture(icons, name)
                if picture is not None:
                    yield thing, name, picture


def _code_points() -> dict[str, str]:
    """Return {icon name: Unicode code point} of every maker that lists them."""
    codes: dict[str, str] = {}
    for source in makers():
        chars = corpus.fetch(source["package"], source["version"]) / "package" / "chars.json"
        if source["kind"] == "iconify" and chars.exists():
            codes |= {name: code for code, name in json.loads(chars.read_text()).items()}
    return codes


def _webp(source: dict[str, Any]) -> Iterator[tuple[Thing, str, Image.Image]]:
    folder, codes = corpus.fetch(source["package"], source["version"]), _code_points()
    for thing in things():
        for icon in thing.icons:
            for name in corpus.skin_tones(icon, codes):
                picture = corpus.webp_picture(folder, codes.get(name, ""))
                if picture is not None:
                    yield thing, name, picture


def _look_of(pictures: np.ndarray) -> np.ndarray:
    """Return (n, 32, 32, 4) shape and shades of (n, SIDE, SIDE, 4) drawings, for comparison."""
    small = pictures.reshape(len(pictures), 32, SIDE // 32, 32, SIDE // 32, 4).mean((2, 4)) / 255
    small[..., :3] = (small[..., :3] - 0.5) * small[..., 3:]
    return small


def is_mirrored(picture: np.ndarray, first: np.ndarray) -> bool:
    """Return whether a (SIDE, SIDE, 4) drawing looks the other way than the first maker's of the same
    thing.
    """
    one, other = _look_of(np.stack([picture, first]))
    far = [float(np.abs(a - other).mean()) for a in (one, one[:, ::-1])]
    return far[1] < far[0] * (1 - MARGIN)


def _is_square(picture: np.ndarray) -> bool:
    return bool((picture[..., 3] > 127).mean() > SQUARE)


def draw_all() -> tuple[np.ndarray, list[Drawing]]:
    """Return every drawing as (N, SIDE, SIDE, 4) uint8 and its row, all of a thing looking one way."""
    kinds = {"iconify": _iconify, "webp": _webp}
    pictures: list[np.ndarray] = []
    rows: list[Drawing] = []
    first: dict[str, np.ndarray] = {}
    for source in makers():
        for thing, name, image in kinds[source["kind"]](source):
            picture = np.asarray(image)
            like = first.setdefault(thing.names[0], picture)
            if thing.names[0] in source.get("without", ()) or _is_square(picture) and not _is_square(like):
                continue
            if thing.facing and is_mirrored(picture, like):
                picture = picture[:, ::-1]
            pictures.append(picture)
            rows.append(
                Drawing(
                    thing.names[0],
                    source["style"],
                    thing.facing,
                    source["package"],
                    source["version"],
                    name,
                    source["maker"],
                    source["licence"],
                )
            )
    return np.stack(pictures), rows


def load() -> tuple[np.ndarray, list[Drawing]]:
    """Return the cached drawings and their rows."""
    with open(ROWS, newline="", encoding="utf-8") as handle:
        return np.load(PICTURES, mmap_mode="r"), [Drawing(**row) for row in csv.DictReader(handle)]


def main() -> None:
    CACHE.mkdir(exist_ok=True)
    pictures, rows = draw_all()
    np.save(PICTURES, pictures)
    with open(ROWS, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, [f.name for f in fields(Drawing)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    drawn_things = {row.thing for row in rows}
    by_maker = {
        p: len({r.thing for r in rows if r.package == p}) for p in dict.fromkeys(r.package for r in rows)
    }
    print(f"{len(rows)} drawings of {len(drawn_things)} things; things by package: {by_maker}")
    print("drawn by nobody:", [t.names[0] for t in things() if t.names[0] not in drawn_things])


if __name__ == "__main__":
    main()
