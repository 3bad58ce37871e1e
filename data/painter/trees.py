"""Trees: plane, mango, cypress, blossom, palm, plantain, willow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import skia

from .ink import Ink
from .ornament import flower, leaf
from .shapes import Point, common, join, limb, oval, rect, smooth


def trunk(ink: Ink, points: Sequence[Point], widths: Sequence[float], name: str = "brown") -> None:
    """Paint a bark limb with grain; one that starts at the ground (y > 0) gets roots and grass."""
    path = limb(points, widths)
    (x, y), w = points[0], widths[0]
    if y > 0:
        root = smooth([
            (x - w, y + 3), (x - w * 0.46, y - w * 0.8), (x + w * 0.46, y - w * 0.8), (x + w, y + 3),
            (x + w * 0.45, y), (x, y + 4), (x - w * 0.45, y),
        ])  # fmt: skip
        path = join(common(path, rect(-300, -600, 600, 600 + y)), root)
    ink.paint(path, name, shade=0.5, line=1.1)
    with ink.inside(path):
        for k in (-0.25, 0.05, 0.28):
            ink.line([(x + k * w, y) for (x, y), w in zip(points, widths, strict=True)], 0.8, name, 0.7, -0.4)
    for i in range(14 if y > 0 else 0):
        with ink.at(x + (i - 6.5) * w * 0.2, y + 5 + ink.near(1), turn=-90 + (i - 6.5) * 7):
            ink.fill(leaf(ink.rand(7, 12), 1.8), "green", ink.near(0.1))


def _plane_leaf(r: float) -> skia.Path:
    pts = []
    for i in range(10):
        a = -math.pi / 2 + i * math.pi / 5
        k = 1.0 if i % 2 == 0 else 0.48
        pts.append((math.cos(a) * r * k, math.sin(a) * r * k))
    return smooth(pts, tension=0.5)


def _clump(ink: Ink, x: float, y: float, r: float, name: str, shape: str, size: float) -> None:
    lobes = [(x + math.cos(i * 0.7) * r * 0.82, y + math.sin(i * 0.7) * r * 0.66) for i in range(9)]
    mass = skia.Path()
    for lx, ly in [*lobes, (x, y)]:
        mass = skia.Op(mass, oval(lx, ly, r * 0.42, r * 0.36), skia.PathOp.kUnion_PathOp)
    mass = skia.Op(mass, oval(x, y, r * 0.85, r * 0.7), skia.PathOp.kUnion_PathOp)
    ink.paint(mass, name, shift=-0.35, shade=0.4, line=0.9)
    area = int(2.6 * (r / size) ** 2)
    for i in range(area):
        t = (i + 0.5) / area
        a = i * 2.39996
        d = math.sqrt(t) * r * 0.98
        px, py = x + math.cos(a) * d, y + math.sin(a) * d * 0.85
        light = -0.05 - 0.32 * (py - y) / r - 0.12 * (px - x) / r + ink.near(0.07)
        with ink.at(px, py, turn=ink.rand(0, 360) if shape == "plane" else ink.rand(35, 145)):
            mark = _plane_leaf(size) if shape == "plane" else leaf(size * 1.5, size * 0.42)
            ink.fill(mark, name, light)
            if size > 3.2:
                ink.stroke(mark, name, 0.45, -0.5, 0.7)


def crown(
    ink: Ink,
    clumps: Sequence[tuple[float, float, float]],
    names: Sequence[str],
    shape: str = "oval",
    size: float = 4.0,
) -> None:
    """Paint leaf masses at (x, y, radius), later ones in front."""
    for i, (x, y, r) in enumerate(clumps):
        _clump(ink, x, y, r, names[i % len(names)], shape, size)


def plane_tree(ink: Ink, x: float, y: float, h: float, autumn: bool = False) -> None:
    """Paint a plane tree with pale trunk and star leaves, foot at (x, y), height h."""
    names = ("ochre", "green", "brick", "olive") if autumn else ("green", "olive", "emerald")
    with ink.at(x, y, h / 200):
        trunk(ink, [(0, 4), (-5, -40), (4, -80), (-4, -120)], [26, 16, 14, 9], "stone")
        trunk(ink, [(2, -76), (24, -100), (36, -128)], [10, 8, 4], "stone")
        trunk(ink, [(0, -92), (-26, -112), (-40, -134)], [9, 7, 4], "stone")
        crown(
            ink,
            [
                (-44, -128, 27), (42, -126, 29), (-20, -166, 30), (24, -168, 30), (0, -138, 32),
                (2, -192, 22), (-58, -156, 18), (56, -156, 19),
            ],
            names,
            "plane",
            6.6,
        )  # fmt: skip


def great_tree(ink: Ink, x: float, y: float, h: float) -> None:
    """Paint an old spreading plane tree in autumn leaf with open branches; foot at (x, y)."""
    names = ("ochre", "olive", "green", "ochre", "saffron", "olive", "brick")
    stems = [
        [(0, 4), (-7, -34), (3, -66), (-4, -100), (2, -150)],
        [(0, -62), (28, -84), (52, -92), (66, -108)],
        [(2, -70), (-26, -84), (-50, -98), (-62, -122)],
        [(-4, -98), (-22, -124), (-30, -158)],
        [(0, -96), (22, -120), (34, -152)],
        [(36, -88), (44, -112), (58, -132)],
        [(-36, -90), (-40, -116), (-44, -138)],
    ]
    ends = [
        (66, -108), (-62, -122), (-30, -160), (34, -154), (58, -134), (-46, -140), (2, -156), (-66, -100),
        (46, -90), (-36, -88), (14, -128), (-14, -120), (54, -160), (-54, -162), (12, -180), (-14, -184),
        (72, -128), (-74, -138), (38, -112),
    ]  # fmt: skip
    with ink.at(x, y, h / 200):
        for i, (cx, cy) in enumerate(ends[::2]):
            _clump(ink, cx, cy - 4, 17, ("olive", "dark", "green")[i % 3], "plane", 5.2)
        trunk(ink, stems[0], [24, 17, 14, 11, 5], "stone")
        for stem in stems[1:]:
            trunk(ink, stem, [9, 7, 3] if len(stem) == 3 else [9, 7, 5, 3], "stone")
        for i, (cx, cy) in enumerate(ends):
            for dx, dy, r in ((-9, 3, 8.5), (9, 2, 8.5), (0, -8, 10)):
                hue = names[(i + (dx > 0)) % len(names)]
                _clump(ink, cx + dx + ink.near(2), cy + dy + ink.near(2), r, hue, "plane", 4.6)


def mango_tree(ink: Ink, x: float, y: float, h: float, name: str = "green") -> None:
    """Paint a dark round-headed tree, foot at (x, y), height h."""
    with ink.at(x, y, h / 200):
        trunk(ink, [(0, 4), (4, -40), (-2, -90)], [20, 13, 10], "brown")
        crown(
            ink,
            [
                (-36, -96, 28), (36, -98, 28), (0, -88, 26), (-30, -134, 30), (32, -136, 30), (0, -124, 32),
                (-8, -170, 28), (14, -178, 24),
            ],
            (name, "green", name, "emerald"),
            "oval",
            5.4,
        )  # fmt: skip


def cypress(ink: Ink, x: float, y: float, h: float) -> None:
    """Paint a cypress, foot at (x, y), height h."""
    with ink.at(x, y, h / 200):
        trunk(ink, [(0, 2), (0, -26)], [9, 8], "brown")
        shape = smooth([
            (0, -204), (11, -160), (23, -100), (24, -58), (14, -24), (0, -18), (-14, -24), (-24, -58),
            (-23, -100), (-11, -160),
        ])  # fmt: skip
        ink.paint(shape, "dark", shade=0.4, line=1.1)
        with ink.inside(shape):
            for row in range(30):
                yy = -24 - row * 6
                for k in range(-4, 5):
                    xx = k * 6 + 3 * (row % 2)
                    with ink.at(xx, yy, turn=-90 + k * 5 + ink.near(8)):
                        ink.fill(leaf(11, 2.6), "green", -0.1 - k * 0.04 + ink.near(0.06))


def blossom_tree(ink: Ink, x: float, y: float, h: float, name: str = "pink", lean: float = 12.0) -> None:
    """Paint a slim flowering tree whose branches carry open blossoms; foot at (x, y)."""
    stem = [(0, 4), (-4, -50), (lean * 0.5, -100), (lean, -150), (lean - 6, -190)]
    rises = (
        (56, ((26, -34), (40, -72), (36, -102))), (80, ((-26, -22), (-38, -58), (-34, -80))),
        (108, ((26, -28), (46, -40), (56, -56))), (104, ((-20, -34), (-26, -68))),
        (92, ((-30, -10), (-54, -22), (-64, -40))), (132, ((20, -20), (22, -46))),
        (70, ((34, -16), (58, -34))),
    )  # fmt: skip
    branches = []
    for up, steps in rises:
        part = min(up // 50, 3)
        (ax, ay), (bx, by) = stem[part], stem[part + 1]
        root = (ax + (bx - ax) * (up + ay) / (ay - by), -up)
        branches.append([root, *((root[0] + dx, root[1] + dy) for dx, dy in steps)])
    with ink.at(x, y, h / 200):
        for branch in branches:
            trunk(ink, branch, [6.5, 4.5, 3, 1.2] if len(branch) > 3 else [6, 4, 1.2])
        trunk(ink, stem, [15, 11, 8, 5, 1.5])
        for px, py in [*stem[3:], *(p for branch in branches for p in branch[1:])]:
            _blossoms(ink, px, py, name)


def _blossoms(ink: Ink, x: float, y: float, name: str) -> None:
    for _ in range(9):
        with ink.at(x + ink.near(9), y + ink.near(8), turn=ink.rand(0, 360)):
            ink.fill(leaf(9, 2.4), "green", ink.near(0.12))
    for _ in range(8):
        flower(ink, x + ink.near(9.5), y + ink.near(9), ink.rand(4.0, 5.6), name)


def palm(ink: Ink, x: float, y: float, h: float, lean: float = 14.0) -> None:
    """Paint a palm with ringed trunk and drooping fronds, foot at (x, y)."""
    with ink.at(x, y, h / 200):
        path = [(0, 4), (lean * 0.2, -60), (lean * 0.7, -120), (lean, -160)]
        trunk(ink, path, [13, 9, 8, 7], "tan")
        for i in range(16):
            yy = -8 - i * 9.4
            xx = lean * (yy / -160) ** 1.4
            ink.line([(xx - 5, yy), (xx, yy + 2), (xx + 5, yy)], 0.9, "brown")
        for a in (195, 345, 220, 320, 160, 20, 245, 295, 270):
            rad = math.radians(a)
            tip = (lean + math.cos(rad) * 58, -164 + math.sin(rad) * 44 + 16)
            mid = (lean + math.cos(rad) * 34, -168 + math.sin(rad) * 42)
            rib = [(lean, -162), mid, tip]
            _frond(ink, rib)


def _frond(ink: Ink, rib: list[Point]) -> None:
    for i in range(15):
        t = 0.12 + 0.86 * i / 14
        a, b, c = rib
        x = a[0] * (1 - t) ** 2 + 2 * b[0] * t * (1 - t) + c[0] * t * t
        y = a[1] * (1 - t) ** 2 + 2 * b[1] * t * (1 - t) + c[1] * t * t
        turn = math.degrees(math.atan2(c[1] - a[1], c[0] - a[0]))
        for side in (-1, 1):
            with ink.at(x, y, turn=turn + side * 52):
                ink.fill(leaf(19 - 10 * abs(t - 0.45), 2.4), "green", -0.2 + 0.1 * side + ink.near(0.08))
    ink.line(rib, 1.2, "olive")


def plantain(ink: Ink, x: float, y: float, h: float) -> None:
    """Paint a banana plant with broad ribbed leaves, foot at (x, y)."""
    with ink.at(x, y, h / 120):
        trunk(ink, [(0, 2), (1, -30), (0, -56)], [13, 10, 7], "sage")
        for turn, long in ((-160, 46), (-20, 46), (-132, 60), (-48, 60), (-108, 62), (-74, 60)):
            with ink.at(0, -52, turn=turn):
                blade = smooth(
                    [(0, 0), (long * 0.3, -9), (long * 0.75, -9), (long, 2), (long * 0.7, 9), (long * 0.3, 7)]
                )
                ink.paint(blade, "green", shift=ink.near(0.08) + 0.05, shade=0.4, line=0.9)
                ink.line([(0, 0), (long * 0.5, -1), (long, 2)], 1.3, "sage", taper=False)
                for i in range(7):
                    ink.line([(8 + i * 6, 0), (12 + i * 6, -8)], 0.5, "dark", 0.6)
                    ink.line([(8 + i * 6, 0), (12 + i * 6, 8)], 0.5, "dark", 0.6)
