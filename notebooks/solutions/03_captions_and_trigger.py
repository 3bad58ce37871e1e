"""Lesson 03: answers that its checkers accept. Others are as good."""

import re
from collections.abc import Sequence


# Exercise 1: \b is the edge of a word, so that the king in "walking" stays.
def my_replace(texts: Sequence[str], old: str, new: str) -> list[str]:
    return [re.sub(rf"\b{re.escape(old)}\b", new, text) for text in texts]


# Exercise 2: who, doing what, where. Not how it is painted.
my_caption = "a tiger jumping after a deer among rocks and trees"

# Exercise 3: in no dictionary, several tokens, and in no caption.
my_trigger = "kz4rt"

# Exercise 4: the last line that the recorded run prints; after another recording it may be another.
my_guess = "trigger"
