"""Lesson 02: answers that its checkers accept. Others are as good."""

import random
from collections.abc import Sequence
from typing import Any

# Exercise 1: B forbids commercial use, and nobody knows who made C. E stays; the card names its maker.
my_letters = "BC"

# Exercise 2: left and right just outside the two outer men, top above the plume, bottom below the front feet.
my_box = (60, 272, 535, 758)


# Exercise 3: shuffle all with the seed, then take the first, so that four are a part of eight.
def my_subset(pictures: Sequence[Any], count: int, seed: int) -> list[Any]:
    return random.Random(seed).sample(list(pictures), len(pictures))[:count]


# Exercise 4: at most one rider, one animal, one boat with people. It is enough to avoid two that are alike.
my_eight = [0, 1, 3, 7, 8, 9, 11, 12]
