"""Lesson 02's exercises: licences, a box for a crop, a random choice, eight pictures that differ.

And a painting with a ruler to read off.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from IPython.display import Image as NotebookImage
from PIL import Image, ImageDraw
from torch import Tensor

from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, check_letters, checker, first_hint, not_yet
from lessons_lib.dataset import crops
from lessons_lib.dataset.crops import Box
from lessons_lib.dataset.pictures import Picture
from lessons_lib.display import notebook
from lessons_lib.display.theme import INK, font
from lessons_lib.evaluation import metrics

# Exercise 1: the king at his window with all his men, who fill _SUBJECT_BOX to within TOLERANCE px.
_SUBJECT_BOX: Box = (68, 280, 527, 750)
TOLERANCE, LONGEST_SIDE = 6, 550
_PREVIEW_SIDE = 192


def with_ruler(picture: Picture) -> Image.Image:
    """Return a picture with a numbered line every 100 px of its file, and its centre square in yellow."""
    page = picture.image.convert("RGB").resize(picture.size)
    pen, (width, height) = ImageDraw.Draw(page), page.size
    for x in range(100, width, 100):
        _ruler_line(pen, (x, 0, x, height), (x, 6), str(x), "ma")
    for y in range(100, height, 100):
        _ruler_line(pen, (0, y, width, y), (6, y), str(y), "lm")
    side = min(width, height)
    x, y = (width - side) // 2, (height - side) // 2
    pen.rectangle((x, y, x + side - 1, y + side - 1), outline="yellow", width=8)
    return page


def _ruler_line(pen: ImageDraw.ImageDraw, line: Box, place: tuple[int, int], text: str, anchor: str) -> None:
    pen.line(line, fill="white")
    pen.text(place, text, fill=INK, font=font(26), anchor=anchor, stroke_width=2, stroke_fill="white")


@checker
def check_box(box: Box | None, picture: Picture) -> str:
    """Return what to say of a learner's box, in px of the file, round the king and his men."""
    if box is None:
        return NOT_ATTEMPTED
    try:
        crops.crop_to_box(picture, box, 64)
    except (ValueError, TypeError):
        width, height = picture.size
        return not_yet(f"four numbers, left < right up to {width}, top < bottom up to {height}")
    left, top, right, bottom = box
    is_cut = {
        "the plume on the king's turban": top > _SUBJECT_BOX[1] + TOLERANCE,
        "the feet in the front row": bottom < _SUBJECT_BOX[3] - TOLERANCE,
        "the man on the left": left > _SUBJECT_BOX[0] + TOLERANCE,
        "the man on the right": right < _SUBJECT_BOX[2] - TOLERANCE,
    }
    parts = ", ".join(part for part, cut in is_cut.items() if cut)
    side = max(right - left, bottom - top)
    mistakes = [
        (bool(parts), f"the box cuts {parts}"),
        (side > LONGEST_SIDE,
         f"all are in it, but its longer side is {side} px; below {LONGEST_SIDE} px they come out larger"),
    ]  # fmt: skip
    return first_hint(mistakes) or (
        f'{RIGHT}; in the column crop of metadata.csv: "{left} {top} {right} {bottom}"'
    )


def box_preview(box: Box | None, picture: Picture) -> NotebookImage | None:
    """Return the centre square beside the square round the box, or None where there is no box that fits."""
    try:
        crop = crops.crop_to_box(picture, box, _PREVIEW_SIDE) if box else None
    except (ValueError, TypeError):
        return None
    if crop is None:
        return None
    centre = crops.crop_square(picture, _PREVIEW_SIDE)
    return notebook.image_grid([centre, crop], ["centre", "by hand"], side=_PREVIEW_SIDE)


# Exercise 2: eight pictures that differ.
EIGHT, DRAWS = 8, 200


def random_diversities(features: Tensor) -> list[float]:
    """Return the diversity of random choices of eight pictures; features: those of all pictures,
    (n, width).
    """
    rng = random.Random(0)
    return [metrics.diversity(features[rng.sample(range(len(features)), EIGHT)]) for _ in range(DRAWS)]


@checker
def check_eight(numbers: Sequence[int] | None, features: Tensor) -> str:
    """Return what to say of the numbers of eight pictures; features: those of all pictures, (n, width)."""
    if numbers is None:
        return NOT_ATTEMPTED
    repeated = sorted({number for number in numbers if list(numbers).count(number) > 1})
    last = len(features) - 1
    mistakes = [
        (bool(repeated), f"{', '.join(map(str, repeated))} stands there more than once"),
        (len(numbers) != EIGHT, f"{len(numbers)} numbers; choose eight"),
        (not all(0 <= number <= last for number in numbers), f"the numbers go from 0 to {last}"),
    ]
    return first_hint(mistakes) or _judge_diversity(numbers, features)


def _judge_diversity(numbers: Sequence[int], features: Tensor) -> str:
    """Return whether eight different pictures differ more than half of all random choices do."""
    rows = features[list(numbers)]
    diversity, others = metrics.diversity(rows), random_diversities(features)
    if diversity <= np.median(others):
        place = int(metrics.pairwise_similarity(rows).nan_to_num(-1).argmax())
        first, second = sorted((numbers[place // EIGHT], numbers[place % EIGHT]))
        return not_yet(f"half of all random eights differ more; {first} and {second} are your most alike two")
    share = np.mean(np.array(others, np.float32) < diversity)
    return f"{RIGHT}: they differ more than {share:.0%} of {DRAWS} random eights"


# Exercise 3: which pictures to leave out of a set whose adapter anybody may use for anything.
RECORDS = {
    "A": 'licence "CC0-1.0 (live record: isPublicDomain true)", source: a museum',
    "B": 'licence "CC BY-NC 4.0", source: a photographer\'s page',
    "C": "no licence, source: found by an image search",
    "D": 'licence "mine", source: drawn by yourself',
    "E": 'licence "CC BY 4.0", source: a painter, who is named',
}
_LEFT_OUT = "bc"
_RECORD_HINTS = {
    "a": "is free for any use, and its museum says so today",
    "b": "forbids commercial use, and you promise any use",
    "c": "nobody knows whose it is; to find is not to be given",
    "d": "what you drew yourself is yours to give",
    "e": "CC BY allows any use that names the maker; name them in the adapter's card",
}


@checker
def check_left_out(letters: Iterable[str] | None) -> str:
    """Return what to say of the letters of the records to leave out, such as "AB"."""
    return check_letters(letters, _LEFT_OUT, _RECORD_HINTS, "record")


# Exercise 3: a random choice that can be repeated.
Subset = Callable[[Sequence[Any], int, int], "list[Any] | None"]


@checker
def check_subset(answer: Subset) -> str:
    """Return what to say of a learner's answer(pictures, count, seed): a random choice of pictures."""
    pictures = list("abcdefghijkl")
    try:
        small, large, again, other = (
            answer(list(pictures), n, s) for n, s in ((4, 0), (8, 0), (4, 0), (4, 1))
        )
    except (TypeError, ValueError, IndexError) as problem:
        return not_yet(f"it stops with {type(problem).__name__}: {problem}")
    if small is None or large is None:
        return NOT_ATTEMPTED
    mistakes = [
        (len(small) != 4 or len(large) != 8, f"{len(small)} pictures where 4 were asked for"),
        (
            len(set(small)) != 4 or len(set(large)) != 8,
            "one picture is there twice; draw without putting back",
        ),
        (small != again, "the same seed gives another choice: random.Random(seed)"),
        (small == other, "another seed gives the same choice"),
        (not set(small) <= set(large), "the four are no part of the eight: shuffle all, then take the first"),
    ]
    return first_hint(mistakes) or RIGHT


def subset_to_use(answer: Subset) -> Callable[[Sequence[Any], int, int], list[Any]]:
    """Return a learner's random choice where it is right, and else one that is."""
    if check_subset(answer) == RIGHT:
        return lambda pictures, count, seed: list(answer(pictures, count, seed) or ())
    return lambda pictures, count, seed: random.Random(seed).sample(list(pictures), len(pictures))[:count]
