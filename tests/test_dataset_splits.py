"""A Dataset holds each picture where it belongs, and its captions can be replaced without touching it."""

import pytest

from lessons_lib.dataset import dataset
from lessons_lib.paths import SAMPLE


@pytest.fixture(scope="module")
def practice():
    return dataset.read(SAMPLE, side=128)


def test_the_practice_paintings_are_split_as_their_table_says(practice):
    assert (len(practice.train), len(practice.held_out), practice.prior) == (16, 6, [])


def test_other_captions_leave_the_set_that_was_read_alone(practice):
    before = [picture.caption for picture in practice.train]
    other = practice.with_captions(["a page"] * 16)
    assert {picture.caption for picture in other.train} == {"a page"}
    assert [picture.caption for picture in practice.train] == before
    assert other.train[0].image.tobytes() == practice.train[0].image.tobytes()


def test_a_caption_is_asked_for_each_picture(practice):
    with pytest.raises(ValueError, match="16 pictures and 2 captions"):
        practice.with_captions(["a", "b"])
