"""Copies are found whatever was done to them, and leaves of one book form a group."""

import numpy as np

from lessons_lib.inspection import duplicates
from lessons_lib.inspection.image_stats import ImageStats


def stats(hash=0, mirrored=None, features=(1, 0, 0)):
    row = np.array(features, np.float16)
    turned = hash ^ (2**64 - 1) if mirrored is None else mirrored
    return ImageStats((9, 9), [], "d", 1, 1, 1, 0, 0, 1, 1, 0.5, hash, turned, b"", row)


FAR = 0xFFFF_0000_FFFF_0000
LIKE, OTHER = (0.95, 0.31, 0), (0, 0, 1)


def test_copies_mirrored_copies_and_likenesses_are_told_apart():
    every = [
        stats(0, mirrored=FAR),
        stats(0b111),
        stats(FAR, mirrored=1),
        stats(FAR ^ 0xF0F0F0F0, features=LIKE),
    ]
    assert duplicates.find_duplicates(every) == [(1, 0, True), (2, 0, True), (3, 0, False)]


def test_one_hash_and_other_features_is_no_copy():
    assert duplicates.find_duplicates([stats(0), stats(0, features=OTHER)]) == []


def test_large_sets_are_compared_block_by_block():
    chance = np.random.default_rng(0)
    every = [stats(int(h), features=OTHER) for h in chance.integers(0, 2**63, 600)]
    every[599] = stats(every[3].hash, features=OTHER)
    assert (599, 3, True) in duplicates.find_duplicates(every)


def test_a_copy_on_the_other_side_of_the_split_is_found():
    every = [stats(0), stats(FAR, features=OTHER), stats(1)]
    assert duplicates.across_split(every, [False, False, True]) == [(2, 0)]
    assert duplicates.across_split(every, [True, False, True]) == []


def test_books_and_copies_of_copies_are_one_group():
    every = [
        stats(0),
        stats(1, features=(0, 1, 0)),
        stats(FAR, features=OTHER),
        stats(FAR ^ 1, features=OTHER),
    ]
    assert duplicates.group_related(every, ["Album", "Album", "", ""]) == [0, 0, 2, 2]
    assert duplicates.group_related(every, ["Album", "", "Album", ""]) == [0, 1, 0, 0]


def test_a_source_is_a_book_unless_most_share_it():
    assert duplicates.books_of([{"book": "A"}, {"source": "B"}]) == ["A", ""]
    assert duplicates.books_of([{"source": "A"}, {"source": "B"}, {"source": "B"}, {}]) == ["A", "B", "B", ""]
    assert duplicates.books_of([{"source": "my own"}] * 3) == ["", "", ""]
