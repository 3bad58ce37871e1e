"""What things stand on or before: plain colours, patterns and places, as tensor operations.

Every painter takes the colours (n, 4, 3), the numbers (n, 6) between 0 and 1, and tile numbers (n,)
of one kind of ground, and returns (n, 3, SIDE, SIDE).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pocket.brushes import column, grid, noise, soft, step
from pocket.corpus import SIDE

TAU = 6.2832


def _mix(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    return a + (b - a) * share


def _inks(colours: Tensor) -> list[Tensor]:
    return [column(c) for c in colours.unbind(1)]


def _numbers(numbers: Tensor) -> list[Tensor]:
    return [column(v) for v in numbers.unbind(1)]


def plain(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    return column(colours[:, 0]).expand(-1, -1, SIDE, SIDE)


def gradient(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    a, b, *_ = _inks(colours)
    turn = TAU * _numbers(numbers)[0]
    return _mix(a, b, ((x - 0.5) * turn.cos() + (y - 0.5) * turn.sin() + 0.5).clamp(0, 1))


def dots(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    a, b, *_ = _inks(colours)
    u, v, *_ = _numbers(numbers)
    many = 5 + 7 * u
    row = torch.floor(y * many)
    far = ((x * many + 0.5 * (row % 2)) % 1 - 0.5).square() + ((y * many) % 1 - 0.5).square()
    return _mix(a, b, step(0.03 + 0.07 * v - far, 0.04))


def stripes(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    a, b, *_ = _inks(colours)
    u, v, w, *_ = _numbers(numbers)
    turn = torch.floor(4 * u) * TAU / 8
    return _mix(
        a, b, step(torch.sin(TAU * (4 + 6 * v) * (x * turn.cos() + y * turn.sin())) - 0.8 * (w - 0.3), 0.3)
    )


def checks(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    a, b, *_ = _inks(colours)
    many = TAU * (2 + 3 * _numbers(numbers)[0])
    return _mix(a, b, step(torch.sin(many * x + 0.4) * torch.sin(many * y + 0.4), 0.15))


def pattern(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    """Diamonds with a bud in each."""
    x, y = grid(colours.device)
    a, b, c, _ = _inks(colours)
    many = TAU * (2.5 + 3 * _numbers(numbers)[0])
    net = torch.cos(many * (x + y)) + torch.cos(many * (x - y))
    return _mix(_mix(a, b, step(0.35 - (net + 0.2).abs(), 0.3)), c, step(net - 1.35, 0.3))


def _sky(top: Tensor, low: Tensor, y: Tensor, horizon: Tensor) -> Tensor:
    return _mix(top, low, (y / horizon).clamp(0, 1))


def _ridge(x: Tensor, height: Tensor, u: Tensor, v: Tensor, rough: float = 0.06) -> Tensor:
    """Return the y of a hilly line, (n, 1, SIDE, SIDE)."""
    return (
        height
        + rough * torch.sin(TAU * (x * (0.8 + 1.4 * u) + v))
        + 0.4 * rough * torch.sin(TAU * (x * (2.2 + u) + 3 * v))
    )


def hills(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    top, low, near, far = _inks(colours)
    u, v, w, h, *_ = _numbers(numbers)
    out = _sky(top, low, y, h * 0 + 0.6)
    for k in range(3):
        line = _ridge(x, 0.42 + 0.17 * k + 0.12 * (h - 0.5), u, v + 0.37 * k)
        out = _mix(
            out,
            _mix(far, near, 0.5 * torch.tensor(float(k), device=x.device))
            * (1 + 0.1 * w - 0.3 * (y - line).clamp(0, 1)),
            step(y - line, 0.012),
        )
    return out


def mountains(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    top, low, near, far = _inks(colours)
    u, v, w, *_ = _numbers(numbers)
    out = _sky(top, low, y, u * 0 + 0.7)
    for k, paint in enumerate((far, near)):
        wave = ((x * (1.6 + 1.2 * u + k) + v + 0.4 * k) % 1 - 0.5).abs()
        line = 0.28 + 0.2 * k + 0.75 * wave * (0.5 + 0.4 * w) + 0.015 * noise("mid", picks, k)
        snow = step(0.4 - y + 0.03 * noise("mid", picks, 5), 0.02) * (1 - k)
        out = _mix(out, paint + (0.97 - paint) * snow, step(y - line, 0.015))
    return out


def water(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    a, b, c, _ = _inks(colours)
    u, v, w, *_ = _numbers(numbers)
    bent = y + 0.012 * torch.sin(TAU * (x * (3 + 4 * u) + v)) + 0.006 * noise("coarse", picks)
    lines = step(torch.sin(TAU * bent * (6 + 6 * w)) - 0.75, 0.3)
    return _mix(_mix(a, b, y), c, 0.7 * lines)


def sea(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    top, low, deep, sand = _inks(colours)
    u, v, w, h, *_ = _numbers(numbers)
    horizon = 0.4 + 0.2 * h
    waves = water(
        torch.stack([colours[:, 2], colours[:, 2] * 0.75, colours[:, 1], colours[:, 3]], 1), numbers, picks
    )
    out = _mix(_sky(top, low, y, horizon), waves, step(y - horizon, 0.01))
    return _mix(out, sand, step(y - _ridge(x, 0.83 + 0.2 * w, u, v, 0.03), 0.015))


def sky(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    top, low, cloud, _ = _inks(colours)
    u, *_ = _numbers(numbers)
    puffs = noise("coarse", picks) + 0.45 * noise("mid", picks, 3)
    return _mix(_mix(top, low, y), cloud, 0.9 * step(puffs - 0.5 - 0.7 * u, 0.5))


def floor(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    """A wall above a tiled floor in perspective."""
    x, y = grid(colours.device)
    wall, first, second, line = _inks(colours)
    u, v, w, h, *_ = _numbers(numbers)
    horizon = 0.45 + 0.2 * h
    deep = 1 / (y - horizon + 0.12).clamp(min=0.05)
    tile = torch.sin(TAU * (x - 0.5) * deep * (0.5 + 0.4 * u)) * torch.sin(TAU * deep * (0.7 + 0.5 * v))
    out = _mix(wall * (0.9 + 0.2 * y), _mix(first, second, step(tile, 0.25)), step(y - horizon, 0.01))
    return _mix(out, line, step(0.012 - (y - horizon).abs(), 0.008))


def room(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    """A papered wall above floor boards."""
    x, y = grid(colours.device)
    wall, board, paper, line = _inks(colours)
    u, v, w, h, *_ = _numbers(numbers)
    horizon = 0.58 + 0.14 * h
    striped = _mix(wall, paper, 0.7 * step(torch.sin(TAU * x * (5 + 6 * u)) - 0.6 * v, 0.4) * (w > 0.4))
    boards = board * (
        0.92
        + 0.12 * step(torch.sin(TAU * (x - 0.5) / (y - horizon + 0.35).clamp(min=0.1) * 1.6) - 0.93, 0.1) * -2
    )
    out = _mix(striped, boards, step(y - horizon, 0.01))
    return _mix(out, line, step(0.018 - (y - horizon).abs(), 0.01))


def curtain(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    cloth, behind, hem, _ = _inks(colours)
    u, v, w, *_ = _numbers(numbers)
    fold = torch.cos(TAU * (x * (3.5 + 4 * u) + 0.06 * torch.sin(TAU * (y * 0.7 + v))))
    lower = 0.9 + 0.03 * torch.cos(TAU * x * (3.5 + 4 * u))
    out = cloth * (0.8 + 0.22 * fold)
    out = _mix(out, hem, step(0.02 - (y - lower + 0.05).abs(), 0.012))
    return _mix(out, behind, step(y - lower, 0.012))


def foliage(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    dark, mid, light, flower = _inks(colours)
    u, v, w, *_ = _numbers(numbers)
    many = TAU * (4 + 4 * u)
    bent = noise("coarse", picks) * 0.6
    leaf = (
        torch.sin(many * (x + 0.5 * y) + 2 * bent).abs()
        * torch.sin(many * (0.7 * y - 0.4 * x) + 3 * v - bent).abs()
    )
    other = (
        torch.sin(many * 0.8 * (x - 0.6 * y) - 2 * bent + 1).abs()
        * torch.sin(many * (0.8 * y + 0.3 * x) + bent).abs()
    )
    out = _mix(_mix(dark, mid, step(other - 0.4, 0.2)), light, step(leaf - 0.5, 0.2))
    return _mix(out, flower, step(noise("mid", picks, 7) - 1.9 - 0.6 * w, 0.2))


def forest(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    trunk, mist, grass, leaf = _inks(colours)
    u, v, w, h, *_ = _numbers(numbers)
    out = mist * (0.85 + 0.3 * (1 - y))
    for k in range(2):
        stems = step(
            torch.sin(TAU * (x * (3 + 3 * u + 2 * k) + v + 0.3 * k)) + 0.12 * noise("streak", picks, 1) - 0.7,
            0.15,
        )
        out = _mix(out, _mix(mist, trunk, (0.55 + 0.45 * k) * torch.ones_like(u)), stems)
    out = _mix(
        out, leaf * (0.9 + 0.12 * noise("mid", picks)), step(0.24 + 0.05 * noise("mid", picks, 2) - y, 0.05)
    )
    return _mix(
        out, grass * (1 + 0.05 * noise("fine", picks)), step(y - 0.76 - 0.02 * noise("mid", picks, 1), 0.03)
    )


def garden(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    top, low, grass, flower = _inks(colours)
    u, v, w, h, *_ = _numbers(numbers)
    line = _ridge(x, 0.52 + 0.16 * h, u, v, 0.03)
    meadow = grass * (1 - 0.25 * (y - line).clamp(0, 1) + 0.04 * noise("streak", picks, 1))
    buds = step(noise("mid", picks, 11) - 1.7, 0.2) * (w > 0.35)
    hedge = _mix(
        _sky(top, low, y, line),
        grass * 0.75,
        step(y - line + 0.09 + 0.03 * noise("mid", picks, 2), 0.02) * (u > 0.5),
    )
    return _mix(hedge, _mix(meadow, flower, buds), step(y - line, 0.015))


def desert(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    top, low, sand, _ = _inks(colours)
    u, v, w, h, *_ = _numbers(numbers)
    out = _sky(top, low, y, 0 * h + 0.65)
    for k in range(2):
        line = _ridge(x, 0.5 + 0.2 * k + 0.12 * h, u, v + 0.41 * k, 0.07)
        out = _mix(out, sand * (0.9 + 0.1 * k - 0.25 * (y - line).clamp(0, 1)), step(y - line, 0.015))
    return out


def night(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    top, low, land, star = _inks(colours)
    u, v, w, h, *_ = _numbers(numbers)
    out = _mix(_mix(top, low, y), star, step(noise("fine", picks) - 2.75, 0.2))
    moon = step(0.07 - ((x - 0.15 - 0.7 * u).square() + (y - 0.17).square()).sqrt(), 0.012) * (w > 0.6)
    return _mix(_mix(out, star, moon), land, step(y - _ridge(x, 0.68 + 0.14 * h, u, v, 0.04), 0.015))


def snow(colours: Tensor, numbers: Tensor, picks: Tensor) -> Tensor:
    x, y = grid(colours.device)
    top, low, white, shade = _inks(colours)
    u, v, w, h, *_ = _numbers(numbers)
    line = _ridge(x, 0.55 + 0.15 * h, u, v, 0.04)
    out = _mix(_mix(top, low, y), _mix(white, shade, 0.5 * (y - line).clamp(0, 1)), step(y - line, 0.015))
    return _mix(out, white, step(soft(noise("fine", picks, 2)) - 0.85, 0.2))


PAINTERS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "plain": plain,
    "gradient": gradient,
    "dots": dots,
    "stripes": stripes,
    "checks": checks,
    "pattern": pattern,
    "curtain": curtain,
    "hills": hills,
    "mountains": mountains,
    "water": water,
    "sea": sea,
    "sky": sky,
    "floor": floor,
    "room": room,
    "foliage": foliage,
    "forest": forest,
    "garden": garden,
    "desert": desert,
    "night": night,
    "snow": snow,
}
KINDS = tuple(PAINTERS)
WEIGHTS = (26, 6, 3, 3, 3, 4, 4, 5, 4, 4, 5, 4, 4, 5, 4, 4, 6, 5, 5, 3)
COLOURED = KINDS[:7]  # a caption can say their colour
# Usual colours of the others: sky above and below, or wall; then what lies nearer.
BLUE, PALE, GREEN = (0.45, 0.68, 0.92), (0.85, 0.93, 0.97), (0.4, 0.64, 0.3)
USUAL: dict[str, tuple[tuple[float, float, float], ...]] = {
    "hills": (BLUE, PALE, GREEN, (0.55, 0.74, 0.5)),
    "mountains": (BLUE, PALE, (0.42, 0.45, 0.42), (0.55, 0.58, 0.68)),
    "water": ((0.3, 0.62, 0.82), (0.1, 0.38, 0.62), PALE, PALE),
    "sea": (BLUE, PALE, (0.15, 0.45, 0.7), (0.9, 0.8, 0.58)),
    "sky": ((0.35, 0.6, 0.92), (0.7, 0.86, 0.97), (0.97, 0.97, 0.97), PALE),
    "floor": ((0.88, 0.8, 0.66), (0.9, 0.88, 0.84), (0.5, 0.3, 0.25), (0.4, 0.3, 0.25)),
    "room": ((0.92, 0.86, 0.75), (0.62, 0.43, 0.28), (0.82, 0.7, 0.6), (0.95, 0.93, 0.88)),
    "foliage": ((0.1, 0.28, 0.14), (0.22, 0.46, 0.2), (0.5, 0.7, 0.3), (0.95, 0.75, 0.8)),
    "forest": ((0.3, 0.21, 0.15), (0.72, 0.8, 0.7), (0.36, 0.52, 0.24), (0.22, 0.42, 0.2)),
    "garden": (BLUE, PALE, (0.43, 0.7, 0.31), (0.95, 0.4, 0.45)),
    "desert": ((0.5, 0.72, 0.92), (0.95, 0.88, 0.75), (0.9, 0.74, 0.46), PALE),
    "night": ((0.06, 0.08, 0.24), (0.16, 0.2, 0.42), (0.1, 0.16, 0.2), (0.95, 0.94, 0.8)),
    "snow": ((0.6, 0.72, 0.85), (0.86, 0.9, 0.95), (0.97, 0.98, 1.0), (0.72, 0.82, 0.92)),
}
