"""Tigers, walking and leaping."""

from __future__ import annotations

import skia

from .ink import Ink
from .shapes import Point, join, limb, oval, polygon, smooth

# Near fore, far fore, near hind, far hind.
LEGS: dict[str, list[list[Point]]] = {
    "walk": [
        [(52, -60), (66, -34), (62, -18), (72, -5)],
        [(46, -58), (40, -34), (30, -20), (30, -5)],
        [(-70, -60), (-56, -36), (-78, -18), (-72, -5)],
        [(-58, -58), (-40, -34), (-54, -18), (-44, -5)],
    ],
    "leap": [
        [(52, -62), (84, -60), (106, -70), (122, -64)],
        [(46, -58), (76, -44), (98, -48), (114, -40)],
        [(-70, -60), (-90, -36), (-116, -34), (-130, -20)],
        [(-58, -58), (-72, -26), (-100, -18), (-114, -6)],
    ],
}


def tiger(ink: Ink, pose: str = "walk") -> None:
    """Paint a tiger facing right, paws on y=0, about 230 long; poses are walk and leap."""
    legs = LEGS[pose]
    for path, widths in ((legs[1], [28, 17, 12, 12]), (legs[3], [34, 20, 12, 12])):
        ink.paint(join(limb(path, widths), _paw(path[-1])), "ochre", shift=-0.22, shade=0.35)
    _tail(ink, pose)
    body = smooth([
        (70, -94), (44, -92), (14, -82), (-28, -79), (-60, -86), (-86, -76), (-94, -58), (-82, -44),
        (-52, -42), (-20, -39), (20, -40), (48, -44), (70, -52), (84, -66), (86, -84),
    ])  # fmt: skip
    whole = join(
        body,
        limb(legs[0], [38, 21, 14, 13]),
        limb(legs[2], [50, 25, 14, 13]),
        _paw(legs[0][-1]),
        _paw(legs[2][-1]),
    )
    ink.paint(whole, "#d98f3a", shade=0.45, line=1.4)
    with ink.inside(whole):
        ink.fill(oval(0, -38, 76, 9), "cream", 0, 0.95, 4)
        ink.fill(oval(80, -56, 12, 12), "cream", 0, 0.9, 4)
        _stripes(ink, legs)
    ink.contour(whole, 1.2)
    _head(ink)


def _paw(foot: Point) -> skia.Path:
    return oval(foot[0] + 6, foot[1] + 0.5, 11, 5.5)


def _tail(ink: Ink, pose: str) -> None:
    if pose == "leap":
        line = [(-88, -70), (-118, -82), (-142, -76), (-160, -92), (-170, -88)]
    else:
        line = [(-88, -70), (-108, -52), (-122, -66), (-118, -96), (-132, -112)]
    ink.paint(limb(line, [11, 8, 7.5, 7, 5]), "#d98f3a", line=1.1)
    for k in range(1, len(line) - 1):
        for f in (0.0, 0.5):
            x = line[k][0] * (1 - f) + line[k + 1][0] * f
            y = line[k][1] * (1 - f) + line[k + 1][1] * f
            ink.fill(oval(x, y, 3.6, 2.4), "black", 0, 0.9)


def _stripes(ink: Ink, legs: list[list[Point]]) -> None:
    for i in range(18):
        x = -90 + i * 9.4
        lean = ink.near(2)
        ink.line(
            [(x + 3 + lean, -98), (x - 2, -80), (x + 2, -68), (x - 1, -58 + 6 * (i % 2))],
            2.6 + (i % 3) * 0.8,
            "black",
        )
        if i % 2 == 0:
            ink.line([(x + 5 + lean, -96), (x + 3, -82), (x + 2, -70)], 1.8, "black")
        ink.line([(x + 4, -38), (x + 7, -46), (x + 5, -55)], 2.0, "black")
    for path in (legs[0], legs[2]):
        for t in (0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1):
            j, f = int(t), t - int(t)
            x = path[j][0] * (1 - f) + path[j + 1][0] * f
            y = path[j][1] * (1 - f) + path[j + 1][1] * f
            ink.line([(x - 20, y - 5), (x - 9, y - 1), (x - 1, y - 2)], 2.2, "black")
            ink.line([(x + 16, y - 7), (x + 9, y - 3), (x + 5, y - 3)], 1.8, "black")
    for path in (legs[0], legs[2]):
        for dx in (10, 13.5):
            x, y = path[-1]
            ink.line([(x + dx, y - 2), (x + dx + 1.5, y + 4)], 0.9)


def _head(ink: Ink) -> None:
    ink.paint(oval(74, -111, 7, 8), "#d98f3a", line=1.1)
    ink.fill(oval(75, -110, 3.6, 4.6), "black")
    mouth = smooth([(98, -84), (118, -84), (114, -72), (102, -70)])
    ink.paint(mouth, "#7a2a26", line=0.9, shade=0)
    jaw = smooth([(70, -84), (92, -80), (102, -76), (112, -74), (111, -68), (100, -64), (84, -64), (68, -70)])
    ink.paint(jaw, "cream", line=1.2)
    face = smooth([
        (64, -100), (74, -110), (90, -111), (100, -104), (111, -97), (120, -93), (121, -86), (112, -81),
        (98, -80), (90, -74), (78, -66), (64, -72), (60, -88),
    ])  # fmt: skip
    ink.paint(face, "#d98f3a", shade=0.35, line=1.3)
    with ink.inside(face):
        ink.fill(oval(112, -84, 13, 6), "cream", 0, 0.95, 2)
        ink.fill(oval(78, -72, 12, 9), "cream", 0, 0.9, 3)
        for i in range(4):
            ink.line([(76 + 5 * i, -114), (78 + 5 * i, -108), (77 + 5 * i, -102)], 2.0, "black")
            ink.line([(58, -98 + 8 * i), (68, -96 + 7 * i), (78, -92 + 5 * i)], 2.2, "black")
    eye = smooth([(94, -99), (99, -102), (105, -98), (99, -96)])
    ink.fill(eye, "yellow", 0.5)
    ink.fill(oval(100.5, -99, 2.1), "black")
    ink.line([(92, -99), (99, -103.5), (106, -98)], 1.3)
    ink.fill(smooth([(116, -95), (122, -92), (120, -87), (115, -90)]), "#8a4a40")
    for x in (104, 114):
        ink.fill(polygon([(x - 1.6, -81.5), (x + 1.6, -82), (x, -75)]), "white")
    for i in range(3):
        ink.line([(112, -86 + 2 * i), (122, -82 + 4 * i), (130, -79 + 6 * i)], 0.6, "white")
