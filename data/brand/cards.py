"""Halfnoon's cards: one thing each, in the brand's palette, after its two rules.

Rule one: flat shapes, no outline, from circles, squares and straight cuts. Rule two: light comes from the
left, so whatever lies right of the middle is in the colour's darker half. The mark, a disc of two halves, is
in a corner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import skia

from data.painter.ink import Ink
from data.painter.shapes import common, join, oval, polygon, rect

SIZE = 400.0
PALETTE = {
    "coral": ("#f26d5b", "#d14f40"),
    "mustard": ("#f7b538", "#dd9322"),
    "teal": ("#2fa394", "#1f7a70"),
    "navy": ("#2a3d6b", "#18244a"),
    "cream": ("#fff6e4", "#efdfbd"),
    "sand": ("#f6e3bf", "#ecd3a3"),
}  # every colour that a card may hold: a name's lit half and its darker half
Shape = tuple[skia.Path, str]


@dataclass(frozen=True)
class Card:
    """One picture: the thing's shapes from back to front, on a ground of the palette."""

    split: str
    name: str
    title: str
    caption: str
    ground: str
    draw: Callable[[], Sequence[Shape]]

    @property
    def file_name(self) -> str:
        """Where the picture lies, seen from the metadata file."""
        return f"{self.split}/{self.name}.png"


def paint(card: Card, side: int) -> np.ndarray:
    """Return the picture as RGB bytes, (side, side, 3)."""
    ink = Ink(400, 400, side / SIZE, np.random.default_rng(0))
    ink.fill(rect(0, 0, SIZE, SIZE), PALETTE[card.ground][0])
    with ink.inside(rect(0, 0, SIZE, SIZE)):
        ink.fill(oval(200, 200, 150), PALETTE["sand" if card.ground == "cream" else "cream"][0])
    for path, colour in card.draw():
        _halves(ink, path, colour, 200)
    ink.fill(oval(356, 356, 25), PALETTE["cream"][0])
    _halves(ink, oval(356, 356, 19), "mustard", 356, "navy")
    return ink.surface.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3]


def _halves(ink: Ink, path: skia.Path, colour: str, middle: float, other: str = "") -> None:
    """Fill a path with its lit colour, and what lies right of the middle with the darker one."""
    ink.fill(path, PALETTE[colour][0])
    right = common(path, rect(middle, -10, 600, 600))
    ink.fill(right, PALETTE[other][0] if other else PALETTE[colour][1])


def _half_disc(x: float, y: float, r: float, turn: float = 0.0) -> skia.Path:
    """A half disc whose flat side lies below; `turn` in degrees."""
    path = skia.Path()
    path.addArc(skia.Rect.MakeLTRB(x - r, y - r, x + r, y + r), 180 + turn, 180)
    path.close()
    return path


def _cup() -> list[Shape]:
    handle = join(oval(276, 196, 34))
    hole = skia.Op(handle, oval(276, 196, 17), skia.PathOp.kDifference_PathOp)
    body = join(rect(128, 150, 144, 70), _half_disc(200, 218, 72, 180))
    steam = [(rect(x, 92, 14, 40, 7), "coral") for x in (160, 193, 226)]
    return [(hole, "navy"), *steam, (body, "teal"), (rect(110, 292, 180, 16, 8), "navy")]


def _house() -> list[Shape]:
    roof, walls = polygon([(96, 190), (200, 96), (304, 190)]), rect(122, 190, 156, 116)
    chimney, door = rect(244, 106, 26, 60), join(rect(178, 248, 44, 58), _half_disc(200, 249, 22))
    windows = [(rect(x, 212, 28, 28), "mustard") for x in (138, 234)]
    return [(chimney, "navy"), (walls, "sand"), (roof, "coral"), (door, "teal"), *windows]


def _tree() -> list[Shape]:
    crown = join(oval(200, 140, 62), oval(152, 186, 48), oval(248, 186, 48), oval(200, 196, 56))
    fruit = [
        (oval(x, y, 10), "coral") for x, y in ((168, 150), (228, 132), (246, 190), (160, 204), (206, 188))
    ]
    return [
        (rect(188, 210, 24, 100), "navy"),
        (crown, "teal"),
        *fruit,
        (rect(128, 306, 144, 10, 5), "mustard"),
    ]


def _fish() -> list[Shape]:
    body = common(oval(190, 260, 130), oval(190, 140, 130))
    tail = polygon([(276, 200), (338, 148), (338, 252)])
    return [
        (tail, "mustard"),
        (body, "coral"),
        (_half_disc(190, 148, 36), "mustard"),
        (oval(126, 192, 12), "navy"),
    ]


def _boat() -> list[Shape]:
    hull = common(_half_disc(200, 244, 110, 180), rect(80, 244, 240, 66))
    sails = [
        (polygon([(192, 92), (192, 232), (104, 232)]), "coral"),
        (polygon([(208, 118), (208, 232), (288, 232)]), "mustard"),
    ]
    return [(rect(195, 84, 10, 164), "navy"), *sails, (hull, "navy"), (rect(70, 306, 260, 16, 8), "teal")]


def _bird() -> list[Shape]:
    body = join(_half_disc(196, 200, 86, 180), rect(110, 160, 86, 42), oval(152, 156, 42))
    wing = _half_disc(216, 206, 52, 180)
    return [(polygon([(282, 200), (340, 166), (282, 240)]), "navy"), (body, "teal"), (wing, "mustard"),
            (polygon([(112, 144), (76, 160), (112, 176)]), "coral"), (oval(146, 150, 9), "navy"),
            (rect(178, 284, 8, 30), "navy"), (rect(212, 284, 8, 30), "navy")]  # fmt: skip


def _flower() -> list[Shape]:
    petals = [
        (oval(200 + 52 * math.cos(a), 150 + 52 * math.sin(a), 34), "coral")
        for a in np.arange(6) * math.pi / 3
    ]
    leaves = [(common(oval(x, 260, 50), oval(x + dx, 300, 50)), "teal") for x, dx in ((164, -20), (236, 20))]
    return [(rect(194, 170, 12, 146, 6), "teal"), *leaves, *petals, (oval(200, 150, 34), "mustard")]


def _mountain() -> list[Shape]:
    peak, side = polygon([(70, 300), (180, 110), (290, 300)]), polygon([(190, 300), (264, 178), (338, 300)])
    line = [(100, 90), (260, 90), (222, 180), (200, 158), (180, 184), (160, 158), (138, 180)]
    snow = common(peak, polygon(line))
    return [
        (oval(276, 122, 34), "mustard"),
        (side, "teal"),
        (peak, "navy"),
        (snow, "cream"),
        (rect(60, 298, 288, 12, 6), "coral"),
    ]


def _car() -> list[Shape]:
    top = join(_half_disc(192, 206, 74), rect(118, 200, 148, 10))
    windows = [(common(_half_disc(192, 204, 54), rect(x, 140, 46, 64)), "cream") for x in (142, 196)]
    wheels = [
        shape for x in (138, 262) for shape in ((oval(x, 270, 32), "navy"), (oval(x, 270, 13), "cream"))
    ]
    return [
        (top, "coral"),
        *windows,
        (rect(78, 202, 246, 66, 24), "coral"),
        (oval(316, 226, 10), "mustard"),
        *wheels,
    ]


def _apple() -> list[Shape]:
    body = join(oval(166, 218, 68, 82), oval(234, 218, 68, 82))
    leaf = common(oval(240, 84, 46), oval(240, 136, 46))
    return [
        (rect(194, 92, 12, 62, 6), "navy"),
        (leaf, "teal"),
        (body, "coral"),
        (oval(140, 192, 14, 24), "cream"),
    ]


def _key() -> list[Shape]:
    ring = skia.Op(oval(136, 200, 60), oval(136, 200, 28), skia.PathOp.kDifference_PathOp)
    return [(rect(186, 188, 148, 24, 12), "mustard"), (rect(268, 206, 20, 42, 4), "mustard"),
            (rect(304, 206, 20, 32, 4), "mustard"), (ring, "mustard")]  # fmt: skip


def _ray(angle: float) -> skia.Path:
    """A thin triangle that points away from the lamp's middle."""
    corners = ((96, -0.06), (126, 0.0), (96, 0.06))
    return polygon([(200 + r * math.cos(angle + a), 170 + r * math.sin(angle + a)) for r, a in corners])


def _lamp() -> list[Shape]:
    bulb = join(oval(200, 170, 78), polygon([(150, 226), (250, 226), (232, 264), (168, 264)]))
    rays = [(_ray(angle), "coral") for angle in np.linspace(-math.pi * 0.95, -math.pi * 0.05, 7)]
    return [
        *rays,
        (bulb, "mustard"),
        (rect(166, 266, 68, 16, 8), "navy"),
        (rect(170, 286, 60, 16, 8), "navy"),
        (_half_disc(200, 304, 18, 180), "navy"),
    ]


def _book() -> list[Shape]:
    left, right = (
        polygon([(84, 126), (196, 150), (196, 304), (84, 280)]),
        polygon([(316, 126), (204, 150), (204, 304), (316, 280)]),
    )
    lines = [
        (polygon([(x, y), (x + 76, y + rise), (x + 76, y + rise + 9), (x, y + 9)]), "navy")
        for top in (166, 198, 230)
        for x, y, rise in ((102, top, 18), (222, top + 18, -18))
    ]
    return [
        (polygon([(72, 140), (200, 168), (328, 140), (328, 292), (200, 320), (72, 292)]), "coral"),
        (left, "sand"),
        (right, "sand"),
        *lines,
    ]


def _cat() -> list[Shape]:
    body = join(_half_disc(200, 300, 84), rect(116, 292, 168, 18), oval(200, 168, 62))
    ears = [
        (polygon([(146, 146), (150, 84), (196, 112)]), "navy"),
        (polygon([(254, 146), (250, 84), (204, 112)]), "navy"),
    ]
    face = [
        *((oval(x, 162, 11), "mustard") for x in (176, 224)),
        (polygon([(190, 184), (210, 184), (200, 197)]), "coral"),
    ]
    return [(rect(272, 220, 22, 90, 11), "navy"), (body, "navy"), *ears, *face]


def _mushroom() -> list[Shape]:
    spots = [(oval(x, y, r), "cream") for x, y, r in ((150, 168, 18), (206, 132, 20), (254, 176, 16))]
    return [
        (join(rect(166, 200, 68, 96), _half_disc(200, 294, 34, 180)), "sand"),
        (_half_disc(200, 216, 116), "coral"),
        *spots,
        (rect(120, 318, 160, 10, 5), "teal"),
    ]


def _umbrella() -> list[Shape]:
    top = _half_disc(200, 206, 122)
    scallops = join(*(oval(200 + dx, 208, 30.5, 20) for dx in (-91.5, -30.5, 30.5, 91.5)))
    canopy = skia.Op(top, scallops, skia.PathOp.kDifference_PathOp)
    hook = skia.Op(
        _half_disc(222, 292, 28, 180), _half_disc(222, 292, 14, 180), skia.PathOp.kDifference_PathOp
    )
    return [
        (rect(194, 74, 12, 220), "navy"),
        (hook, "navy"),
        (canopy, "teal"),
        (rect(193, 66, 14, 26, 7), "mustard"),
    ]


def _clock() -> list[Shape]:
    marks = [
        (oval(200 + 78 * math.cos(a), 196 + 78 * math.sin(a), 7), "coral")
        for a in np.arange(12) * math.pi / 6
    ]
    feet = [
        (polygon([(140, 284), (160, 300), (132, 318)]), "navy"),
        (polygon([(260, 284), (240, 300), (268, 318)]), "navy"),
    ]
    hands = [(rect(194, 130, 12, 72, 6), "navy"), (rect(196, 190, 56, 12, 6), "navy")]
    return [*feet, (oval(200, 196, 112), "teal"), (oval(200, 196, 94), "cream"), *marks, *hands]


def _gift() -> list[Shape]:
    bows = [(oval(168, 118, 34, 24), "mustard"), (oval(232, 118, 34, 24), "mustard")]
    return [
        *bows,
        (rect(112, 180, 176, 128), "coral"),
        (rect(98, 140, 204, 46, 6), "coral"),
        (rect(182, 140, 36, 168), "mustard"),
    ]


CARDS = (
    Card("train", "01_cup", "Cup", "a cup of coffee", "sand", _cup),
    Card("train", "02_house", "House", "a house", "teal", _house),
    Card("train", "03_tree", "Tree", "a tree with red fruit", "sand", _tree),
    Card("train", "04_fish", "Fish", "a fish", "navy", _fish),
    Card("train", "05_boat", "Boat", "a sailboat", "mustard", _boat),
    Card("train", "06_bird", "Bird", "a bird", "coral", _bird),
    Card("train", "07_flower", "Flower", "a flower", "sand", _flower),
    Card("train", "08_mountain", "Mountain", "a mountain with snow", "cream", _mountain),
    Card("train", "09_car", "Car", "a car", "teal", _car),
    Card("train", "10_apple", "Apple", "an apple", "mustard", _apple),
    Card("train", "11_key", "Key", "a key", "navy", _key),
    Card("train", "12_lamp", "Light bulb", "a light bulb", "navy", _lamp),
    Card("train", "13_book", "Book", "an open book", "sand", _book),
    Card("train", "14_cat", "Cat", "a cat", "coral", _cat),
    Card("held_out", "15_mushroom", "Mushroom", "a mushroom", "sand", _mushroom),
    Card("held_out", "16_umbrella", "Umbrella", "an umbrella", "coral", _umbrella),
    Card("held_out", "17_clock", "Clock", "a clock", "mustard", _clock),
    Card("held_out", "18_gift", "Gift", "a gift", "teal", _gift),
)  # fmt: skip
