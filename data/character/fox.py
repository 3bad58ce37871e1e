"""The fox: one body, and what a pose changes of it.

It is drawn round the origin, which lies between its feet; it is 220 high with its hat and some 170 wide with
its tail.
"""

from __future__ import annotations

from dataclasses import dataclass

from data.character.stage import body_and_limbs
from data.painter.ink import Ink
from data.painter.shapes import join, limb, oval, polygon, rect, smooth

RUST, DEEP, CREAM, PAW = "#d9692c", "#b04f1f", "#f7e8d0", "#4a2b22"
HAT, WHITE, NAVY, NOSE, LINE = "#c5322f", "#f4f1ea", "#2c4f8a", "#2b1b1a", "#43231a"


@dataclass(frozen=True)
class FoxPose:
    """What differs between two pictures of the fox. Arms in degrees, 0 hanging, 90 straight out; `look` is
    where its eyes point, -1 to 1; `eyes`: open, closed or wink; `tail`: 1 on the right, -1 on the left.
    """

    left_arm: float = 0.0
    right_arm: float = 0.0
    look: tuple[float, float] = (0.0, 0.0)
    eyes: str = "open"
    tail: int = 1
    tilt: float = 0.0  # of the head, degrees


def fox(ink: Ink, pose: FoxPose) -> None:
    """Draw the fox in a pose."""
    with ink.at(0, 0, flip=pose.tail < 0):
        _tail(ink)
    for x in (-22, 22):
        ink.paint(oval(x, -4, 19, 11), PAW, line=1.6, ink=LINE)
    body_and_limbs(ink, _body, _arm, pose.left_arm, pose.right_arm)
    with ink.at(0, -104, turn=pose.tilt):
        _head(ink, pose)


def _tail(ink: Ink) -> None:
    brush = smooth(
        [(20, -10), (62, 2), (98, -26), (104, -72), (86, -116), (66, -88), (66, -56), (46, -36), (20, -30)]
    )
    ink.paint(brush, RUST, line=2.0, ink=LINE)
    with ink.inside(brush):
        edge = [(50, -74), (66, -66), (74, -78), (84, -66), (94, -78), (110, -66), (110, -130), (50, -130)]
        ink.paint(polygon(edge), CREAM, line=1.4, shade=0.2, ink=LINE)
        ink.contour(brush, 2.0, LINE)


def _body(ink: Ink) -> None:
    trunk = smooth([(0, -2), (-38, -6), (-50, -40), (-42, -86), (-24, -108), (24, -108), (42, -86), (50, -40),
                    (38, -6)])  # fmt: skip
    ink.paint(trunk, RUST, line=2.2, ink=LINE)
    with ink.inside(trunk):
        ink.fill(rect(-80, -112, 160, 84), WHITE)
        for y in range(-98, -34, 17):
            ink.stroke(smooth([(-70, y - 3), (0, y + 6), (70, y - 3)], closed=False), NAVY, 7)
        ink.stroke(smooth([(-70, -29), (0, -27), (70, -29)], closed=False), LINE, 1.8)
        ink.stroke(trunk, LINE, 13, 0.0, 0.16, 6)
        ink.contour(trunk, 2.2, LINE)


def _arm(ink: Ink, side: int, angle: float) -> None:
    """An arm in a striped sleeve, hinged at the shoulder."""
    with ink.at(38 * side, -88, flip=side < 0, turn=-angle * side):
        ink.paint(oval(7, 52, 12, 13), PAW, line=1.6, ink=LINE)
        sleeve = limb([(-2, -2), (4, 22), (6, 46)], [24, 25, 22])
        ink.paint(sleeve, WHITE, line=1.8, shade=0.2, ink=LINE)
        with ink.inside(sleeve):
            for y in (8, 24, 40):
                ink.stroke(polygon([(-20, y), (30, y - 3)], closed=False), NAVY, 6.5)
            ink.contour(sleeve, 1.8, LINE)


def _head(ink: Ink, pose: FoxPose) -> None:
    """The head round its neck, at the origin."""
    for side in (-1, 1):
        with ink.at(0, 0, flip=side < 0):
            ear = smooth([(22, -66), (64, -106), (62, -58), (50, -44)], tension=0.4)
            ink.paint(ear, RUST, line=2.0, ink=LINE)
            with ink.inside(ear):
                ink.fill(oval(66, -102, 24, 20), PAW)
                ink.contour(ear, 2.0, LINE)
            ink.fill(smooth([(42, -64), (56, -82), (56, -56)], tension=0.4), CREAM)
    skull = smooth([(0, 12), (-34, 4), (-80, -14), (-66, -32), (-62, -54), (-34, -76), (0, -80), (34, -76),
                    (62, -54), (66, -32), (80, -14), (34, 4)], tension=0.8)  # fmt: skip
    ink.paint(skull, RUST, line=2.2, ink=LINE)
    with ink.inside(skull):
        cheeks = [smooth([(2 * s, -22), (30 * s, -34), (58 * s, -30), (92 * s, -16), (40 * s, 16), (0, 18)])
                  for s in (-1, 1)]  # fmt: skip
        ink.fill(join(*cheeks, oval(0, -6, 26, 24)), CREAM)
        ink.stroke(skull, LINE, 11, 0.0, 0.14, 5)
        ink.contour(skull, 2.2, LINE)
    for side in (-1, 1):
        ink.fill(oval(46 * side, -12, 10, 7), "#ee9a86", 0.0, 0.75, 1.5)
        closed = pose.eyes == "closed" or (pose.eyes == "wink" and side == 1)
        _eye(ink, 29 * side, -36, pose.look, closed)
    ink.paint(oval(0, -17, 10, 7.5), NOSE, line=0.8, shade=0.2, ink=LINE)
    ink.fill(oval(-3, -20, 3, 2), "#ffffff", 0.0, 0.8)
    for side in (-1, 1):
        ink.stroke(smooth([(0, -9), (6 * side, -1), (15 * side, -3)], closed=False), LINE, 2.2)
    _hat(ink)


def _eye(ink: Ink, x: float, y: float, look: tuple[float, float], closed: bool) -> None:
    if closed:
        ink.stroke(smooth([(x - 12, y), (x, y + 8), (x + 12, y)], closed=False), LINE, 3.4)
        return
    ink.paint(oval(x, y, 13.5, 15.5), "white", line=1.4, shade=0.1, ink=LINE)
    x, y = x + 3 * look[0], y + 3 * look[1]
    ink.fill(oval(x, y, 10, 11.5), "#3b2417")
    ink.fill(oval(x - 3.5, y - 4.5, 3.6), "white")
    ink.fill(oval(x + 3, y + 4, 1.8), "white", 0.0, 0.8)


def _hat(ink: Ink) -> None:
    """A red hat with a white brim and a white bobble, between the ears."""
    cap = smooth([(-40, -70), (-36, -100), (0, -122), (36, -100), (40, -70), (0, -80)], tension=0.8)
    ink.paint(cap, HAT, line=2.0, ink=LINE)
    for x in (-20, 0, 20):
        ink.line([(x * 0.5, -114), (x, -84)], 1.6, DEEP, 0.6)
    brim = limb([(-42, -66), (-20, -76), (0, -79), (20, -76), (42, -66)], [17, 18, 18, 18, 17])
    ink.paint(brim, WHITE, line=1.8, shade=0.25, ink=LINE)
    ink.paint(oval(0, -124, 14), WHITE, line=1.8, shade=0.3, ink=LINE)
