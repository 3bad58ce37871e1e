"""What lesson 02 brings along: a folder spoilt on purpose, a painting with a ruler, checkers for three exercises.

`python -m lessons_lib.course.choosing` draws the lesson's opening picture.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from IPython.display import Image as Shown
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from torch import Tensor

from lessons_lib.dataset import crops, pictures
from lessons_lib.dataset.crops import Box
from lessons_lib.dataset.pictures import Picture
from lessons_lib.display import notebook
from lessons_lib.display.theme import INK, font
from lessons_lib.evaluation import metrics
from lessons_lib.paths import NOTEBOOK_PICTURES, SAMPLE

TRAIN = SAMPLE / "train"
OPENING = NOTEBOOK_PICTURES / "02_choose.jpg"
UNTOUCHED, RIGHT = "not attempted yet", "right"


def same(image: Image.Image) -> Image.Image:
    return image


# Name in the folder: the painting it is made from, and what is done to it.
FILES: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "birds": ("14_tree_with_birds", same),
    "boat": ("05_boat", lambda image: image.resize((48, 67))),
    "deer": ("12_deer_hunt", same),
    "falcon": ("02_prince_with_falcon", lambda image: image.filter(ImageFilter.GaussianBlur(8))),
    "garden": ("08_garden", same),
    "peacock": ("03_peacock", same),
    "tiger": ("04_tiger", same),
    "tiger_2": ("04_tiger", lambda image: ImageOps.mirror(image).point(lambda value: value * 9 // 10)),
}
NO_PICTURE = "notes.jpg"


def bad_folder(folder: str | Path) -> Path:
    """Fill a folder with eight pictures, of which three are spoilt, and a text that calls itself .jpg; return it.

    Files of the same names are written over, others left alone. Raises OSError when it cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (painting, change) in FILES.items():
        with Image.open(TRAIN / f"{painting}.jpg") as image:
            change(image.convert("RGB")).save(folder / f"{name}.jpg", quality=92)
    (folder / NO_PICTURE).write_text("remember: ask for the large scans\n", encoding="utf-8")
    return folder


def detail(picture: Picture, box: Box) -> Picture:
    """Return a part of a picture as one of its own; the box is left, top, right, bottom in px of `image`."""
    part = picture.image.crop(box)
    return replace(picture, image=part, size=part.size)


def ruled(picture: Picture, step: int = 100) -> Image.Image:
    """Return a picture with a numbered line every `step` px of its file, and its middle square in yellow."""
    page = picture.image.convert("RGB").resize(picture.size)
    pen, (width, height) = ImageDraw.Draw(page), page.size
    for at in range(step, max(width, height), step):
        down = ((at, 0, at, height), (at, 6), "ma")
        across = ((0, at, width, at), (6, at), "lm")
        for line, place, anchor in [down] * (at < width) + [across] * (at < height):
            pen.line(line, fill="white")
            pen.text(
                place, str(at), fill=INK, font=font(26), anchor=anchor, stroke_width=2, stroke_fill="white"
            )
    side = min(width, height)
    x, y = (width - side) // 2, (height - side) // 2
    pen.rectangle((x, y, x + side - 1, y + side - 1), outline="yellow", width=8)
    return page


def opening(path: Path) -> None:
    """Write the lesson's opening picture: the pictures of the bad folder, numbered."""
    with tempfile.TemporaryDirectory() as folder:
        images = [picture.image for picture in pictures.survey(bad_folder(folder), min_side=1).pictures]
    path.write_bytes(notebook.image_grid(images, [str(i) for i in range(1, len(images) + 1)], side=112).data)


# Exercise 1: the king at his window with all his men, who reach from SUBJECT's left to its right, give or take 6 px.
WINDOW = "09_king_at_window.jpg"
SUBJECT: Box = (68, 280, 527, 750)
SLACK, LOOSE = 6, 550


def check_box(box: Box | None, picture: Picture) -> str:
    """Return what is to be said of a learner's box, in px of the file, round the king and his men."""
    if box is None:
        return UNTOUCHED
    try:
        crops.by_hand(picture, box, 64)
    except (ValueError, TypeError):
        return f"not yet: four numbers, left < right up to {picture.size[0]}, top < bottom up to {picture.size[1]}"
    left, top, right, bottom = box
    cut = {
        "the plume on the king's turban": top > SUBJECT[1] + SLACK,
        "the feet in the front row": bottom < SUBJECT[3] - SLACK,
        "the man on the left": left > SUBJECT[0] + SLACK,
        "the man on the right": right < SUBJECT[2] - SLACK,
    }
    lost = [name for name, is_cut in cut.items() if is_cut]
    if lost:
        return f"not yet: the box cuts {', '.join(lost)}"
    side = max(right - left, bottom - top)
    if side > LOOSE:
        return (
            f"not yet: all are in it, but its longer side is {side} px; below {LOOSE} px they come out larger"
        )
    return f'{RIGHT}; in the column crop of metadata.csv: "{left} {top} {right} {bottom}"'


def cropped(box: Box | None, picture: Picture, side: int = 192) -> Shown | None:
    """Return the middle square beside the square round the box, or nothing where there is no box that fits."""
    try:
        own = crops.by_hand(picture, box, side) if box else None
    except (ValueError, TypeError):
        return None
    return (
        notebook.image_grid([crops.cut(picture, side), own], ["middle", "by hand"], side=side)
        if own
        else None
    )


# Exercise 2: eight pictures that differ.
EIGHT, DRAWS = 8, 200


def random_eights(rows: Tensor) -> list[float]:
    """Return the diversity of random choices of eight; `rows` are features of all pictures, (n, 1280)."""
    draw = random.Random(0)
    return [metrics.diversity(rows[draw.sample(range(len(rows)), EIGHT)]) for _ in range(DRAWS)]


def check_eight(chosen: Sequence[int] | None, rows: Tensor) -> str:
    """Return what is to be said of eight numbers of pictures; `rows` are features of all of them, (n, 1280)."""
    if chosen is None:
        return UNTOUCHED
    twice = sorted({number for number in chosen if list(chosen).count(number) > 1})
    if twice:
        return f"not yet: {', '.join(map(str, twice))} stands there more than once"
    if len(chosen) != EIGHT:
        return f"not yet: {len(chosen)} numbers; choose eight"
    if not all(0 <= number < len(rows) for number in chosen):
        return f"not yet: the numbers go from 0 to {len(rows) - 1}"
    own = rows[list(chosen)]
    others = random_eights(rows)
    if metrics.diversity(own) <= np.median(others):
        best = int(metrics.pairwise_similarity(own).nan_to_num(-1).argmax())
        pair = sorted((chosen[best // EIGHT], chosen[best % EIGHT]))
        return (
            f"not yet: half of all random eights differ more; {pair[0]} and {pair[1]} are your most alike two"
        )
    share = np.mean(torch.tensor(others).numpy() < metrics.diversity(own))
    return f"{RIGHT}: they differ more than {share:.0%} of {DRAWS} random eights"


# Exercise 3: which pictures to leave out of a set whose adapter anybody may use for anything.
RECORDS = {
    "A": 'licence "CC0-1.0 (live record: isPublicDomain true)", source: a museum',
    "B": 'licence "CC BY-NC 4.0", source: a photographer\'s page',
    "C": "no licence, source: found by an image search",
    "D": 'licence "mine", source: drawn by yourself',
    "E": 'licence "CC BY 4.0", source: a painter, who is named',
}
OUT = set("BC")


def check_left_out(letters: str | None) -> str:
    """Return what is to be said of the letters of the records to leave out, such as "AB"."""
    if letters is None:
        return UNTOUCHED
    chosen = {letter for letter in letters.upper() if letter.isalpha()}
    if chosen - set(RECORDS):
        return "not yet: expected letters from A to E"
    hints = [
        ("B" not in chosen, "one that stays forbids commercial use, and you promise any use"),
        ("C" not in chosen, "of one that stays nobody knows whose it is; found is not given"),
        ("A" in chosen, "A is free for any use, and its museum says so today"),
        ("D" in chosen, "what you drew yourself is yours to give"),
        ("E" in chosen, "CC BY allows any use that names the maker; name them in the adapter's card"),
    ]
    wrong = [hint for is_so, hint in hints if is_so]
    return f"not yet: {wrong[0]}" if wrong else RIGHT


if __name__ == "__main__":
    opening(OPENING)
