"""Smooth outlines built from a few points: closed silhouettes, limbs, simple solids."""

from __future__ import annotations

import math
from collections.abc import Sequence

import skia

Point = tuple[float, float]


def smooth(points: Sequence[Point], closed: bool = True, tension: float = 1.0) -> skia.Path:
    """Return a curve through every point (Catmull-Rom spline as cubic pieces)."""
    pts = list(points)
    count = len(pts)
    path = skia.Path()
    path.moveTo(*pts[0])
    for i in range(count if closed else count - 1):
        if closed:
            p0, p1, p2, p3 = (pts[(i + k) % count] for k in (-1, 0, 1, 2))
        else:
            p0, p1 = pts[max(i - 1, 0)], pts[i]
            p2, p3 = pts[i + 1], pts[min(i + 2, count - 1)]
        k = tension / 6.0
        path.cubicTo(
            p1[0] + (p2[0] - p0[0]) * k,
            p1[1] + (p2[1] - p0[1]) * k,
            p2[0] - (p3[0] - p1[0]) * k,
            p2[1] - (p3[1] - p1[1]) * k,
            *p2,
        )
    if closed:
        path.close()
    return path


def polygon(points: Sequence[Point], closed: bool = True) -> skia.Path:
    """Return a path with straight sides through the points."""
    path = skia.Path()
    path.addPoly([skia.Point(*p) for p in points], closed)
    return path


def rect(x: float, y: float, w: float, h: float, radius: float = 0.0) -> skia.Path:
    """Return a rectangle path, with round corners if `radius` is given."""
    path = skia.Path()
    path.addRoundRect(skia.Rect.MakeXYWH(x, y, w, h), radius, radius)
    return path


def oval(cx: float, cy: float, rx: float, ry: float | None = None) -> skia.Path:
    """Return an ellipse path around a centre."""
    path = skia.Path()
    ry = rx if ry is None else ry
    path.addOval(skia.Rect.MakeLTRB(cx - rx, cy - ry, cx + rx, cy + ry))
    return path


def _catmull_rom(a: float, b: float, c: float, d: float, t: float) -> float:
    """Return the curve's coordinate at t between b (t = 0) and c (t = 1)."""
    line = 2 * b + (c - a) * t
    square = (2 * a - 5 * b + 4 * c - d) * t * t
    cube = (3 * b - a - 3 * c + d) * t**3
    return 0.5 * (line + square + cube)


def spline(points: Sequence[Point], per: int = 10) -> list[Point]:
    """Return many points along the open Catmull-Rom curve through `points`."""
    pts = list(points)
    out: list[Point] = []
    for i in range(len(pts) - 1):
        p0, p1 = pts[max(i - 1, 0)], pts[i]
        p2, p3 = pts[i + 1], pts[min(i + 2, len(pts) - 1)]
        for s in range(per):
            t = s / per
            x, y = (_catmull_rom(*numbers, t) for numbers in zip(p0, p1, p2, p3, strict=True))
            out.append((x, y))
    out.append(pts[-1])
    return out


def limb(points: Sequence[Point], widths: Sequence[float], per: int = 8) -> skia.Path:
    """Return the outline of a tube along `points` whose full width follows `widths`."""
    line = spline(points, per)
    left: list[Point] = []
    right: list[Point] = []
    last = len(line) - 1
    for i, (x, y) in enumerate(line):
        (ax, ay), (bx, by) = line[max(i - 1, 0)], line[min(i + 1, last)]
        length = math.hypot(bx - ax, by - ay) or 1.0
        nx, ny = -(by - ay) / length, (bx - ax) / length
        at = i / per
        j = min(int(at), len(widths) - 2)
        t = at - j
        t = t * t * (3 - 2 * t)
        half = (widths[j] * (1 - t) + widths[j + 1] * t) / 2
        left.append((x + nx * half, y + ny * half))
        right.append((x - nx * half, y - ny * half))
    path = polygon(left + right[::-1])
    for (x, y), w in ((line[0], widths[0]), (line[-1], widths[-1])):
        path = skia.Op(path, oval(x, y, w / 2), skia.PathOp.kUnion_PathOp)
    return path


def join(*paths: skia.Path) -> skia.Path:
    """Return one outline around all the paths."""
    whole = paths[0]
    for path in paths[1:]:
        whole = skia.Op(whole, path, skia.PathOp.kUnion_PathOp)
    return whole


def common(a: skia.Path, b: skia.Path) -> skia.Path:
    """Return the part that lies in both paths."""
    return skia.Op(a, b, skia.PathOp.kIntersect_PathOp)
