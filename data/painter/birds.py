"""Peacocks, falcons, ducks, cranes, songbirds and fish."""

from __future__ import annotations

import math

from .ink import Ink
from .shapes import join, limb, oval, polygon, smooth


def _eye_feather(ink: Ink, x: float, y: float, r: float) -> None:
    for size, name in ((1.0, "gold"), (0.78, "emerald"), (0.55, "turquoise"), (0.36, "lapis")):
        ink.fill(oval(x, y, r * size, r * size * 1.15), name, -0.05)


def peacock(ink: Ink, spread: bool = False) -> None:
    """Paint a peacock facing right, feet on y=0, about 90 tall; tail trailing or spread."""
    if spread:
        _fan(ink)
    else:
        _train(ink)
    for x in (-4, 6):
        ink.line([(x, -30), (x + 2, -14), (x, -1), (x + 8, 0)], 1.7, "#6b5a3a", taper=False)
        ink.line([(x, -1), (x - 4, 0)], 1.4, "#6b5a3a", taper=False)
    body = smooth([
        (30, -100), (37, -98), (38, -91), (33, -84), (31, -70), (30, -52), (20, -34), (0, -26),
        (-20, -32), (-24, -44), (-6, -54), (12, -62), (20, -76), (24, -92),
    ])  # fmt: skip
    ink.paint(body, "lapis", shade=0.5, line=1.2)
    with ink.inside(body):
        for i in range(7):
            for j in range(5):
                ink.stroke(oval(22 - 7 * i + 3 * (j % 2), -36 - 7 * j, 3.6), "turquoise", 0.8, alpha=0.7)
    wing = smooth([(18, -50), (10, -36), (-12, -30), (-30, -38), (-14, -50), (4, -56)])
    ink.paint(wing, "tan", shade=0.4, line=1.0)
    for i in range(5):
        ink.line([(14 - 5 * i, -50 + i), (4 - 6 * i, -38)], 1.6, "brown")
    ink.fill(smooth([(29, -95), (34, -97), (37, -94), (33, -91)]), "white")
    ink.fill(oval(33.5, -94.3, 1.4), "black")
    ink.paint(polygon([(37, -96), (45, -92), (37, -90.5)]), "tan", line=0.7, shade=0)
    for i in range(4):
        ink.line([(30, -99), (25 + 4 * i, -110)], 0.7, taper=False)
        ink.fill(oval(25 + 4 * i, -111, 1.8), "turquoise")


def _train(ink: Ink) -> None:
    train = smooth([
        (-6, -54), (-40, -46), (-90, -26), (-134, -6), (-140, 6), (-124, 10), (-80, 4), (-36, -16),
        (-6, -30),
    ])  # fmt: skip
    ink.paint(train, "green", shade=0.5, line=1.2)
    with ink.inside(train):
        for i in range(26):
            ink.line([(-8, -42), (-60, -34 + i * 1.4), (-140, -16 + i * 1.6)], 0.8, "gold", 0.5)
        for row in range(7):
            for k in range(3):
                t = (row + 0.5 * (k % 2)) / 7
                x = -30 - 100 * t
                _eye_feather(ink, x, -38 + 36 * t + (k - 1) * (8 + 4 * t), 3.8 + 2.0 * t)
    ink.contour(train, 1.1)


def _fan(ink: Ink) -> None:
    disc = smooth(
        [(math.cos(a * 0.2) * 92 - 2, -48 - math.sin(a * 0.2) * 92) for a in range(-1, 18)] + [(0, -30)]
    )
    ink.paint(disc, "green", shade=0.4, line=1.2)
    with ink.inside(disc):
        for i in range(41):
            a = -0.25 + i * (math.pi + 0.5) / 40
            ink.line([(0, -44), (math.cos(a) * 90, -48 - math.sin(a) * 90)], 0.8, "gold", 0.6)
        for ring, count in ((34, 9), (52, 13), (68, 17), (82, 21)):
            for i in range(count):
                a = -0.2 + (i + 0.5 * (ring % 4 == 0)) * (math.pi + 0.4) / (count - 0.5)
                _eye_feather(ink, math.cos(a) * ring, -48 - math.sin(a) * ring, ring * 0.075 + 0.8)
    ink.contour(disc, 1.2)


def bird(ink: Ink, name: str = "red", flying: bool = False) -> None:
    """Paint a small bird facing right, about 24 long, feet or belly at (0, 0)."""
    body = smooth([(12, -15), (10, -8), (2, -2), (-8, -4), (-22, -2), (-10, -10), (2, -15), (7, -18)])
    if flying:
        far = smooth([(0, -13), (6, -14), (8, -28), (16, -42), (2, -36), (-4, -24)])
        ink.paint(far, name, shift=-0.3, line=0.8)
    else:
        for x in (-1, 3):
            ink.line([(x, -4), (x, 1)], 0.9, taper=False)
    ink.paint(body, name, shade=0.45, line=0.9)
    if flying:
        wing = smooth([(6, -13), (-2, -6), (-12, -12), (-20, -28), (-26, -42), (-12, -36), (0, -24)])
        ink.paint(wing, name, shift=-0.15, line=0.9, shade=0.5)
        for i in range(4):
            ink.line([(-1 - 3 * i, -11), (-8 - 3 * i, -22), (-22 + i, -36 + 3 * i)], 0.6, name, 0.9, -0.5)
    else:
        ink.paint(smooth([(2, -11), (-3, -5), (-16, -4), (-8, -10)]), name, shift=-0.35, line=0.6)
    ink.fill(polygon([(12, -15.5), (16.5, -13.5), (11.5, -12.5)]), "saffron")
    ink.fill(oval(8.7, -14.6, 1.1), "black")


def falcon(ink: Ink) -> None:
    """Paint a hooded-hunter falcon facing right, feet at (0, 0), about 24 tall."""
    body = smooth([
        (5, -23), (9, -20), (8, -14), (7, -6), (1, 0), (-5, 4), (-9, 12), (-12, 10), (-9, -4), (-5, -16),
        (0, -23),
    ])  # fmt: skip
    ink.paint(body, "cream", shade=0.4, line=1.0)
    ink.paint(smooth([(0, -17), (-3, -4), (-10, 9), (-9, -4), (-5, -15)]), "slate", line=0.7)
    with ink.inside(body):
        for i in range(9):
            ink.fill(oval(4 + (i % 3) * 1.6 - 2, -14 + (i // 3) * 4.5, 0.6, 1.1), "brown")
    ink.fill(oval(4.6, -19.5, 1.1), "black")
    ink.fill(smooth([(8.2, -21), (11.4, -18.5), (10, -16.8), (8, -18.4)]), "#3d3a38")


def duck(ink: Ink, name: str = "ochre") -> None:
    """Paint a swimming duck facing right with its waterline at y=0, about 34 long."""
    body = smooth([(12, -10), (16, -4), (12, 1), (-8, 2), (-17, -3), (-21, -9), (-12, -9), (-2, -12)])
    ink.paint(body, name, shade=0.45, line=1.0)
    ink.paint(smooth([(6, -9), (2, -3), (-10, -3), (-17, -8), (-6, -10)]), "white", line=0.7, shade=0.4)
    neck = smooth([(9, -8), (9, -16), (12, -22), (18, -22), (20, -18), (16, -14), (16, -6), (12, -4)])
    ink.paint(neck, "emerald", shade=0.4, line=0.9)
    ink.fill(polygon([(19, -20), (26, -17), (19, -16)]), "saffron")
    ink.fill(oval(16.6, -19, 1.1), "white")
    ink.fill(oval(16.8, -19, 0.7), "black")
    ink.line([(-20, 3), (0, 5), (20, 3)], 0.8, "white", 0.8)


def crane(ink: Ink, name: str = "white") -> None:
    """Paint a standing crane facing right, feet at y=0, about 72 tall."""
    for x in (-2, 4):
        ink.line([(x, -30), (x + 1, -15), (x, 0), (x + 5, 1)], 1.3, "#5b4636", taper=False)
    neck = limb([(12, -36), (20, -48), (14, -60), (20, -69), (24, -68)], [9, 5, 4, 5, 4])
    body = smooth([(16, -40), (10, -28), (-8, -24), (-26, -26), (-14, -38), (2, -44)])
    ink.paint(join(body, neck), name, shade=0.45, line=1.0)
    ink.paint(smooth([(-6, -36), (-22, -32), (-30, -20), (-20, -24), (-2, -28)]), "slate", line=0.7)
    ink.fill(polygon([(25, -70), (35, -66), (25, -66)]), "#4a3a30")
    ink.fill(oval(21, -71, 3, 1.8), "red")
    ink.fill(oval(22.5, -68.5, 0.8), "black")


def fish(ink: Ink, name: str = "rose") -> None:
    """Paint a fish facing right, centred at (0, 0), about 22 long."""
    shape = smooth([(11, 0), (4, -4), (-5, -2), (-11, -5), (-9, 0), (-11, 5), (-5, 2), (4, 4)])
    ink.paint(shape, name, line=0.7, shade=0.4)
    ink.fill(oval(7, -1, 0.9), "black")
