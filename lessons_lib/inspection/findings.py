"""What a report says of a picture or of a set: "must fix", "worth a look" or "fine",
and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeVar

from lessons_lib.dataset.pictures import Picture
from lessons_lib.inspection.image_stats import ImageStats

Part = Literal["train", "held_out", "unused"]
Level = Literal["must fix", "worth a look", "fine"]
LEVELS: tuple[Level, ...] = ("must fix", "worth a look", "fine")
CSS_CLASSES: dict[Level, str] = {"must fix": "must", "worth a look": "look", "fine": "fine"}


class What(StrEnum):
    """What a report says of a picture, in the same words for every picture."""

    TOO_SMALL = "too small"
    SMALL = "small"
    ONE_COLOUR = "one flat colour"
    WHITE_ON_WHITE = "white on white"
    COPY_ACROSS_SPLIT = "a copy across the split"
    COPY = "a copy of another"
    NEAR_DUPLICATE = "very like another"
    BLURRED = "blurred"
    PALE = "pale"
    VERY_DARK = "very dark"
    MOSTLY_WHITE = "mostly white"
    MOSTLY_BLACK = "mostly black"
    CUT_BY_CENTRE = "cut by the middle square"
    CHANGED = "changed since its table was written"
    IN_NO_SPLIT = "in no split"


# What to do about each finding on a picture: the same for every picture,
# so that a thousand pictures fit in a line.
ADVICE: dict[str, str] = {
    What.TOO_SMALL: (
        "They are enlarged more than twice, so most of what is learned is invented. Find larger copies"
    ),
    What.SMALL: "They are enlarged, which softens them. Find larger copies where you can",
    What.ONE_COLOUR: "There is nothing to learn from them. Leave them out",
    What.WHITE_ON_WHITE: (
        "They were put on white where they are transparent, and what is left is white as well. "
        "Put them on another colour"
    ),
    What.COPY_ACROSS_SPLIT: (
        "Judging by a picture that was learned proves nothing. Leave one of each pair out"
    ),
    What.COPY: "The model learns it twice. Keep the better one of each pair",
    What.NEAR_DUPLICATE: "Keep both only when both teach something",
    What.BLURRED: "The model learns the blur as well. Find sharper copies",
    What.PALE: (
        "Little lies between their dark and light parts. Fine for a faint drawing, else raise the contrast"
    ),
    What.VERY_DARK: "Fine at night, else brighten them",
    What.MOSTLY_WHITE: "Fine for a drawing on paper, burnt out for a photograph",
    What.MOSTLY_BLACK: "Fine on a dark ground, else brighten them",
    What.CUT_BY_CENTRE: "Look at the crop: choose a box by hand, letterbox, or train with buckets",
    What.CHANGED: "The hash in the table is another file's. Check that it is the right picture",
    What.IN_NO_SPLIT: "Others have one, so these are neither trained on nor judged by. Fill in the column",
}


@dataclass(frozen=True)
class Finding:
    """One thing to know: `what` is the same for every picture it is said of,
    `detail` is this picture's own.
    """

    level: Level
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}" if self.detail else self.what


@dataclass
class InspectedPicture:
    """A picture that can be used, with its image statistics and findings.

    `name` is safe to print and unique in its set.
    """

    name: str
    picture: Picture
    stats: ImageStats
    part: Part
    findings: list[Finding] = field(default_factory=list)

    @property
    def level(self) -> Level:
        """The gravest of its findings."""
        return min((finding.level for finding in self.findings), key=LEVELS.index, default="fine")


_WithLevel = TypeVar("_WithLevel", Finding, InspectedPicture)


def gravest_first(items: Iterable[_WithLevel]) -> list[_WithLevel]:
    """Return findings or pictures by their level, those that must be fixed first."""
    return sorted(items, key=lambda item: LEVELS.index(item.level))
