"""Sky, clouds, ground, rocks and water."""

from __future__ import annotations

import math
from collections.abc import Sequence

import skia

from .birds import bird, duck, fish
from .ink import Ink
from .ornament import leaf, spray
from .shapes import Point, limb, oval, polygon, rect, smooth, spline

ROCKS = ("#b894a4", "#cfa79b", "#a9a3b4", "#c9b08f", "#a8868f")


def sky(ink: Ink, w: float, low: float, stops: Sequence[str]) -> None:
    """Wash the sky from the top edge down to `low`, its last colour going on below."""
    ink.fill(rect(-2, low, w + 4, low + 300), stops[-1])
    ink.wash(rect(-2, -2, w + 4, low + 4), stops)


def streaks(ink: Ink, w: float, low: float, names: Sequence[str]) -> None:
    """Brush long soft bands of cloud across the sky above `low`."""
    for i in range(16):
        y = low * ink.rand(0.02, 0.72)
        x, wide = ink.rand(-0.1, 0.9) * w, ink.rand(0.2, 0.5) * w
        pts = [
            (x, y), (x + wide * 0.3, y - ink.rand(2, 7)), (x + wide * 0.7, y + ink.rand(0, 6)),
            (x + wide, y - 2),
        ]  # fmt: skip
        ink.fill(limb(pts, [1, 9, 7, 1]), names[i % len(names)], 0.0, 0.5, 2.2)


def curl_cloud(ink: Ink, x: float, y: float, scale: float, name: str = "white") -> None:
    """Paint one ribbon cloud with rolled heads, about 70 wide."""
    with ink.at(x, y, scale):
        body = limb([(-40, 6), (-22, 2), (-4, 6), (14, 2), (34, 8), (58, 4)], [1, 9, 13, 12, 8, 1])
        ink.paint(body, name, shade=0.35, line=0.8, ink="#6f7690")
        for cx, cy, r in ((-16, -3, 9), (2, -8, 12), (19, -3, 9), (-30, 4, 6)):
            ink.paint(oval(cx, cy, r, r * 0.85), name, shade=0.35, line=0.8, ink="#6f7690")
            whorl = []
            for a in range(10):
                wide, tall = r * (0.85 - a * 0.085), r * (0.72 - a * 0.07)
                whorl.append((cx + math.cos(a * 0.75) * wide, cy + math.sin(a * 0.75) * tall))
            ink.line(whorl, 0.8, "#6f7690", taper=False)


def ground(
    ink: Ink,
    line: Sequence[Point],
    w: float,
    h: float,
    stops: Sequence[str],
    tuft: str = "green",
    step: float = 26.0,
    flowers: Sequence[str] = ("red", "white", "yellow"),
) -> skia.Path:
    """Paint land below the horizon `line`, covered in jittered tufts and flowers."""
    pts = [*spline(line, 8), (w + 4, h + 4), (-4, h + 4)]
    path = polygon(pts)
    ink.wash(path, stops)
    top = path.getBounds().top()
    with ink.inside(path):
        for _ in range(26):
            x, y = ink.rand(0, w), ink.rand(top, h)
            ink.fill(oval(x, y, ink.rand(20, 60), ink.rand(5, 12)), tuft, 0.1, 0.13, 5)
        rows = int((h - top) / (step * 0.62))
        for r in range(rows + 1):
            for c in range(int(w / step) + 2):
                x = (c + 0.5 * (r % 2)) * step + ink.near(step * 0.12)
                y = top + 6 + r * step * 0.62 + ink.near(step * 0.1)
                size = 4.0 + 5.0 * r / max(rows, 1)
                if flowers and (r + c * 2) % 5 == 0:
                    spray(ink, x, y + size, size * 2.7, flowers[(r + c) % len(flowers)], tuft, 2)
                else:
                    _tuft(ink, x, y, size, tuft)
    ink.line(line, 1.0, taper=False)
    return path


def _tuft(ink: Ink, x: float, y: float, r: float, name: str) -> None:
    for turn in (-150, -122, -95, -66, -35):
        with ink.at(x, y, turn=turn + ink.near(6)):
            ink.fill(leaf(r * ink.rand(0.7, 1.0), r * 0.16), name, ink.near(0.1), 0.85)


def rocks(ink: Ink, x: float, y: float, w: float, h: float, names: Sequence[str], count: int = 9) -> None:
    """Heap rounded leaning outcrops from x to x + w on base line y, in three rows."""
    for row, (reach, tall) in enumerate(((0.8, 1.0), (0.92, 0.66), (1.0, 0.36))):
        spots = [((i + 0.5 * (row % 2 + 1) * 0.5) / count, i) for i in range(count)]
        for t, i in sorted(spots, key=lambda s: -abs(s[0] - 0.5) * (-1) ** row):
            rise = h * tall * (0.3 + 0.7 * math.sin(math.pi * min(t + 0.02, 0.98))) * ink.rand(0.7, 1)
            wide = w / count * ink.rand(1.5, 2.2)
            name = names[(i * 2 + row) % len(names)]
            px = x + w / 2 + (t - 0.5) * w * reach
            _outcrop(ink, px, y, wide, max(rise, wide * 0.5), ink.rand(-0.3, 0.4) * wide, name)
            if ink.rand() < 0.3:
                _tuft(ink, px, y - rise * 0.96, 8, "green")


def _outcrop(ink: Ink, x: float, y: float, w: float, h: float, lean: float, name: str) -> None:
    half = w / 2
    pts = [
        (x - half, y + 2), (x - half * 1.02, y - h * 0.3), (x - half * 0.72 + lean * 0.4, y - h * 0.5),
        (x - half * 0.86 + lean, y - h * 0.7), (x - half * 0.62 + lean, y - h * 0.93),
        (x - half * 0.1 + lean, y - h * 1.0), (x + half * 0.5 + lean, y - h * 0.93),
        (x + half * 0.78 + lean, y - h * 0.72), (x + half * 0.66 + lean * 0.5, y - h * 0.52),
        (x + half * 1.02, y - h * 0.32), (x + half, y + 2),
    ]  # fmt: skip
    pts = [(px + ink.near(w * 0.025), py + ink.near(h * 0.015)) for px, py in pts]
    path = smooth(pts)
    ink.paint(path, name, shade=0.55, line=1.0, ink="#5a4038")
    with ink.inside(path):
        for k in range(3):
            f = 0.28 + 0.24 * k
            left, mid = x - half * 0.3 + lean * f, x + half * 0.3 + lean * f
            ink.line(
                [(left, y - h * (f + 0.2)), (mid, y - h * (f + 0.1)), (mid - half * 0.3, y - h * (f - 0.14))],
                1.3,
                name,
                0.7,
                -0.42,
            )
            ink.line(
                [
                    (left - half * 0.2, y - h * (f + 0.1)),
                    (left, y - h * f),
                    (left - half * 0.1, y - h * (f - 0.2)),
                ],
                1.6,
                name,
                0.8,
                0.5,
            )
        ink.fill(oval(x + lean * 0.8, y - h * 0.92, half * 0.6, h * 0.09), name, 0.45, 0.5, h * 0.04)
        ink.fill(oval(x, y, w * 0.6, h * 0.16), "olive", 0.0, 0.45, h * 0.06)


def ridges(ink: Ink, w: float, lines: Sequence[float], names: Sequence[str], bush: str = "green") -> None:
    """Paint overlapping low hills whose crests run near each height in `lines`, with scrub."""
    for i, y in enumerate(lines):
        swell = 9 + 3 * i
        crest = [
            (k * w / 5 - 10 + ink.near(8), y + swell * (1 if (k + i) % 2 else -1) * ink.rand(0.5, 1))
            for k in range(7)
        ]
        path = polygon([*spline(crest, 8), (w + 40, y + 90), (-40, y + 90)])
        ink.paint(path, names[i % len(names)], shade=0.5, line=0.9)
        for _ in range(9):
            px, py, r = ink.rand(0, w), y + ink.rand(12, 26), ink.rand(2.6, 5.4)
            for n in range(5):
                dx, dy = (n - 2) * r * 0.62 + ink.near(0.6), -abs(2 - n) * r * -0.3 + ink.near(0.8)
                ink.fill(oval(px + dx, py + dy, r * 0.8, r * 0.75), bush, -0.2 + ink.near(0.05))
                ink.fill(oval(px + dx - 0.8, py + dy - 0.9, r * 0.42, r * 0.38), bush, 0.15, 0.8)
            _tuft(ink, ink.rand(0, w), y + ink.rand(18, 40), 6, bush)


def water(ink: Ink, path: skia.Path, name: str = "sky", bank: str = "cream") -> None:
    """Paint a pond or river with fine waves and a pale bank."""
    ink.stroke(path, bank, 7, -0.1)
    ink.stroke(path, "ink", 0.9)
    ink.paint(path, name, shade=0.5, line=1.1)
    box = path.getBounds()
    with ink.inside(path):
        for r in range(int(box.height() / 6) + 1):
            for c in range(int(box.width() / 26) + 2):
                x = box.left() + (c + 0.5 * (r % 2)) * 26 + ink.near(2)
                y = box.top() + 4 + r * 6
                ink.line(
                    [(x - 10, y), (x - 4, y - 2), (x + 2, y), (x + 9, y - 1.6)],
                    0.9,
                    "white" if r % 3 == 0 else name,
                    0.6,
                    0.0 if r % 3 == 0 else -0.35,
                )


def lotus(ink: Ink, x: float, y: float, r: float, name: str = "pink", open_: bool = True) -> None:
    """Paint a lotus flower (or bud) standing on the water."""
    spread = (-62, 62, -36, 36, 0) if open_ else (-18, 18, 0)
    for turn in spread:
        with ink.at(x, y, turn=turn - 90):
            petal = leaf(r * (1.25 if turn else 1.4), r * 0.5)
            ink.paint(petal, name, shade=0.35, line=0.7, shift=0.12 if turn == 0 else 0.0)
    if open_:
        ink.fill(oval(x, y + r * 0.05, r * 0.55, r * 0.2), "green")


def lily_pad(ink: Ink, x: float, y: float, r: float, name: str = "green") -> None:
    """Paint a round floating leaf with veins."""
    pad = oval(x, y, r, r * 0.5)
    ink.paint(pad, name, shade=0.35, line=0.8)
    for i in range(9):
        a = i * math.pi * 2 / 9
        ink.line(
            [
                (x, y),
                (x + math.cos(a) * r * 0.5, y + math.sin(a) * r * 0.25),
                (x + math.cos(a) * r * 0.9, y + math.sin(a) * r * 0.45),
            ],
            0.6,
            name,
            0.8,
            0.35,
        )


def pond_life(ink: Ink, spots: Sequence[tuple[str, float, float, float]], name: str = "pink") -> None:
    """Set lotuses, pads, ducks and fish at (kind, x, y, size); a minus size faces left."""
    for kind, x, y, size in spots:
        if kind == "lotus":
            lily_pad(ink, x + size * 0.4, y + size * 0.35, size * 1.1)
            lotus(ink, x, y, size, name)
        elif kind == "bud":
            ink.line([(x, y + size), (x + 1, y)], 1.4, "green", taper=False)
            lotus(ink, x, y, size * 0.8, name, False)
        elif kind == "pad":
            lily_pad(ink, x, y, size)
        else:
            with ink.at(x, y, abs(size), size < 0):
                (duck if kind == "duck" else fish)(ink)


def flock(ink: Ink, spots: Sequence[tuple[float, float, float]], names: Sequence[str]) -> None:
    """Put flying birds at (x, y, size); a minus size flies left."""
    for i, (x, y, size) in enumerate(spots):
        with ink.at(x, y, abs(size), size < 0, turn=-8):
            bird(ink, names[i % len(names)], True)


def moon(ink: Ink, x: float, y: float, r: float) -> None:
    """Paint a full moon with a soft light round it."""
    ink.fill(oval(x, y, r * 2.0), "cream", 0.0, 0.22, r * 0.6)
    ink.paint(oval(x, y, r), "cream", shade=0.25, line=0.9, shift=0.2)


def night_sky(ink: Ink, w: float, low: float, count: int = 60) -> None:
    """Scatter small gold stars over the sky above `low`."""
    for _ in range(count):
        x, y, r = ink.rand(4, w - 4), ink.rand(4, low), ink.rand(0.7, 1.7)
        pts = [
            (
                x + math.cos(i * math.pi / 4) * r * (1.7 if i % 2 == 0 else 0.6),
                y + math.sin(i * math.pi / 4) * r * (1.7 if i % 2 == 0 else 0.6),
            )
            for i in range(8)
        ]
        ink.fill(polygon(pts), "#e8c867")
