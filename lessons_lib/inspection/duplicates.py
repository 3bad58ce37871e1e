"""Which pictures belong together: copies, near-copies, leaves of one book; and a held-out choice that keeps them so."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lessons_lib.inspection.image_stats import ImageStats

BITS = 6  # hashes of copies (JPEG, size, brightness, mirrored) differ by at most 6 bits, of other paintings by 14 or more
COSINE = 0.87  # features of other paintings in one style reach 0.80; a copy turned by 3 degrees has 0.91, half of the time
BLOCK = 256
Bools = NDArray[np.bool_]


def nearness(looks: Sequence[ImageStats]) -> Iterator[tuple[Bools, Bools]]:
    """Give for each picture which of all are copies of it, mirrored ones included, and which are very like it.

    Copies are found by difference hash, likeness by features; a picture counts as its own copy. Memory grows with the
    number of pictures and not with its square.
    """
    if not looks:
        return
    plain = np.array([seen.hash for seen in looks], dtype=np.uint64)
    mirrored = np.array([seen.mirrored for seen in looks], dtype=np.uint64)
    rows = np.stack([seen.features for seen in looks]).astype(np.float32)
    for start in range(0, len(looks), BLOCK):
        for i, cosine in enumerate(rows[start : start + BLOCK] @ rows.T, start):
            bits = np.minimum(np.bitwise_count(plain ^ plain[i]), np.bitwise_count(mirrored ^ plain[i]))
            copies = (bits <= BITS) & (cosine > 0.55)  # few bits alone: two small things on white paper
            copies[i] = True
            yield copies, (cosine >= COSINE) & ~copies


def twins(looks: Sequence[ImageStats]) -> list[tuple[int, int, bool]]:
    """Return (picture, the first before it that it repeats, whether it is a copy or only very like), one a picture."""
    found = []
    for i, (copies, similar) in enumerate(nearness(looks)):
        earlier = np.flatnonzero(copies[:i])
        like = np.flatnonzero(similar[:i])
        if len(earlier) or len(like):
            found.append((i, int(earlier[0] if len(earlier) else like[0]), bool(len(earlier))))
    return found


def leaks(looks: Sequence[ImageStats], is_kept: Sequence[bool]) -> list[tuple[int, int]]:
    """Return (picture held out, the first training picture that it is a copy of): judging by it would judge memory."""
    kept = np.array(is_kept, dtype=bool)
    pairs = ((i, np.flatnonzero(copies & ~kept)) for i, (copies, _) in enumerate(nearness(looks)) if kept[i])
    return [(i, int(found[0])) for i, found in pairs if len(found)]


def together(looks: Sequence[ImageStats], books: Sequence[str]) -> list[int]:
    """Return a group's number for each picture: leaves of one book (no name, no book), copies and their copies."""
    numbers = np.arange(len(looks))
    names = np.array(books, dtype=object)
    for i, (copies, similar) in enumerate(nearness(looks)):
        near = copies | similar | ((names == names[i]) if books[i] else False)
        joined = np.unique(numbers[near])
        numbers[np.isin(numbers, joined)] = joined[0]
    return [int(n) for n in numbers]


def books(rows: Sequence[dict[str, str]]) -> list[str]:
    """Return the book of each row of a table: its `book`; its `source` where no row has one and sources tell apart.

    A source that more than half of the pictures share, such as "own photographs", is no book.
    """
    if any(row.get("book") for row in rows):
        return [row.get("book", "") for row in rows]
    named = [row.get("source", "") for row in rows]
    return [name if 2 * named.count(name) <= len(rows) else "" for name in named]


def hold_out(names: Sequence[str], numbers: Sequence[int], share: float = 0.2, seed: int = 0) -> list[int]:
    """Return which pictures to keep back for judging, whole groups only: about `share` of them, at least 3 left over.

    The order in which groups are asked is drawn from their names and the seed, so that one more picture changes little.
    A group that does not fit is passed over; none may fit, where all pictures are of one book.
    """
    room = min(round(share * len(names)), len(names) - 3)
    groups: dict[int, list[int]] = {}
    for index, number in enumerate(numbers):
        groups.setdefault(number, []).append(index)

    def lot(group: list[int]) -> str:
        return hashlib.sha256(f"{seed} {min(names[i] for i in group)}".encode("utf-8", "replace")).hexdigest()

    chosen: list[int] = []
    for group in sorted(groups.values(), key=lot):
        if len(chosen) + len(group) <= room:
            chosen += group
    return sorted(chosen)
