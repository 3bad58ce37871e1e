"""The practice paintings: seeds, pages and details of them."""

import numpy as np
import pytest

pytest.importorskip("skia", reason="skia-python needs the system's libGL and libEGL", exc_type=ImportError)

from data.painter.album import ALBUM, paint
from data.painter.details import DETAILS, paint_detail


@pytest.mark.parametrize("piece", ALBUM[:3], ids=lambda piece: piece.name)
def test_the_same_seed_draws_the_same_page_and_another_seed_another(piece):
    first, again, other = (paint(piece, scale=0.25, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_details_to_learn_from_and_to_judge_by_come_from_different_pages():
    pages = {split: {d.page for d in DETAILS if d.split == split} for split in ("train", "held_out")}
    assert not pages["train"] & pages["held_out"]
    assert [sum(d.split == split for d in DETAILS) for split in pages] == [20, 6]


def test_every_detail_shows_a_third_to_four_fifths_of_a_pages_width():
    assert all(0.34 <= detail.side / 592 <= 0.78 for detail in DETAILS)
    assert paint_detail(DETAILS[0], seed=7, side=64).shape == (64, 64, 3)
