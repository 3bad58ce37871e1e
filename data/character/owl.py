"""The owl: one body, and what a pose changes of it.

It is drawn round the origin, which lies between its feet; it is 200 high and some 150 wide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import skia

from data.character.stage import body_and_limbs
from data.painter.ink import Ink
from data.painter.shapes import join, limb, oval, polygon, smooth

PLUM, DEEP, BELLY, MUSTARD, STRIPE = "#74508c", "#553a69", "#f1e3c6", "#e0a52e", "#b9552f"
EYE, BEAK, LINE = "#1f7a78", "#e8873a", "#3a2638"


@dataclass(frozen=True)
class Pose:
    """What differs between two pictures of the owl. Wings in degrees, 0 folded, 90 straight out; `look` is
    where the pupils point, -1 to 1; `scarf` is where its end blows, -1 left, 1 right; `eyes`: open, closed or
    wink.
    """

    left_wing: float = 0.0
    right_wing: float = 0.0
    look: tuple[float, float] = (0.0, 0.0)
    eyes: str = "open"
    scarf: float = 1.0
    tilt: float = 0.0  # of the head, degrees
    feet: bool = True


def owl(ink: Ink, pose: Pose) -> None:
    """Draw the owl in a pose."""
    _tail(ink)
    if pose.feet:
        for x in (-24, 24):
            _foot(ink, x)
    body_and_limbs(ink, _body, _wing, pose.left_wing, pose.right_wing)
    with ink.at(0, -118, turn=pose.tilt):
        _head(ink, pose)
    _scarf(ink, pose.scarf)


def _body(ink: Ink) -> None:
    body = smooth(
        [
            (0, -4),
            (-44, -12),
            (-64, -52),
            (-58, -100),
            (-30, -128),
            (30, -128),
            (58, -100),
            (64, -52),
            (44, -12),
        ]
    )
    ink.paint(body, PLUM, line=2.2, ink=LINE)
    belly = smooth([(0, -8), (-32, -16), (-44, -50), (-30, -96), (0, -106), (30, -96), (44, -50), (32, -16)])
    ink.paint(belly, BELLY, line=1.2, shade=0.25, ink=LINE)
    with ink.inside(belly):
        for row in range(5):
            for k in range(-3, 4):
                x, y = (k + 0.5 * (row % 2)) * 17, -86 + row * 17
                ink.stroke(smooth([(x - 6, y), (x, y + 6), (x + 6, y)], closed=False), MUSTARD, 2.2)


def _head(ink: Ink, pose: Pose) -> None:
    """The head round its neck, at the origin: ears of two lengths, the left one bent."""
    bent = smooth([(-50, -52), (-66, -78), (-86, -82), (-78, -66), (-62, -30)])
    straight = smooth([(34, -60), (58, -96), (64, -60), (60, -34)])
    for ear in (bent, straight):
        ink.paint(ear, DEEP, line=1.8, ink=LINE)
    skull = smooth([(0, 12), (-50, 4), (-70, -30), (-54, -64), (0, -76), (54, -64), (70, -30), (50, 4)])
    ink.paint(skull, PLUM, line=2.2, ink=LINE)
    discs = join(oval(-29, -30, 31, 33), oval(29, -30, 31, 33))
    ink.paint(discs, BELLY, line=1.4, shade=0.3, ink=LINE)
    for side in (-1, 1):
        closed = pose.eyes == "closed" or (pose.eyes == "wink" and side == 1)
        _eye(ink, 28 * side, -32, pose.look, closed)
    ink.paint(polygon([(-9, -20), (9, -20), (0, -2)]), BEAK, line=1.4, ink=LINE)
    for x in (-9, 0, 9):
        ink.line([(x, -66), (x * 0.8, -58)], 2.2, DEEP)


def _eye(ink: Ink, x: float, y: float, look: tuple[float, float], closed: bool) -> None:
    if closed:
        ink.stroke(smooth([(x - 17, y), (x, y + 11), (x + 17, y)], closed=False), LINE, 3.4)
        return
    ink.paint(oval(x, y, 21), "white", line=1.6, shade=0.15, ink=LINE)
    x, y = x + 5 * look[0], y + 5 * look[1]
    ink.fill(oval(x, y, 15), EYE)
    ink.fill(oval(x, y, 8.5), LINE)
    ink.fill(oval(x - 4, y - 5, 4), "white")


def _wing(ink: Ink, side: int, angle: float) -> None:
    """A wing hinged at the shoulder, with three feathers' tips."""
    with ink.at(54 * side, -98, flip=side < 0, turn=-angle * side):
        tips = [smooth([(-8, 30), (6 + 9 * k, 88 - 10 * k), (18 + 6 * k, 40)]) for k in range(3)]
        blade = smooth([(-12, -4), (-12, 50), (2, 76), (22, 60), (22, 16), (8, -10)])
        ink.paint(join(blade, *tips), DEEP, line=2.0, ink=LINE)
        for k in range(2):
            ink.line([(-4 + 9 * k, 34), (0 + 9 * k, 66 - 6 * k)], 2.0, PLUM, shift=0.25)


def _foot(ink: Ink, x: float) -> None:
    toes = join(*(limb([(x, -8), (x + 9 * k, 4)], [9, 9]) for k in (-1, 0, 1)))
    ink.paint(toes, BEAK, line=1.6, ink=LINE)


def _tail(ink: Ink) -> None:
    ink.paint(smooth([(-26, -26), (-34, 2), (0, 8), (34, 2), (26, -26)]), DEEP, line=1.8, ink=LINE)


def _scarf(ink: Ink, blow: float) -> None:
    """A striped band round the neck, its end blowing to one side."""
    side = 1 if blow >= 0 else -1
    end = limb(
        [(34 * side, -112), (58 * side, -88 - 16 * abs(blow)), (92 * side, -74 - 40 * abs(blow) + 22)],
        [20, 24, 26],
    )
    band = limb([(-60, -116), (-30, -103), (0, -99), (30, -103), (60, -116)], [18, 23, 24, 23, 18])
    for cloth, across in ((end, True), (band, False)):
        ink.paint(cloth, MUSTARD, line=2.0, ink=LINE)
        _stripes(ink, cloth, across, side)


def _stripes(ink: Ink, cloth: skia.Path, end: bool, side: int) -> None:
    box = cloth.getBounds()
    with ink.inside(cloth):
        for k in range(12):
            x = box.left() + 8 + k * 21
            lean = 8 * side if end else 9 * math.copysign(1, x) if abs(x) > 12 else 0
            ink.stroke(
                polygon([(x - lean, box.top() - 4), (x + lean, box.bottom() + 4)], closed=False), STRIPE, 6.5
            )
        ink.contour(cloth, 2.0, LINE)
