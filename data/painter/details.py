"""The 26 details: squares of the pages that hold one thing each, painted larger and without a border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .album import ALBUM, Piece, paint

SIDE = 512  # pixels of a saved detail


@dataclass(frozen=True)
class Detail:
    """One square of a page. `left`, `top` and `side` are pixels of the page at scale 1, 592 wide."""

    name: str
    page: str
    title: str
    caption: str
    left: int
    top: int
    side: int

    @property
    def piece(self) -> Piece:
        """The page that the square is cut from; its split is the detail's."""
        return next(piece for piece in ALBUM if piece.name.startswith(self.page))

    @property
    def split(self) -> str:
        return self.piece.split

    @property
    def file_name(self) -> str:
        """Where the picture lies, seen from the metadata file."""
        return f"{self.split}/{self.name}.jpg"


DETAILS = (
    Detail("01_elephant", "01", "Elephant", "an elephant with a man on its back", 110, 298, 385),
    Detail("02_horse", "02", "Horse", "a man on a horse", 102, 268, 390),
    Detail("03_peacock", "03", "Peacock", "a peacock", 240, 300, 285),
    Detail("04_blossom", "03", "Tree in blossom", "a tree with pink flowers", 66, 78, 330),
    Detail("05_tiger", "04", "Tiger", "a tiger on grass", 72, 222, 455),
    Detail("06_palm", "04", "Palm tree", "a palm tree", 327, 148, 205),
    Detail("07_boat", "05", "Boat", "three people in a boat", 64, 225, 460),
    Detail("08_house", "06", "House with domes", "a house with white domes", 192, 140, 250),
    Detail("09_drum", "06", "Man with a drum", "a man with a drum", 198, 365, 205),
    Detail("10_king", "07", "King", "a king sitting on a carpet", 210, 385, 225),
    Detail("11_fountain", "08", "Fountain", "a fountain in a garden", 190, 365, 210),
    Detail("12_ducks", "10", "Ducks", "three ducks on a pond", 140, 370, 320),
    Detail("13_bird", "10", "White bird", "a white bird by the water", 60, 240, 205),
    Detail("14_moon", "11", "Moon", "a full moon over trees at night", 285, 108, 205),
    Detail("15_woman", "11", "Woman", "a woman sitting on a carpet", 125, 430, 232),
    Detail("16_deer", "12", "Deer", "a deer on grass", 105, 480, 210),
    Detail("17_book", "13", "Man with a book", "an old man with a book", 105, 412, 300),
    Detail("18_tree", "14", "Tree with birds", "a tree with birds in it", 100, 148, 395),
    Detail("19_prince", "15", "Prince", "a prince with a red flower", 172, 108, 300),
    Detail("20_calf", "16", "Young elephant", "a small elephant", 310, 445, 215),
    Detail("21_elephant", "17", "Elephant", "an elephant with people on its back", 115, 320, 400),
    Detail("22_horse", "18", "Horse", "a man on a dark horse", 104, 262, 387),
    Detail("23_tiger", "19", "Tiger", "a tiger jumping", 85, 335, 388),
    Detail("24_rose", "20", "Woman with a rose", "a woman with a red rose", 148, 212, 295),
    Detail("25_tent", "21", "Tent", "a big tent", 110, 270, 385),
    Detail("26_house", "22", "House", "a house between two trees", 150, 240, 290),
)  # fmt: skip


def paint_detail(detail: Detail, seed: int, side: int = SIDE) -> np.ndarray:
    """Return the detail as RGB bytes, (side, side, 3): its page is painted larger and cut."""
    scale = side / detail.side
    left, top = round(detail.left * scale), round(detail.top * scale)
    return paint(detail.piece, scale, seed)[top : top + side, left : left + side]
