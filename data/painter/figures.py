"""People: standing, seated, riding and bust figures with robes, sashes and posed arms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import skia

from .heads import Look, head
from .ink import Ink, Pattern
from .ornament import stripes
from .shapes import Point, join, limb, oval, polygon, rect, smooth

# Arm poses: elbow and hand, seen from the shoulder at (0, 0), figure facing right.
POSES: dict[str, tuple[Point, Point]] = {
    "down": ((-3, 24), (5, 44)), "hold": ((3, 24), (25, 13)), "raise": ((12, 20), (31, -2)),
    "high": ((17, 7), (30, -21)), "point": ((18, 15), (44, 6)), "lap": ((2, 24), (21, 33)),
    "chest": ((2, 24), (18, 8)), "back": ((-17, 17), (-6, 36)), "draw": ((-17, -7), (9, -4)),
    "reach": ((22, 4), (47, -4)), "strum": ((0, 25), (22, 28)), "rein": ((5, 24), (27, 25)),
    "swing": ((-14, -14), (-6, -40)),
}  # fmt: skip


@dataclass(frozen=True)
class Dress:
    """What one person wears: main robe, its pattern, sash and leg colours."""

    robe: str = "white"
    pattern: Pattern | None = None
    sash: str = "gold"
    legs: str = "rose"
    boots: str = "crimson"
    sheer: bool = False
    sleeve: str = ""


@dataclass(frozen=True)
class Person:
    """A look, a dress and two arm poses."""

    look: Look = field(default_factory=Look)
    dress: Dress = field(default_factory=Dress)
    near: str = "hold"
    far: str = "hold"


def hand(ink: Ink, x: float, y: float, skin: str, turn: float) -> None:
    """Paint a small closed hand whose fingers point along `turn` degrees."""
    with ink.at(x, y, turn=turn):
        palm = smooth([(-3, -2.4), (1, -3), (5, -2.6), (7.2, -1), (6.6, 1.2), (3.4, 2.6), (-3, 2.2)])
        ink.paint(palm, skin, line=0.8, shade=0.3)
        for dy in (-0.9, 0.6):
            ink.line([(3.2, dy), (6.6, dy * 0.8)], 0.45, "#7c4a30")
        ink.line([(0.5, -2.6), (3, -4.2), (4.8, -3.6)], 1.0, skin)


def arm(ink: Ink, shoulder: Point, pose: str, person: Person) -> Point:
    """Paint a sleeved arm in a pose and return where its hand is."""
    (ex, ey), (hx, hy) = POSES[pose]
    sx, sy = shoulder
    turn = math.degrees(math.atan2(hy - ey, hx - ex))
    hand(ink, sx + hx, sy + hy, person.look.skin, turn)
    mid = (sx + (ex + hx) / 2, sy + (ey + hy) / 2)
    end = (sx + ex + (hx - ex) * 0.87, sy + ey + (hy - ey) * 0.87)
    bend = (sx + ex, sy + ey)
    if ex * (hx - ex) + ey * (hy - ey) < 0:
        sleeve = join(limb([(sx, sy), bend], [12.5, 10]), limb([bend, mid, end], [10, 8, 5.8]))
    else:
        sleeve = limb([(sx, sy), bend, mid, end], [12.5, 10.5, 8, 5.8])
    cloth = person.dress.sleeve or person.dress.robe
    pattern = None if person.dress.sleeve else person.dress.pattern
    ink.paint(sleeve, cloth, pattern=pattern, shade=0.4, line=1.1)
    for i in range(4):
        t = 0.25 + 0.18 * i
        px, py = sx + ex + (end[0] - sx - ex) * t, sy + ey + (end[1] - sy - ey) * t
        with ink.at(px, py, turn=turn):
            ink.line([(-0.8, -3.4), (1, 0), (-0.4, 3.2)], 0.6, cloth, 0.8, -0.45)
    with ink.at(*end, turn=turn):
        ink.paint(rect(-1.4, -3.2, 2.6, 6.4, 1), "gold", line=0.5, shade=0)
    if person.dress.sleeve:
        cap = limb([(sx, sy), (sx + ex * 0.42, sy + ey * 0.42)], [13, 12])
        ink.paint(cap, person.dress.robe, pattern=person.dress.pattern, shade=0.4, line=1.0)
    return sx + hx, sy + hy


def torso(ink: Ink, person: Person) -> None:
    """Paint the fitted bodice from waist (0, 0) to neck (0, -36), with lapel and necklaces."""
    dress = person.dress
    body = smooth([
        (-11, 3), (-13, -12), (-16, -26), (-13, -33), (-5, -37), (5, -37), (13, -31), (16, -20), (14, -8),
        (11, 3), (0, 5),
    ])  # fmt: skip
    ink.paint(body, dress.robe, pattern=dress.pattern, shade=0.4)
    if person.look.wear != "veil":
        ink.line([(7, -37), (2, -24), (-10, -8)], 0.9, dress.robe, 0.9, -0.5)
    collar = smooth([(-6, -38), (0, -33), (8, -36), (8, -40), (-5, -41)])
    ink.paint(collar, person.look.skin, line=0.7, shade=0.3)
    with ink.inside(join(body, collar)):
        for depth in (8, 14):
            for i in range(10):
                t = i / 9
                name = "emerald" if depth == 14 and i == 5 else "white"
                spot = oval(-3 + 15 * t, -37 + depth * math.sin(math.pi * (0.1 + 0.75 * t)), 0.85)
                ink.fill(spot, name)


def sash(ink: Ink, dress: Dress, drop: float) -> None:
    """Paint the waist sash and its two hanging patterned ends below (0, 0)."""
    for lean, length in ((10, drop * 0.86), (4, drop)):
        end = polygon([(3, 0), (9, 0), (lean + 8, length), (lean - 1, length + 1)])
        ink.paint(end, dress.sash, line=0.8, shade=0.3)
        with ink.inside(end):
            for k in range(3):
                y = length * (0.72 + 0.1 * k)
                ink.stroke(polygon([(-5, y), (30, y)], False), ("red", "emerald", "red")[k], 1.3)
    belt = smooth([(-12, -3), (0, -1.5), (12, -4), (12.5, 3), (0, 5.5), (-12, 3.5)])
    ink.paint(belt, dress.sash, line=1.0, shade=0.4, pattern=stripes("crimson", 3.4, 2, 0.25))


def _skirt_folds(ink: Ink, path: skia.Path, waist: Point, hem: Sequence[Point], name: str) -> None:
    with ink.inside(path):
        for i, (x, y) in enumerate(hem):
            bend = (waist[0] + (x - waist[0]) * 0.42, waist[1] + (y - waist[1]) * 0.5)
            ink.line(
                [(waist[0] + (x - waist[0]) * 0.16, waist[1] + 4), bend, (x, y)],
                0.85,
                name,
                0.8,
                -0.42 if i % 2 else -0.3,
            )


def standing(ink: Ink, person: Person, stride: float = 0.0, long: bool = False) -> dict[str, Point]:
    """Paint a person standing on (0, 0), about 150 units tall; return the hand positions."""
    dress = person.dress
    for dx, shade in ((5 + stride, -0.12), (-6 - stride, 0.0)):
        leg = limb([(dx * 0.7, -60), (dx, -34), (dx + 0.5, -7)], [15, 12, 7])
        ink.paint(leg, dress.legs, shift=shade, shade=0.4)
        for y in (-10, -13, -16):
            ink.line([(dx - 3.5, y), (dx + 4, y + 1)], 0.5, dress.legs, 0.8, -0.4)
        shoe = smooth([
            (dx - 5, -1), (dx - 5, -7), (dx, -8), (dx + 6, -4), (dx + 13, -4.5), (dx + 15, -7),
            (dx + 14.5, -1.5), (dx + 6, 0.4),
        ])  # fmt: skip
        ink.paint(shoe, dress.boots, shift=shade, line=1.0, shade=0.3)
    foot = -7 if long else -30
    wide = 29 + abs(stride) * 0.8
    with ink.at(0, -82):
        hands = {"far": arm(ink, (6, -29), person.far, person)}
    hem = [
        (-wide, foot - 3), (-wide * 0.62, foot + 2), (-wide * 0.25, foot - 1), (wide * 0.15, foot + 3),
        (wide * 0.55, foot), (wide * 0.98, foot - 3),
    ]  # fmt: skip
    skirt = smooth([(11, -84), (15, -68), (22, -48), *hem[::-1], (-22, -50), (-15, -70), (-11, -84)])
    if dress.sheer:
        ink.fill(skirt, dress.robe, alpha=0.72)
        ink.contour(skirt, 1.2)
    else:
        ink.paint(skirt, dress.robe, pattern=dress.pattern, shade=0.4)
    _skirt_folds(ink, skirt, (0, -84), hem, dress.robe)
    ink.line(hem, 2.0, "gold", taper=False)
    with ink.at(0, -82):
        torso(ink, person)
        sash(ink, dress, 44)
    head(ink, 1, -119.5, person.look)
    with ink.at(0, -82):
        hands["near"] = arm(ink, (-5, -29), person.near, person)
    return {k: (x, y - 82) for k, (x, y) in hands.items()}


def seated(ink: Ink, person: Person) -> dict[str, Point]:
    """Paint a person kneeling on (0, 0), about 92 units tall; return the hand positions."""
    dress = person.dress
    with ink.at(0, -24):
        hands = {"far": arm(ink, (6, -29), person.far, person)}
    hem = [(-38, -3), (-26, 2), (-14, 1), (0, 4), (14, 2), (28, 3), (42, -3)]
    lap = smooth([(12, -28), (26, -23), (40, -14), *hem[::-1], (-38, -12), (-26, -22), (-13, -29)])
    ink.paint(lap, dress.robe, pattern=dress.pattern, shade=0.45)
    knee = [(-22, -16), (2, -10), (24, -11), (36, -8)]
    ink.line(knee, 1.0, dress.robe, 0.9, -0.5)
    _skirt_folds(ink, lap, (-2, -26), [(-34, -2), *hem[1:6], (36, -8)], dress.robe)
    ink.line(hem, 2.0, "gold", taper=False)
    with ink.at(0, -24):
        torso(ink, person)
        sash(ink, dress, 24)
    head(ink, 1, -61.5, person.look)
    with ink.at(0, -24):
        hands["near"] = arm(ink, (-5, -29), person.near, person)
    return {k: (x, y - 24) for k, (x, y) in hands.items()}


def riding(ink: Ink, person: Person) -> dict[str, Point]:
    """Paint a rider whose seat is at (0, 0): skirt over the thigh, boot hanging below."""
    dress = person.dress
    with ink.at(0, -16):
        hands = {"far": arm(ink, (6, -29), person.far, person)}
    boot = smooth([(8, 28), (17, 27), (17, 44), (20, 50), (29, 52), (31, 56), (12, 57), (9, 50)])
    shin = limb([(14, 6), (15, 20), (13, 40)], [17, 14, 10])
    ink.paint(shin, dress.legs, shade=0.4)
    ink.paint(boot, dress.boots, shade=0.3)
    ink.line([(8, 30), (17, 30)], 1.5, "gold", taper=False)
    hem = [(-30, 14), (-20, 22), (-6, 22), (8, 25), (22, 22), (29, 14)]
    skirt = smooth([(11, -18), (20, -8), (28, 2), *hem[::-1], (-28, 4), (-18, -8), (-11, -18)])
    ink.paint(skirt, dress.robe, pattern=dress.pattern, shade=0.42)
    _skirt_folds(ink, skirt, (0, -18), hem, dress.robe)
    ink.line(hem, 1.8, "gold", taper=False)
    with ink.at(0, -16):
        torso(ink, person)
        sash(ink, dress, 30)
    head(ink, 1, -53.5, person.look)
    with ink.at(0, -16):
        hands["near"] = arm(ink, (-5, -29), person.near, person)
    return {k: (x, y - 16) for k, (x, y) in hands.items()}


def bust(ink: Ink, person: Person) -> dict[str, Point]:
    """Paint a person from the waist (0, 0) up, for windows and howdahs."""
    hands = {"far": arm(ink, (6, -29), person.far, person)}
    torso(ink, person)
    sash(ink, person.dress, 6)
    head(ink, 1, -37.5, person.look)
    hands["near"] = arm(ink, (-5, -29), person.near, person)
    return hands


def cushion(ink: Ink, x: float, y: float, w: float, h: float, name: str) -> None:
    """Paint a round bolster with gold ends standing behind a seated person."""
    body = join(rect(x - w / 2, y - h, w, h, h * 0.45), oval(x, y - h * 0.6, w * 0.42, h * 0.55))
    ink.paint(body, name, shade=0.5)
    ink.line(
        [(x - w * 0.4, y - h * 0.3), (x, y - h * 0.18), (x + w * 0.4, y - h * 0.3)], 1.4, "gold", taper=False
    )
