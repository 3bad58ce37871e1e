"""Canopies, parasols, thrones and tents."""

from __future__ import annotations

import skia

from .ink import Ink
from .ornament import buti, vine
from .shapes import limb, oval, polygon, rect, smooth


def canopy(ink: Ink, x: float, y: float, w: float, h: float, name: str = "red", dip: float = 16) -> None:
    """Paint a cloth awning on four poles: back edge at y - h, front edge hanging lower."""
    for px in (x + 4, x + w - 4):
        ink.paint(rect(px - 2, y - h + 6, 4, h - 6), "gold", line=0.8, shade=0.2)
        ink.paint(oval(px, y - h - 6, 4, 5.5), "gold", line=0.7, shade=0.2)
    sheet = polygon([(x, y - h), (x + w, y - h), (x + w + 14, y - h + 38 + dip), (x - 14, y - h + 38 + dip)])
    ink.paint(sheet, "gold", line=1.1, shade=0.25)
    inner = polygon(
        [(x + 5, y - h + 4), (x + w - 5, y - h + 4), (x + w + 5, y - h + 31 + dip), (x - 5, y - h + 31 + dip)]
    )
    ink.paint(inner, name, line=0.8, shade=0.25, pattern=vine("gold", 20, "cream", "emerald"))
    step = (w + 28) / 24
    for i in range(24):
        px = x - 14 + (i + 0.5) * step
        ink.fill(
            polygon(
                [(px - step / 2, y - h + 37 + dip), (px + step / 2, y - h + 37 + dip), (px, y - h + 49 + dip)]
            ),
            ("emerald", "saffron", "lapis")[i % 3],
        )


def parasol(ink: Ink, x: float, y: float, w: float, h: float, name: str = "gold") -> None:
    """Paint a royal parasol whose pole stands on (x, y)."""
    ink.stroke(polygon([(x, y), (x, y - h)], False), "gold", 2.4)
    top = smooth([
        (x - w / 2, y - h + 6), (x - w * 0.36, y - h - w * 0.16), (x, y - h - w * 0.34),
        (x + w * 0.36, y - h - w * 0.16), (x + w / 2, y - h + 6), (x, y - h + 1),
    ])  # fmt: skip
    ink.paint(top, name, shade=0.4, pattern=buti("red", 9))
    for i in range(11):
        px = x - w * 0.46 + i * w * 0.092
        ink.line([(px, y - h + 3), (px, y - h + 12)], 2.2, "red" if i % 2 else "emerald")
    ink.fill(oval(x, y - h - w * 0.36, 2.6, 4.5), "gold")


def throne(ink: Ink, x: float, y: float, w: float, h: float, cloth: str = "crimson") -> None:
    """Paint a low platform seat with a back, standing on (x, y); its seat lies at y - h."""
    back = smooth([
        (x - w * 0.42, y - h), (x - w * 0.46, y - h - w * 0.42), (x - w * 0.3, y - h - w * 0.52),
        (x, y - h - w * 0.66), (x + w * 0.3, y - h - w * 0.52), (x + w * 0.46, y - h - w * 0.42),
        (x + w * 0.42, y - h),
    ])  # fmt: skip
    ink.paint(back, "gold", shade=0.35)
    inner = skia.Path(back)
    mid = y - h - w * 0.25
    inner.transform(skia.Matrix.Translate(x, mid).preScale(0.84, 0.84).preTranslate(-x, -mid))
    ink.paint(inner, cloth, shade=0.35, pattern=vine("gold", 20, "pink", "mint"), line=0.8)
    for px in (x - w * 0.44, x + w * 0.44):
        ink.paint(limb([(px, y - h), (px, y - h * 0.5), (px, y)], [9, 5, 10]), "gold", line=0.9)
        ink.paint(oval(px, y - h - w * 0.44, 5, 7), "gold", line=0.8)
    ink.paint(rect(x - w / 2, y - h - 3, w, h * 0.45), "gold", shade=0.3)
    ink.paint(
        rect(x - w / 2 + 4, y - h + 1, w - 8, h * 0.45 - 8),
        "emerald",
        line=0.7,
        pattern=buti("yellow", 9, "gold", True),
    )


def tent(ink: Ink, x: float, y: float, w: float, h: float, name: str = "red", roof: str = "white") -> None:
    """Paint a royal tent with peaked roof, valance and parted door, standing on (x, y)."""
    _tent_walls(ink, x, y, w, h, name, roof)
    _tent_roof(ink, x, y, w, h, name, roof)
    for i in range(17):
        px = x - w * 0.5 + i * w / 16
        low = y - h * 0.46 + h * 0.03 * (1 - abs(i - 8) / 8)
        ink.fill(
            polygon([(px - w * 0.03, low), (px + w * 0.03, low), (px, low + h * 0.08)]),
            ("emerald", "gold", "lapis")[i % 3],
        )
    ink.paint(oval(x, y - h - 4, 3.4, 5.5), "gold", line=0.7)
    for s in (-1, 1):
        ink.line([(x + s * w * 0.5, y - h * 0.46), (x + s * w * 0.64, y + 2)], 1.2, "brown", taper=False)


def _tent_walls(ink: Ink, x: float, y: float, w: float, h: float, name: str, roof: str) -> None:
    wall = polygon(
        [(x - w * 0.42, y), (x - w * 0.4, y - h * 0.5), (x + w * 0.4, y - h * 0.5), (x + w * 0.42, y)]
    )
    ink.paint(wall, name, shade=0.35, pattern=vine("gold", 19, "cream", "mint"))
    door = smooth(
        [
            (x - w * 0.1, y), (x - w * 0.11, y - h * 0.3), (x, y - h * 0.44), (x + w * 0.11, y - h * 0.3),
            (x + w * 0.1, y),
        ],
        tension=0.6,
    )  # fmt: skip
    ink.paint(door, "night", shade=0.4)
    for s in (-1, 1):
        flap = smooth([
            (x, y - h * 0.46), (x + s * w * 0.05, y - h * 0.26), (x + s * w * 0.15, y - h * 0.1),
            (x + s * w * 0.15, y), (x + s * w * 0.19, y - h * 0.3),
        ])  # fmt: skip
        ink.paint(flap, roof, shade=0.4)


def _tent_roof(ink: Ink, x: float, y: float, w: float, h: float, name: str, roof: str) -> None:
    top = smooth([
        (x - w * 0.52, y - h * 0.46), (x - w * 0.26, y - h * 0.68), (x, y - h),
        (x + w * 0.26, y - h * 0.68), (x + w * 0.52, y - h * 0.46), (x, y - h * 0.43),
    ])  # fmt: skip
    ink.paint(top, roof, shade=0.4)
    with ink.inside(top):
        for i in range(-4, 5):
            ink.line(
                [(x, y - h), (x + i * w * 0.06, y - h * 0.7), (x + i * w * 0.13, y - h * 0.42)],
                2.4,
                "saffron" if i % 2 else name,
                0.8,
            )
