"""The album page round a picture: margin plants, rulings, and the field to paint in."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import skia

from .ink import Ink
from .ornament import band, flower, leaf, rulings, scroll, spray
from .paper import age, flecks
from .shapes import oval, rect, smooth

FIELD = 400.0


@dataclass(frozen=True)
class Margin:
    """How one page frames its picture."""

    ground: str = "buff"
    plants: str = "sprays"
    blooms: Sequence[str] = ("red", "lapis", "yellow", "rose")
    green: str = "green"
    lines: Sequence[tuple[str, float]] = (("gold", 4), ("red", 2), ("cream", 2), ("gold", 3))
    strip: str = ""
    strip_ink: str = "gold"
    size: tuple[int, int] = (592, 832)
    sides: tuple[int, int, int] = (60, 66, 80)


class Page:
    """One sheet; paint inside `field()`, then take the aged picture with `finish()`."""

    def __init__(self, name: str, margin: Margin, scale: float, seed: int) -> None:
        self.margin = margin
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        self.ink = Ink(*margin.size, scale, rng)

    @contextmanager
    def field(self) -> Iterator[tuple[Ink, float, float]]:
        """Frame the sheet, then give the brush and the field's width and height to paint in."""
        ink, m = self.ink, self.margin
        w, h = m.size
        side, top, low = m.sides
        ink.fill(rect(0, 0, w, h), m.ground)
        box = skia.Rect.MakeLTRB(side, top, w - side, h - low)
        self._margin()
        flecks(ink, w, h, 420 if m.plants != "sprays" else 160)
        inner = rulings(ink, box, m.lines)
        if m.strip:
            ink.fill(rect(inner.left(), inner.top(), inner.width(), inner.height()), m.strip)
            band(ink, inner, 17, m.strip_ink, [m.strip_ink, m.blooms[0]])
            inner = inner.makeInset(17, 17)
            inner = rulings(ink, inner, (("gold", 3), ("ink", 1), ("cream", 2)))
        area = rect(inner.left(), inner.top(), inner.width(), inner.height())
        factor = inner.width() / FIELD
        with ink.inside(area), ink.at(inner.left(), inner.top(), factor):
            yield ink, FIELD, inner.height() / factor
        ink.stroke(area, "ink", 1.1)
        ink.stroke(rect(2.5, 2.5, w - 5, h - 5), "gold", 1.2, alpha=0.7)

    def finish(self) -> np.ndarray:
        """Return the finished page as RGB bytes."""
        pixels = self.ink.surface.toarray(colorType=skia.kRGBA_8888_ColorType)
        return age(pixels, self.ink.rng)

    def _margin(self) -> None:
        style = {"sprays": self._sprays, "gold": self._gold, "scroll": self._scroll}
        if self.margin.plants in style:
            style[self.margin.plants]()

    def _spots(self, step: float) -> list[tuple[float, float, float]]:
        """Return plant centres (x, y, room) evenly along the four sides, corners included."""
        w, h = self.margin.size
        side, top, low = self.margin.sides
        across, down = round(w / step), round((h - top - low) / step)
        flat: list[tuple[float, float, float]] = [
            ((i + 0.5) * w / across, y, room)
            for i in range(across)
            for y, room in ((top * 0.5, top), (h - low * 0.5, low))
        ]
        tall: list[tuple[float, float, float]] = [
            (x, top + (r + 0.5) * (h - top - low) / down, side)
            for r in range(down)
            for x in (side * 0.5, w - side * 0.5)
        ]
        return flat + tall

    def _sprays(self) -> None:
        ink, m = self.ink, self.margin
        for i, (x, y, room) in enumerate(self._spots(52)):
            name = m.blooms[(i * 3 + i // 5) % len(m.blooms)]
            tall = min(ink.rand(40, 47), room * 0.84)
            spray(ink, x, y + tall * 0.5 + ink.near(1.5), tall, name, m.green, 2 + i % 2)
            for dx in (-25, 25):
                with ink.at(x + dx, y - 6 + ink.near(6), turn=ink.rand(0, 360)):
                    ink.fill(leaf(8, 2.6), "#b98f3c", 0.0, 0.75)
                    ink.fill(leaf(-6, 2.0), "#b98f3c", 0.0, 0.75)

    def _gold(self) -> None:
        ink, m = self.ink, self.margin
        for i, (x, y, room) in enumerate(self._spots(50)):
            with ink.at(x, y, min(room / 56, 1.0), i % 2 == 0, (i * 137) % 360):
                stem = [(-28, 6), (-8, -12), (14, -5), (12, 11), (0, 8)]
                ink.stroke(smooth(stem, False), m.green, 1.4)
                for a, px, py in (
                    (30, -18, -5), (-70, -2, -11), (110, -10, -9), (160, 12, 9), (20, 14, 0), (-120, -24, 3),
                ):  # fmt: skip
                    with ink.at(px, py, turn=a):
                        ink.fill(leaf(15, 4.2), m.green, ink.near(0.08))
                flower(ink, 0, 4, 9, m.blooms[i % len(m.blooms)], 6)

    def _scroll(self) -> None:
        ink, m = self.ink, self.margin
        w, h = m.size
        side, top, low = m.sides
        deep = min(side, top) * 0.8
        runs = (
            ((8, top * 0.5), (w - 8, top * 0.5)), ((w - side * 0.5, top), (w - side * 0.5, h - low)),
            ((w - 8, h - low * 0.5), (8, h - low * 0.5)), ((side * 0.5, h - low), (side * 0.5, top)),
        )  # fmt: skip
        for start, end in runs:
            scroll(ink, start, end, deep, m.green, m.blooms, m.green)
        for x, y in (
            (side * 0.5, top * 0.5), (w - side * 0.5, top * 0.5), (side * 0.5, h - low * 0.5),
            (w - side * 0.5, h - low * 0.5),
        ):  # fmt: skip
            ink.fill(oval(x, y, deep * 0.44), m.ground)
            flower(ink, x, y, deep * 0.36, m.blooms[0], 8)
