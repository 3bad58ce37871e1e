"""Pictures of animals and riders."""

from __future__ import annotations

from . import architecture as arc
from . import birds, props, trees
from . import landscape as land
from .beasts import elephant, howdah, howdah_front
from .figures import bust, riding, standing
from .horse import deer, horse
from .ink import Ink
from .ornament import spray
from .shapes import smooth
from .tiger import tiger
from .wardrobe import king, man, prince


def _bed(ink: Ink, h: float, spots: tuple[float, ...], tall: float = 42) -> None:
    for i, x in enumerate(spots):
        name = ("red", "yellow", "white", "rose", "lilac")[i % 5]
        spray(ink, x, h * 0.985, tall + ink.near(3), name, "dark", 3)


def prince_elephant(ink: Ink, w: float, h: float) -> None:
    """A prince riding a walking elephant past a tree."""
    land.sky(ink, w, h * 0.3, ("#5d8ca5", "#a9c4bd", "#e8d5a2"))
    land.streaks(ink, w, h * 0.12, ("#e9ddc4", "#d9a58e"))
    land.rocks(ink, -30, h * 0.27, 250, 120, land.ROCKS, 9)
    arc.town(ink, 210, h * 0.24, 110)
    land.ridges(ink, w, (h * 0.24, h * 0.3), ("#bdb787", "#a9ab6e"))
    land.ground(
        ink,
        [(0, h * 0.4), (140, h * 0.37), (280, h * 0.4), (w, h * 0.37)],
        w,
        h,
        ("#b9b26c", "#8f9a55", "#6f8047"),
        "green",
    )
    trees.plane_tree(ink, 352, h * 0.52, 250)
    trees.blossom_tree(ink, 40, h * 0.5, 170)
    with ink.at(174, h * 0.89, 1.14):
        elephant(ink, "walk", "curl", "slate", "crimson")
        with ink.at(0, -216, 1.02):
            hands = riding(ink, prince("saffron", "rein", "raise", "white"))
            props.held_flower(ink, *hands["far"])
    with ink.at(44, h * 0.965, 1.06):
        hands = standing(ink, man("mint", "red", "down", "hold", "full"), 3)
        props.spear(ink, *hands["far"])
    land.flock(ink, ((150, 40, 0.8), (196, 62, 0.7)), ("white", "red"))
    _bed(ink, h, (110, 190, 260, 330, 376))


def falcon_rider(ink: Ink, w: float, h: float) -> None:
    """A prince with a falcon on a horse."""
    land.sky(ink, w, h * 0.85, ("#5f9a96", "#7fb0a4", "#a9c3a0"))
    land.streaks(ink, w, h * 0.2, ("#7f8fb6", "#c9d3d2", "#d9b7a0"))
    land.ridges(ink, w, (h * 0.6, h * 0.66), ("#9fb58c", "#8aa574"), "emerald")
    trees.plane_tree(ink, 52, h * 0.76, 300)
    land.ground(ink, [(0, h * 0.74), (200, h * 0.73), (w, h * 0.75)], w, h, ("#5e7a45", "#3f5a36"), "dark")
    with ink.at(196, h * 0.92, 1.5):
        horse(ink, "#efe6d2", "walk", "black", "crimson", "#3a302c", True)
        with ink.at(2, -156, 1.25):
            hands = riding(ink, prince("gold", "rein", "raise", "red"))
            with ink.at(hands["far"][0] + 4, hands["far"][1] - 6, 1.0):
                birds.falcon(ink)
    _bed(ink, h, (26, 120, 250, 330, 376))


def black_horse(ink: Ink, w: float, h: float) -> None:
    """A man with a spear on a dark horse among hills."""
    land.sky(ink, w, h * 0.3, ("#c96f4a", "#dba57b", "#e6cf9f"))
    land.streaks(ink, w, h * 0.14, ("#e9cfae", "#9d6a86"))
    land.rocks(ink, 90, h * 0.33, 340, 170, land.ROCKS, 11)
    arc.town(ink, 14, h * 0.27, 100)
    land.ridges(ink, w, (h * 0.29, h * 0.35), ("#d3b98c", "#c7a875"), "olive")
    land.ground(
        ink,
        [(0, h * 0.43), (120, h * 0.45), (260, h * 0.42), (w, h * 0.44)],
        w,
        h,
        ("#d8b878", "#c9a566", "#b28f55"),
        "olive",
    )
    trees.blossom_tree(ink, 48, h * 0.66, 250, "pink")
    with ink.at(204, h * 0.9, 1.5):
        horse(ink, "#55423a", "walk", "black", "lapis")
        with ink.at(2, -156, 1.25):
            hands = riding(ink, man("white", "red", "rein", "raise", "full"))
            props.spear(ink, *hands["far"], 70, 40, 14)
            props.shield(ink, -18, -28, 14)
    _bed(ink, h, (30, 110, 210, 300, 370))


def deer_hunt(ink: Ink, w: float, h: float) -> None:
    """An archer on a galloping horse chasing antelopes."""
    land.sky(ink, w, h * 0.18, ("#d9a860", "#e6cf9a"))
    land.rocks(ink, -30, h * 0.24, 240, 130, land.ROCKS, 9)
    land.rocks(ink, 200, h * 0.22, 240, 110, land.ROCKS[::-1], 9)
    land.ridges(ink, w, (h * 0.21,), ("#c9bd85",), "olive")
    land.ground(
        ink,
        [(0, h * 0.27), (130, h * 0.29), (270, h * 0.25), (w, h * 0.28)],
        w,
        h,
        ("#d3c084", "#bdb46f", "#9aa15b"),
        "green",
        24,
    )
    trees.plane_tree(ink, 356, h * 0.5, 210, True)
    trees.mango_tree(ink, 34, h * 0.4, 120)
    for x, y, size, buck in ((300, 0.8, 1.1, True), (120, 0.86, 1.05, False), (262, 0.965, 1.05, True)):
        with ink.at(x, h * y, size):
            deer(ink, "leap", "tan" if buck else "#c9a77c", buck, -8)
    with ink.at(198, h * 0.61, 1.08):
        horse(ink, "#b98a62", "gallop", "#3a2a22", "emerald")
        with ink.at(2, -156, 1.22):
            hands = riding(ink, king("lilac", "draw", "reach"))
            props.bow(ink, *hands["far"], 40)
            props.quiver(ink, -16, -14)
    land.rocks(ink, -20, h * 1.01, 120, 50, land.ROCKS, 4)


def tiger_walk(ink: Ink, w: float, h: float) -> None:
    """A tiger walking by a stream among rocks."""
    land.sky(ink, w, h * 0.2, ("#7fa9b1", "#dfd7ad"))
    land.rocks(ink, -20, h * 0.3, 200, 190, land.ROCKS, 8)
    land.rocks(ink, 220, h * 0.28, 220, 150, land.ROCKS[::-1], 8)
    land.ridges(ink, w, (h * 0.24, h * 0.3), ("#b9b98a", "#a9ad70"))
    land.ground(
        ink,
        [(0, h * 0.4), (150, h * 0.37), (300, h * 0.39), (w, h * 0.37)],
        w,
        h,
        ("#b7b876", "#8d9b55", "#7a8a4c"),
        "green",
    )
    trees.plane_tree(ink, 62, h * 0.58, 280)
    trees.palm(ink, 300, h * 0.54, 220)
    trees.plantain(ink, 362, h * 0.58, 130)
    with ink.at(206, h * 0.78, 1.36):
        tiger(ink, "walk")
    bank = smooth(
        [(-30, h * 0.87), (90, h * 0.84), (220, h * 0.88), (430, h * 0.83), (430, h * 1.1), (-30, h * 1.1)]
    )
    land.water(ink, bank, "#7ea4ad")
    land.pond_life(
        ink,
        (
            ("pad", 60, h * 0.93, 18), ("lotus", 120, h * 0.94, 18), ("bud", 300, h * 0.93, 16),
            ("lotus", 346, h * 0.95, 18), ("fish", 220, h * 0.95, 1.5),
        ),
    )  # fmt: skip


def tiger_deer(ink: Ink, w: float, h: float) -> None:
    """A tiger leaping after a deer."""
    land.sky(ink, w, h * 0.18, ("#d59a62", "#e8d3a0"))
    land.rocks(ink, 20, h * 0.25, 360, 140, land.ROCKS, 13)
    land.ridges(ink, w, (h * 0.23, h * 0.29), ("#c9b585", "#c1ad72"), "olive")
    land.ground(
        ink,
        [(0, h * 0.37), (130, h * 0.35), (290, h * 0.37), (w, h * 0.34)],
        w,
        h,
        ("#d3b878", "#bfa967", "#98944f"),
        "olive",
    )
    trees.mango_tree(ink, 44, h * 0.54, 220)
    trees.blossom_tree(ink, 362, h * 0.5, 200, "red", -14)
    with ink.at(250, h * 0.61, 1.5):
        deer(ink, "leap", "tan", True, -12)
    with ink.at(222, h * 0.87, 1.22, turn=-8):
        tiger(ink, "leap")
    land.rocks(ink, 300, h * 1.0, 120, 60, land.ROCKS, 4)
    _bed(ink, h, (36, 110, 190, 262))


def peacock_garden(ink: Ink, w: float, h: float) -> None:
    """Two peacocks under a flowering tree, one with its tail open."""
    land.sky(ink, w, h * 0.7, ("#dcb972", "#e8d5a2", "#d9c98f"))
    land.curl_cloud(ink, 300, 40, 0.9)
    land.ridges(ink, w, (h * 0.5, h * 0.56), ("#b9b67c", "#a3a866"))
    trees.blossom_tree(ink, 96, h * 0.8, 450, "pink", 34)
    land.ground(ink, [(0, h * 0.64), (160, h * 0.61), (w, h * 0.65)], w, h, ("#7d8f4d", "#4f6a3a"), "dark")
    land.rocks(ink, 180, h * 0.89, 236, 150, land.ROCKS, 7)
    with ink.at(290, h * 0.72, 1.86):
        birds.peacock(ink)
    with ink.at(92, h * 0.95, 0.9):
        birds.peacock(ink, True)
    _bed(ink, h, (22, 170, 226, 290, 340, 382), 44)
    land.flock(ink, ((330, 110, 1.1), (364, 150, 0.9)), ("lapis", "red"))


def elephant_bath(ink: Ink, w: float, h: float) -> None:
    """An elephant and her calf by a lotus pond."""
    land.sky(ink, w, h * 0.2, ("#6f9fb2", "#d9d9b6"))
    land.rocks(ink, 110, h * 0.24, 200, 90, land.ROCKS, 8)
    land.ridges(ink, w, (h * 0.22,), ("#b9b785",))
    for x, tall in ((40, 190), (112, 150), (376, 170)):
        trees.palm(ink, x, h * 0.36, tall)
    land.ground(ink, [(0, h * 0.31), (170, h * 0.29), (w, h * 0.32)], w, h, ("#b3b36b", "#7d8d4b"), "green")
    trees.plane_tree(ink, 268, h * 0.4, 170)
    with ink.at(152, h * 0.76, 1.16):
        elephant(ink, "stand", "raised", "#6b6f78", "red")
        with ink.at(58, -204, 0.74):
            riding(ink, man("yellow", "saffron", "rein", "point", "side"))
    with ink.at(276, h * 0.85, 0.66):
        elephant(ink, "walk", "curl", "#5d6069", "emerald")
    pond = smooth(
        [(-30, h * 0.81), (100, h * 0.78), (240, h * 0.85), (430, h * 0.83), (430, h * 1.1), (-30, h * 1.1)]
    )
    land.water(ink, pond, "#7fa9b0")
    land.pond_life(
        ink,
        (
            ("lotus", 50, h * 0.87, 19), ("pad", 110, h * 0.9, 20), ("lotus", 190, h * 0.93, 20),
            ("duck", 100, h * 0.975, 1.4), ("lotus", 350, h * 0.92, 20), ("bud", 300, h * 0.95, 18),
            ("pad", 256, h * 0.975, 18),
        ),
    )  # fmt: skip


def howdah_king(ink: Ink, w: float, h: float) -> None:
    """A ruler in a howdah on an elephant with a driver."""
    land.sky(ink, w, h * 0.45, ("#7fb0ac", "#b7cbaa", "#e0d5a0"))
    land.streaks(ink, w, h * 0.14, ("#d99a72", "#e8d5c0"))
    land.rocks(ink, 200, h * 0.42, 240, 130, land.ROCKS, 9)
    land.ridges(ink, w, (h * 0.38, h * 0.44), ("#b5b780", "#a3aa68"))
    trees.cypress(ink, 30, h * 0.62, 260)
    trees.cypress(ink, 72, h * 0.58, 200)
    land.ground(ink, [(0, h * 0.54), (200, h * 0.52), (w, h * 0.54)], w, h, ("#9aa35c", "#6f8147"), "green")
    with ink.at(184, h * 0.93, 1.12):
        elephant(ink, "walk", "curl", "#6a6d74", "emerald")
        with ink.at(-18, -208, 1.32):
            howdah(ink)
            with ink.at(-6, -14, 1.0):
                hands = bust(ink, king("red", "hold", "raise"))
                props.held_flower(ink, *hands["far"], "white")
            howdah_front(ink)
        with ink.at(66, -206, 0.78):
            riding(ink, man("yellow", "white", "rein", "point", "side"))
    with ink.at(34, h * 0.965, 1.06):
        hands = standing(ink, man("lilac", "saffron", "down", "hold", "side"))
        props.spear(ink, *hands["far"])
    _bed(ink, h, (90, 170, 260, 372))


def pond_ducks(ink: Ink, w: float, h: float) -> None:
    """Ducks and a crane on a lotus pond."""
    land.sky(ink, w, h * 0.2, ("#d8b274", "#e9d9a8"))
    land.rocks(ink, 80, h * 0.2, 250, 80, land.ROCKS, 9)
    land.ridges(ink, w, (h * 0.18,), ("#bdb77f",))
    trees.plantain(ink, 60, h * 0.34, 150)
    trees.mango_tree(ink, 180, h * 0.32, 150)
    trees.plantain(ink, 330, h * 0.34, 160)
    land.ground(ink, [(0, h * 0.24), (180, h * 0.22), (w, h * 0.25)], w, h, ("#a7b068", "#7f904c"), "green")
    pond = smooth([
        (30, h * 0.46), (130, h * 0.36), (280, h * 0.37), (372, h * 0.46), (384, h * 0.68),
        (330, h * 0.88), (190, h * 0.93), (60, h * 0.87), (14, h * 0.66),
    ])  # fmt: skip
    land.water(ink, pond, "#6f9fac")
    land.pond_life(
        ink,
        (
            ("pad", 130, h * 0.45, 17), ("lotus", 200, h * 0.46, 19), ("bud", 300, h * 0.47, 18),
            ("duck", 130, h * 0.6, 2.3), ("lotus", 60, h * 0.68, 23), ("duck", 280, h * 0.62, -2.2),
            ("lotus", 338, h * 0.66, 22), ("duck", 180, h * 0.79, 2.5), ("lotus", 290, h * 0.8, 24),
            ("pad", 100, h * 0.83, 20), ("fish", 236, h * 0.87, 1.5), ("pad", 206, h * 0.55, 15),
        ),
    )  # fmt: skip
    with ink.at(60, h * 0.5, 1.7):
        birds.crane(ink)
    for x, y, name in (
        (110, 0.385, "lilac"), (250, 0.375, "white"), (300, 0.39, "rose"), (16, 0.62, "lilac"),
        (24, 0.8, "yellow"), (388, 0.6, "lilac"), (378, 0.8, "red"), (180, 0.365, "yellow"),
    ):  # fmt: skip
        spray(ink, x, h * y, 40, name, "green", 3)
    with ink.at(362, h * 0.44, 1.2, True):
        birds.crane(ink, "#c9cdd2")
    land.rocks(ink, 316, h * 1.0, 110, 60, land.ROCKS, 4)
    _bed(ink, h, (24, 66, 120, 190, 270))


def tree_birds(ink: Ink, w: float, h: float) -> None:
    """A large tree full of birds."""
    land.sky(ink, w, h * 0.8, ("#e6cf93", "#ecdcae", "#d8c88e"))
    land.ridges(ink, w, (h * 0.66, h * 0.72), ("#bfb577", "#a9aa63"))
    land.ground(ink, [(0, h * 0.8), (200, h * 0.78), (w, h * 0.81)], w, h, ("#86924f", "#5d7340"), "green")
    land.rocks(ink, 240, h * 0.93, 180, 100, land.ROCKS, 6)
    trees.great_tree(ink, 198, h * 0.9, 500)
    spots = (
        (84, 0.36, 1.9, "red"), (318, 0.33, -1.9, "lapis"), (196, 0.2, 1.8, "white"),
        (262, 0.47, -2.0, "saffron"), (120, 0.52, 1.9, "turquoise"), (330, 0.5, -1.7, "crimson"),
    )  # fmt: skip
    for x, y, size, name in spots:
        with ink.at(x, h * y, abs(size), size < 0):
            birds.bird(ink, name)
    land.flock(ink, ((44, h * 0.16, 1.3), (350, h * 0.14, -1.3)), ("lapis", "red"))
    with ink.at(78, h * 0.94, 1.5):
        birds.crane(ink)
    _bed(ink, h, (26, 130, 190, 250, 370))
