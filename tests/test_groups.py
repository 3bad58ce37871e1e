"""Copies are found whatever was done to them, and no group is parted by the held-out choice."""

import numpy as np
import pytest

from lessons_lib.inspection import duplicates
from lessons_lib.inspection.image_stats import ImageStats


def seen(hash=0, mirrored=None, features=(1, 0, 0)):
    row = np.array(features, np.float16)
    turned = hash ^ (2**64 - 1) if mirrored is None else mirrored
    return ImageStats((9, 9), [], "d", 1, 1, 1, 0, 0, 1, 1, 0.5, hash, turned, b"", row)


FAR = 0xFFFF_0000_FFFF_0000
LIKE, OTHER = (0.95, 0.31, 0), (0, 0, 1)


def test_copies_mirrored_copies_and_likenesses_are_told_apart():
    every = [seen(0, mirrored=FAR), seen(0b111), seen(FAR, mirrored=1), seen(FAR ^ 0xF0F0F0F0, features=LIKE)]
    assert duplicates.twins(every) == [(1, 0, True), (2, 0, True), (3, 0, False)]


def test_one_hash_and_other_features_is_no_copy():
    assert duplicates.twins([seen(0), seen(0, features=OTHER)]) == []


def test_large_sets_are_compared_block_by_block():
    chance = np.random.default_rng(0)
    every = [seen(int(h), features=OTHER) for h in chance.integers(0, 2**63, 600)]
    every[599] = seen(every[3].hash, features=OTHER)
    assert (599, 3, True) in duplicates.twins(every)


def test_a_copy_on_the_other_side_of_the_split_is_a_leak():
    every = [seen(0), seen(FAR, features=OTHER), seen(1)]
    assert duplicates.leaks(every, [False, False, True]) == [(2, 0)]
    assert duplicates.leaks(every, [True, False, True]) == []


def test_books_and_copies_of_copies_are_one_group():
    every = [seen(0), seen(1, features=(0, 1, 0)), seen(FAR, features=OTHER), seen(FAR ^ 1, features=OTHER)]
    assert duplicates.together(every, ["Album", "Album", "", ""]) == [0, 0, 2, 2]
    assert duplicates.together(every, ["Album", "", "Album", ""]) == [0, 1, 0, 0]


def test_a_source_is_a_book_unless_most_share_it():
    assert duplicates.books([{"book": "A"}, {"source": "B"}]) == ["A", ""]
    assert duplicates.books([{"source": "A"}, {"source": "B"}, {"source": "B"}, {}]) == ["A", "B", "B", ""]
    assert duplicates.books([{"source": "my own"}] * 3) == ["", "", ""]


@pytest.mark.parametrize("seed", range(5))
def test_whole_groups_are_held_out_and_enough_is_left(seed):
    numbers = [0, 0, 0, 3, 3, 5, 6, 7, 8, 9]
    names = [f"{i}.png" for i in range(10)]
    chosen = duplicates.hold_out(names, numbers, share=0.3, seed=seed)
    kept = {numbers[i] for i in chosen}
    assert len(chosen) == 3 and all((numbers[i] in kept) == (i in chosen) for i in range(10))
    assert chosen == duplicates.hold_out(names, numbers, share=0.3, seed=seed)


def test_seeds_differ_and_small_sets_keep_three():
    names = [f"{i}.png" for i in range(40)]
    assert duplicates.hold_out(names, range(40), seed=1) != duplicates.hold_out(names, range(40), seed=2)
    assert duplicates.hold_out(names[:3], range(3), share=0.5) == []
    assert duplicates.hold_out(names[:10], [0] * 10) == []


def test_one_more_picture_changes_the_choice_little():
    names = [f"{i}.png" for i in range(40)]
    before, after = duplicates.hold_out(names, range(40)), duplicates.hold_out([*names, "new.png"], range(41))
    assert len(set(before) & set(after)) >= 7
