"""Elephants and their trappings."""

from __future__ import annotations

from collections.abc import Sequence

import skia

from .ink import Ink, Pattern
from .ornament import buti, vine
from .shapes import Point, common, join, limb, oval, polygon, rect, smooth

LEGS: dict[str, list[list[Point]]] = {
    "walk": [
        [(66, -108), (80, -60), (84, -8)],
        [(48, -100), (40, -56), (28, -10)],
        [(-78, -116), (-78, -62), (-92, -8)],
        [(-54, -110), (-48, -60), (-40, -10)],
    ],
    "stand": [
        [(66, -108), (68, -60), (68, -8)],
        [(48, -100), (44, -56), (42, -12)],
        [(-80, -116), (-76, -62), (-82, -8)],
        [(-54, -110), (-48, -60), (-50, -12)],
    ],
}
TRUNKS: dict[str, list[Point]] = {
    "curl": [(112, -160), (132, -122), (138, -80), (128, -44), (140, -22), (156, -32)],
    "raised": [(112, -160), (140, -132), (164, -142), (172, -174), (164, -204), (178, -218)],
    "drink": [(112, -160), (130, -120), (136, -80), (136, -40), (142, -6), (150, 8)],
}


def _pillar(path: Sequence[Point], widths: Sequence[float]) -> skia.Path:
    return common(limb(path, widths), rect(-300, -400, 600, 409 + path[-1][1]))


def _toes(ink: Ink, foot: Point) -> None:
    for dx in (-11, -1, 9):
        ink.paint(oval(foot[0] + dx + 4, foot[1] + 4, 4.8, 4), "cream", line=0.7, shade=0.2)


def _ear(ink: Ink, hide: str) -> None:
    ear = smooth([
        (84, -196), (66, -204), (44, -190), (36, -160), (42, -130), (56, -108), (66, -112), (72, -134),
        (84, -150), (90, -176),
    ])  # fmt: skip
    ink.paint(ear, hide, shift=0.05, shade=0.55, line=1.3)
    with ink.inside(ear):
        ink.fill(
            smooth([(36, -160), (42, -130), (56, -108), (62, -116), (50, -134), (46, -164)]),
            "rose", 0.0, 0.5, 3,
        )  # fmt: skip
        for i in range(4):
            ink.line([(84 - 4 * i, -180), (62 - 5 * i, -160), (54 - 3 * i, -126)], 0.8, hide, 0.7, -0.4)


def _face(ink: Ink, trunk: list[Point], hide: str) -> None:
    tusk = limb([(110, -132), (136, -112), (162, -120), (174, -132)], [11, 10, 7, 2])
    ink.paint(tusk, "white", shade=0.35)
    for k, name in ((0.32, "gold"), (0.42, "red")):
        ink.stroke(polygon([(110 + 62 * k, -128 + 20 * k), (106 + 62 * k, -110 + 4 * k)], False), name, 2.6)
    eye = smooth([(98, -168), (104, -172), (110, -167), (104, -164)])
    ink.fill(eye, "white")
    ink.fill(oval(104.5, -168, 2.4), "black")
    ink.line([(95, -168), (104, -174), (113, -166)], 1.1)
    for i in range(3):
        ink.line([(96 + i, -162 + 4 * i), (104, -158 + 4 * i), (111, -162 + 4 * i)], 0.8, hide, 0.8, -0.5)
    for i in range(11):
        t = (i + 1) / 12 * (len(trunk) - 1)
        j, f = int(t), t - int(t)
        x = trunk[j][0] * (1 - f) + trunk[j + 1][0] * f
        y = trunk[j][1] * (1 - f) + trunk[j + 1][1] * f
        reach = 13 - i * 0.8
        flat = abs(trunk[j + 1][1] - trunk[j][1]) > abs(trunk[j + 1][0] - trunk[j][0])
        ends = (
            [(x - reach, y), (x, y + 3), (x + reach, y)]
            if flat
            else [(x, y - reach), (x + 3, y), (x, y + reach)]
        )
        ink.line(ends, 0.8, hide, 0.65, -0.5)
    ink.paint(smooth([(122, -150), (110, -136), (100, -122), (106, -114), (120, -124)]), hide, line=0.9)


def _cloth(ink: Ink, name: str, pattern: Pattern) -> None:
    shape = smooth(
        [(36, -214), (0, -223), (-50, -216), (-62, -170), (-62, -110), (-20, -100), (30, -104), (42, -150)],
        tension=0.6,
    )
    ink.paint(shape, "gold", shade=0.25)
    inner = smooth(
        [(30, -211), (0, -217), (-44, -211), (-54, -170), (-54, -117), (-20, -108), (25, -111), (34, -150)],
        tension=0.6,
    )
    ink.paint(inner, name, shade=0.3, pattern=pattern, line=0.9)
    ink.stroke(inner, "gold", 1.6)
    for i in range(12):
        x = -58 + i * 8
        ink.line([(x, -107 + (i % 2)), (x, -92)], 3.0, "red" if i % 2 else "saffron")
    for rope in (
        [(-62, -180), (-92, -172), (-110, -150)],
        [(-60, -140), (-92, -138), (-112, -128)],
        [(36, -124), (60, -104), (88, -102)],
    ):
        ink.line(rope, 3.0, "brick", taper=False)
        ink.line(rope, 1.2, "gold", taper=False)
    ink.paint(oval(-94, -133, 4.5, 6), "gold", line=0.8)
    ink.paint(oval(64, -98, 5, 6.5), "gold", line=0.8)


def elephant(
    ink: Ink, gait: str = "walk", trunk: str = "curl", hide: str = "slate", cloth: str = "crimson"
) -> None:
    """Paint a dressed elephant facing right, feet on y=0, 290 long; back near (-8, -222)."""
    legs = LEGS[gait]
    nose = TRUNKS[trunk]
    for path, wide in ((legs[1], [52, 40, 37]), (legs[3], [60, 42, 38])):
        ink.paint(_pillar(path, wide), hide, shift=-0.25, shade=0.4)
        _toes(ink, path[-1])
    ink.line([(-112, -168), (-124, -130), (-120, -84)], 5.5, hide, shift=-0.2, taper=False)
    ink.line([(-121, -96), (-126, -76), (-118, -60)], 6, "black")
    body = smooth([
        (86, -216), (104, -214), (118, -198), (126, -172), (122, -144), (104, -122), (90, -98), (40, -78),
        (-20, -72), (-64, -82), (-104, -108), (-116, -148), (-104, -186), (-64, -210), (-12, -220),
        (40, -210), (66, -202), (74, -212),
    ])  # fmt: skip
    whole = join(
        body,
        limb(nose, [40, 36, 28, 21, 16, 11]),
        _pillar(legs[0], [58, 43, 40]),
        _pillar(legs[2], [72, 46, 41]),
    )
    ink.paint(whole, hide, shade=0.5, line=1.5)
    with ink.inside(whole):
        for _ in range(70):
            ink.fill(oval(ink.rand(96, 150), ink.rand(-170, -20), ink.rand(0.6, 1.6)), "rose", 0, 0.5)
        for x, y in (legs[0][1], legs[2][1]):
            for i in range(3):
                ink.line(
                    [(x - 16, y - 4 + 7 * i), (x, y + 7 * i), (x + 15, y - 3 + 7 * i)], 0.8, hide, 0.55, -0.5
                )
    _toes(ink, legs[0][-1])
    _toes(ink, legs[2][-1])
    _cloth(ink, cloth, vine("gold", 22, "pink", "mint"))
    _face(ink, nose, hide)
    _ear(ink, hide)
    cap = smooth([(72, -213), (86, -218), (106, -214), (119, -196), (112, -180), (98, -192), (80, -198)])
    ink.paint(cap, "red", shade=0.3, pattern=buti("yellow", 7, "gold", True))
    ink.stroke(cap, "gold", 1.4)


def howdah(ink: Ink, name: str = "gold", roof: str = "red") -> None:
    """Paint a canopied seat whose floor centre is at (0, 0); people go in before `howdah_front`."""
    for x in (-34, 34):
        ink.paint(rect(x - 1.6, -84, 3.2, 84), name, line=0.8, shade=0.2)
    dome = smooth(
        [(-44, -82), (-34, -94), (-12, -100), (0, -112), (12, -100), (34, -94), (44, -82), (0, -79)]
    )
    ink.paint(dome, roof, shade=0.4, pattern=buti("yellow", 10, "gold", True))
    for i in range(12):
        left = -42 + i * 7.6
        ink.line([(left, -82), (left, -73)], 2.6, "gold" if i % 2 else "emerald")
    ink.fill(oval(0, -114, 3.4, 5), "gold")


def howdah_front(ink: Ink, name: str = "gold") -> None:
    """Paint the low front rail of the howdah at (0, 0)."""
    box = rect(-40, -22, 80, 26, 3)
    ink.paint(box, name, shade=0.3)
    for i in range(4):
        ink.paint(
            rect(-35 + i * 18, -18, 15, 17, 2),
            "emerald",
            line=0.7,
            shade=0.25,
            pattern=buti("yellow", 8, "gold", True),
        )
