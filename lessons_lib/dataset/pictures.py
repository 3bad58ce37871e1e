"""Pictures to learn from: every file of a source decoded, upright, in sRGB, with its caption and its rights."""

from __future__ import annotations

import copy
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PIL import Image

from lessons_lib.dataset import metadata, sources
from lessons_lib.dataset.archives import Problem
from lessons_lib.dataset.decode import PictureError, shown, unpack
from lessons_lib.dataset.sources import Entry, Source

if TYPE_CHECKING:  # torch takes seconds to load, which a report of pictures seen before need not wait for
    pass


RIGHTS = ("title", "maker", "date", "licence", "source")
KEPT = 400 * 10**6  # bytes of pictures that stay in memory; the others are decoded when they are asked for
SMALLEST = 64
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class Picture:
    """One picture, upright, 8-bit sRGB. `size` is that of the file: `image` may have been shrunk to save memory.

    `more` holds what else its table says, such as its `book` or a `crop`; `read` gives the file's bytes where it has any.
    """

    path: Path
    image: Image.Image
    rights: dict[str, str] = field(default_factory=dict)
    caption: str | None = None
    split: str | None = None
    notes: list[str] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    more: dict[str, str] = field(default_factory=dict)
    read: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)

    def with_caption(self, caption: str) -> Picture:
        """Return the same picture with another caption; its pixels are shared."""
        other = copy.copy(self)
        other.caption = caption
        return other


class Stored(Picture):
    """A picture whose `image` is decoded again each time it is asked for, so that 5,000 of them take no memory."""

    again: Callable[[], Image.Image]

    def __init__(self, picture: Picture, again: Callable[[], Image.Image]):
        self.__dict__.update(vars(picture), again=again)
        del self.image

    def __getattr__(self, name: str) -> Image.Image:
        if name != "image" or "again" not in vars(self):
            raise AttributeError(name)
        return self.again()


@dataclass(frozen=True)
class Survey:
    """What became of a source: pictures that can be used, the files that cannot and why, what was passed over."""

    pictures: list[Picture]
    problems: list[Problem]
    notes: list[str]


def load(source: Source, side: int | None = None, min_side: int = SMALLEST) -> list[Picture]:
    """Return the pictures of a folder, a zip, a list of files or an upload, every one decoded whole.

    A `metadata.csv` or `.jsonl` (columns file_name, caption or text, split, and rights) decides which files are read;
    a `NAME.txt` beside a picture is its caption where the table has none. With `side`, larger pictures are shrunk to
    twice that short side. The first 400 MB stay in memory; beyond that, an image is read again when it is asked for.
    Raises PictureError that names the first file that cannot be used, and counts the others; `survey` goes on instead.
    """
    found = survey(source, side, min_side)
    if found.problems:
        rest = [path.name for path, _ in found.problems[1:]]
        others = f" ({len(rest)} more cannot be used: {sources.listed(rest)})" if rest else ""
        raise PictureError(found.problems[0][1] + others)
    return found.pictures


def survey(source: Source, side: int | None = None, min_side: int = SMALLEST) -> Survey:
    """Return the pictures that `load` would, whatever else is there: one bad file loses no good one.

    Raises PictureError only when there is no such source, or nothing in it.
    """
    found = sources.find(source)
    pictures, problems, kept = [], list(found.problems), 0
    for entry, (picture, troubles) in zip(
        found.entries, in_order(lambda e: attempt(e, side, min_side), found.entries), strict=True
    ):
        problems += troubles
        if picture is None:
            continue
        kept += 3 * picture.image.width * picture.image.height
        pictures.append(picture if kept <= KEPT else stored(picture, entry, side))
    return Survey(pictures, problems, found.notes)


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Give work(item) for each item, in order, on a thread a core (8 at most) and only a few ahead; Pillow's warnings are silent."""
    threads = min(8, os.cpu_count() or 1)
    waiting: deque[Future[Result]] = deque()
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.simplefilter("ignore")
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def attempt(entry: Entry, side: int | None, min_side: int) -> tuple[Picture | None, list[Problem]]:
    """Return the picture, or none, and what was wrong with it or with its caption file."""
    try:
        picture = read(entry, side, min_side)
    except PictureError as problem:
        return None, [(entry.path, str(problem))]
    if picture.caption or not entry.note:
        return picture, []
    try:
        picture.caption = metadata.caption_in(entry.note)
    except PictureError as problem:
        return picture, [(entry.note[0], str(problem))]
    return picture, []


def read(entry: Entry, side: int | None = None, min_side: int = SMALLEST) -> Picture:
    """Return one file as a Picture, without its caption file. Raises PictureError: no picture, cut short, too small."""
    image, notes = unpack(entry.read(), entry.path)
    size, row = image.size, entry.row
    if min(size) < min_side:
        raise PictureError(
            f"{shown(entry.path)}: is {size[0]} x {size[1]} px; expected at least {min_side} px on the short side. "
            "Leave it out, or find a larger copy"
        )
    rights = {key: row[key] for key in RIGHTS if row.get(key)}
    more = {k: v for k, v in row.items() if v and k not in (*RIGHTS, "file_name", "caption", "text", "split")}
    caption = row.get("caption") or row.get("text") or None
    image = shrunk(image, side)
    return Picture(
        entry.path, image, rights, caption, row.get("split") or None, notes, size, more, entry.read
    )


def shrunk(image: Image.Image, side: int | None) -> Image.Image:
    """Return the picture with a short side of at most twice `side`."""
    if not side or min(image.size) <= 2 * side:
        return image
    scale = 2 * side / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def stored(picture: Picture, entry: Entry, side: int | None) -> Picture:
    """Return the picture without its pixels; they come from the file again."""
    return Stored(picture, lambda: shrunk(unpack(entry.read(), entry.path)[0], side))


def for_training(pictures: Iterable[Picture]) -> list[Picture]:
    """Return the pictures to train on: those of split "train" where a table names splits, all of them else."""
    pictures = list(pictures)
    if not any(p.split for p in pictures):
        return pictures
    chosen = [p for p in pictures if p.split == "train"]
    if not chosen:
        names = sorted({p.split for p in pictures if p.split})
        raise PictureError(
            f"metadata.csv has the splits {', '.join(names)}; expected some pictures in split train"
        )
    return chosen


def held_out(pictures: Iterable[Picture]) -> list[Picture]:
    """Return the pictures kept back for judging: every named split but "train"; none where no split is named."""
    return [p for p in pictures if p.split and p.split != "train"]
