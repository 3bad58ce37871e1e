"""Heads in profile, facing right: face, hair, beard, turban and veil."""

from __future__ import annotations

from dataclasses import dataclass

from .ink import Ink
from .ornament import stripes
from .shapes import common, limb, oval, polygon, smooth

# Heads are designed about 100 units from chin to crown and shrunk onto a body 150 units tall.
HEAD = 0.235


@dataclass(frozen=True)
class Look:
    """What one person's head looks like."""

    skin: str = "skin"
    hair: str = "black"
    beard: str = "none"
    wear: str = "turban"
    cloth: str = "white"
    trim: str = "gold"
    plume: bool = False
    halo: bool = False


def _halo(ink: Ink) -> None:
    disc = oval(2, -52, 92)
    ink.fill(disc, "gold", 0.1)
    for i in range(48):
        with ink.at(2, -52, turn=i * 7.5):
            ink.stroke(polygon([(74, 0), (90, 0)], False), "#8a5f1c", 1.6, alpha=0.7)
    ink.fill(oval(2, -52, 70), "yellow", 0.45, 0.55)
    ink.stroke(oval(2, -52, 72), "gold", 3)
    ink.contour(disc, 0.9, "#8a5f1c")


def _plume(ink: Ink) -> None:
    ink.fill(limb([(-14, -112), (-22, -150), (-44, -176), (-66, -172)], [5, 12, 17, 3]), "black")
    for i in range(5):
        ink.line([(-18, -132), (-30 - 5 * i, -160 - 3 * i), (-60 + 7 * i, -180 + 2 * i)], 0.7, "#57504a")
    ink.fill(oval(-13, -112, 8, 11), "gold")
    ink.fill(oval(-13, -112, 4, 6), "red")
    ink.contour(oval(-13, -112, 8, 11), 0.6)


def _turban(ink: Ink, look: Look) -> None:
    cap = smooth([(-8, -90), (2, -116), (-16, -130), (-36, -122), (-42, -100)])
    ink.paint(cap, look.trim if look.trim != "gold" else "crimson", shade=0.4, line=1.0)
    wrap = smooth([
        (38, -72), (37, -92), (20, -112), (-8, -121), (-42, -116), (-64, -94), (-64, -70), (-48, -60),
        (-28, -70), (6, -74),
    ])  # fmt: skip
    ink.paint(wrap, look.cloth, shade=0.5, line=1.2)
    with ink.inside(wrap):
        for i in range(5):
            t = i / 4
            ink.line(
                [(40, -74 - 6 * i), (8, -84 - 9 * i), (-30, -76 - 11 * i), (-66, -70 - 8 * i)],
                0.75,
                look.cloth,
                0.8,
                -0.42,
            )
            ink.line(
                [(-50 + 16 * t * 4, -58 - 4 * i), (-40 + 14 * i, -92), (-34 + 12 * i, -124)],
                0.6,
                look.cloth,
                0.55,
                -0.4,
            )
    sash = common(wrap, limb([(32, -66), (8, -96), (-22, -120)], [17, 17, 14]))
    ink.paint(sash, look.trim, shade=0.2, line=0.8, pattern=stripes("#7b4a20", 9, -6, 0.2))
    if look.plume:
        _plume(ink)


def _veil(ink: Ink, look: Look) -> None:
    ink.line([(-34, -34), (-48, 20), (-50, 90), (-44, 150)], 6.5, look.hair, taper=True)
    veil = smooth([
        (30, -84), (24, -101), (-2, -110), (-34, -102), (-56, -70), (-60, -20), (-84, 50), (-104, 130),
        (-116, 200), (-84, 196), (-58, 210), (-42, 130), (-34, 60), (-20, 22), (-18, -20), (-16, -62),
        (4, -82),
    ])  # fmt: skip
    ink.fill(veil, look.cloth, 0.0, 0.78)
    with ink.inside(veil):
        for i in range(4):
            ink.line(
                [(10 - 12 * i, -98), (-30 - 7 * i, -50), (-40 - 8 * i, 40), (-56 - 13 * i, 200)],
                0.7,
                look.cloth,
                0.7,
                -0.4,
            )
    ink.contour(veil, 1.1)
    ink.line(
        [(30, -84), (4, -83), (-16, -62), (-18, -20), (-20, 22), (-34, 60), (-42, 130), (-58, 210)],
        2.2,
        "gold",
        taper=False,
    )
    for y in (-84, -90):
        ink.fill(oval(26, y, 4), "red" if y == -90 else "gold")


def _beard(ink: Ink, look: Look) -> None:
    if look.beard in ("full", "long"):
        drop = 44 if look.beard == "long" else 20
        shape = smooth([
            (-10, -50), (-4, -30), (12, -18), (30, -21), (40, -8), (36, 4 + drop * 0.4), (24, drop),
            (8, 4 + drop * 0.6), (-8, -8), (-15, -30),
        ])  # fmt: skip
        ink.fill(shape, look.hair, 0.0, 0.93)
        with ink.inside(shape):
            for i in range(9):
                ink.line(
                    [(-12 + 5 * i, -40 + 3 * i), (4 + 3.6 * i, 0), (14 + 2 * i, drop)],
                    0.6,
                    look.hair,
                    0.7,
                    0.25,
                )
        ink.line([(39, -14), (30, -15)], 1.0, "#7c3a2c")
    if look.beard == "side":
        ink.fill(smooth([(-14, -68), (-3, -66), (-1, -44), (-4, -22), (-7, -16), (-8, -40)]), look.hair)
    if look.beard != "none":
        ink.fill(
            smooth([(42, -25), (30, -27), (18, -17), (6, -16), (14, -11), (26, -14), (37, -19)]), look.hair
        )


def _features(ink: Ink, look: Look) -> None:
    ink.fill(oval(24, -30, 11, 9), "#c05a48", 0.0, 0.22, 4)
    eye = smooth([(5, -51), (16, -57), (27, -57), (35, -52), (27, -49.5), (15, -48.5)])
    ink.fill(eye, "white")
    with ink.inside(eye):
        ink.fill(oval(24, -54, 5, 5.2), "black")
    ink.line([(1, -50), (14, -58), (27, -58.5), (37, -52)], 1.7)
    ink.line([(6, -58), (17, -63), (29, -63), (36, -59)], 0.6, look.skin, 0.8, -0.45)
    ink.line([(9, -51), (18, -47), (31, -49)], 0.7, alpha=0.7)
    ink.line([(6, -66), (18, -73), (30, -71), (37, -67)], 1.9, look.hair)
    ink.line([(45, -30), (40, -34), (37, -30)], 0.8, "#7c3a2c")
    mouth = smooth([(29, -16), (37, -20), (42, -18), (40, -14), (41, -10), (35, -9)])
    ink.fill(mouth, "#b04a3c", 0, 0.75)
    ink.line([(28, -15), (41, -14.5)], 0.9, "#6b2c24")
    ear = smooth([(-18, -56), (-8, -58), (-5, -46), (-10, -34), (-16, -36)])
    ink.paint(ear, look.skin, line=0.8, shade=0.5)
    ink.fill(oval(-12, -29, 4.4, 5.5), "white")
    ink.contour(oval(-12, -29, 4.4, 5.5), 0.5)


def head(ink: Ink, x: float, y: float, look: Look, tilt: float = 0.0) -> None:
    """Paint a head looking right whose chin sits near (x, y)."""
    with ink.at(x, y, HEAD, turn=tilt):
        if look.halo:
            _halo(ink)
        face = smooth([
            (-30, 40), (-30, 8), (-34, -20), (-44, -48), (-38, -80), (-6, -98), (24, -92), (36, -77),
            (37, -66), (36, -58), (42, -46), (49, -34), (46.5, -28.5), (39.5, -27), (42, -20.5),
            (39, -15.5), (40.5, -10), (36, -4.5), (37, 2), (31, 8), (18, 9), (9, 18), (11, 40),
        ])  # fmt: skip
        ink.paint(face, look.skin, shade=0.38, line=1.15)
        if look.wear != "veil":
            ink.fill(
                smooth([
                    (-46, -62), (-20, -72), (-14, -58), (-19, -36), (-25, -16), (-34, -8), (-44, -14),
                    (-40, -34),
                ]),
                look.hair,
            )  # fmt: skip
        else:
            ink.fill(
                smooth([
                    (30, -88), (10, -80), (-6, -62), (-18, -30), (-34, -20), (-48, -50), (-38, -86),
                    (0, -102),
                ]),
                look.hair,
            )  # fmt: skip
        _features(ink, look)
        _beard(ink, look)
        if look.wear == "turban":
            _turban(ink, look)
        elif look.wear == "veil":
            _veil(ink, look)
