"""Buildings: pavilions, domes, windows, terraces, walls, fountains."""

from __future__ import annotations

import math

import skia

from .ink import Ink, Pattern
from .ornament import buti, lattice, stars, vine
from .shapes import Point, common, join, limb, oval, polygon, rect, smooth


def arch(x: float, y: float, w: float, h: float, lobes: int = 5) -> skia.Path:
    """Return a cusped arch opening standing on (x, y) .. (x + w, y)."""
    spring = h * 0.58
    cx, r = x + w / 2, w / 2
    pts: list[Point] = [(x, y), (x, y - spring)]
    steps = 40
    for i in range(steps + 1):
        a = math.pi * i / steps
        cusp = 1 - 0.09 * abs(math.cos(a * lobes)) ** 3
        px = cx - math.cos(a) * r * cusp
        peak = (h - spring) * (math.sin(a) ** 0.8)
        pts.append((px, y - spring - peak * cusp * (0.93 + 0.07 * math.sin(a) ** 6)))
    pts += [(x + w, y - spring), (x + w, y)]
    return polygon(pts)


def dome(ink: Ink, x: float, y: float, w: float, name: str = "white") -> None:
    """Paint an onion dome on a drum centred at (x, y) with a gold finial; w is its width."""
    half = w / 2
    bulb = smooth([
        (x - half * 0.8, y), (x - half * 1.04, y - w * 0.3), (x - half * 0.8, y - w * 0.6),
        (x - half * 0.28, y - w * 0.85), (x, y - w * 1.04), (x + half * 0.28, y - w * 0.85),
        (x + half * 0.8, y - w * 0.6), (x + half * 1.04, y - w * 0.3), (x + half * 0.8, y),
    ])  # fmt: skip
    ink.paint(bulb, name, shade=0.45, line=1.1)
    with ink.inside(bulb):
        for i in range(-2, 3):
            ink.line(
                [(x + i * half * 0.36, y), (x + i * half * 0.42, y - w * 0.4), (x + i * half * 0.1, y - w)],
                0.7,
                name,
                0.7,
                -0.3,
            )
    ink.paint(
        smooth([
            (x - half * 0.4, y - w * 0.8), (x, y - w * 0.9), (x + half * 0.4, y - w * 0.8),
            (x, y - w * 1.06),
        ]),
        "gold",
        line=0.6,
        shade=0.2,
    )  # fmt: skip
    for k, r in ((1.1, 0.06), (1.2, 0.045), (1.29, 0.03)):
        ink.fill(oval(x, y - w * k, w * r), "gold")
    ink.paint(rect(x - half, y - w * 0.03, w, w * 0.09), name, line=0.8, shade=0.2)


def chhatri(ink: Ink, x: float, y: float, w: float, name: str = "white", posts: str = "brick") -> None:
    """Paint a small domed kiosk standing on (x, y), w wide and about 2w tall."""
    ink.paint(rect(x - w * 0.46, y - w * 0.75, w * 0.92, w * 0.75), "slate", shade=0.4, line=0.8)
    for i in range(4):
        px = x - w * 0.47 + i * w * 0.29
        ink.paint(rect(px, y - w * 0.78, w * 0.075, w * 0.78), posts, line=0.7, shade=0.2)
    eave = polygon([
        (x - w * 0.64, y - w * 0.7), (x - w * 0.5, y - w * 0.86), (x + w * 0.5, y - w * 0.86),
        (x + w * 0.64, y - w * 0.7),
    ])  # fmt: skip
    ink.paint(eave, posts, line=0.9, shade=0.3)
    dome(ink, x, y - w * 0.88, w * 0.8, name)
    ink.paint(rect(x - w * 0.52, y - w * 0.12, w * 1.04, w * 0.14), name, line=0.8, shade=0.2)


def tiles(
    ink: Ink, x: float, y: float, w: float, h: float, name: str, pattern: Pattern, edge: str = "gold"
) -> None:
    """Paint a framed wall panel filled with a pattern."""
    ink.paint(rect(x, y, w, h), edge, line=0.9, shade=0)
    ink.paint(rect(x + 2, y + 2, w - 4, h - 4), name, line=0.7, shade=0.2, pattern=pattern)


def eaves(ink: Ink, x: float, y: float, w: float, name: str = "brick") -> None:
    """Paint a sloping roof ledge with brackets below and a parapet of leaf shapes above."""
    count = int(w / 9)
    for i in range(count + 1):
        px = x + i * w / count
        ink.fill(smooth([(px - 4, y - 12), (px, y - 23), (px + 4, y - 12)]), name, 0.15)
    ink.paint(rect(x, y - 15, w, 6), "cream", line=0.8, shade=0.2, pattern=buti("red", 7))
    slope = polygon([(x - 12, y + 3), (x, y - 9), (x + w, y - 9), (x + w + 12, y + 3)])
    ink.paint(slope, name, line=1.0, shade=0.35)
    with ink.inside(slope):
        for i in range(int(w / 5) + 6):
            px = x - 12 + i * 5
            ink.line([(px, y + 3), (px + (x + w / 2 - px) * 0.08, y - 9)], 0.6, name, 0.7, -0.35)
    ink.fill(rect(x - 12, y + 2.5, w + 24, 2), "gold")


def column(ink: Ink, x: float, y: float, h: float, w: float = 7, name: str = "white") -> None:
    """Paint a baluster column standing on (x, y)."""
    shaft = smooth(
        [
            (x - w * 0.5, y - 6), (x - w * 0.62, y - h * 0.25), (x - w * 0.36, y - h * 0.85),
            (x - w * 0.7, y - h), (x + w * 0.7, y - h), (x + w * 0.36, y - h * 0.85),
            (x + w * 0.62, y - h * 0.25), (x + w * 0.5, y - 6),
        ],
        tension=0.6,
    )  # fmt: skip
    ink.paint(shaft, name, line=0.9, shade=0.45)
    ink.paint(rect(x - w * 0.8, y - 8, w * 1.6, 8, 1), name, line=0.8, shade=0.3)
    ink.fill(rect(x - w * 0.5, y - h * 0.82, w, 2), "gold")


def railing(ink: Ink, x: float, y: float, w: float, h: float, name: str = "white") -> None:
    """Paint a pierced marble balustrade standing on y."""
    count = max(round(w / 34), 1)
    step = w / count
    for i in range(count):
        px = x + i * step
        ink.paint(
            rect(px + 3, y - h + 4, step - 6, h - 6),
            "slate",
            shift=0.1,
            line=0.6,
            shade=0.2,
            pattern=lattice("white", 6.5, "white"),
        )
    ink.paint(rect(x, y - h, w, 5), name, line=0.9, shade=0.2)
    ink.paint(rect(x, y - 4, w, 5), name, line=0.9, shade=0.2)
    for i in range(count + 1):
        px = x + i * step
        ink.paint(rect(px - 2.6, y - h - 2, 5.2, h + 3), name, line=0.8, shade=0.25)
        ink.paint(smooth([(px - 3, y - h - 2), (px, y - h - 9), (px + 3, y - h - 2)]), name, line=0.7)


def pavilion(
    ink: Ink,
    x: float,
    y: float,
    w: float,
    h: float,
    wall: str = "cream",
    inner: str = "rose",
    bays: int = 3,
    domes: bool = True,
) -> None:
    """Paint an open pavilion standing on y: arches between columns, eaves, kiosks on the roof."""
    if domes:
        chhatri(ink, x + w * 0.14, y - h - 20, w * 0.15)
        chhatri(ink, x + w * 0.86, y - h - 20, w * 0.15)
        dome(ink, x + w / 2, y - h - 22, w * 0.24)
    ink.paint(rect(x, y - h, w, h), wall, line=1.1, shade=0.25)
    tiles(ink, x + 3, y - h + 4, w - 6, h * 0.13, "lapis", vine("gold", 13, "cream", "turquoise"))
    step = w / bays
    for i in range(bays):
        opening = arch(x + i * step + 7, y, step - 14, h * 0.8)
        ink.paint(
            rect(x + i * step + 4, y - h * 0.84, step - 8, h * 0.84),
            wall,
            line=0.7,
            shade=0.2,
            pattern=buti("red", 11),
        )
        ink.paint(opening, inner, shade=0.55, line=1.1)
        _niche(ink, x + (i + 0.5) * step, y - h * 0.22, step * 0.3, h * 0.32)
        ink.stroke(opening, "gold", 1.0)
    for i in range(bays + 1):
        column(ink, x + i * step, y, h * 0.84, 7)
    eaves(ink, x - 4, y - h + 2, w + 8)


def _niche(ink: Ink, x: float, y: float, w: float, h: float) -> None:
    ink.paint(arch(x - w / 2, y, w, h), "cream", line=0.7, shade=0.3)
    ink.fill(
        smooth([
            (x - w * 0.12, y - 2), (x - w * 0.2, y - h * 0.25), (x - w * 0.05, y - h * 0.45),
            (x - w * 0.1, y - h * 0.62), (x + w * 0.1, y - h * 0.62), (x + w * 0.05, y - h * 0.45),
            (x + w * 0.2, y - h * 0.25), (x + w * 0.12, y - 2),
        ]),
        "turquoise",
    )  # fmt: skip


def wall_panels(ink: Ink, x: float, y: float, w: float, h: float, name: str = "brick") -> None:
    """Paint a fort wall with battlements, star tiles and blind arches."""
    count = int(w / 14)
    for i in range(count):
        px = x + (i + 0.5) * w / count
        ink.paint(
            smooth([
                (px - 5, y - h + 2), (px - 5, y - h - 6), (px, y - h - 14), (px + 5, y - h - 6),
                (px + 5, y - h + 2),
            ]),
            name,
            line=0.8,
            shade=0.3,
        )  # fmt: skip
    ink.paint(rect(x, y - h, w, h), name, line=1.1, shade=0.3)
    tiles(ink, x + 2, y - h + 4, w - 4, h * 0.2, "turquoise", stars("cream", 13, "lapis"))
    bays = max(int(w / 42), 1)
    for i in range(bays):
        px = x + i * w / bays
        opening = arch(px + 6, y - 6, w / bays - 12, h * 0.62)
        ink.paint(opening, name, shift=0.28, shade=0.4, line=0.8)
        ink.paint(common(opening, rect(px, y - h * 0.3, w / bays, h)), name, shift=0.1, line=0.6)


def stage(ink: Ink, x: float, y: float, w: float, h: float, name: str = "white") -> skia.Path:
    """Paint a marble floor seen from above with a grid of slabs; return its outline."""
    path = rect(x, y, w, h)
    ink.paint(path, name, shade=0.15, line=1.0, pattern=lattice("stone", 24, "rose"))
    return path


def plinth(ink: Ink, x: float, y: float, w: float, h: float, name: str = "brick") -> None:
    """Paint the carved front face of a terrace."""
    ink.paint(rect(x, y, w, h), name, shade=0.2, line=1.0)
    count = max(round(w / 48), 1)
    for i in range(count):
        px = x + i * w / count
        tiles(ink, px + 4, y + h * 0.16, w / count - 8, h * 0.68, "cream", vine("brick", h * 0.5, "red"))


def basin(ink: Ink, x: float, y: float, r: float) -> None:
    """Paint a fountain: scalloped basin with a jet of water, centred at (x, y)."""
    pool = join(
        *(
            oval(
                x + math.cos(i * math.pi / 4) * r * 0.72,
                y + math.sin(i * math.pi / 4) * r * 0.42,
                r * 0.4,
                r * 0.26,
            )
            for i in range(8)
        ),
        oval(x, y, r * 0.8, r * 0.5),
    )
    ink.stroke(pool, "white", 6)
    ink.paint(pool, "sky", shade=0.5)
    ink.paint(limb([(x, y), (x, y - r * 0.3)], [7, 4]), "white", line=0.8)
    for s in (-0.5, -0.25, 0.0, 0.25, 0.5):
        ink.line(
            [(x, y - r * 0.3), (x + s * r * 0.6, y - r * 0.95), (x + s * r * 1.3, y - r * 0.1)],
            1.2,
            "white",
            0.9,
        )


def town(ink: Ink, x: float, y: float, w: float) -> None:
    """Paint a small far-off walled town with domes standing on (x, y)."""
    for i in range(5):
        px, tall = x + w * (0.08 + 0.18 * i), w * (0.16 + 0.08 * (i % 2))
        name = ("white", "rose", "cream", "stone", "white")[i]
        ink.paint(rect(px, y - tall, w * 0.17, tall), name, line=0.8, shade=0.3)
        ink.fill(arch(px + w * 0.05, y - tall * 0.3, w * 0.07, tall * 0.45), "plum", -0.1)
        if i % 2 == 0:
            dome(ink, px + w * 0.085, y - tall, w * 0.12, name)
        else:
            chhatri(ink, px + w * 0.085, y - tall, w * 0.08)
    ink.paint(rect(x, y - w * 0.09, w, w * 0.1), "brick", line=0.8, shade=0.3)
    for i in range(int(w / 5)):
        ink.fill(oval(x + 2.5 + i * 5, y - w * 0.09, 2, 3), "brick")
