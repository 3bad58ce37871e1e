"""Court pictures: thrones, windows, carpets, terraces, portraits."""

from __future__ import annotations

from . import architecture as arc
from . import furnishings as gear
from . import landscape as land
from . import props, trees
from .figures import bust, cushion, seated, standing
from .ink import Ink
from .ornament import buti, carpet, lattice, spray, stars, vine
from .shapes import polygon, rect
from .wardrobe import finer, king, man, prince, woman


def canopy_king(ink: Ink, w: float, h: float) -> None:
    """A ruler on a throne under a red canopy, with a fan bearer and an old man."""
    land.sky(ink, w, h * 0.24, ("#7fa7b5", "#dcd9bb"))
    for x, tall in ((14, 150), (90, 124), (170, 110), (240, 120), (312, 126), (388, 150)):
        trees.mango_tree(ink, x, h * 0.3, tall, "emerald")
    land.ground(ink, [(0, h * 0.3), (w / 2, h * 0.29), (w, h * 0.3)], w, h, ("#a5b173", "#93a363"), "green")
    for i in range(6):
        arc.tiles(ink, -6 + i * 69, h * 0.3, 68, h * 0.19, ("cream", "rose")[i % 2], vine("brick", 22, "red"))
    for x, y, person, flip in (
        (26, 0.62, man("turquoise", "white", "chest", "hold"), False),
        (346, 0.6, man("saffron", "emerald", "chest", "hold", "side"), True),
        (376, 0.64, man("plum", "white", "hold", "chest", "full"), True),
    ):
        with ink.at(x, h * y, 1.08, flip):
            standing(ink, person)
    gear.canopy(ink, 58, h * 0.72, 284, h * 0.6, "red", 34)
    rug = polygon([(14, h * 0.965), (386, h * 0.965), (348, h * 0.58), (52, h * 0.58)])
    carpet(ink, rug, "lapis", "crimson", vine("gold", 30, "rose", "mint"), 17)
    gear.throne(ink, 204, h * 0.8, 170, 36, "emerald")
    with ink.at(196, h * 0.765, 1.66):
        hands = seated(ink, king("gold", "lap", "raise"))
        props.held_flower(ink, *hands["far"], "red")
    with ink.at(74, h * 0.84, 1.36):
        hands = standing(ink, man("mint", "crimson", "down", "high", "side"))
        props.whisk(ink, *hands["far"])
    with ink.at(322, h * 0.92, 1.28, True):
        seated(ink, man("rose", "white", "lap", "point", "long", "#b9b4aa"))
    props.tray(ink, 228, h * 0.9)
    props.bottle(ink, 120, h * 0.93, "turquoise", 40)
    props.closed_book(ink, 172, h * 0.91, "emerald")


def window_king(ink: Ink, w: float, h: float) -> None:
    """A ruler with a halo at a palace window above a crowd of two."""
    land.sky(ink, w, h * 0.2, ("#4f7d9b", "#b9cdc0"))
    land.streaks(ink, w, h * 0.16, ("white", "rose"))
    ink.paint(rect(-5, h * 0.2, w + 10, h * 0.58), "brick", shade=0)
    arc.tiles(ink, 6, h * 0.24, 84, h * 0.5, "cream", vine("brick", 27, "red"))
    arc.tiles(ink, w - 90, h * 0.24, 84, h * 0.5, "cream", vine("brick", 27, "red"))
    arc.chhatri(ink, 46, h * 0.2, 62)
    arc.chhatri(ink, w - 46, h * 0.2, 62)
    arc.dome(ink, w / 2, h * 0.19, 84)
    arc.tiles(ink, 92, h * 0.2, w - 184, h * 0.56, "turquoise", stars("cream", 19, "lapis"))
    arc.eaves(ink, 92, h * 0.22, w - 184)
    opening = arc.arch(118, h * 0.64, w - 236, h * 0.4)
    ink.paint(opening, "plum", shift=-0.2, shade=0.5, line=1.4)
    with ink.inside(opening):
        ink.fill(rect(118, h * 0.5, 164, 90), "crimson", -0.1)
        with ink.at(192, h * 0.62, 2.25):
            hands = bust(ink, finer(king("lilac", "hold", "raise"), "crimson", 5.0))
            props.held_flower(ink, *hands["far"], "rose")
    ink.stroke(opening, "gold", 3)
    for x in (112, w - 112):
        arc.column(ink, x, h * 0.645, h * 0.3, 13)
    sill = rect(96, h * 0.615, w - 192, h * 0.1)
    carpet(ink, sill, "emerald", "gold", buti("rose", 13, "yellow"), 6)
    arc.plinth(ink, -4, h * 0.76, w + 8, h * 0.05, "white")
    ink.paint(rect(-5, h * 0.81, w + 10, h * 0.2), "sage", shade=0, pattern=buti("white", 22))
    crowd = (
        (36, 0.93, man("turquoise", "white", "chest", "hold", "side"), False),
        (366, 0.93, man("crimson", "saffron", "chest", "hold"), True),
        (128, 0.94, man("white", "emerald", "down", "raise", "full", "#b9b4aa"), False),
        (276, 0.94, man("lilac", "crimson", "down", "raise", "side"), True),
        (82, 0.985, man("yellow", "white", "chest", "raise"), False),
        (322, 0.985, man("emerald", "crimson", "chest", "raise", "side"), True),
        (168, 0.99, man("rose", "saffron", "down", "high", "full"), False),
        (238, 0.99, man("cream", "lapis", "down", "high", "side"), True),
    )  # fmt: skip
    for x, y, person, flip in crowd:
        with ink.at(x, h * y, 1.02, flip):
            standing(ink, person)


def musicians(ink: Ink, w: float, h: float) -> None:
    """Three musicians on a carpet before a pavilion."""
    land.sky(ink, w, h * 0.2, ("#c98b5a", "#e6cf9c"))
    trees.plane_tree(ink, 48, h * 0.44, 216, True)
    trees.cypress(ink, 362, h * 0.44, 200)
    ink.paint(rect(-4, h * 0.42, w + 8, h * 0.6), "white", shade=0, pattern=lattice("stone", 26, "rose"))
    arc.pavilion(ink, 104, h * 0.44, 222, 118, "cream", "rose", 3)
    arc.railing(ink, -4, h * 0.45, 112, 28)
    arc.railing(ink, 322, h * 0.45, 84, 28)
    rug = polygon([(6, h * 0.985), (394, h * 0.985), (352, h * 0.53), (48, h * 0.53)])
    carpet(ink, rug, "crimson", "lapis", vine("gold", 32, "cream", "sage"), 18)
    with ink.at(186, h * 0.69, 1.6):
        seated(ink, man("emerald", "white", "strum", "hold", "full"))
        props.drum(ink, 22, -24)
    with ink.at(104, h * 0.94, 1.98):
        hands = seated(ink, man("saffron", "crimson", "lap", "high", "side"))
        props.lute(ink, hands["near"][0] - 3, hands["near"][1] + 6)
    with ink.at(316, h * 0.94, 1.86, True):
        hands = seated(ink, woman("turquoise", "rose", "raise", "high"))
        props.tambourine(ink, hands["far"][0] + 4, hands["far"][1] - 8)
    props.tray(ink, 204, h * 0.86)
    props.bottle(ink, 208, h * 0.965, "emerald", 36)


def night_terrace(ink: Ink, w: float, h: float) -> None:
    """Two women on a white terrace at night with candles under the moon."""
    land.sky(ink, w, h * 0.36, ("#141d38", "#2c3f63", "#4a5d78"))
    land.night_sky(ink, w, h * 0.26, 80)
    land.streaks(ink, w, h * 0.2, ("#52607f", "#6b6f8c"))
    land.moon(ink, 292, h * 0.1, 31)
    for x, tall in ((20, 150), (88, 120), (150, 140), (226, 116), (290, 134), (370, 160)):
        trees.mango_tree(ink, x, h * 0.35, tall, "dark")
    land.water(ink, rect(-5, h * 0.33, w + 10, h * 0.1), "#54708c")
    land.pond_life(
        ink, (("lotus", 60, h * 0.36, 9), ("lotus", 160, h * 0.36, 9), ("duck", 250, h * 0.37, -0.8))
    )
    arc.stage(ink, -5, h * 0.42, w + 10, h * 0.6, "#d9d6cd")
    arc.railing(ink, -4, h * 0.44, w + 8, 42)
    rug = polygon([(8, h * 0.965), (392, h * 0.965), (350, h * 0.6), (50, h * 0.6)])
    carpet(ink, rug, "emerald", "crimson", vine("gold", 30, "rose", "sage"), 17)
    cushion(ink, 104, h * 0.86, 116, 104, "saffron")
    with ink.at(132, h * 0.88, 2.3):
        hands = seated(ink, woman("crimson", "saffron", "lap", "raise"))
        props.held_flower(ink, *hands["far"], "white")
    with ink.at(316, h * 0.92, 1.98, True):
        hands = standing(ink, woman("lapis", "rose", "hold", "hold"), long=True)
        props.tray(ink, hands["near"][0] + 8, hands["near"][1] - 5)
    for x, y in ((30, 0.62), (226, 0.64), (238, 0.955), (26, 0.985), (374, 0.985)):
        props.candle(ink, x, h * y, 66)


def scribe(ink: Ink, w: float, h: float) -> None:
    """An old man writing in a book beneath a window."""
    ink.paint(rect(-5, -5, w + 10, h * 0.66), "cream", shade=0, pattern=buti("rose", 24, "sage"))
    arc.tiles(ink, -4, h * 0.46, w + 8, h * 0.17, "turquoise", stars("cream", 20, "lapis"))
    opening = arc.arch(52, h * 0.46, 130, h * 0.36)
    ink.paint(opening, "#9dbfc4", shade=0.2, line=1.3)
    with ink.inside(opening):
        land.ground(ink, [(40, h * 0.36), (120, h * 0.34), (200, h * 0.37)], w, h * 0.5, ("sage", "olive"))
        trees.cypress(ink, 84, h * 0.45, 130)
        trees.blossom_tree(ink, 146, h * 0.46, 140)
    ink.stroke(opening, "gold", 4)
    niche = arc.arch(246, h * 0.44, 100, h * 0.27)
    ink.paint(niche, "brick", shade=0.4)
    ink.stroke(niche, "gold", 2.6)
    props.vase(ink, 296, h * 0.435)
    for x, name in ((262, "emerald"), (330, "lapis")):
        props.bottle(ink, x, h * 0.435, name, 34)
    arc.eaves(ink, -4, 30, w + 8)
    ink.paint(rect(-5, h * 0.62, w + 10, h * 0.4), "rose", shade=0, pattern=lattice("brick", 30))
    rug = polygon([(20, h * 0.97), (380, h * 0.97), (350, h * 0.68), (50, h * 0.68)])
    carpet(ink, rug, "lapis", "crimson", vine("gold", 30, "rose", "mint"), 17)
    cushion(ink, 118, h * 0.88, 118, 120, "emerald")
    with ink.at(150, h * 0.9, 2.5):
        seated(ink, man("pinstripe", "white", "strum", "lap", "long", "#b9b4aa"))
        props.open_book(ink, 33, -13, 0.9)
        ink.line([(17, -20), (23, -27), (30, -38)], 1.6, "brown", taper=False)
    props.closed_book(ink, 316, h * 0.92, "red")
    props.closed_book(ink, 320, h * 0.905, "emerald")
    props.bottle(ink, 352, h * 0.83, "emerald", 40)


def standing_prince(ink: Ink, w: float, h: float) -> None:
    """A man standing with a flower against a plain green ground."""
    land.sky(ink, w, h, ("#6f9a8c", "#8fb09a", "#9fb489"))
    land.streaks(ink, w, h * 0.2, ("#b9c9c6", "#d7b7a3", "#e2c9a8"))
    land.ridges(ink, w, (h * 0.72, h * 0.78), ("#9cad78", "#87a068"), "emerald")
    arc.town(ink, 290, h * 0.72, 96)
    land.ground(
        ink, [(0, h * 0.84), (200, h * 0.83), (w, h * 0.845)], w, h, ("#5d7440", "#3d5431"), "green", 30
    )
    for x, name in ((38, "red"), (96, "yellow"), (312, "pink"), (360, "red"), (268, "lilac")):
        spray(ink, x, h * 0.93 + (x % 5) * 3, 58, name, "dark", 3)
    with ink.at(196, h * 0.925, 3.05):
        hands = standing(ink, finer(prince("lilac", "hold", "raise"), "crimson", 4.8))
        props.sword(ink, 0, -82, -52)
        props.held_flower(ink, *hands["far"], "red", 6)
    land.flock(ink, ((70, 80, 1.1), (330, 120, -1.0)), ("white", "sky"))


def rose_woman(ink: Ink, w: float, h: float) -> None:
    """A woman holding a rose beneath a flowering tree."""
    land.sky(ink, w, h * 0.8, ("#d9b77c", "#e3cb97", "#cfc391"))
    land.streaks(ink, w, h * 0.16, ("#c77f55", "#f0dfb8"))
    land.ridges(ink, w, (h * 0.62, h * 0.69), ("#bdb57a", "#a6a965"))
    trees.blossom_tree(ink, 316, h * 0.86, 480, "white", -50)
    land.ground(
        ink, [(0, h * 0.76), (180, h * 0.74), (w, h * 0.77)], w, h, ("#8b8f4c", "#56693a"), "green", 28
    )
    for x, name in ((40, "red"), (88, "pink"), (348, "yellow"), (300, "red")):
        spray(ink, x, h * 0.96, 56, name, "dark", 3)
    with ink.at(164, h * 0.93, 2.8):
        lady = finer(woman("crimson", "#e0a53c", "down", "raise"), "#e0b95a", 5.0)
        hands = standing(ink, lady, long=True)
        props.held_flower(ink, *hands["far"], "red", 7)
    land.flock(ink, ((60, 90, 1.0),), ("lapis",))


def garden(ink: Ink, w: float, h: float) -> None:
    """A garden of four beds divided by channels of water, with a fountain."""
    land.sky(ink, w, h * 0.16, ("#6d9db0", "#d5dcc4"))
    for x in range(14, 400, 62):
        trees.mango_tree(ink, x, h * 0.24, 92, "emerald")
    arc.pavilion(ink, 116, h * 0.272, 168, 92, "white", "crimson", 3)
    arc.wall_panels(ink, -4, h * 0.27, 124, 46)
    arc.wall_panels(ink, 280, h * 0.27, 124, 46)
    ink.paint(rect(-5, h * 0.27, w + 10, h), "stone", shade=0, pattern=lattice("rose", 18, "brick"))
    top, mid, low = h * 0.3, h * 0.6, h * 0.9
    for x0, x1 in ((14, 172), (228, 386)):
        for y0, y1 in ((top, mid - 26), (mid + 26, low)):
            _bed(ink, x0, y0, x1 - x0, y1 - y0)
    land.water(ink, rect(186, top - 16, 28, h), "#7fa9b3", "white")
    land.water(ink, rect(-8, mid - 13, w + 16, 26), "#7fa9b3", "white")
    ink.paint(rect(150, mid - 46, 100, 92, 8), "white", shade=0.25, pattern=buti("rose", 12))
    arc.basin(ink, 200, mid + 8, 52)
    for x, y in ((200, top + 34), (200, low - 20)):
        land.lotus(ink, x, y, 10)
    with ink.at(146, h * 0.99, 0.72):
        standing(ink, prince("saffron", "hold", "raise", "white"))
    with ink.at(254, h * 0.99, 0.7, True):
        standing(ink, woman("crimson", "saffron"), long=True)


def _bed(ink: Ink, x: float, y: float, w: float, h: float) -> None:
    ink.paint(rect(x, y, w, h), "green", shade=0.3, pattern=buti("olive", 10, "dark"))
    ink.stroke(rect(x, y, w, h), "brick", 4)
    ink.contour(rect(x - 2, y - 2, w + 4, h + 4), 0.8)
    trees.cypress(ink, x + w * 0.14, y + h * 0.96, h * 0.92)
    trees.cypress(ink, x + w * 0.86, y + h * 0.96, h * 0.92)
    trees.blossom_tree(ink, x + w * 0.5, y + h * 0.72, h * 0.78, "pink" if x < 100 else "white", 6)
    for i in range(6):
        spray(
            ink,
            x + w * (0.28 + 0.09 * i),
            y + h * (0.96 - 0.05 * (i % 2)),
            22, ("red", "yellow", "white", "rose")[i % 4], "dark", 2,
        )  # fmt: skip
