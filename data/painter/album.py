"""The 22 pages: name, split, title, caption, margin and the scene to paint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import scenes_beasts as beasts
from . import scenes_court as court
from . import scenes_land as country
from .ink import Ink
from .page import Margin, Page


@dataclass(frozen=True)
class Piece:
    """One page of the album."""

    split: str
    name: str
    title: str
    caption: str
    margin: str
    draw: Callable[[Ink, float, float], None]

    @property
    def file_name(self) -> str:
        """Where the picture lies, seen from the metadata file."""
        return f"{self.split}/{self.name}.jpg"


MARGINS = {
    "buff": Margin(strip="#d6a072", strip_ink="#f0dca8", sides=(50, 58, 68)),
    "cream": Margin("cream", "sprays", lines=(("gold", 5), ("emerald", 2), ("cream", 2),
                                              ("lapis", 3), ("gold", 3)), sides=(50, 56, 66)),
    "peach": Margin("#dcae87", "sprays", ("brick", "plum", "lapis", "cream"), "#5d6b3c",
                    strip="#2f3f63", strip_ink="#d6b25c"),
    "blue": Margin("#2c3d60", "gold", ("#d9b75f", "#e0c982"), "#bd9746",
                   (("gold", 4), ("cream", 3), ("red", 2), ("gold", 4)), sides=(48, 54, 64)),
    "rose": Margin("#d9a796", "gold", ("#c08f35", "#f0dfb0"), "#b08432",
                   (("gold", 4), ("lapis", 3), ("cream", 2), ("gold", 3)), "#efe0bb", "#a8432b"),
    "sand": Margin("#d9c193", "gold", ("#b9892f", "#a8432b"), "#ad8334",
                   (("gold", 5), ("red", 2), ("cream", 3), ("emerald", 2), ("gold", 2)),
                   sides=(46, 50, 60)),
    "red": Margin("#9c2f2c", "scroll", ("#e2bf67", "#efdca5"), "#cfa24a",
                  (("gold", 4), ("cream", 4), ("lapis", 2), ("gold", 3)), size=(592, 816),
                  sides=(44, 46, 54)),
    "green": Margin("#5f7a63", "scroll", ("#e6c877", "#efdca5", "#d99f8f"), "#d2ad58",
                    (("gold", 4), ("red", 2), ("cream", 3), ("gold", 3)), sides=(46, 50, 58)),
    "ivory": Margin("#eadfc3", "gold", ("#c99d3f", "#c7a55c"), "#c09a48",
                    (("gold", 4), ("red", 2), ("cream", 2), ("lapis", 4), ("gold", 3)), "#b9533a",
                    "#ecd08a"),
    "tea": Margin("#c9a873", "sprays", ("cream", "brick", "lapis", "yellow"), "#4d5c35",
                  sides=(48, 54, 64)),
}  # fmt: skip

ALBUM = (
    Piece("train", "01_prince_on_elephant", "Prince on an elephant",
          "a prince riding an elephant past a tree, a man walking behind", "buff",
          beasts.prince_elephant),
    Piece("train", "02_prince_with_falcon", "Prince with a falcon",
          "a prince with a falcon riding a black and white horse", "peach", beasts.falcon_rider),
    Piece("train", "03_peacock", "Peacocks under a tree",
          "two peacocks under a tree with pink flowers, one tail open", "blue",
          beasts.peacock_garden),
    Piece("train", "04_tiger", "Tiger by a stream",
          "a tiger walking between trees and rocks by a stream", "sand", beasts.tiger_walk),
    Piece("train", "05_boat", "King in a boat",
          "a king with two men in a boat under a red umbrella", "cream", country.river_boat),
    Piece("train", "06_musicians", "Three musicians",
          "three people playing music on a red carpet, one with a drum", "rose", court.musicians),
    Piece("train", "07_king_under_canopy", "King under a canopy",
          "a king on a throne under a red tent roof with his men", "buff", court.canopy_king),
    Piece("train", "08_garden", "Garden of four parts",
          "a garden with trees, flowers, water channels and a fountain", "ivory", court.garden),
    Piece("train", "09_king_at_window", "King at a window",
          "a king at a castle window and many men standing below", "blue", court.window_king),
    Piece("train", "10_ducks_on_pond", "Ducks on a pond",
          "ducks and lotus flowers on a pond with two tall birds", "tea", beasts.pond_ducks),
    Piece("train", "11_night_terrace", "Night on the terrace",
          "two women at night with candles under a full moon", "peach", court.night_terrace),
    Piece("train", "12_deer_hunt", "Deer hunt",
          "a king on a horse with bow and arrow chasing deer", "cream", beasts.deer_hunt),
    Piece("train", "13_man_with_book", "Man writing a book",
          "an old man with a white beard writing in a book", "green", court.scribe),
    Piece("train", "14_tree_with_birds", "Tree with birds",
          "birds of many colours in a big tree above flowers", "rose", beasts.tree_birds),
    Piece("train", "15_prince_with_flower", "Prince with a flower",
          "a prince standing with a sword and holding a red flower", "sand", court.standing_prince),
    Piece("train", "16_elephants_at_pond", "Elephants at a pond",
          "a big elephant and a small elephant by a lotus pond", "red", beasts.elephant_bath),
    Piece("held_out", "17_king_on_elephant", "King on an elephant",
          "a king sitting in a covered seat on a walking elephant", "sand", beasts.howdah_king),
    Piece("held_out", "18_man_on_horse", "Man on a horse",
          "a man with a spear riding a dark horse near mountains", "ivory", beasts.black_horse),
    Piece("held_out", "19_tiger_and_deer", "Tiger and deer",
          "a tiger jumping after a deer among rocks and trees", "buff", beasts.tiger_deer),
    Piece("held_out", "20_woman_with_rose", "Woman with a rose",
          "a woman in a red dress holding a rose under a tree", "blue", court.rose_woman),
    Piece("held_out", "21_mountain_camp", "Camp in the mountains",
          "a big red tent in front of mountains with three men", "tea", country.mountain_camp),
    Piece("held_out", "22_palace_in_hills", "House in the mountains",
          "a white house in the mountains by a pond with ducks", "peach", country.hill_palace),
)  # fmt: skip


def paint(piece: Piece, scale: float, seed: int) -> np.ndarray:
    """Return the finished page as RGB bytes."""
    page = Page(piece.name, MARGINS[piece.margin], scale, seed)
    with page.field() as (ink, w, h):
        piece.draw(ink, w, h)
    return page.finish()
