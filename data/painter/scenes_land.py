"""Pictures of rivers, camps and palaces in the hills."""

from __future__ import annotations

from . import architecture as arc
from . import birds, props, trees
from . import furnishings as gear
from . import landscape as land
from .figures import seated, standing
from .horse import deer
from .ink import Ink
from .ornament import carpet, spray, vine
from .shapes import polygon, rect, smooth
from .wardrobe import king, man


def river_boat(ink: Ink, w: float, h: float) -> None:
    """A king in a boat on a river, with an oarsman."""
    land.sky(ink, w, h * 0.16, ("#d48a5c", "#e8d0a0"))
    land.streaks(ink, w, h * 0.1, ("#edd6b4", "#b57f8a"))
    land.rocks(ink, 190, h * 0.19, 240, 90, land.ROCKS, 9)
    arc.town(ink, 40, h * 0.18, 140)
    land.ridges(ink, w, (h * 0.17,), ("#b9b57d",))
    land.ground(ink, [(0, h * 0.23), (200, h * 0.22), (w, h * 0.23)], w, h, ("#b5b36c", "#8f9b57"), "green")
    trees.mango_tree(ink, 34, h * 0.33, 130)
    trees.blossom_tree(ink, 356, h * 0.33, 150, "pink")
    trees.cypress(ink, 78, h * 0.32, 100)
    land.water(ink, rect(-8, h * 0.33, w + 16, h * 0.7), "#6c9aa8")
    land.pond_life(
        ink,
        (
            ("duck", 356, h * 0.5, -1.2), ("fish", 330, h * 0.8, 1.7), ("fish", 70, h * 0.83, -1.6),
            ("lotus", 346, h * 0.42, 16), ("pad", 290, h * 0.38, 15), ("duck", 240, h * 0.83, -1.2),
        ),
    )  # fmt: skip
    with ink.at(188, h * 0.74, 1.5):
        gear.parasol(ink, -22, -16, 96, 124, "red")
        with ink.at(-20, -12, 1.06):
            hands = seated(ink, king("emerald", "lap", "raise"))
            props.held_flower(ink, *hands["far"])
        with ink.at(64, -14, 0.9, True):
            seated(ink, man("rose", "white", "lap", "point", "full"))
        with ink.at(-92, -8, 0.84):
            standing(ink, man("yellow", "crimson", "hold", "hold", "side"))
        props.boat(ink, 240)
        props.oar(ink, -70, -68, -38, 78)
    bank = [(0, h * 0.91), (120, h * 0.885), (280, h * 0.92), (w, h * 0.89)]
    ink.line(bank, 9, "cream", taper=False)
    land.ground(ink, bank, w, h, ("#8f9b57", "#66793f"), "green", 22)
    for x, name in ((30, "red"), (110, "white"), (200, "yellow"), (300, "rose"), (370, "red")):
        spray(ink, x, h * 0.985, 40, name, "dark", 3)


def mountain_camp(ink: Ink, w: float, h: float) -> None:
    """A large tent before mountains with two men at a fire of cushions."""
    land.sky(ink, w, h * 0.28, ("#c4a04f", "#dcc07a"))
    land.curl_cloud(ink, 90, 44, 1.0)
    land.curl_cloud(ink, 300, 60, 0.9, "#dfe3e6")
    land.rocks(ink, -30, h * 0.4, 250, 190, land.ROCKS, 10)
    land.rocks(ink, 180, h * 0.4, 250, 150, land.ROCKS[::-1], 10)
    land.ground(
        ink, [(0, h * 0.37), (200, h * 0.39), (w, h * 0.36)], w, h, ("#a9b877", "#8ba062", "#78914f"), "green"
    )
    gear.tent(ink, 326, h * 0.54, 130, 120, "emerald", "saffron")
    gear.tent(ink, 70, h * 0.52, 110, 104, "lapis", "white")
    gear.tent(ink, 196, h * 0.8, 280, 260, "red", "cream")
    with ink.at(60, h * 0.94, 1.2):
        hands = standing(ink, man("saffron", "white", "down", "hold", "full"))
        props.spear(ink, *hands["far"])
    with ink.at(338, h * 0.94, 1.2, True):
        hands = standing(ink, man("lapis", "crimson", "down", "hold", "side"))
        props.spear(ink, *hands["far"])
    rug = polygon([(120, h * 0.94), (282, h * 0.94), (264, h * 0.83), (138, h * 0.83)])
    carpet(ink, rug, "crimson", "lapis", vine("gold", 24, "cream", "mint"), 9)
    with ink.at(202, h * 0.9, 0.95):
        seated(ink, king("mint", "lap", "raise"))


def hill_palace(ink: Ink, w: float, h: float) -> None:
    """A white palace among mountains above a pool, with deer and cranes."""
    land.sky(ink, w, h * 0.3, ("#416f95", "#8fb4bd", "#dcd9bb"))
    land.curl_cloud(ink, 80, 50, 1.1)
    land.curl_cloud(ink, 310, 36, 1.0)
    land.rocks(ink, -40, h * 0.44, 270, 220, land.ROCKS, 10)
    land.rocks(ink, 180, h * 0.44, 270, 240, land.ROCKS[::-1], 10)
    land.ground(
        ink, [(0, h * 0.42), (200, h * 0.4), (w, h * 0.43)], w, h, ("#b9b677", "#93a05a", "#71854a"), "green"
    )
    arc.pavilion(ink, 84, h * 0.62, 232, 140, "white", "rose", 3)
    arc.plinth(ink, 70, h * 0.62, 260, 26, "brick")
    trees.cypress(ink, 48, h * 0.67, 200)
    trees.cypress(ink, 352, h * 0.67, 200)
    pool = smooth(
        [(-30, h * 0.8), (90, h * 0.75), (230, h * 0.78), (430, h * 0.74), (430, h * 1.1), (-30, h * 1.1)]
    )
    land.water(ink, pool, "#74a0ad")
    land.pond_life(
        ink,
        (
            ("lotus", 60, h * 0.87, 16), ("duck", 160, h * 0.87, 1.7), ("duck", 250, h * 0.93, -1.6),
            ("lotus", 340, h * 0.86, 17), ("pad", 110, h * 0.95, 17), ("bud", 310, h * 0.96, 14),
        ),
    )  # fmt: skip
    with ink.at(96, h * 0.745, 0.8):
        deer(ink, "stand", "tan", True)
    with ink.at(300, h * 0.76, 1.0, True):
        birds.crane(ink)
