"""Findings on pictures and on a set of them, as "must fix", "worth a look" or "fine".

Thresholds lie where practice paintings, real ones and damaged copies of both part; see looks.py and groups.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lessons_lib.dataset import crops, sources
from lessons_lib.dataset.archives import Problem
from lessons_lib.dataset.sources import Entry
from lessons_lib.inspection import duplicates
from lessons_lib.inspection.image_stats import ImageStats
from lessons_lib.models.bases import Base

Level = Literal["must fix", "worth a look", "fine"]
LEVELS: tuple[Level, ...] = ("must fix", "worth a look", "fine")
FEWEST, FEW = 3, 6  # training refuses fewer; with fewer than six it mostly copies
BLURRED = 0.35  # see looks.sharpness
BLANK, PALE = 4, 60  # contrast, of 255
DARK, PLAIN = 40, 0.6  # brightness, of 255; share of pure white or black
KEEPS, GAIN = 0.6, 0.1  # shares of the edges: kept by the middle square; more kept by another one

# What is said of pictures, and what to do: the words are the same for every picture, so that a thousand fit in a line.
ADVICE = {
    "too small": "They are enlarged more than twice, so most of what is learned is invented. Find larger copies",
    "small": "They are enlarged, which softens them. Find larger copies where you can",
    "one flat colour": "There is nothing to learn from them. Leave them out",
    "a copy across the split": "Judging by a picture that was learned proves nothing. Leave one of each pair out",
    "a copy of another": "The model learns it twice. Keep the better one of each pair",
    "very like another": "Keep both only when both teach something",
    "blurred": "The model learns the blur as well. Find sharper copies",
    "pale": "Little lies between their dark and light parts. Fine for a faint drawing, else raise the contrast",
    "very dark": "Fine at night, else brighten them",
    "mostly white": "Fine for a drawing on paper, burnt out for a photograph",
    "mostly black": "Fine on a dark ground, else brighten them",
    "cut by the middle square": "Look at the crop: choose a box by hand, letterbox, or train with buckets",
    "changed since its table was written": "The hash in the table is another file's. Check that it is the right picture",
    "in no split": "Others have one, so these are neither trained on nor judged by. Fill in the column",
}


@dataclass(frozen=True)
class Finding:
    """One thing found: `what` is the same for every picture it is said of, `detail` is this one's own."""

    level: Level
    what: str
    detail: str = ""


@dataclass
class InspectedPicture:
    """A picture that could be used, with its row of a table and what was found; `name` is safe to print."""

    name: str
    entry: Entry
    look: ImageStats
    caption: str | None
    findings: list[Finding] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The file."""
        return self.entry.path

    @property
    def split(self) -> str:
        """As its table says, or nothing."""
        return self.entry.row.get("split", "")

    @property
    def level(self) -> Level:
        """The gravest of its findings."""
        return min((f.level for f in self.findings), key=LEVELS.index, default="fine")


def of_picture(one: InspectedPicture, side: int) -> list[Finding]:
    """Return what a picture's own look says."""
    seen, short = one.look, min(one.look.size)
    found = [Finding("fine", note) for note in seen.notes]
    if short < side:
        detail = f"{seen.size[0]} x {seen.size[1]} px, the base draws {side}"
        is_tiny = 2 * short < side
        found.append(
            Finding("must fix", "too small", detail) if is_tiny else Finding("worth a look", "small", detail)
        )
    if seen.contrast < BLANK:
        return [*found, Finding("must fix", "one flat colour")]
    tones = {
        "mostly white": seen.white > PLAIN,
        "mostly black": seen.black > PLAIN,
        "very dark": seen.brightness < DARK,
        "pale": seen.contrast < PALE,
    }
    tone = next((name for name, is_so in tones.items() if is_so), "")
    if tone:
        found.append(Finding("worth a look", tone, f"mean brightness {seen.brightness:.0f} of 255"))
    if seen.sharpness < BLURRED:
        found.append(
            Finding("worth a look", "blurred", f"sharpness {seen.sharpness:.2f}, expected {BLURRED} or more")
        )
    if not one.entry.row.get("crop") and (seen.middle < KEEPS or seen.best - seen.middle >= GAIN):
        better = f"; the box {' '.join(map(str, best_box(seen)))} keeps {seen.best:.0%}"
        detail = f"keeps {seen.middle:.0%} of the edges" + (better if seen.best - seen.middle >= GAIN else "")
        found.append(Finding("worth a look", "cut by the middle square", detail))
    told = one.entry.row.get("sha256")
    if told and told.lower() != seen.digest:
        found.append(Finding("worth a look", "changed since its table was written"))
    return found


def best_box(seen: ImageStats) -> crops.Box:
    """Return the square that keeps most edges, in px of the file, for a table's column `crop`."""
    width, height = seen.size
    side = min(seen.size)
    left, top = round(seen.start * (width - side)), round(seen.start * (height - side))
    return left, top, left + side, top + side


def compare(seen: Sequence[InspectedPicture]) -> None:
    """Add what pictures are to one another: copies, near-copies, copies across the split, and those in no split."""
    every = [one.look for one in seen]
    across = dict(duplicates.leaks(every, [one.split not in ("", "train") for one in seen]))
    for i, j in across.items():
        seen[i].findings.append(Finding("must fix", "a copy across the split", f"of {seen[j].name}"))
    for i, j, is_copy in duplicates.twins(every):
        what = "a copy of another" if is_copy else "very like another"
        if i not in across:
            seen[i].findings.append(Finding("worth a look", what, f"of {seen[j].name}"))
    if any(one.split for one in seen):
        for one in seen:
            if not one.split:
                one.findings.append(Finding("worth a look", "in no split"))


def of_set(seen: Sequence[InspectedPicture], problems: Sequence[Problem], base: Base) -> list[Finding]:
    """Return what there is to say of the pictures as a set."""
    train = to_train(seen)
    kept = [one for one in seen if one.split not in ("", "train")]
    found = [Finding("must fix", text) for _, text in problems]
    found.append(Finding("fine", f"{len(train)} pictures to train on, {len(kept)} held out for judging"))
    if len(train) < FEW:
        level: Level = "must fix" if len(train) < FEWEST else "worth a look"
        why = "training needs 3" if len(train) < FEWEST else "with fewer than 6 the model tends to copy them"
        found.append(Finding(level, f"only {len(train)} to train on: {why}. Add pictures"))
    if train:
        found += of_training(train, base)
    unknown = [one.name for one in seen if not one.entry.row.get("licence")]
    if unknown:
        text = f"no licence known for {sources.listed(unknown)}: fine to try, not to publish"
        found.append(Finding("worth a look", text))
    elif seen:
        found.append(Finding("fine", "every picture has a licence"))
    return found + of_split(seen, kept)


def to_train(seen: Sequence[InspectedPicture]) -> list[InspectedPicture]:
    """Return the pictures of split "train", or all of them where no table names splits."""
    return [one for one in seen if one.split == "train"] if any(one.split for one in seen) else list(seen)


def of_training(train: Sequence[InspectedPicture], base: Base) -> list[Finding]:
    """Return what is said of the training pictures together: sizes, shapes, captions."""
    shorts = [min(one.look.size) for one in train]
    shapes = crops.tally((one.look.size for one in train), base.side)
    shape_list = ", ".join(f"{n} of {w} x {h}" for (w, h), n in shapes[:5]) + (" ..." if shapes[5:] else "")
    mute = [one.name for one in train if not one.caption]
    return [
        Finding("fine", f"short sides {min(shorts)} to {max(shorts)} px; {base.name} draws {base.side} px"),
        Finding("fine", f"shapes, if trained in buckets: {shape_list}"),
        Finding("worth a look", f"no caption: {sources.listed(mute)}. They are taught with the trigger word alone")
        if mute else Finding("fine", "every training picture has a caption"),
    ]  # fmt: skip


def of_split(seen: Sequence[InspectedPicture], kept: Sequence[InspectedPicture]) -> list[Finding]:
    """Return which pictures could be held out where none are, or which books lie on both sides."""
    if not kept:
        names = [one.name for one in choose(seen)]
        text = f"nothing is held out; to judge by, keep back {sources.listed(names, 8)}"
        return [Finding("worth a look", text)] if names else []
    books = duplicates.books([one.entry.row for one in seen])
    sides: dict[str, set[bool]] = {}
    for one, book in zip(seen, books, strict=True):
        if book and one.split:
            sides.setdefault(book, set()).add(one.split == "train")
    both = [book for book, found in sides.items() if len(found) == 2]
    text = f"in training and held out alike: leaves of {sources.listed(both)}. Keep a book on one side"
    return [Finding("worth a look", text)] if both else []


def choose(seen: Sequence[InspectedPicture], share: float = 0.2, seed: int = 0) -> list[InspectedPicture]:
    """Return pictures to hold out, none of whose copies or whose book's other leaves stay behind; see groups.hold_out."""
    books = duplicates.books([one.entry.row for one in seen])
    numbers = duplicates.together([one.look for one in seen], books)
    return [seen[i] for i in duplicates.hold_out([one.name for one in seen], numbers, share, seed)]
