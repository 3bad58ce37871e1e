"""Horses and deer: silhouettes, gaits, harness."""

from __future__ import annotations

from .ink import Ink, Pattern
from .ornament import buti
from .shapes import Point, common, join, limb, oval, smooth

# Leg centre lines from body to hoof: near fore, far fore, near hind, far hind.
GAITS: dict[str, list[list[Point]]] = {
    "walk": [
        [(70, -112), (84, -88), (106, -70), (96, -38), (100, -24)],
        [(64, -110), (64, -84), (62, -54), (58, -18), (63, -4)],
        [(-64, -122), (-58, -90), (-80, -56), (-76, -18), (-71, -4)],
        [(-54, -118), (-38, -90), (-52, -58), (-34, -24), (-29, -7)],
    ],
    "gallop": [
        [(72, -112), (102, -96), (132, -92), (152, -66), (160, -58)],
        [(64, -108), (88, -84), (118, -70), (128, -42), (136, -36)],
        [(-64, -122), (-78, -92), (-112, -80), (-142, -52), (-148, -42)],
        [(-54, -118), (-56, -84), (-88, -62), (-116, -36), (-121, -26)],
    ],
}
FORE = [30, 19, 11.5, 7.5, 8]
HIND = [58, 31, 13.5, 8.5, 8]
BODY: list[Point] = [
    (96, -224), (107, -218), (116, -200), (124, -184), (130, -174), (129, -165), (122, -161), (114, -164),
    (106, -172), (95, -180), (91, -174), (93, -155), (100, -134), (96, -112), (78, -92), (40, -82),
    (-10, -82), (-46, -90), (-66, -92), (-88, -108), (-98, -130), (-90, -150), (-70, -160), (-45, -161),
    (-12, -150), (16, -150), (34, -163), (48, -188), (66, -214), (84, -226),
]  # fmt: skip


def _hoof(ink: Ink, foot: Point, turn: float) -> None:
    with ink.at(*foot, turn=turn):
        ink.paint(smooth([(-4, -3), (4, -3), (8, 5), (-5, 5)], tension=0.5), "#4a3a30", line=0.9, shade=0.2)


def _mane(ink: Ink, name: str) -> None:
    for i in range(13):
        t = i / 12
        x, y = 91 - 56 * t, -227 + 58 * t * t + 8 * t
        ink.line([(x, y), (x + 3, y + 14), (x - 4 + 5 * t, y + 28 + ink.near(2))], 2.6, name)
    ink.line([(95, -225), (106, -214), (110, -200)], 2.4, name)


def _tail(ink: Ink, name: str, gait: str) -> None:
    if gait == "gallop":
        lock = [(-92, -148), (-124, -158), (-158, -134), (-172, -104)]
    else:
        lock = [(-93, -146), (-112, -138), (-117, -100), (-112, -54)]
    ink.paint(limb(lock, [8, 15, 17, 2]), name, line=0.9)
    for i in range(4):
        ink.line([(x + i * 3 - 4, y + i) for x, y in lock], 0.7, name, 0.7, 0.25)


def _head(ink: Ink, coat: str, dark: str) -> None:
    for x in (90, 97):
        ink.paint(
            smooth([(x - 1, -220), (x - 3, -229), (x + 3, -238), (x + 7, -229), (x + 6, -218)]),
            coat,
            line=0.9,
        )
    eye = smooth([(104, -204), (109, -207), (113, -202), (108, -200)])
    ink.fill(eye, "black")
    ink.line([(102, -205), (109, -209), (115, -202)], 0.9)
    ink.fill(oval(109, -204.5, 0.9), "white")
    ink.line([(125, -173), (127, -169), (124, -168)], 1.3)
    ink.line([(130, -163), (123, -166), (119, -169)], 0.8)
    ink.line([(98, -184), (106, -190), (107, -201)], 0.8, dark, 0.6, -0.4)


def _bridle(ink: Ink) -> None:
    for strap in (
        [(97, -221), (101, -200), (110, -174)],
        [(113, -176), (119, -186), (124, -186)],
        [(99, -207), (107, -210), (113, -207)],
    ):
        ink.line(strap, 2.2, "brick", taper=False)
        ink.line(strap, 1.0, "gold", taper=False)
    ink.line([(121, -166), (92, -164), (50, -166), (28, -176)], 1.5, "brick", taper=False)
    for i in range(8):
        t = i / 7
        ink.fill(oval(87 + 8 * t, -172 + 46 * t + 3 * t * t, 2.3), "gold")
    ink.line([(94, -126), (60, -120), (30, -124)], 3.0, "red", taper=False)
    ink.line([(94, -126), (60, -120), (30, -124)], 1.2, "gold", taper=False)
    ink.paint(smooth([(84, -176), (90, -172), (92, -150), (86, -142), (82, -158)]), "white", line=0.7)
    ink.paint(oval(87, -140, 3.4, 4.6), "red", line=0.6, shade=0.2)
    ink.line([(96, -226), (97, -240), (94, -254)], 1.4, "gold", taper=False)
    for i in range(7):
        ink.line([(94, -250), (87 + 3 * i, -263), (83 + 4 * i, -267 + abs(i - 3))], 2.2, "black")


def saddle(ink: Ink, name: str, pattern: Pattern | None) -> None:
    """Paint a saddle cloth with fringe and a saddle on a horse drawn at the same origin."""
    cloth = smooth(
        [
            (40, -157), (30, -152), (-2, -152), (-32, -157), (-44, -122), (-38, -100), (0, -93), (34, -99),
            (42, -122),
        ],
        tension=0.7,
    )  # fmt: skip
    ink.paint(cloth, "gold", shade=0.3)
    inner = smooth(
        [(35, -154), (0, -149), (-28, -154), (-38, -122), (-33, -105), (0, -99), (29, -104), (36, -122)],
        tension=0.7,
    )
    ink.paint(inner, name, shade=0.35, pattern=pattern, line=0.8)
    for i in range(15):
        x = -38 + i * 5.2
        ink.line([(x, -99 + abs(i - 7) * -0.4), (x, -90 + abs(i - 7) * -0.6)], 1.4, "red")
    seat = smooth(
        [(30, -168), (22, -158), (0, -156), (-16, -160), (-24, -168), (-24, -152), (4, -146), (30, -152)]
    )
    ink.paint(seat, "crimson", shade=0.4)


def horse(
    ink: Ink,
    coat: str,
    gait: str = "walk",
    mane: str = "black",
    cloth: str = "emerald",
    patch: str = "",
    henna: bool = False,
) -> None:
    """Paint a harnessed horse facing right, hooves on y=0, about 230 long; seat near (5, -158)."""
    legs = GAITS[gait]
    fast = gait == "gallop"
    for path, widths, turn in ((legs[1], FORE, -30), (legs[3], HIND, 25)):
        _hoof(ink, path[-1], turn if fast else 0)
        ink.paint(limb(path, widths), coat, shift=-0.22, shade=0.4)
    _tail(ink, mane, gait)
    for path, turn in ((legs[0], -30), (legs[2], 30)):
        _hoof(ink, path[-1], turn if fast else (20 if path is legs[0] else 0))
    whole = join(smooth(BODY), limb(legs[0], FORE), limb(legs[2], HIND))
    ink.paint(whole, coat, shade=0.45, line=1.4)
    if patch:
        for spot in (
            smooth([(60, -170), (100, -150), (104, -112), (70, -80), (40, -76), (46, -120)]),
            smooth([(-40, -165), (-75, -150), (-88, -112), (-50, -78), (0, -76), (-20, -110)]),
            smooth([(80, -230), (120, -220), (140, -170), (118, -150), (96, -184)]),
        ):
            ink.fill(common(whole, spot), patch, 0.06)
        ink.contour(whole, 1.2)
    if henna:
        with ink.inside(whole):
            for foot in legs:
                ink.fill(oval(foot[-1][0], foot[-1][1], 30, 26), "brick", 0.0, 0.55, 6)
    with ink.inside(whole):
        ink.line([(-52, -96), (-44, -112), (-48, -132)], 1.0, coat, 0.7, -0.5)
        ink.line([(66, -94), (56, -112), (60, -132)], 1.0, coat, 0.7, -0.5)
    _head(ink, patch or coat, coat)
    _mane(ink, mane)
    saddle(ink, cloth, buti("yellow", 9, "mint"))
    _bridle(ink)


DEER_LEGS: dict[str, list[list[Point]]] = {
    "stand": [
        [(34, -52), (37, -34), (36, -16), (37, -2)],
        [(28, -50), (27, -32), (26, -16), (28, -2)],
        [(-36, -54), (-33, -38), (-40, -22), (-37, -2)],
        [(-30, -52), (-25, -38), (-31, -22), (-27, -2)],
    ],
    "leap": [
        [(34, -52), (50, -42), (62, -46), (70, -34)],
        [(28, -50), (44, -34), (56, -34), (62, -22)],
        [(-36, -54), (-46, -40), (-62, -34), (-76, -18)],
        [(-30, -52), (-38, -34), (-54, -26), (-64, -8)],
    ],
}


def deer(ink: Ink, pose: str = "stand", coat: str = "tan", buck: bool = True, turn: float = 0) -> None:
    """Paint an antelope facing right, hooves on y=0, about 100 long; a buck has twisted horns."""
    legs = DEER_LEGS[pose]
    with ink.at(0, 0, turn=turn):
        for path, wide in ((legs[1], [12, 6.5, 4, 3.4]), (legs[3], [20, 9, 4.4, 3.4])):
            ink.paint(limb(path, wide), coat, shift=-0.25, shade=0.3, line=1.0)
        body = smooth([
            (52, -104), (60, -102), (68, -93), (74, -88), (71, -84), (60, -87), (53, -90), (50, -76),
            (46, -58), (34, -44), (0, -40), (-28, -44), (-46, -54), (-48, -66), (-38, -74), (-10, -70),
            (20, -72), (34, -80), (44, -98),
        ])  # fmt: skip
        whole = join(body, limb(legs[0], [14, 7.5, 4.4, 3.6]), limb(legs[2], [24, 10, 4.6, 3.6]))
        ink.paint(whole, coat, shade=0.45, line=1.2)
        with ink.inside(whole):
            ink.fill(oval(-4, -38, 40, 9), "cream", 0, 0.9, 2)
            ink.fill(oval(48, -72, 7, 12), "cream", 0, 0.8, 2)
        ink.line([(-46, -66), (-54, -62), (-56, -52)], 3.4, coat, shift=-0.3)
        ink.paint(smooth([(47, -101), (38, -110), (36, -116), (46, -112), (51, -105)]), coat, line=0.8)
        ink.fill(oval(60, -96.5, 1.7, 1.4), "black")
        ink.fill(oval(72.5, -87.5, 1.6, 1.2), "black")
        if buck:
            for dx in (0, 5):
                horn = [(52 + dx, -104), (46 + dx * 1.6, -117), (52 + dx, -128), (44 + dx * 1.8, -142)]
                ink.paint(limb(horn, [4, 3.4, 2.6, 1]), "#3d2f28", line=0.6, shade=0)
