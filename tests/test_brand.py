"""The practice brand keeps to its own palette."""

import numpy as np
import pytest

pytest.importorskip("skia", reason="skia-python needs the system's libGL and libEGL", exc_type=ImportError)

from data.brand.cards import CARDS, PALETTE, paint


def test_fourteen_cards_are_to_learn_from_and_four_to_judge_by():
    assert [sum(card.split == split for card in CARDS) for split in ("train", "held_out")] == [14, 4]


@pytest.mark.parametrize("card", CARDS[::4], ids=lambda card: card.name)
def test_a_card_holds_the_palettes_colours_and_little_else(card):
    pixels = paint(card, 256).reshape(-1, 3).astype(int)
    colours = np.array(
        [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for pair in PALETTE.values() for c in pair]
    )
    distance = np.abs(pixels[:, None] - colours[None]).sum(2).min(1)
    assert (distance == 0).mean() > 0.95  # the rest is where two colours meet
