"""Which pictures to hold out for judging: near-duplicates and leaves of one book stay on one side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from lessons_lib.dataset.dataset import Dataset
from lessons_lib.inspection import duplicates
from lessons_lib.inspection.findings import InspectedPicture

FEWEST_TO_TRAIN = 3
MOST_HELD_OUT = 100  # by default
FEWEST_TO_SPLIT = 10  # pictures; of fewer, none is held out unless that is asked for


def hold_out(dataset: Dataset, pictures: Sequence[InspectedPicture], count: int | None = None) -> Dataset:
    """Return the dataset with some training pictures held out.

    As it is where its table names held-out pictures.
    `count`: how many at most, by default 1 in 5 of ten or more, and no more than 100. Whole groups only, so
    fewer may be held out.
    Raises ValueError when fewer than three would be left to learn from.
    """
    if dataset.held_out:
        return dataset
    total = len(dataset.train)
    if count is None:
        count = _default_count(total) if total >= FEWEST_TO_SPLIT else 0
    if count == 0:
        return dataset
    if not 0 < count <= total - FEWEST_TO_TRAIN:
        raise ValueError(
            f"found {total} pictures and --hold-out {count}; expected at least {FEWEST_TO_TRAIN} left to "
            "learn from. Add pictures or hold fewer out"
        )
    paths = {one.picture.path for one in propose(pictures, count)}
    return replace(
        dataset,
        train=[picture for picture in dataset.train if picture.path not in paths],
        held_out=[picture for picture in dataset.train if picture.path in paths],
    )


def _default_count(total: int) -> int:
    """Return how many of so many pictures are proposed to be held out: 1 in 5, at most MOST_HELD_OUT."""
    return min(total // 5, MOST_HELD_OUT)


def propose(
    pictures: Sequence[InspectedPicture], count: int | None = None, seed: int = 0
) -> list[InspectedPicture]:
    """Return training pictures to hold out, of which no copy and no other leaf of the same book stays
    behind. `count`: how many at most, by default `_default_count`.
    """
    train = [one for one in pictures if one.part == "train"]
    share = (_default_count(len(train)) if count is None else count) / max(1, len(train))
    books = duplicates.books_of([one.picture.rights | one.picture.more for one in train])
    groups = duplicates.group_related([one.stats for one in train], books)
    return [train[i] for i in choose_groups([one.name for one in train], groups, share, seed)]


def choose_groups(
    names: Sequence[str], groups: Sequence[int], share: float = 0.2, seed: int = 0
) -> list[int]:
    """Return which pictures to hold out, whole groups only: about `share` of them, with at least 3 left over.

    The order of the groups comes from a hash of their names and the seed,
    so that one more picture changes little. A group that does not fit is skipped; none may fit,
    where all pictures are of one book.
    """
    room = min(round(share * len(names)), len(names) - FEWEST_TO_TRAIN)
    members: dict[int, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)

    def order(indices: list[int]) -> str:
        first = min(names[i] for i in indices)
        return hashlib.sha256(f"{seed} {first}".encode("utf-8", "replace")).hexdigest()

    held_out: list[int] = []
    for indices in sorted(members.values(), key=order):
        if len(held_out) + len(indices) <= room:
            held_out += indices
    return sorted(held_out)
