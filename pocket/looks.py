"""Looks at random: palette, line, shading, manner and border of a picture, as rows of numbers that
brushes.py reads.

A base that has seen each thing in many looks learns that a look can change while the thing stays (domain
randomisation,
Tobin et al. 2017, arXiv 1703.06907). Eight families of looks use means that no other look has; they are
never trained on
and measure how well sixteen pictures teach a new one. Those families are in held_out.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from pocket.batch_rng import BatchRng
from pocket.palettes import INKS, RGB, colours, ramp

LINES = ("none", "thin", "thick", "coloured", "broken")
SHADINGS = ("none", "soft shading", "hatching", "stippling")
MANNERS = (
    "none",
    "watercolour",
    "oil painting",
    "sketch",
    "mosaic",
    "faded",
    "woven",
    "crayon",
    "fresco",
    "ink wash",
    "pixel art",
    "rough paper",
    "glass",
)
BORDERS = ("none", "ruled", "plain", "patterned")
BORDER_WEIGHTS = (62.0, 12.0, 12.0, 14.0)
WARPS = ("none", "wobble", "cells", "squares", "dabs")
NAMEABLE = ("natural", "jewel", "pastel")  # palettes under which a ground's colour keeps its name
TRAINED_SEED = 20_000  # of the looks that have a name


@dataclass
class Looks:
    """n looks, a row each. Colours are 0 to 1; lengths are shares of the side, or px where said."""

    palette: Tensor  # index into PALETTES
    line: Tensor  # into LINES
    shading: Tensor  # into SHADINGS
    manner: Tensor  # into MANNERS
    border: Tensor  # into BORDERS
    matrix: Tensor  # (n, 3, 3): colours times this plus `bias`
    bias: Tensor  # (n, 3)
    gamma: Tensor
    inks: Tensor  # (n, INKS, 3)
    snap: Tensor  # how far colours are pulled to the nearest ink
    line_width: Tensor  # px, 0 to 3
    line_colour: Tensor  # (n, 3)
    line_name: Tensor  # index into COLOUR_NAMES
    line_inner: Tensor  # strength of lines between the colours of a thing
    broken: Tensor
    silhouette: Tensor  # 1: things are filled with the line's colour
    light: Tensor
    light_angle: Tensor
    shadow: Tensor
    hatch: Tensor
    hatch_freq: Tensor
    hatch_angle: Tensor
    stipple: Tensor
    grain: Tensor
    blotch: Tensor
    streak: Tensor
    weave: Tensor
    edge: Tensor
    blur: Tensor
    fade: Tensor
    paper: Tensor  # (n, 3)
    warp: Tensor  # into WARPS
    warp_size: Tensor  # px
    grout: Tensor  # -1 dark to 1 light lines between the cells
    margin_top: Tensor  # of the border, as shares of the side
    margin_left: Tensor
    border_colours: Tensor  # (n, 3, 3): band, pattern, line
    border_name: Tensor
    border_freq: Tensor  # (n, 2)
    border_cut: Tensor
    border_kind: Tensor  # 0 to 3
    border_line: Tensor  # px
    ground_ink: Tensor  # 1: a plain ground takes an ink's colour
    # what no look but those held out has
    screen: Tensor
    hollow: Tensor
    engrave: Tensor
    stitch: Tensor
    glow: Tensor
    crackle: Tensor
    chalk: Tensor
    leading: Tensor

    def __len__(self) -> int:
        return len(self.palette)

    def __getitem__(self, rows: Tensor) -> Looks:
        return Looks(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def to(self, device: torch.device | str) -> Looks:
        return Looks(**{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)})


ONLY_HELD_OUT = ("screen", "hollow", "engrave", "stitch", "glow", "crackle", "chalk", "leading")


def joined(parts: list[Looks]) -> Looks:
    return Looks(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Looks)})


def put(first: Looks, rows: Tensor, other: Looks) -> Looks:
    """Return `first` with `other` in the rows where the mask is true."""
    where = rows.nonzero()[:, 0]
    return Looks(
        **{f.name: getattr(first, f.name).index_copy(0, where, getattr(other, f.name)) for f in fields(Looks)}
    )


# What a manner sets, as (low, high) of each number; a list of one value is that value.
MANNER_RULES: dict[str, dict[str, tuple[float, float]]] = {
    "watercolour": {
        "blotch": (0.08, 0.2),
        "edge": (0.6, 1.2),
        "grain": (0.02, 0.05),
        "blur": (0.2, 0.5),
        "fade": (0, 0.2),
    },
    "oil painting": {"warp": (4, 4), "warp_size": (2.2, 4.0), "streak": (0.02, 0.05), "blur": (0.0, 0.3)},
    "sketch": {"hatch": (0.4, 0.8), "fade": (0.25, 0.5), "line_inner": (0.6, 1), "grain": (0.02, 0.06)},
    "mosaic": {"warp": (2, 2), "warp_size": (3.6, 6.2), "grout": (-0.7, 0.5)},
    "faded": {"fade": (0.3, 0.5), "blotch": (0.05, 0.12), "grain": (0.03, 0.06)},
    "woven": {"weave": (0.08, 0.18), "grain": (0.02, 0.05)},
    "crayon": {"grain": (0.07, 0.14), "streak": (0.04, 0.09), "warp": (1, 1), "warp_size": (1.2, 2.5)},
    "fresco": {"blotch": (0.1, 0.2), "grain": (0.05, 0.09), "fade": (0.1, 0.3), "edge": (0, 0.4)},
    "ink wash": {"blotch": (0.08, 0.2), "edge": (0.5, 1.0), "blur": (0.3, 0.6), "fade": (0, 0.15)},
    "pixel art": {"warp": (3, 3), "warp_size": (3.2, 5.4)},
    "rough paper": {"grain": (0.07, 0.13), "blotch": (0.04, 0.1)},
    "glass": {"warp": (2, 2), "warp_size": (5, 7.5), "grout": (0.2, 0.6), "light": (0.1, 0.3)},
}


def _ruled(rng: BatchRng, out: dict[str, Tensor], manner: Tensor) -> None:
    """Set the numbers that each look's manner asks for, in place."""
    for index, name in enumerate(MANNERS[1:], 1):
        rows = (manner == index).nonzero()[:, 0]
        for key, (low, high) in MANNER_RULES[name].items():
            out[key][rows] = rng.uniform(len(rows), low, high).to(out[key].dtype)
    grey = manner == MANNERS.index("ink wash")
    dark, light = out["inks"][:, 0] * 0.5, torch.tensor((0.97, 0.96, 0.92))
    matrix, bias = ramp(dark, light.expand_as(dark))
    out["matrix"] = torch.where(grey[:, None, None], matrix, out["matrix"])
    out["bias"] = torch.where(grey[:, None], bias, out["bias"])


def _lines(rng: BatchRng, line: Tensor, inks: Tensor) -> dict[str, Tensor]:
    n = len(line)
    width = torch.tensor((0, 1, 2, 2, 2))[line] + ((line == 2) | (line == 3)) * rng.integers(n, 0, 2)
    ink = torch.tensor((0.13, 0.1, 0.12)) + rng.normal(n, 0, 0.04, 3)
    name = rng.choose(n, [3, 0, 0, 3, 2, 2, 2, 1, 3, 2, 1, 2])
    coloured = RGB[name] + rng.normal(n, 0, 0.03, 3)
    colour = torch.where((line == LINES.index("coloured"))[:, None], coloured, ink)
    return {
        "line_width": width,
        "line_colour": colour.clamp(0, 1),
        "line_name": name,
        "line_inner": (line > 0) * rng.uniform(n, 0, 1),
        "broken": (line == LINES.index("broken")) * rng.uniform(n, 0.5, 1),
        "silhouette": rng.coin(n, 0.03).float(),
    }


def _borders(rng: BatchRng, border: Tensor, inks: Tensor) -> dict[str, Tensor]:
    n = len(border)
    has = (border > 0).float()
    name = rng.integers(n, 0, len(RGB))
    own = RGB[name] + rng.normal(n, 0, 0.03, 3)
    band, pattern, line = (inks[torch.arange(n), rng.integers(n, 0, INKS)] for _ in range(3))
    band = torch.where(rng.coin(n, 0.5)[:, None] | (border == 2)[:, None], own, band)
    wide = torch.where(
        border == BORDERS.index("ruled"), rng.uniform(n, 0.025, 0.07), rng.uniform(n, 0.04, 0.16)
    )
    return {
        "margin_top": has * wide * rng.uniform(n, 0.7, 1.2),
        "margin_left": has * wide * rng.uniform(n, 0.7, 1.4),
        "border_colours": torch.stack([band, pattern, line], 1).clamp(0, 1),
        "border_name": name,
        "border_freq": rng.uniform(n, 5, 22, 2),
        "border_cut": rng.uniform(n, -0.2, 0.6),
        "border_kind": rng.integers(n, 0, 4),
        "border_line": rng.uniform(n, 0.8, 2.6),
    }


def sample(count: int, rng: BatchRng, plain: float = 0.0, borders: Sequence[float] = BORDER_WEIGHTS) -> Looks:
    """Return so many looks at random, none of a held-out family. `plain`: the share that leaves drawings as
    they are.
    """
    palette = rng.choose(count, (28, 12, 12, 10, 8, 6, 10, 14))
    line = rng.choose(count, (40, 16, 18, 13, 13))
    shading = rng.choose(count, (55, 25, 12, 8))
    manner = rng.choose(count, (40, *(5.0,) * (len(MANNERS) - 1)))
    border = rng.choose(count, borders)
    bare = rng.coin(count, plain)
    palette, line, shading, manner, border = (
        x.masked_fill(bare, 0) for x in (palette, line, shading, manner, border)
    )
    out = colours(rng, palette)
    out |= _lines(rng, line, out["inks"]) | _borders(rng, border, out["inks"]) | _textures(rng, shading)
    _ruled(rng, out, manner)
    looks = Looks(
        palette=palette,
        line=line,
        shading=shading,
        manner=manner,
        border=border,
        **out,
        **{name: torch.zeros(count) for name in ONLY_HELD_OUT},
    )
    return put(looks, bare, as_drawn(looks[bare.nonzero()[:, 0]])) if bool(bare.any()) else looks


def _textures(rng: BatchRng, shading: Tensor) -> dict[str, Tensor]:
    n = len(shading)
    soft, hatched, stippled = (shading == k for k in (1, 2, 3))
    rare = rng.coin(n, 0.25)
    return {
        "light": soft * rng.uniform(n, 0.25, 0.7),
        "light_angle": rng.uniform(n, 0, 6.2832),
        "shadow": rng.coin(n, 0.3) * rng.uniform(n, 0.15, 0.5),
        "hatch": hatched * rng.uniform(n, 0.4, 0.8),
        "hatch_freq": rng.uniform(n, 0.7, 1.5),
        "hatch_angle": rng.uniform(n, 0, 3.1416),
        "stipple": stippled * rng.uniform(n, 0.4, 0.9),
        "grain": rare * rng.uniform(n, 0, 0.06),
        "blotch": rare * rng.uniform(n, 0, 0.1),
        "streak": torch.zeros(n),
        "weave": torch.zeros(n),
        "edge": torch.zeros(n),
        "blur": torch.zeros(n),
        "fade": torch.zeros(n),
        "paper": torch.tensor((0.95, 0.91, 0.82)) + rng.normal(n, 0, 0.05, 3),
        "warp": torch.zeros(n, dtype=torch.long),
        "warp_size": torch.full((n,), 4.0),
        "grout": torch.zeros(n),
        "ground_ink": rng.coin(n, 0.5).float(),
    }


def as_drawn(looks: Looks) -> Looks:
    """Return looks that change nothing: natural colours, no line, no texture."""
    n = len(looks)
    zero = {
        name: torch.zeros(n)
        for name in (
            "snap",
            "line_inner",
            "light",
            "shadow",
            "hatch",
            "stipple",
            "grain",
            "blotch",
            "edge",
            "blur",
            "fade",
            "streak",
            "weave",
            "silhouette",
            "ground_ink",
            "broken",
        )
    }
    return replace(
        looks,
        matrix=torch.eye(3).expand(n, 3, 3).clone(),
        bias=torch.zeros(n, 3),
        gamma=torch.ones(n),
        warp=torch.zeros(n, dtype=torch.long),
        **zero,
    )
