"""The people of the album: ready-made looks and dresses."""

from __future__ import annotations

from dataclasses import replace

from .figures import Dress, Person
from .heads import Look
from .ornament import buti, chevrons, stripes

ROBES = {
    "lilac": ("lilac", buti("crimson", 7.5)),
    "saffron": ("saffron", buti("cream", 8, "brick")),
    "white": ("white", None),
    "mint": ("mint", buti("rose", 7.5)),
    "rose": ("rose", buti("cream", 8)),
    "emerald": ("emerald", buti("yellow", 8, "gold", True)),
    "red": ("red", buti("yellow", 8, "mint")),
    "lapis": ("lapis", buti("cream", 8, "gold")),
    "cream": ("cream", buti("red", 7)),
    "yellow": ("yellow", stripes("brick", 6, 3, 0.14)),
    "pinstripe": ("white", stripes("rose", 5, 0, 0.3)),
    "plum": ("plum", buti("rose", 8, "gold")),
    "turquoise": ("turquoise", chevrons("cream", 8)),
    "gold": ("#d8b152", buti("crimson", 7.5)),
    "crimson": ("crimson", buti("#e0b95a", 8, "gold", True)),
}


def dress(
    robe: str, sash: str = "gold", legs: str = "rose", boots: str = "crimson", sleeve: str = ""
) -> Dress:
    """Return a dress in one of the named robes; white robes are thin muslin."""
    name, pattern = ROBES[robe]
    return Dress(name, pattern, sash, legs, boots, robe == "white", sleeve)


def finer(person: Person, bloom: str, step: float) -> Person:
    """Return the person in cloth with smaller sprigs, for figures that are drawn large."""
    return replace(person, dress=replace(person.dress, pattern=buti(bloom, step)))


def king(robe: str = "gold", near: str = "hold", far: str = "hold") -> Person:
    """Return a ruler: halo, plume, moustache and sideburns."""
    look = Look("fair", "black", "side", "turban", "white", "gold", True, True)
    return Person(look, dress(robe, "saffron", "emerald", sleeve="white"), near, far)


def prince(robe: str = "lilac", near: str = "hold", far: str = "raise", turban: str = "saffron") -> Person:
    """Return a young prince with a plumed turban."""
    look = Look("fair", "black", "side", "turban", turban, "gold", True)
    return Person(look, dress(robe), near, far)


def man(
    robe: str = "white",
    turban: str = "red",
    near: str = "hold",
    far: str = "hold",
    beard: str = "full",
    hair: str = "black",
    sash: str = "saffron",
) -> Person:
    """Return a grown man of the court, camp or workshop."""
    look = Look("skin2", hair, beard, "turban", turban, "cream")
    return Person(look, dress(robe, sash, "ochre", "brown"), near, far)


def woman(robe: str = "crimson", veil: str = "saffron", near: str = "hold", far: str = "raise") -> Person:
    """Return a woman with a long plait under a veil."""
    look = Look("fair", "black", "none", "veil", veil)
    return Person(look, dress(robe, "emerald", "saffron"), near, far)
