"""Things people hold or keep beside them."""

from __future__ import annotations

import math

from .ink import Ink
from .ornament import bud, buti, flower, leaf
from .shapes import limb, oval, polygon, rect, smooth


def held_flower(ink: Ink, x: float, y: float, name: str = "red", size: float = 4.6) -> None:
    """Paint a cut flower with stem and leaves in a hand at (x, y)."""
    ink.line([(x, y + 7), (x + 1, y - 4), (x + 3, y - 12)], 1.1, "green", taper=False)
    for turn in (-140, -35):
        with ink.at(x + 1, y - 3, turn=turn):
            ink.fill(leaf(6, 1.6), "green")
    flower(ink, x + 3, y - 10 - size, size, name, 6)


def sword(ink: Ink, x: float, y: float, turn: float = 20) -> None:
    """Paint a curved sheathed sword whose hilt is at (x, y)."""
    with ink.at(x, y, turn=turn):
        ink.paint(limb([(4, 0), (-20, 4), (-44, 2), (-60, -6)], [4, 4, 3.6, 2]), "crimson", line=0.9)
        ink.paint(limb([(3, 0), (12, -2)], [3, 2.4]), "gold", line=0.7)
        ink.line([(4, -4), (4, 4)], 2.0, "gold", taper=False)
        ink.fill(oval(13, -2, 2.4), "gold")


def shield(ink: Ink, x: float, y: float, r: float = 13) -> None:
    """Paint a round hide shield with gold bosses."""
    ink.paint(oval(x, y, r), "black", shade=0.5, shift=0.08)
    ink.stroke(oval(x, y, r * 0.86), "gold", 1.2)
    for i in range(4):
        a = math.pi / 4 + i * math.pi / 2
        ink.fill(oval(x + math.cos(a) * r * 0.4, y + math.sin(a) * r * 0.4, r * 0.14), "gold")


def spear(ink: Ink, x: float, y: float, up: float = 76, down: float = 46, lean: float = 6) -> None:
    """Paint a spear passing through a hand at (x, y)."""
    ink.line([(x - lean * down / up, y + down), (x + lean, y - up)], 2.0, "brown", taper=False)
    head = leaf(18, 3.4)
    with ink.at(x + lean, y - up + 2, turn=-90 + math.degrees(math.atan2(lean, up))):
        ink.paint(head, "stone", line=0.8, shade=0.3)
        ink.fill(oval(-1, 0, 2.4), "red")


def bow(ink: Ink, x: float, y: float, pull: float = 28) -> None:
    """Paint a drawn recurved bow gripped at (x, y) with an arrow, aimed along +x."""
    ink.line(
        [
            (x - 13, y - 37), (x - 16, y - 32), (x - 2, y - 19), (x + 2, y), (x - 2, y + 19),
            (x - 16, y + 32), (x - 13, y + 37),
        ],
        3.2,
        "brick",
        taper=False,
    )  # fmt: skip
    ink.line([(x - 1, y - 18), (x + 2, y), (x - 1, y + 18)], 1.2, "gold", taper=False)
    for end in (-34, 34):
        ink.stroke(polygon([(x - 15, y + end), (x - pull, y)], False), "cream", 0.8)
    ink.stroke(polygon([(x - pull, y), (x + 20, y)], False), "brown", 1.4)
    ink.fill(polygon([(x + 18, y - 2.6), (x + 27, y), (x + 18, y + 2.6)]), "slate")


def quiver(ink: Ink, x: float, y: float) -> None:
    """Paint a quiver of arrows hanging at (x, y)."""
    with ink.at(x, y, turn=28):
        for i in range(4):
            ink.line([(-4 + i * 2.4, -4), (-5 + i * 2.8, -16)], 0.9, "brown", taper=False)
            ink.fill(oval(-5 + i * 2.8, -15, 1.5, 3.4), ("white", "red")[i % 2])
        ink.paint(
            polygon([(-7, -6), (7, -6), (4, 24), (-3, 24)]),
            "emerald",
            line=0.9,
            pattern=buti("yellow", 6, "gold", True),
        )


def lute(ink: Ink, x: float, y: float) -> None:
    """Paint a long-necked lute: gourd near (x, y), neck rising to the upper left."""
    with ink.at(x, y, turn=-128):
        ink.paint(limb([(6, 0), (50, 0), (92, 0)], [6, 5, 4.4]), "brown", line=0.9)
        for i in range(4):
            ink.paint(oval(80 + i * 4, 3.6 if i % 2 else -3.6, 1.6), "cream", line=0.5, shade=0)
        for k in (-1, 0.2, 1.2):
            ink.stroke(polygon([(-8, k * 2), (90, k)], False), "cream", 0.5)
        ink.paint(oval(-5, 0, 17, 14.5), "ochre", shade=0.5)
        ink.paint(oval(0, 0, 3.4), "black", line=0.5, shade=0)
        ink.line([(-12, -5), (-11, 0), (-12, 5)], 1.6, "brown", taper=False)


def drum(ink: Ink, x: float, y: float, name: str = "brick") -> None:
    """Paint a barrel drum lying across the lap at (x, y)."""
    body = smooth(
        [(x - 20, y - 9), (x, y - 13), (x + 20, y - 9), (x + 20, y + 9), (x, y + 13), (x - 20, y + 9)],
        tension=0.6,
    )
    ink.paint(body, name, shade=0.5)
    for i in range(6):
        px = x - 17 + i * 6.8
        ink.line([(px - 2, y - 11), (px + 4, y), (px - 2, y + 11)], 1.0, "cream", taper=False)
    for s in (-1, 1):
        ink.paint(oval(x + s * 20, y, 4.6, 9.8), "cream", line=0.9, shade=0.3)


def tambourine(ink: Ink, x: float, y: float) -> None:
    """Paint a round frame drum held at (x, y)."""
    ink.paint(oval(x, y, 13), "brick", shade=0.3)
    ink.paint(oval(x, y, 10.5), "cream", line=0.7, shade=0.3)
    for i in range(8):
        a = i * math.pi / 4
        ink.fill(oval(x + math.cos(a) * 11.8, y + math.sin(a) * 11.8, 1.5), "gold")


def whisk(ink: Ink, x: float, y: float) -> None:
    """Paint a peacock-feather fan held at (x, y)."""
    ink.line([(x - 1, y + 8), (x + 2, y - 10)], 2.4, "gold", taper=False)
    for i in range(13):
        a = -0.9 + i * 0.15
        tip = (x + 2 + math.sin(a) * 25, y - 12 - math.cos(a) * 33)
        ink.line([(x + 2, y - 10), tip], 2.4, "green", taper=False, shift=-0.1)
        ink.fill(oval(*tip, 3.3), "gold")
        ink.fill(oval(*tip, 2.2), "teal")
        ink.fill(oval(*tip, 1.0), "lapis")


def open_book(ink: Ink, x: float, y: float, size: float = 1.0) -> None:
    """Paint an open book with ruled writing, spine at (x, y)."""
    with ink.at(x, y, size):
        ink.paint(polygon([(-24, -3), (0, 4), (24, -3), (25, 2), (0, 10), (-25, 2)]), "crimson", shade=0.3)
        for s in (-1, 1):
            ink.paint(
                smooth(
                    [(0, 4), (s * 8, -1), (s * 22, -4), (s * 19, -17), (s * 7, -14), (0, -9)], tension=0.6
                ),
                "white",
                line=0.9,
                shade=0.25,
            )
            for k in range(4):
                y0 = -13 + 3.6 * k
                ink.line([(s * 4, y0 + 3), (s * 10, y0), (s * 18, y0 - 1.6)], 0.9, taper=False)


def closed_book(ink: Ink, x: float, y: float, name: str = "red") -> None:
    """Paint a shut book lying flat at (x, y)."""
    ink.paint(
        polygon([(x - 13, y), (x + 9, y), (x + 15, y - 7), (x - 7, y - 7)]),
        name,
        shade=0.3,
        pattern=buti("yellow", 7, "gold", True),
    )
    ink.paint(rect(x - 13, y, 22, 3.4), "cream", line=0.8, shade=0.2)


def candle(ink: Ink, x: float, y: float, h: float = 34) -> None:
    """Paint a lit candle on a gold stand standing on (x, y)."""
    ink.fill(oval(x, y - h, h * 0.55), "yellow", 0.2, 0.28, h * 0.2)
    base = smooth(
        [
            (x - 8, y), (x - 2.4, y - 5), (x - 2, y - h * 0.4), (x - 5, y - h * 0.5), (x + 5, y - h * 0.5),
            (x + 2, y - h * 0.4), (x + 2.4, y - 5), (x + 8, y),
        ],
        tension=0.7,
    )  # fmt: skip
    ink.paint(base, "gold", line=0.8, shade=0.3)
    ink.paint(rect(x - 2, y - h * 0.86, 4, h * 0.37), "white", line=0.6, shade=0.2)
    ink.fill(
        smooth([(x - 2.6, y - h * 0.9), (x, y - h * 1.14), (x + 2.6, y - h * 0.9), (x, y - h * 0.84)]),
        "saffron",
        0.2,
    )
    ink.fill(oval(x, y - h * 0.92, 1.3, 2.4), "white")


def bottle(ink: Ink, x: float, y: float, name: str = "turquoise", h: float = 26) -> None:
    """Paint a long-necked bottle standing on (x, y)."""
    body = smooth([
        (x - 4, y), (x - h * 0.26, y - h * 0.28), (x - h * 0.07, y - h * 0.56), (x - h * 0.06, y - h),
        (x + h * 0.06, y - h), (x + h * 0.07, y - h * 0.56), (x + h * 0.26, y - h * 0.28), (x + 4, y),
    ])  # fmt: skip
    ink.paint(body, name, line=0.9, shade=0.45)
    ink.fill(rect(x - h * 0.08, y - h * 0.58, h * 0.16, 1.8), "gold")


def tray(ink: Ink, x: float, y: float, name: str = "saffron") -> None:
    """Paint a gold dish heaped with fruit at (x, y)."""
    for i, (dx, dy) in enumerate(((-8, -5), (0, -5.5), (8, -5), (-4, -10), (4, -10), (0, -14))):
        ink.paint(oval(x + dx, y + dy, 4.6), (name, "red", "yellow")[i % 3], line=0.7, shade=0.4)
    ink.paint(
        smooth([(x - 16, y - 3), (x, y - 1), (x + 16, y - 3), (x + 9, y + 4), (x - 9, y + 4)]),
        "gold",
        line=0.9,
        shade=0.3,
    )


def vase(ink: Ink, x: float, y: float, names: tuple[str, ...] = ("red", "white", "yellow")) -> None:
    """Paint a vase of flowers standing on (x, y), about 44 tall."""
    for i in range(7):
        a = -1.0 + i * 0.33
        tip = (x + math.sin(a) * 17, y - 20 - math.cos(a) * 20)
        ink.line([(x, y - 16), tip], 1.0, "green", taper=False)
        bud(ink, *tip, 4.0, names[i % len(names)], -90 + a * 50)
    bottle(ink, x, y, "lapis", 22)


def oar(ink: Ink, x: float, y: float, dx: float, dy: float) -> None:
    """Paint an oar from a hand at (x, y) to a blade at an offset (dx, dy)."""
    ink.line([(x - dx * 0.3, y - dy * 0.3), (x + dx, y + dy)], 3.0, "brown", taper=False)
    with ink.at(x + dx, y + dy, turn=math.degrees(math.atan2(dy, dx))):
        ink.paint(leaf(24, 6), "tan", line=0.9, shade=0.3)


def boat(ink: Ink, w: float = 220, name: str = "brick") -> None:
    """Paint a river boat with an animal-headed prow on the right; deck at y=-16, water at y=6."""
    half = w / 2
    hull = smooth([
        (-half, -34), (-half * 0.86, -16), (-half * 0.3, -10), (half * 0.5, -12), (half * 0.82, -26),
        (half * 0.92, -52), (half * 1.04, -62), (half * 1.16, -56), (half * 1.08, -44), (half * 1.0, -26),
        (half * 0.78, 4), (half * 0.3, 12), (-half * 0.5, 12), (-half * 0.92, -6),
    ])  # fmt: skip
    ink.paint(hull, name, shade=0.45, line=1.4)
    with ink.inside(hull):
        ink.line(
            [(-half, -22), (-half * 0.4, -2), (half * 0.4, -2), (half * 0.95, -34)], 4.5, "gold", taper=False
        )
        for i in range(int(w / 13)):
            px = -half * 0.8 + i * 13
            flower(ink, px, 4 - 9 * (abs(px) / half) ** 2, 3.6, ("cream", "yellow")[i % 2])
    ink.fill(oval(half * 1.06, -56, 2), "black")
    ink.line([(half * 1.16, -55), (half * 1.1, -50)], 1.0)
    for i in range(4):
        ink.line([(half * (0.93 - 0.01 * i), -54 + 8 * i), (half * 0.86, -58 + 9 * i)], 2.0, "gold")
