"""The practice brand is what `data/brand` draws, and keeps to its own palette."""

import csv

import numpy as np
import pytest
from PIL import Image

from lessons_lib.paths import SAMPLE

pytest.importorskip("skia", reason="skia-python needs the system's libGL and libEGL", exc_type=ImportError)

from data.brand import __main__ as brand
from data.brand.cards import CARDS, PALETTE, paint

FOLDER = SAMPLE.parent / "sample_brand"


def test_drawn_again_the_cards_are_the_committed_ones():
    for card in CARDS:
        committed = np.asarray(Image.open(FOLDER / card.file_name).convert("RGB"), np.float32)
        assert np.abs(paint(card, brand.SIDE).astype(np.float32) - committed).mean() < 0.5, card.name


def test_metadata_and_files_are_those_of_the_list():
    with (FOLDER / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows == [brand.metadata(c, FOLDER / c.file_name, "data/brand") for c in CARDS]
    assert {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*.png")} == {c.file_name for c in CARDS}
    assert [sum(c.split == split for c in CARDS) for split in ("train", "held_out")] == [14, 4]


@pytest.mark.parametrize("card", CARDS[::4], ids=lambda card: card.name)
def test_a_card_holds_the_palettes_colours_and_little_else(card):
    pixels = paint(card, 256).reshape(-1, 3).astype(int)
    colours = np.array(
        [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for pair in PALETTE.values() for c in pair]
    )
    distance = np.abs(pixels[:, None] - colours[None]).sum(2).min(1)
    assert (distance == 0).mean() > 0.95  # the rest is where two colours meet
