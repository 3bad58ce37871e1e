"""Ten pictures of the fox, the second character."""

from __future__ import annotations

from data.painter import furnishings, landscape, props, trees
from data.painter.birds import fish
from data.painter.ink import Ink
from data.painter.shapes import oval, polygon, rect, smooth

from .fox import LINE, FoxPose, fox
from .stage import FIELD, Scene, Stage, hills, shadow


def _put(
    ink: Stage, x: float, y: float, scale: float, pose: FoxPose | None = None, turn: float = 0.0
) -> None:
    """Draw the fox with its feet at (x, y)."""
    ink.put(lambda canvas: fox(canvas, pose or FoxPose()), x, y, scale, turn)


def _shadow(ink: Ink, x: float, y: float, wide: float = 74) -> None:
    shadow(ink, x, y, wide, LINE)


def _harbour(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 230, ("#a9d3e6", "#eaf4f1"))
    landscape.water(ink, rect(-10, 226, 420, 130), "#5d9fb8")
    with ink.at(310, 242, 1.0):
        ink.paint(polygon([(0, -14), (0, -104), (58, -14)]), "#f6f0e2", line=1.8, ink=LINE)
        ink.paint(smooth([(-44, -6), (0, 0), (64, -6), (40, 22), (-28, 22)], tension=0.6), "#2f7f88",
                  line=1.8, ink=LINE)  # fmt: skip
    ink.wash(rect(0, 330, 400, 70), ("#b98a5c", "#8c6440"))
    for x in range(30, 400, 62):
        ink.line([(x, 332), (x - 4, 400)], 1.4, LINE, 0.5, taper=False)
    _shadow(ink, 150, 372)
    _put(ink, 150, 370, 1.3, FoxPose(left_arm=100, look=(0.6, -0.3)))


def _pumpkin(ink: Stage) -> None:
    ink.fill(rect(0, 0, 400, 400), "#b8cfa0")
    _shadow(ink, 180, 372, 84)
    _put(ink, 180, 370, 1.5, FoxPose(tilt=4, tail=-1))
    _shadow(ink, 318, 374, 48)
    for x, wide in ((296, 24), (340, 24), (318, 27)):
        ink.paint(oval(x, 344, wide, 32), "#e6872f", line=1.6, ink=LINE)
    ink.line([(318, 314), (322, 298)], 6, "#4d6b35", taper=False)


def _snowman(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 280, ("#8fb0cf", "#dfe9f1"))
    hills(ink, 268, ("#f4f6f8", "#d9e4ee"), LINE)
    _shadow(ink, 312, 352, 46)
    for y, r in ((308, 44), (242, 32), (194, 23)):
        ink.paint(oval(312, y, r), "#fbfbfb", line=1.8, shade=0.2, ink="#7f93a6")
    for x in (304, 320):
        ink.fill(oval(x, 190, 3), LINE)
    ink.paint(polygon([(312, 197), (286, 203), (312, 203)]), "#e6872f", line=1.2, ink=LINE)
    _shadow(ink, 140, 366)
    _put(ink, 140, 364, 1.3, FoxPose(right_arm=86, look=(0.9, -0.2), tail=-1))
    for _ in range(50):
        ink.fill(oval(ink.rand(0, 400), ink.rand(0, 400), ink.rand(1.4, 3.2)), "#ffffff", 0, 0.9)


def _camp(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 330, ("#18274a", "#3b5585"))
    landscape.night_sky(ink, FIELD, 300, 60)
    hills(ink, 306, ("#3f5d4a", "#2c4436"), LINE)
    ink.paint(polygon([(214, 346), (304, 196), (394, 346)]), "#d7a33c", line=2.0, ink=LINE)
    ink.paint(polygon([(274, 346), (304, 236), (334, 346)]), "#7a4a2a", line=1.6, ink=LINE)
    _shadow(ink, 120, 366)
    _put(ink, 120, 364, 1.2, FoxPose(eyes="closed", tilt=-6, tail=-1))


def _fishing(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 180, ("#cfe6ea", "#f1f4e6"))
    landscape.water(ink, rect(-10, 176, 420, 240), "#6fb0b6")
    ink.wash(smooth([(-20, 250), (120, 262), (214, 330), (230, 420), (-20, 420)]), ("#a8bd6c", "#82a050"))
    ink.line([(190, 250), (306, 128)], 3.6, "#7a5230", taper=False)
    ink.line([(306, 128), (322, 300)], 1.2, LINE, taper=False)
    with ink.at(338, 318, 2.4):
        fish(ink, "#e2795c")
    _shadow(ink, 110, 376)
    _put(ink, 110, 374, 1.2, FoxPose(right_arm=98, look=(0.9, 0.4), tail=-1))


def _apple_tree(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 290, ("#bfe0ea", "#eef6ee"))
    landscape.ground(ink, [(-4, 290), (150, 278), (404, 296)], FIELD, FIELD, ("#9fb765", "#7f9d4e"), step=36)
    trees.mango_tree(ink, 88, 330, 250)
    for x, y in ((52, 130), (120, 118), (88, 180), (140, 172), (44, 196)):
        ink.paint(oval(x, y, 10), "#c5322f", line=1.2, ink=LINE)
    _shadow(ink, 258, 368)
    _put(ink, 258, 366, 1.3, FoxPose(left_arm=98, look=(-0.9, -0.7), tilt=-6))


def _drum(ink: Stage) -> None:
    ink.fill(rect(0, 0, 400, 400), "#f0c8b0")
    ink.wash(rect(0, 320, 400, 80), ("#a8724a", "#835a3b"))
    _put(ink, 200, 356, 1.4, FoxPose(28, 28, (0, 0.8)))
    ink.paint(rect(146, 316, 108, 58, 6), "#2f7f88", line=2.0, ink=LINE)
    for x in range(150, 250, 24):
        ink.line([(x, 318), (x + 12, 372), (x + 24, 318)], 1.8, "#f6f0e2", taper=False)
    ink.paint(oval(200, 318, 54, 13), "#f6f0e2", line=2.0, ink=LINE)


def _plain(ink: Stage) -> None:
    ink.fill(rect(0, 0, 400, 400), "#9fc6d8")
    _shadow(ink, 195, 382, 96)
    _put(ink, 195, 382, 1.5, FoxPose(72, 72))


def _parasol(ink: Stage) -> None:
    landscape.sky(ink, FIELD, 200, ("#8fd0e0", "#e3f4f2"))
    ink.wash(rect(0, 190, 400, 80), ("#3f9fae", "#7fc7c8"))
    hills(ink, 262, ("#ecd6a0", "#dcbf83"), LINE)
    ink.line([(306, 60), (306, 360)], 4, "#7a5230", taper=False)
    furnishings.parasol(ink, 306, 150, 170, 74, "#e3bd4a")
    _shadow(ink, 150, 368)
    _put(ink, 150, 366, 1.3, FoxPose(eyes="wink", tail=-1, tilt=5))


def _table(ink: Stage) -> None:
    ink.fill(rect(0, 0, 400, 300), "#5f7f6f")
    ink.wash(rect(0, 290, 400, 110), ("#8a5a3f", "#6a4430"))
    _put(ink, 150, 350, 1.35, FoxPose(18, 60, (0.8, 0.2), tail=-1))
    with ink.at(318, 352, 3.6):
        props.vase(ink, 0, 0)


FOX_SCENES = (
    Scene("train", "01_harbour", "Harbour", "a fox in a harbour with a sailing boat", _harbour),
    Scene("train", "02_pumpkin", "Pumpkin", "a fox beside a pumpkin, on a green background", _pumpkin),
    Scene("train", "03_snowman", "Snowman", "a fox and a snowman in the snow", _snowman),
    Scene("train", "04_camp", "Camp", "a fox asleep beside a tent at night", _camp),
    Scene("train", "05_fishing", "Fishing", "a fox fishing by a lake", _fishing),
    Scene("train", "06_apples", "Apples", "a fox under a tree with red apples", _apple_tree),
    Scene("train", "07_drum", "Drum", "a fox playing a drum in a room", _drum),
    Scene("train", "08_plain", "Hello", "a fox with its arms out, on a blue background", _plain),
    Scene("held_out", "09_beach", "Parasol", "a fox winking on a beach with a parasol", _parasol),
    Scene("held_out", "10_vase", "Flowers", "a fox beside a vase with flowers", _table),
)  # fmt: skip
