"""Palettes at random: how a look bends the colours of a drawing, and which colours it pulls them to."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pocket.batch_rng import BatchRng
from pocket.corpus import COLOURS

PALETTES = ("natural", "jewel", "earth", "pastel", "night", "sepia", "two colours", "few colours")


INKS = 6  # colours that a palette may pull towards


COLOUR_NAMES = tuple(COLOURS)


RGB = torch.tensor(list(COLOURS.values())) / 255  # (12, 3)


GREY = torch.tensor((0.3, 0.59, 0.11))


def hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Return (..., 3) colours; hue 0 to 1 is the whole circle."""
    k = (hue[..., None] * 6 + torch.tensor((5.0, 3.0, 1.0))) % 6
    down = torch.minimum(k, 4 - k).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * down)


def nearest_name(colours: Tensor) -> Tensor:
    """Return the index into COLOUR_NAMES of the nearest colour, (n,), of (n, 3)."""
    return torch.cdist(colours, RGB).argmin(1)


def saturated(amount: Tensor) -> Tensor:
    """Return (n, 3, 3) matrices that scale how far colours are from grey."""
    return amount[:, None, None] * torch.eye(3) + (1 - amount)[:, None, None] * GREY.expand(3, 3)


def ramp(dark: Tensor, light: Tensor) -> tuple[Tensor, Tensor]:
    """Return matrix and bias that turn lightness into a way from one colour to another."""
    return (light - dark)[:, :, None] * GREY, dark


def theme(rng: BatchRng, n: int) -> Tensor:
    """Return (n, INKS, 3): a dark and a light colour and four around one or two hues."""
    hue = rng.uniform(n)[:, None] + torch.tensor((0.0, 0.0, 0.0, 0.06, 0.5, 0.33))
    hue = hue + rng.normal(n, 0, 0.05, INKS)
    saturation = torch.cat(
        [rng.uniform(n, 0.1, 0.6, 1), rng.uniform(n, 0.02, 0.25, 1), rng.uniform(n, 0.3, 0.95, 4)], 1
    )
    value = torch.cat(
        [rng.uniform(n, 0.05, 0.3, 1), rng.uniform(n, 0.85, 1, 1), rng.uniform(n, 0.35, 0.95, 4)], 1
    )
    return hsv(hue % 1, saturation, value)


EARTH = torch.tensor(
    [
        [0.24, 0.15, 0.1],
        [0.93, 0.87, 0.74],
        [0.72, 0.47, 0.2],
        [0.55, 0.24, 0.14],
        [0.45, 0.43, 0.25],
        [0.8, 0.66, 0.42],
    ]
)


JEWEL = torch.tensor(
    [
        [0.1, 0.07, 0.15],
        [0.96, 0.9, 0.72],
        [0.7, 0.07, 0.2],
        [0.05, 0.4, 0.28],
        [0.1, 0.2, 0.6],
        [0.86, 0.62, 0.16],
    ]
)


def colours(rng: BatchRng, palette: Tensor) -> dict[str, Tensor]:
    """Return matrix, bias, gamma, inks and snap of each look's palette."""
    n = len(palette)
    out = {
        "matrix": saturated(rng.normal(n, 1, 0.12)),
        "bias": rng.normal(n, 0, 0.03, 3),
        "gamma": rng.uniform(n, 0.85, 1.2),
        "inks": theme(rng, n),
        "snap": torch.zeros(n),
    }
    for index, name in enumerate(PALETTES[1:], 1):
        rows = (palette == index).nonzero()[:, 0]
        for key, value in PALETTE_RULES[name](rng, len(rows), out["inks"][rows]).items():
            out[key][rows] = value
    return out


def jewel(rng: BatchRng, n: int, inks: Tensor) -> dict[str, Tensor]:
    return {
        "matrix": saturated(rng.uniform(n, 1.3, 1.8)),
        "gamma": rng.uniform(n, 1.2, 1.7),
        "inks": JEWEL + rng.normal(n, 0, 0.05, 18).view(n, 6, 3),
        "snap": rng.uniform(n, 0, 0.7),
    }


def _earth(rng: BatchRng, n: int, inks: Tensor) -> dict[str, Tensor]:
    tint = torch.tensor((1.0, 0.9, 0.68)) + rng.normal(n, 0, 0.03, 3)
    return {
        "matrix": tint[:, :, None] * saturated(rng.uniform(n, 0.4, 0.7)),
        "gamma": rng.uniform(n, 1, 1.3),
        "inks": EARTH + rng.normal(n, 0, 0.05, 18).view(n, 6, 3),
        "snap": rng.uniform(n, 0.3, 0.9),
    }


def _pastel(rng: BatchRng, n: int, inks: Tensor) -> dict[str, Tensor]:
    pale = rng.uniform(n, 0.4, 0.65)
    return {
        "matrix": pale[:, None, None] * saturated(rng.uniform(n, 0.7, 1.1)),
        "bias": 0.97 - pale[:, None] + rng.normal(n, 0, 0.02, 3),
    }


def _night(rng: BatchRng, n: int, inks: Tensor) -> dict[str, Tensor]:
    tint = torch.tensor((0.52, 0.6, 0.95)) + rng.normal(n, 0, 0.06, 3)
    return {
        "matrix": tint[:, :, None] * saturated(rng.uniform(n, 0.3, 0.75)),
        "gamma": rng.uniform(n, 1.0, 1.3),
        "bias": torch.tensor((0.01, 0.02, 0.08)).expand(n, 3),
    }


def _sepia(rng: BatchRng, n: int, inks: Tensor) -> dict[str, Tensor]:
    dark = torch.tensor((0.2, 0.12, 0.06)) + rng.normal(n, 0, 0.03, 3)
    light = torch.tensor((0.96, 0.88, 0.72)) + rng.normal(n, 0, 0.03, 3)
    matrix, bias = ramp(dark, light)
    return {
        "matrix": matrix,
        "bias": bias,
        "inks": dark[:, None] + (light - dark)[:, None] * torch.linspace(0, 1, 6)[:, None],
    }


def _two_colours(rng: BatchRng, n: int, inks: Tensor) -> dict[str, Tensor]:
    dark = hsv(rng.uniform(n), rng.uniform(n, 0.3, 0.95), rng.uniform(n, 0.1, 0.5))
    light = hsv(rng.uniform(n), rng.uniform(n, 0.03, 0.6), rng.uniform(n, 0.8, 1))
    matrix, bias = ramp(dark, light)
    both = torch.stack([dark, light] * 3, 1)
    return {"matrix": matrix, "bias": bias, "inks": both, "snap": rng.uniform(n, 0, 1) * rng.coin(n, 0.6)}


def _few_colours(rng: BatchRng, n: int, inks: Tensor) -> dict[str, Tensor]:
    return {"snap": rng.uniform(n, 0.75, 1), "matrix": saturated(rng.uniform(n, 0.8, 1.5))}


PALETTE_RULES: dict[str, Callable[[BatchRng, int, Tensor], dict[str, Tensor]]] = {
    "jewel": jewel,
    "earth": _earth,
    "pastel": _pastel,
    "night": _night,
    "sepia": _sepia,
    "two colours": _two_colours,
    "few colours": _few_colours,
}
