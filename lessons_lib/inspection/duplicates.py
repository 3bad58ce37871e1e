"""Which pictures belong together: copies, near-duplicates, leaves of one book."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lessons_lib.inspection.image_stats import ImageStats

# Hashes of copies (JPEG, size, brightness, mirrored) differ by at most 6 bits,
# those of other paintings by 14 or more.
_COPY_BITS = 6
# Features of other paintings in one style reach 0.80; a copy turned by 3 degrees has 0.91, half of the time.
_SIMILAR_COSINE = 0.87
_COPY_COSINE = 0.55  # few bits alone do not make a copy: think of two small things on white paper
_BLOCK = 256
_Bools = NDArray[np.bool_]


def find_duplicates(stats: Sequence[ImageStats]) -> list[tuple[int, int, bool]]:
    """Return (picture, the first before it that it repeats, whether it is a copy or only very like),
    one a picture.
    """
    duplicates = []
    for i, (copies, similar) in enumerate(_compare_all(stats)):
        earlier_copies = np.flatnonzero(copies[:i])
        earlier_similar = np.flatnonzero(similar[:i])
        is_copy = len(earlier_copies) > 0
        if is_copy or len(earlier_similar):
            duplicates.append((i, int(earlier_copies[0] if is_copy else earlier_similar[0]), is_copy))
    return duplicates


def across_split(stats: Sequence[ImageStats], is_held_out: Sequence[bool]) -> list[tuple[int, int]]:
    """Return (held-out picture, the first training picture that it is a copy of):
    a judgement by it would test memory.
    """
    held_out = np.array(is_held_out, dtype=bool)
    pairs = []
    for i, (copies, _) in enumerate(_compare_all(stats)):
        train_copies = np.flatnonzero(copies & ~held_out)
        if held_out[i] and len(train_copies):
            pairs.append((i, int(train_copies[0])))
    return pairs


def group_related(stats: Sequence[ImageStats], books: Sequence[str]) -> list[int]:
    """Return the number of each picture's group: leaves of one book (an empty name is no book),
    copies and their copies.
    """
    groups = np.arange(len(stats))
    names = np.array(books, dtype=object)
    for i, (copies, similar) in enumerate(_compare_all(stats)):
        related = copies | similar | ((names == names[i]) if books[i] else False)
        joined = np.unique(groups[related])
        groups[np.isin(groups, joined)] = joined[0]
    return [int(group) for group in groups]


def books_of(rows: Sequence[dict[str, str]]) -> list[str]:
    """Return the book of each row of a table: its `book`.

    Its `source` where no row has one and sources differ.
    A source that more than half of the pictures share, such as "own photographs", is no book.
    """
    if any(row.get("book") for row in rows):
        return [row.get("book", "") for row in rows]
    sources = [row.get("source", "") for row in rows]
    return [source if 2 * sources.count(source) <= len(rows) else "" for source in sources]


def _compare_all(stats: Sequence[ImageStats]) -> Iterator[tuple[_Bools, _Bools]]:
    """Yield for each picture which of all are copies of it, mirrored ones included,
    and which are very like it.

    Copies are found by difference hash, similarity by features; a picture counts as its own copy.
    Memory grows with the number of pictures and not with its square.
    """
    if not stats:
        return
    hashes = np.array([one.hash for one in stats], dtype=np.uint64)
    mirrored = np.array([one.mirrored_hash for one in stats], dtype=np.uint64)
    features = np.stack([one.features for one in stats]).astype(np.float32)  # (pictures, 1280)
    for start in range(0, len(stats), _BLOCK):
        for i, cosine in enumerate(features[start : start + _BLOCK] @ features.T, start):
            bits = np.minimum(np.bitwise_count(hashes ^ hashes[i]), np.bitwise_count(mirrored ^ hashes[i]))
            copies = (bits <= _COPY_BITS) & (cosine > _COPY_COSINE)
            copies[i] = True
            yield copies, (cosine >= _SIMILAR_COSINE) & ~copies
