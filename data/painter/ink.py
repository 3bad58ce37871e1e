"""The sheet being painted: colours, fills with soft shading, and brush contours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import skia

from .shapes import Point, polygon, spline

PALETTE = {
    "ink": "#33231a", "gold": "#c79a35", "cream": "#efe0bb", "buff": "#dcc08c", "white": "#f6efdd",
    "ochre": "#cf9a3d", "saffron": "#dd8a2c", "brick": "#a8432b", "red": "#b3312a", "crimson": "#8c2233",
    "rose": "#d98d8a", "pink": "#e6b6ac", "mauve": "#b592a8", "plum": "#6d3f5c", "lapis": "#2b4a86",
    "sky": "#8fb3c0", "turquoise": "#5ea39b", "sage": "#a9b07a", "olive": "#79803f", "green": "#47683a",
    "emerald": "#2f6a50", "dark": "#243a2a", "brown": "#6f4a2e", "tan": "#b98a5c", "skin": "#d3a274",
    "skin2": "#b8845a", "fair": "#e2bb90", "grey": "#8d8a86", "slate": "#5f6672", "black": "#26211f",
    "night": "#22304f", "stone": "#cdbfa6", "lilac": "#c3aac4", "teal": "#2f6f78", "yellow": "#e3bd4a",
    "mint": "#bcd0ad",
}  # fmt: skip

Pattern = Callable[["Ink", skia.Rect], None]


def rgb(name: str, shift: float = 0.0) -> tuple[int, int, int]:
    """Return a palette name or #hex as 0-255 values; `shift` below 0 darkens, above 0 lightens."""
    code = PALETTE.get(name, name).lstrip("#")
    parts = [int(code[i : i + 2], 16) for i in (0, 2, 4)]
    if shift < 0:
        warm = (0.95, 1.0, 1.02)
        parts = [round(p * (1 + shift * w)) for p, w in zip(parts, warm, strict=True)]
    else:
        parts = [round(p + (250 - p) * shift) for p in parts]
    red, green, blue = (max(0, min(255, p)) for p in parts)
    return red, green, blue


def argb(name: str, shift: float = 0.0, alpha: float = 1.0) -> int:
    """Return a colour number for the canvas."""
    return skia.Color(*rgb(name, shift), round(255 * alpha))


class Ink:
    """A canvas with a seeded random source; coordinates follow the current `at` frame."""

    def __init__(self, width: int, height: int, scale: float, rng: np.random.Generator) -> None:
        self.surface = skia.Surface(round(width * scale), round(height * scale))
        self.canvas = self.surface.getCanvas()
        self.canvas.scale(scale, scale)
        self.size = scale
        self.k = 1.0
        self.rng = rng

    @contextmanager
    def at(
        self, x: float, y: float, scale: float = 1.0, flip: bool = False, turn: float = 0.0
    ) -> Iterator[None]:
        """Draw inside with the origin moved to (x, y), scaled, turned, mirrored if `flip`."""
        self.canvas.save()
        self.canvas.translate(x, y)
        self.canvas.rotate(turn)
        self.canvas.scale(-scale if flip else scale, scale)
        self.k *= scale
        yield
        self.k /= scale
        self.canvas.restore()

    @contextmanager
    def inside(self, path: skia.Path) -> Iterator[None]:
        """Draw inside with everything outside `path` left untouched."""
        self.canvas.save()
        self.canvas.clipPath(path, doAntiAlias=True)
        yield
        self.canvas.restore()

    def rand(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return one random number between low and high."""
        return float(self.rng.uniform(low, high))

    def near(self, spread: float) -> float:
        """Return one random number around zero."""
        return float(self.rng.normal(0.0, spread))

    def fill(
        self, path: skia.Path, name: str, shift: float = 0.0, alpha: float = 1.0, blur: float = 0.0
    ) -> None:
        """Lay one flat colour in the path; gold gets its soft metal gleam."""
        paint = skia.Paint(AntiAlias=True, Color=argb(name, shift, alpha))
        if name == "gold" and alpha == 1.0:
            stops = [argb("gold", s + shift) for s in (-0.14, 0.3, 0.0, -0.14)]
            box = path.getBounds()
            step = max(box.width(), box.height(), 1.0) * 0.45
            ends = [(box.left(), box.top()), (box.left() + step, box.top() + step * 0.8)]
            paint.setShader(skia.GradientShader.MakeLinear(ends, stops, None, skia.TileMode.kMirror))
        if blur:
            paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
        self.canvas.drawPath(path, paint)

    def wash(self, path: skia.Path, stops: Sequence[str], alphas: Sequence[float] = ()) -> None:
        """Fill the path with an even top-to-bottom change through the colours."""
        box = path.getBounds()
        opacity = alphas or [1.0] * len(stops)
        colours = [argb(s, 0.0, a) for s, a in zip(stops, opacity, strict=True)]
        ends = [(0.0, box.top()), (0.0, box.bottom())]
        paint = skia.Paint(AntiAlias=True, Shader=skia.GradientShader.MakeLinear(ends, colours))
        self.canvas.drawPath(path, paint)

    def stroke(
        self,
        path: skia.Path,
        name: str,
        width: float,
        shift: float = 0.0,
        alpha: float = 1.0,
        blur: float = 0.0,
    ) -> None:
        """Draw an even line along the path, width in the current frame's units."""
        paint = skia.Paint(
            AntiAlias=True,
            Color=argb(name, shift, alpha),
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=width,
            StrokeCap=skia.Paint.kRound_Cap,
            StrokeJoin=skia.Paint.kRound_Join,
        )
        if blur:
            paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
        self.canvas.drawPath(path, paint)

    def line(
        self,
        points: Sequence[Point],
        width: float = 1.0,
        name: str = "ink",
        alpha: float = 1.0,
        shift: float = 0.0,
        taper: bool = True,
    ) -> None:
        """Draw one brush line through the points, thin at both ends when `taper`."""
        along = spline(points, 8)
        self._ribbon(along, self._pen(width), name, alpha, shift, taper)

    def contour(self, path: skia.Path, width: float = 1.2, name: str = "ink", alpha: float = 0.92) -> None:
        """Draw the dark outline of a shape, heavier on its lower right as a brush leaves it."""
        pen = self._pen(width)
        step = max(1.2 / self.k, 0.25)
        measure = skia.PathMeasure(path, False)
        while True:
            length = measure.getLength()
            count = max(int(length / step), 3)
            along = []
            for i in range(count + 1):
                spot, _ = measure.getPosTan(min(length * i / count, length - 1e-3))
                along.append((spot.x(), spot.y()))
            if length > 0:
                self._ribbon(along, pen, name, alpha, 0.0, False)
            if not measure.nextContour():
                break

    def _pen(self, width: float) -> float:
        """Return a line width that grows only slowly when a figure is drawn larger."""
        return 0.86 * width * self.k**0.45 / self.k

    def _ribbon(
        self,
        along: Sequence[Point],
        pen: float,
        name: str,
        alpha: float,
        shift: float,
        taper: bool,
    ) -> None:
        last = len(along) - 1
        phase = self.rand(0, 6.28)
        left: list[Point] = []
        right: list[Point] = []
        for i, (x, y) in enumerate(along):
            (ax, ay), (bx, by) = along[max(i - 1, 0)], along[min(i + 1, last)]
            length = math.hypot(bx - ax, by - ay) or 1.0
            nx, ny = -(by - ay) / length, (bx - ax) / length
            t = i / last
            press = math.sin(math.pi * t) ** 0.6 + 0.12 if taper else 0.85 + 0.25 * (nx + ny)
            press *= 1 + 0.18 * math.sin(phase + t * last * 0.11)
            half = pen * max(press, 0.3) / 2
            left.append((x + nx * half, y + ny * half))
            right.append((x - nx * half, y - ny * half))
        self.fill(polygon(left + right[::-1]), name if name != "gold" else "#c79a35", shift, alpha)

    def paint(
        self,
        path: skia.Path,
        name: str,
        *,
        line: float = 1.2,
        shade: float = 0.35,
        pattern: Pattern | None = None,
        shift: float = 0.0,
        ink: str = "ink",
    ) -> None:
        """Paint a whole shape: colour, pattern, darker soft edge, pale top, then contour."""
        self.fill(path, name, shift)
        box = path.getBounds()
        with self.inside(path):
            if pattern:
                pattern(self, box)
            if shade:
                reach = max(min(box.width(), box.height()) * 0.16, 0.8)
                self.stroke(path, name, reach, shift - 0.45, shade, reach * 0.5)
                with self.at(-reach * 0.35, -reach * 0.45):
                    self.stroke(path, name, reach * 0.8, shift + 0.5, shade * 0.35, reach * 0.5)
        if line:
            self.contour(path, line, ink)
