"""Eight families of looks that no training sees; each uses means that no other look has. `python -m
pocket.held_out`.

It writes held_out_looks.json: each family's seed, and how far its looks are from the nearest trained one.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import torch
from torch import Tensor

from pocket import looks, palettes
from pocket.composer import Composer
from pocket.corpus import HERE
from pocket.dice import Dice
from pocket.drawings import Bank
from pocket.looks import Looks
from pocket.painting import Scenes
from pocket.phrases import Phrases
from pocket.wording import Mix

FILE = HERE / "held_out_looks.json"
ROWS = 24  # looks of a family: near each other, not equal, as one painter's pages are


def _same(values: tuple[float, ...], n: int, dice: Dice, spread: float = 0.02) -> Tensor:
    """Return (n, len(values)) numbers near the given ones."""
    return torch.tensor(values) + dice.normal(n, 0, spread, len(values))


def _ramp(n: int, dice: Dice, dark: tuple[float, ...], light: tuple[float, ...]) -> dict[str, Tensor]:
    """Return what turns a picture into shades from one colour to another, and inks along the way."""
    low, high = _same(dark, n, dice), _same(light, n, dice)
    shades = low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, palettes.INKS)[:, None]
    return {"matrix": (high - low)[:, :, None] * palettes.GREY, "bias": low, "inks": shades, "paper": high}


def _bare(n: int, dice: Dice) -> Looks:
    return looks.sample(n, dice, plain=1.0)


def newsprint(n: int, dice: Dice) -> Looks:
    """Dots of two inks in rows, as in a cheap comic."""
    inks = torch.stack(
        [_same(c, n, dice) for c in ((0.1, 0.2, 0.55), (0.95, 0.9, 0.8), (0.9, 0.25, 0.3)) * 2], 1
    )
    return replace(
        _bare(n, dice),
        screen=dice.uniform(n, 0.8, 1),
        inks=inks,
        snap=torch.full((n,), 0.9),
        line_width=torch.ones(n),
        line_colour=_same((0.1, 0.15, 0.4), n, dice),
        ground_ink=torch.ones(n),
    )


def blueprint(n: int, dice: Dice) -> Looks:
    """White lines on blue paper, nothing filled."""
    return replace(
        _bare(n, dice),
        **_ramp(n, dice, (0.08, 0.2, 0.5), (0.2, 0.36, 0.66)),
        hollow=torch.ones(n),
        line_width=torch.ones(n),
        line_colour=_same((0.92, 0.95, 1), n, dice, 0.01),
        line_inner=torch.ones(n),
        ground_ink=torch.ones(n),
        grain=dice.uniform(n, 0.02, 0.05),
    )


def stained_glass(n: int, dice: Dice) -> Looks:
    """Large panes of strong colour, leaded in black."""
    bare = replace(_bare(n, dice), palette=torch.full((n,), 1))
    return replace(
        bare,
        **palettes.jewel(dice, n, bare.inks),
        leading=torch.ones(n),
        warp=torch.full((n,), 2),
        warp_size=dice.uniform(n, 7.5, 9.5),
        line_width=torch.full((n,), 3),
        line_colour=torch.zeros(n, 3),
        light=dice.uniform(n, 0.1, 0.2),
    )


def woodcut(n: int, dice: Dice) -> Looks:
    """Carved lines, thick where it is dark, in one ink."""
    return replace(
        _bare(n, dice),
        **_ramp(n, dice, (0.12, 0.1, 0.1), (0.95, 0.9, 0.78)),
        engrave=torch.ones(n),
        line_width=torch.full((n,), 2),
        line_colour=_same((0.1, 0.08, 0.08), n, dice),
        line_inner=torch.ones(n),
    )


def cross_stitch(n: int, dice: Dice) -> Looks:
    """Little crosses of coloured thread on linen."""
    return replace(
        _bare(n, dice),
        stitch=torch.ones(n),
        snap=dice.uniform(n, 0.3, 0.6),
        matrix=palettes.saturated(torch.full((n,), 1.5)),
        paper=_same((0.9, 0.85, 0.74), n, dice),
        ground_ink=torch.zeros(n),
    )


def neon(n: int, dice: Dice) -> Looks:
    """Glowing tubes of colour before a dark wall."""
    hue = palettes.hsv(dice.uniform(n, 0.75, 1.0), torch.full((n,), 0.75), torch.ones(n))
    dark = {
        "matrix": palettes.saturated(torch.full((n,), 1.2)) * 0.3,
        "bias": _same((0.02, 0.0, 0.06), n, dice, 0.01),
    }
    return replace(
        _bare(n, dice),
        **dark,
        glow=torch.full((n,), 1.6),
        hollow=torch.full((n,), 0.85),
        line_width=torch.ones(n),
        line_inner=torch.ones(n),
        line_colour=hue,
    )


def batik(n: int, dice: Dice) -> Looks:
    """Indigo and ochre cloth, crackled where the wax broke."""
    inks = torch.stack(
        [_same(c, n, dice) for c in ((0.09, 0.12, 0.32), (0.93, 0.86, 0.7), (0.62, 0.36, 0.16)) * 2], 1
    )
    return replace(
        _bare(n, dice),
        inks=inks,
        snap=torch.full((n,), 0.95),
        crackle=dice.uniform(n, 0.7, 1),
        line_width=torch.full((n,), 2),
        line_colour=_same((0.93, 0.86, 0.7), n, dice),
        ground_ink=torch.ones(n),
        weave=dice.uniform(n, 0.03, 0.06),
    )


def chalk(n: int, dice: Dice) -> Looks:
    """Powdery chalk on a slate."""
    pale = {"matrix": palettes.saturated(torch.full((n,), 0.5)) * 0.75, "bias": torch.full((n, 3), 0.25)}
    return replace(
        _bare(n, dice),
        **pale,
        chalk=torch.ones(n),
        hollow=torch.full((n,), 0.35),
        paper=_same((0.17, 0.23, 0.21), n, dice),
        line_width=torch.full((n,), 1),
        line_colour=_same((0.9, 0.9, 0.86), n, dice),
        line_inner=torch.full((n,), 0.7),
    )


FAMILIES: dict[str, Callable[[int, Dice], Looks]] = {
    "newsprint": newsprint,
    "blueprint": blueprint,
    "stained glass": stained_glass,
    "woodcut": woodcut,
    "cross stitch": cross_stitch,
    "neon": neon,
    "batik": batik,
    "chalk": chalk,
}


def seed_of(name: str) -> int:
    return zlib.crc32(name.encode()) % 100_000


def family(name: str, count: int = ROWS) -> Looks:
    """Return so many looks of a held-out family, the same ones every time."""
    return FAMILIES[name](count, Dice(seed_of(name)))


def _under(scenes: Scenes, look: Looks) -> Scenes:
    """Return the same scenes once for every look."""
    n, m = len(scenes), len(look)
    again = {
        f.name: getattr(scenes, f.name).repeat(m, *(1,) * (getattr(scenes, f.name).ndim - 1))
        for f in fields(scenes)
        if f.name != "looks"
    }
    return Scenes(**again, looks=look[torch.arange(m).repeat_interleave(n)])


@torch.no_grad()
def style_of(composer: Composer, scenes: Scenes, look: Looks, chunk: int = 16) -> Tensor:
    """Return each look's style, (looks, features): means and spreads of EfficientNet-lite0's first maps
    over the same scenes.
    """
    from pocket.vae import Perceptual

    network, rows = Perceptual(), []
    for part in torch.arange(len(look)).split(chunk):
        maps = network.features(composer.paint(_under(scenes, look[part])) * 2 - 1)
        flat = torch.cat([torch.cat([m.mean((2, 3)), m.std((2, 3))], 1) for m in maps], 1)
        rows.append(flat.unflatten(0, (len(part), len(scenes))).mean(1))
    return torch.cat(rows)


def distances(composer: Composer, trained: Looks, of_each: int = 8) -> dict[str, object]:
    """Return each family's distance to the nearest trained look, beside how far trained looks are from each
    other.
    """
    scenes = composer.scenes(2, 1 << 41, Mix(plain=1, named=0, empty=0))
    known = style_of(composer, scenes, trained)
    centre, spread = known.mean(0), known.std(0) + 1e-6
    known = (known - centre) / spread
    own = torch.cdist(known, known).fill_diagonal_(float("inf")).amin(1) / known.shape[1] ** 0.5
    out: dict[str, object] = {
        "trained looks": len(trained),
        "nearest other trained look, median": round(float(own.median()), 2),
        "nearest other trained look, 95 of 100 are nearer than": round(float(own.quantile(0.95)), 2),
        "families": {},
    }
    for name in FAMILIES:
        far = (
            torch.cdist((style_of(composer, scenes, family(name, of_each)) - centre) / spread, known).amin(1)
            / known.shape[1] ** 0.5
        )
        out["families"] |= {
            name: {
                "seed": seed_of(name),
                "looks": ROWS,
                "what": str(FAMILIES[name].__doc__),  # type: ignore[operator]
                "nearest trained look": round(float(far.median()), 2),
            }
        }
    return out


def main() -> None:
    from pocket import pack, things

    pictures, rows = things.load()
    composer = Composer(
        Bank(torch.from_numpy(np.array(pictures)), rows), Phrases(pack.names_of(rows), [], [])
    )
    trained = looks.joined([pack.named_looks(), looks.sample(500, Dice(3))])
    FILE.write_text(json.dumps(distances(composer, trained), indent=1) + "\n")
    print(FILE.read_text())


if __name__ == "__main__":
    main()
