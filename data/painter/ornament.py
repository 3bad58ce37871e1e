"""Flowers, textile patterns, vine scrolls, rulings and carpets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import skia

from .ink import Ink, Pattern
from .shapes import Point, oval, polygon, rect, smooth


def leaf(length: float, width: float) -> skia.Path:
    """Return a pointed leaf lying along +x from the origin."""
    path = skia.Path()
    path.moveTo(0, 0)
    path.cubicTo(length * 0.3, -width, length * 0.7, -width * 0.8, length, 0)
    path.cubicTo(length * 0.7, width * 0.6, length * 0.3, width * 0.8, 0, 0)
    return path


def flower(ink: Ink, x: float, y: float, r: float, name: str, petals: int = 5) -> None:
    """Paint an open flower seen from the front, with a yellow heart."""
    turn = ink.rand(0, 72)
    for i in range(petals):
        with ink.at(x, y, turn=turn + i * 360 / petals):
            petal = oval(r * 0.58, 0, r * 0.46, r * 0.36)
            ink.fill(petal, name, ink.near(0.06))
            if r > 3:
                ink.contour(petal, 0.5, alpha=0.5)
    ink.fill(oval(x, y, r * 0.27), "yellow")


def bud(ink: Ink, x: float, y: float, r: float, name: str, turn: float = -90) -> None:
    """Paint a tulip-like flower from the side, opening along `turn` degrees."""
    with ink.at(x, y, turn=turn + 90):
        cup = smooth([
            (0, 0), (-r * 0.6, -r * 0.5), (-r * 0.5, -r * 1.3), (-r * 0.15, -r * 0.9), (0, -r * 1.5),
            (r * 0.15, -r * 0.9), (r * 0.5, -r * 1.3), (r * 0.6, -r * 0.5),
        ])  # fmt: skip
        ink.fill(cup, name, ink.near(0.05))
        if r > 2.5:
            ink.contour(cup, 0.5, alpha=0.55)


def spray(ink: Ink, x: float, y: float, h: float, name: str, green: str = "green", stems: int = 3) -> None:
    """Paint a flowering plant of height h growing up from (x, y)."""
    for side in (-1, 1, -1, 1):
        tilt = ink.rand(18, 62)
        with ink.at(x, y, turn=-90 + side * tilt):
            blade = leaf(h * ink.rand(0.38, 0.62), h * 0.07)
            ink.fill(blade, green, ink.near(0.08))
    for i in range(stems):
        lean = (i - (stems - 1) / 2) * h * 0.34 + ink.near(h * 0.05)
        top = h * ink.rand(0.72, 1.0) * (1 if i == stems // 2 else 0.8)
        ink.line(
            [(x, y), (x + lean * 0.3, y - top * 0.5), (x + lean, y - top)],
            max(h * 0.035, 0.6),
            green,
            taper=False,
        )
        if ink.rand() < 0.55:
            flower(ink, x + lean, y - top, h * 0.16, name)
        else:
            bud(ink, x + lean, y - top, h * 0.14, name, -90 + lean)


def _grid(box: skia.Rect, step: float) -> list[Point]:
    """Return brick-laid points that cover the box."""
    rows = int(box.height() / (step * 0.8)) + 2
    cols = int(box.width() / step) + 2
    return [
        (box.left() + (c + 0.5 * (r % 2)) * step, box.top() + r * step * 0.8)
        for r in range(rows)
        for c in range(cols)
    ]


def buti(name: str = "red", step: float = 9.0, green: str = "green", gold: bool = False) -> Pattern:
    """Return a cloth pattern of small flower sprigs."""

    def draw(ink: Ink, box: skia.Rect) -> None:
        for x, y in _grid(box, step):
            r = step * 0.2
            if gold:
                ink.fill(oval(x, y + r, r * 0.3, r * 1.2), "gold", -0.1)
            else:
                ink.stroke(polygon([(x, y), (x, y + r * 2)], False), green, r * 0.4)
                ink.fill(oval(x + r * 0.6, y + r * 1.3, r * 0.6, r * 0.3), green)
            for dx, dy in ((-0.6, 0), (0.6, 0), (0, -0.7), (0, 0.3)):
                ink.fill(oval(x + dx * r, y + dy * r, r * 0.55), name)
            ink.fill(oval(x, y - r * 0.1, r * 0.3), "yellow")

    return draw


def stripes(name: str, step: float = 6.0, lean: float = 0.0, width: float = 0.3) -> Pattern:
    """Return a cloth pattern of stripes; `lean` shifts the foot of each stripe sideways."""

    def draw(ink: Ink, box: skia.Rect) -> None:
        spread = abs(lean) + box.width()
        for i in range(int(-spread / step), int(2 * spread / step) + 1):
            x = box.left() + i * step
            ink.stroke(polygon([(x, box.top()), (x + lean, box.bottom())], False), name, step * width)

    return draw


def chevrons(name: str, step: float = 7.0) -> Pattern:
    """Return a cloth pattern of zigzag rows."""

    def draw(ink: Ink, box: skia.Rect) -> None:
        for j in range(int(box.height() / step) + 2):
            y = box.top() + j * step
            count = int(box.width() / (step / 2)) + 2
            pts = [(box.left() + i * step / 2, y + (i % 2) * step / 2) for i in range(count)]
            ink.stroke(polygon(pts, False), name, step * 0.2)

    return draw


def lattice(name: str, step: float = 8.0, dot: str = "gold") -> Pattern:
    """Return a diamond trellis with a dot in every cell."""

    def draw(ink: Ink, box: skia.Rect) -> None:
        h, top, low = box.height(), box.top(), box.bottom()
        for i in range(int(-h / step) - 1, int(box.width() / step) + 2):
            x = box.left() + i * step
            ink.stroke(polygon([(x, top), (x + h, low)], False), name, step * 0.1)
            ink.stroke(polygon([(x, low), (x + h, top)], False), name, step * 0.1)
        reach = int((h + box.width()) / step) + 2
        for i in range(-reach, reach):
            for j in range(-reach, reach):
                x = box.left() + (h + (i + j + 1) * step) / 2
                y = (top + low + (j - i) * step) / 2
                if box.contains(x, y):
                    ink.fill(oval(x, y, step * 0.13), dot)

    return draw


def stars(name: str, step: float = 14.0, second: str = "gold") -> Pattern:
    """Return a tilework pattern of eight-pointed stars joined by small crosses."""

    def draw(ink: Ink, box: skia.Rect) -> None:
        for r in range(int(box.height() / step) + 2):
            for c in range(int(box.width() / step) + 2):
                x, y = box.left() + c * step, box.top() + r * step
                pts = [
                    (
                        x + math.cos(a * math.pi / 8) * step * (0.44 if a % 2 == 0 else 0.3),
                        y + math.sin(a * math.pi / 8) * step * (0.44 if a % 2 == 0 else 0.3),
                    )
                    for a in range(16)
                ]
                ink.fill(polygon(pts), name)
                ink.stroke(polygon(pts), second, step * 0.05)
                ink.fill(oval(x, y, step * 0.13), second)
                ink.fill(oval(x + step / 2, y + step / 2, step * 0.08), second)

    return draw


def vine(name: str, step: float = 16.0, bloom: str = "rose", green: str = "green") -> Pattern:
    """Return a pattern of curling stems with leaves and flowers, as on fine carpets."""

    def draw(ink: Ink, box: skia.Rect) -> None:
        for i, (x, y) in enumerate(_grid(box, step)):
            with ink.at(x, y, step, i % 2 == 0, (i * 137) % 360):
                curl = [(-0.55, 0.2), (-0.25, -0.22), (0.15, -0.18), (0.22, 0.12), (0.0, 0.1)]
                ink.stroke(smooth(curl, False), name, 0.06)
                for lx, ly, turn in (
                    (-0.4, 0.0, 150), (-0.2, -0.22, -80), (0.15, -0.18, -20), (-0.3, -0.15, 60),
                    (0.22, 0.1, 40),
                ):  # fmt: skip
                    with ink.at(lx, ly, turn=turn):
                        ink.fill(leaf(0.24, 0.08), green)
            flower(ink, x, y, step * 0.19, bloom)

    return draw


def scroll(
    ink: Ink,
    start: Point,
    end: Point,
    depth: float,
    stem: str,
    blooms: Sequence[str],
    green: str,
) -> None:
    """Paint one running vine between two points with a flower in every turn."""
    length = math.hypot(end[0] - start[0], end[1] - start[1])
    waves = max(round(length / (depth * 2.1)), 2)
    with ink.at(*start, turn=math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))):
        pitch = length / waves
        pts = [(i * pitch / 2, depth * 0.3 * (1 if i % 2 else -1)) for i in range(2 * waves + 1)]
        ink.stroke(smooth(pts, False), stem, max(depth * 0.055, 0.7))
        for i in range(2 * waves):
            x, y = (i + 0.5) * pitch / 2, 0.0
            side = 1 if i % 2 else -1
            tip = (x + pitch * 0.1, -side * depth * 0.1)
            for turn in (-50, 35, 150):
                with ink.at(x + side, y, turn=turn * side):
                    ink.fill(leaf(depth * 0.36, depth * 0.1), green, ink.near(0.06))
            ink.stroke(
                smooth(
                    [(x - pitch * 0.16, side * depth * 0.1), tip, (pts[i + 1][0], side * depth * -0.02)],
                    False,
                ),
                stem,
                max(depth * 0.04, 0.5),
            )
            flower(ink, pts[i + 1][0], side * -depth * 0.04, depth * 0.21, blooms[i % len(blooms)], 6)


def rulings(ink: Ink, box: skia.Rect, bands: Sequence[tuple[str, float]]) -> skia.Rect:
    """Rule nested frames from outside inwards; return the rectangle left inside."""
    x, y, w, h = box.left(), box.top(), box.width(), box.height()
    for name, wide in bands:
        ink.fill(rect(x, y, w, h), name)
        ink.stroke(rect(x, y, w, h), "ink", 0.55, alpha=0.7)
        x, y, w, h = x + wide, y + wide, w - 2 * wide, h - 2 * wide
    return skia.Rect.MakeXYWH(x, y, w, h)


def band(ink: Ink, box: skia.Rect, wide: float, stem: str, blooms: Sequence[str]) -> None:
    """Run a vine scroll round the four sides of a frame `wide` units deep."""
    m = wide / 2
    left, top, right, low = box.left() + m, box.top() + m, box.right() - m, box.bottom() - m
    for start, end in (
        ((left, top), (right, top)), ((right, top), (right, low)), ((right, low), (left, low)),
        ((left, low), (left, top)),
    ):  # fmt: skip
        scroll(ink, start, end, wide, stem, blooms, stem)


def carpet(ink: Ink, path: skia.Path, field: str, border: str, pattern: Pattern, wide: float = 10.0) -> None:
    """Lay a carpet in the path: patterned field, floral border, gold edges."""
    ink.paint(path, border, line=1.1, shade=0.15, pattern=buti("cream", wide * 0.75, "mint"))
    box = path.getBounds()
    fx = 1 - 2 * wide / box.width()
    fy = 1 - 2 * wide / max(box.height(), wide * 4)
    inner = skia.Path(path)
    inner.transform(
        skia.Matrix.Translate(box.centerX(), box.centerY())
        .preScale(fx, fy)
        .preTranslate(-box.centerX(), -box.centerY())
    )
    ink.paint(inner, field, line=0.9, shade=0.15, pattern=pattern)
    ink.stroke(inner, "gold", 1.3)
    ink.stroke(path, "gold", 1.0)
