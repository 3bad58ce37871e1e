"""Eight families of looks that no training sees; each uses means that no other look has.

`pocket.look_distance` writes held_out_looks.json: their seeds, and how far they are from trained looks.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from pocket import looks, palettes
from pocket.batch_rng import BatchRng
from pocket.corpus import HERE
from pocket.looks import Looks

FILE = HERE / "held_out_looks.json"
ROWS = 24  # looks of a family: near each other, not equal, as one painter's pages are


def _same(values: tuple[float, ...], n: int, rng: BatchRng, spread: float = 0.02) -> Tensor:
    """Return (n, len(values)) numbers near the given ones."""
    return torch.tensor(values) + rng.normal(n, 0, spread, len(values))


def _ramp(n: int, rng: BatchRng, dark: tuple[float, ...], light: tuple[float, ...]) -> dict[str, Tensor]:
    """Return what turns a picture into shades from one colour to another, and inks along the way."""
    low, high = _same(dark, n, rng), _same(light, n, rng)
    shades = low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, palettes.INKS)[:, None]
    return {"matrix": (high - low)[:, :, None] * palettes.GREY, "bias": low, "inks": shades, "paper": high}


def _bare(n: int, rng: BatchRng) -> Looks:
    return looks.sample(n, rng, plain=1.0)


def newsprint(n: int, rng: BatchRng) -> Looks:
    """Dots of two inks in rows, as in a cheap comic."""
    inks = torch.stack(
        [_same(c, n, rng) for c in ((0.1, 0.2, 0.55), (0.95, 0.9, 0.8), (0.9, 0.25, 0.3)) * 2], 1
    )
    return replace(
        _bare(n, rng),
        screen=rng.uniform(n, 0.8, 1),
        inks=inks,
        snap=torch.full((n,), 0.9),
        line_width=torch.ones(n),
        line_colour=_same((0.1, 0.15, 0.4), n, rng),
        ground_ink=torch.ones(n),
    )


def blueprint(n: int, rng: BatchRng) -> Looks:
    """White lines on blue paper, nothing filled."""
    return replace(
        _bare(n, rng),
        **_ramp(n, rng, (0.08, 0.2, 0.5), (0.2, 0.36, 0.66)),
        hollow=torch.ones(n),
        line_width=torch.ones(n),
        line_colour=_same((0.92, 0.95, 1), n, rng, 0.01),
        line_inner=torch.ones(n),
        ground_ink=torch.ones(n),
        grain=rng.uniform(n, 0.02, 0.05),
    )


def stained_glass(n: int, rng: BatchRng) -> Looks:
    """Large panes of strong colour, leaded in black."""
    bare = replace(_bare(n, rng), palette=torch.full((n,), 1))
    return replace(
        bare,
        **palettes.jewel(rng, n, bare.inks),
        leading=torch.ones(n),
        warp=torch.full((n,), 2),
        warp_size=rng.uniform(n, 7.5, 9.5),
        line_width=torch.full((n,), 3),
        line_colour=torch.zeros(n, 3),
        light=rng.uniform(n, 0.1, 0.2),
    )


def woodcut(n: int, rng: BatchRng) -> Looks:
    """Carved lines, thick where it is dark, in one ink."""
    return replace(
        _bare(n, rng),
        **_ramp(n, rng, (0.12, 0.1, 0.1), (0.95, 0.9, 0.78)),
        engrave=torch.ones(n),
        line_width=torch.full((n,), 2),
        line_colour=_same((0.1, 0.08, 0.08), n, rng),
        line_inner=torch.ones(n),
    )


def cross_stitch(n: int, rng: BatchRng) -> Looks:
    """Little crosses of coloured thread on linen."""
    return replace(
        _bare(n, rng),
        stitch=torch.ones(n),
        snap=rng.uniform(n, 0.3, 0.6),
        matrix=palettes.saturated(torch.full((n,), 1.5)),
        paper=_same((0.9, 0.85, 0.74), n, rng),
        ground_ink=torch.zeros(n),
    )


def neon(n: int, rng: BatchRng) -> Looks:
    """Glowing tubes of colour before a dark wall."""
    hue = palettes.hsv(rng.uniform(n, 0.75, 1.0), torch.full((n,), 0.75), torch.ones(n))
    dark = {
        "matrix": palettes.saturated(torch.full((n,), 1.2)) * 0.3,
        "bias": _same((0.02, 0.0, 0.06), n, rng, 0.01),
    }
    return replace(
        _bare(n, rng),
        **dark,
        glow=torch.full((n,), 1.6),
        hollow=torch.full((n,), 0.85),
        line_width=torch.ones(n),
        line_inner=torch.ones(n),
        line_colour=hue,
    )


def batik(n: int, rng: BatchRng) -> Looks:
    """Indigo and ochre cloth, crackled where the wax broke."""
    inks = torch.stack(
        [_same(c, n, rng) for c in ((0.09, 0.12, 0.32), (0.93, 0.86, 0.7), (0.62, 0.36, 0.16)) * 2], 1
    )
    return replace(
        _bare(n, rng),
        inks=inks,
        snap=torch.full((n,), 0.95),
        crackle=rng.uniform(n, 0.7, 1),
        line_width=torch.full((n,), 2),
        line_colour=_same((0.93, 0.86, 0.7), n, rng),
        ground_ink=torch.ones(n),
        weave=rng.uniform(n, 0.03, 0.06),
    )


def chalk(n: int, rng: BatchRng) -> Looks:
    """Powdery chalk on a slate."""
    pale = {"matrix": palettes.saturated(torch.full((n,), 0.5)) * 0.75, "bias": torch.full((n, 3), 0.25)}
    return replace(
        _bare(n, rng),
        **pale,
        chalk=torch.ones(n),
        hollow=torch.full((n,), 0.35),
        paper=_same((0.17, 0.23, 0.21), n, rng),
        line_width=torch.full((n,), 1),
        line_colour=_same((0.9, 0.9, 0.86), n, rng),
        line_inner=torch.full((n,), 0.7),
    )


FAMILIES: dict[str, Callable[[int, BatchRng], Looks]] = {
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
    return FAMILIES[name](count, BatchRng(seed_of(name)))
