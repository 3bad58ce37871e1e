"""Sixteen pictures of the owl: poses, grounds and companions. A scene is painted in a square 400 across, by
`stage`.
"""

from __future__ import annotations

from collections.abc import Sequence

from data.painter import landscape, props, trees
from data.painter.birds import bird
from data.painter.ink import Ink
from data.painter.shapes import join, oval, polygon, rect, smooth

from .owl import LINE, Pose, owl
from .stage import FIELD, Scene, Stage, hills, shadow

GRASS, SNOW, SAND = ("#9fb765", "#7f9d4e"), ("#f4f6f8", "#d9e4ee"), ("#ecd6a0", "#dcbf83")


def _put(
    ink: Stage, x: float, y: float, scale: float = 1.0, pose: Pose | None = None, turn: float = 0.0
) -> None:
    """Draw the owl with its feet at (x, y)."""
    ink.put(lambda canvas: owl(canvas, pose or Pose()), x, y, scale, turn)


def _shadow(ink: Ink, x: float, y: float, wide: float = 70) -> None:
    shadow(ink, x, y, wide, LINE)


def _hills(ink: Ink, low: float, colours: Sequence[str]) -> None:
    hills(ink, low, colours, LINE)


def _meadow(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 250, ("#bfe0ea", "#eef6ee"))
    landscape.curl_cloud(ink, 90, 80, 0.9)
    line = [(-4, 250), (110, 232), (230, 250), (330, 236), (404, 246)]
    landscape.ground(ink, line, FIELD, FIELD, GRASS, step=34)
    _shadow(ink, 200, 356)
    _put(ink, 200, 354, 1.3)


def _wave(ink: Stage) -> None:
    ink.fill(rect(0, 0, 400, 400), "#9fc6d8")
    _shadow(ink, 195, 372, 86)
    _put(ink, 195, 370, 1.55, Pose(right_wing=132, look=(0.4, 0), scarf=-1, tilt=-5))


def _flying(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 400, ("#7fb2d6", "#d9ecf2"))
    for x, y, size in ((70, 330, 1.5), (330, 90, 1.2), (300, 360, 1.8), (60, 70, 0.9)):
        landscape.curl_cloud(ink, x, y, size)
    _put(ink, 200, 316, 1.25, Pose(92, 98, (0.3, 0.6), feet=False, scarf=-0.4), turn=8)


def _asleep(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 400, ("#1f2b4d", "#3d4a78"))
    landscape.night_sky(ink, FIELD, 320, 70)
    landscape.moon(ink, 310, 84, 38)
    trees.trunk(ink, [(-10, 352), (120, 340), (260, 346), (412, 326)], [34, 28, 22, 14])
    for x, y, a in ((262, 334, -40), (286, 340, 30), (40, 338, -60), (66, 346, 50)):
        with ink.at(x, y, 3.2, turn=a):
            ink.paint(smooth([(0, 0), (8, -5), (17, 0), (8, 5)]), "green", line=0.6)
    _put(ink, 170, 340, 1.2, Pose(eyes="closed", tilt=7))


def _snow(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 270, ("#a9bfd4", "#e6eef4"))
    for x, h in ((46, 170), (352, 200), (306, 130)):
        trees.cypress(ink, x, 272, h)
    _hills(ink, 262, SNOW)
    _shadow(ink, 210, 362)
    _put(ink, 210, 360, 1.25, Pose(26, 26, (-0.6, -0.6), scarf=-1))
    for _ in range(70):
        ink.fill(oval(ink.rand(0, 400), ink.rand(0, 400), ink.rand(1.4, 3.4)), "#ffffff", 0, 0.9)


def _pond(ink: Stage) -> None:
    ink.wash(rect(0, 0, 400, 400), ("#c6d488", "#8fae58"))
    landscape.water(ink, smooth([(200, 190), (330, 176), (430, 240), (430, 420), (220, 420), (150, 300)]))
    landscape.pond_life(ink, (("lotus", 338, 236, 17), ("duck", 296, 318, -1.7), ("pad", 380, 350, 20)))
    _shadow(ink, 108, 352, 60)
    _put(ink, 108, 350, 1.15, Pose(look=(1, 0.3), tilt=5))


def _reading(ink: Stage) -> None:
    ink.fill(rect(0, 0, 400, 290), "#d9b7a6")
    for k in range(9):
        for r in range(6):
            ink.fill(oval(22 + k * 45 + 22 * (r % 2), 24 + r * 48, 5), "#c08f7d")
    ink.wash(rect(0, 290, 400, 110), ("#a8724a", "#7f5236"))
    ink.paint(oval(200, 348, 165, 34), "#3f6e73", line=1.2)
    ink.stroke(oval(200, 348, 148, 27), "#e6c877", 2.5)
    _put(ink, 200, 352, 1.3, Pose(22, 22, (0, 1)))
    props.open_book(ink, 200, 318, 2.3)


def _balloon(ink: Stage) -> None:
    ink.fill(rect(0, 0, 400, 400), "#f0d791")
    ink.paint(oval(322, 92, 46, 56), "#c8402f", line=2.0, ink=LINE)
    ink.fill(oval(304, 72, 9, 14), "#ffffff", 0, 0.6)
    ink.paint(polygon([(314, 146), (330, 146), (322, 156)]), "#c8402f", line=1.4, ink=LINE)
    _shadow(ink, 170, 372, 80)
    _put(ink, 170, 370, 1.4, Pose(right_wing=100, look=(0.7, -0.8), tilt=6))
    ink.line([(340, 212), (330, 186), (322, 154)], 1.8, LINE, taper=False)


def _autumn(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 300, ("#f2c98a", "#f7e7c4"))
    _hills(ink, 300, ("#c9a052", "#a97c3c"))
    trees.plane_tree(ink, 318, 336, 300, autumn=True)
    for k in range(26):
        with ink.at(ink.rand(0, 400), ink.rand(316, 396), ink.rand(1.1, 1.9), turn=ink.rand(0, 360)):
            ink.paint(
                smooth([(0, 0), (6, -4), (13, 0), (6, 4)]), ("saffron", "brick", "yellow")[k % 3], line=0.6
            )
    _shadow(ink, 130, 368)
    _put(ink, 130, 366, 1.3, Pose(look=(0.8, -0.4), scarf=-1))


def _rain(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 330, ("#71849a", "#a9b7c2"))
    ink.wash(rect(0, 330, 400, 70), ("#7d8a8f", "#5f6c74"))
    for _ in range(60):
        x, y = ink.rand(-10, 410), ink.rand(-10, 400)
        ink.line([(x, y), (x - 5, y + 18)], 1.3, "#dfe9f0", 0.8, taper=False)
    _shadow(ink, 210, 374, 84)
    _put(ink, 210, 372, 1.2, Pose(left_wing=118, look=(-0.3, -0.5)))
    ink.line([(104, 232), (150, 60)], 4.0, LINE, taper=False)
    top = smooth(
        [(20, 100), (60, 36), (150, 8), (250, 24), (320, 84), (240, 78), (165, 72), (90, 80)], tension=0.9
    )
    ink.paint(top, "#2f8f88", line=2.0, ink=LINE)
    for x in (90, 165, 240):
        ink.line([(150, 10), ((150 + x) / 2, 40), (x, 76)], 1.4, LINE, 0.7, taper=False)


def _beach(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 190, ("#8fd0e0", "#e3f4f2"))
    ink.wash(rect(0, 180, 400, 90), ("#3f9fae", "#7fc7c8"))
    _hills(ink, 262, SAND)
    trees.palm(ink, 330, 330, 260, lean=-22)
    ink.paint(oval(76, 344, 26), "#e05a44", line=1.6, ink=LINE)
    for turn in (0, 60, 120):
        with ink.at(76, 344, turn=turn):
            ink.stroke(smooth([(-25, 0), (0, 7), (25, 0)], closed=False), "#fff4dc", 4)
    _shadow(ink, 200, 366)
    _put(ink, 200, 364, 1.2, Pose(60, 60, (-0.5, 0.4)))


def _friend(ink: Stage) -> None:
    ink.fill(rect(0, 0, 400, 400), "#dfe6c8")
    _shadow(ink, 190, 374, 90)
    _put(ink, 190, 372, 1.5, Pose(right_wing=84, look=(1, -0.3), scarf=-1))
    with ink.at(330, 226, 2.6, flip=True):
        bird(ink, "#d24b3a")


def _blossom(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 300, ("#d9e9e2", "#f6efe0"))
    landscape.ground(ink, [(-4, 300), (150, 288), (404, 304)], FIELD, FIELD, GRASS, step=38)
    trees.blossom_tree(ink, 110, 330, 300)
    _shadow(ink, 270, 364)
    _put(ink, 270, 362, 1.25, Pose(look=(-0.8, -0.8), tilt=-8))


def _wink(ink: Stage) -> None:
    ink.fill(rect(0, 0, 400, 400), "#e9a58f")
    _shadow(ink, 200, 380, 92)
    _put(ink, 200, 378, 1.6, Pose(left_wing=128, eyes="wink", tilt=6))


def _boat(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 210, ("#f3c39a", "#f8ead2"))
    ink.paint(oval(316, 150, 36), "#e9803c", line=0)
    landscape.water(ink, rect(-10, 206, 420, 220), "#5f9fb4")
    _put(ink, 196, 326, 1.1, Pose(34, 34, (0.5, 0), scarf=-1, feet=False))
    hull = smooth([(60, 282), (200, 300), (340, 282), (306, 352), (200, 366), (94, 352)], tension=0.7)
    ink.paint(hull, "#a4512f", line=2.0, ink=LINE)
    ink.line([(76, 306), (200, 324), (324, 306)], 2.4, "#e6c877", taper=False)


def _cake(ink: Stage) -> None:
    ink.fill(rect(0, 0, 400, 300), "#5b4a72")
    ink.wash(rect(0, 286, 400, 114), ("#8a5a3f", "#6a4430"))
    _put(ink, 150, 338, 1.3, Pose(18, 40, (0.9, 0.4), eyes="open"))
    cake = join(rect(252, 292, 116, 56, 8), rect(270, 256, 80, 40, 8))
    ink.paint(cake, "#f3dcc6", line=1.8, ink=LINE)
    for x in (262, 290, 318, 346):
        ink.fill(oval(x, 296, 9, 7), "#d8607a")
    props.candle(ink, 310, 262, 44)


SCENES = (
    Scene("train", "01_meadow", "In a meadow", "an owl standing in a meadow", _meadow),
    Scene("train", "02_wave", "Waving", "an owl waving, on a blue background", _wave),
    Scene("train", "03_flying", "Flying", "an owl flying among clouds", _flying),
    Scene("train", "04_asleep", "Asleep", "an owl asleep on a branch under the moon", _asleep),
    Scene("train", "05_snow", "Snow", "an owl in the snow", _snow),
    Scene("train", "06_pond", "By the pond", "an owl beside a pond with a duck", _pond),
    Scene("train", "07_reading", "Reading", "an owl reading a book in a room", _reading),
    Scene("train", "08_balloon", "Red balloon", "an owl holding a red balloon, yellow background", _balloon),
    Scene("train", "09_autumn", "Autumn", "an owl beside an autumn tree", _autumn),
    Scene("train", "10_rain", "Rain", "an owl under an umbrella in the rain", _rain),
    Scene("train", "11_beach", "Beach", "an owl on a beach with a palm tree and a ball", _beach),
    Scene("train", "12_friend", "A friend", "an owl and a red bird, on a green background", _friend),
    Scene("held_out", "13_blossom", "Blossom", "an owl looking up at a tree with pink flowers", _blossom),
    Scene("held_out", "14_wink", "Wink", "an owl winking, on a pink background", _wink),
    Scene("held_out", "15_boat", "Boat", "an owl in a boat on the water", _boat),
    Scene("held_out", "16_cake", "Cake", "an owl beside a cake with a candle", _cake),
)  # fmt: skip
