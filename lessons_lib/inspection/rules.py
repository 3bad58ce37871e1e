"""The checks behind a report's findings, on each picture and on the set.

Thresholds lie between practice paintings, real ones, and damaged copies of both;
see image_stats.py and duplicates.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lessons_lib.dataset import crops
from lessons_lib.dataset.archives import Problem
from lessons_lib.dataset.decode import HAS_PLACE, TRANSPARENT
from lessons_lib.dataset.messages import count_of, name_list, printable
from lessons_lib.inspection import duplicates, split
from lessons_lib.inspection.findings import Finding, InspectedPicture, Level, What
from lessons_lib.inspection.image_stats import ImageStats
from lessons_lib.inspection.split import FEWEST_TO_TRAIN
from lessons_lib.models.bases import Base

_FEW_TO_TRAIN = 6  # with fewer, the model mostly copies its pictures
BLURRED = 0.35  # see image_stats.sharpness
_FLAT, _PALE = 4, 60  # contrast, of 255
_DARK = 40  # brightness, of 255
_MOSTLY = 0.6  # share of pure white or black
_CENTRE_KEEPS = 0.6  # share of the edges that the centre square should keep
_BETTER_BY = 0.1  # share of the edges that another square must keep beyond it to be worth naming


def check_picture(one: InspectedPicture, side: int) -> list[Finding]:
    """Return the findings on one picture, for a base that draws `side` px."""
    stats = one.stats
    notes = [note for note in stats.notes if note != HAS_PLACE]
    findings = [*(Finding("fine", note) for note in notes), *_check_size(stats, side)]
    if stats.contrast < _FLAT:
        if stats.white > _MOSTLY and TRANSPARENT in stats.notes:
            return [*findings, Finding("must fix", What.WHITE_ON_WHITE)]
        return [*findings, Finding("must fix", What.ONE_COLOUR)]
    findings += _check_tones(stats)
    if stats.sharpness < BLURRED:
        detail = f"sharpness {stats.sharpness:.2f}, expected {BLURRED} or more"
        findings.append(Finding("worth a look", What.BLURRED, detail))
    if not one.picture.more.get("crop"):
        findings += _check_centre(stats)
    table_hash = one.picture.more.get("sha256")
    if table_hash and table_hash.lower() != stats.sha256:
        findings.append(Finding("worth a look", What.CHANGED))
    return findings


def add_pair_findings(pictures: Sequence[InspectedPicture]) -> None:
    """Add the findings on pictures in relation to others: copies, near-duplicates, copies across the split,
    no split.
    """
    stats = [one.stats for one in pictures]
    across = dict(duplicates.across_split(stats, [one.part == "held_out" for one in pictures]))
    for i, j in across.items():
        finding = Finding("must fix", What.COPY_ACROSS_SPLIT, f"of {pictures[j].name}")
        pictures[i].findings.append(finding)
    for i, j, is_copy in duplicates.find_duplicates(stats):
        what = What.COPY if is_copy else What.NEAR_DUPLICATE
        if i not in across:
            pictures[i].findings.append(Finding("worth a look", what, f"of {pictures[j].name}"))
    for one in pictures:
        if one.part == "unused":
            one.findings.append(Finding("worth a look", What.IN_NO_SPLIT))


def check_set(pictures: Sequence[InspectedPicture], problems: Sequence[Problem], base: Base) -> list[Finding]:
    """Return the findings on the set as a whole."""
    train = [one for one in pictures if one.part == "train"]
    held_out = [one for one in pictures if one.part == "held_out"]
    findings = [Finding("must fix", message) for message in group_problems(problems)]
    count = f"{len(train)} pictures to train on, {len(held_out)} held out for judging"
    findings += [Finding("fine", count), *_check_count(len(train))]
    if train:
        findings += _check_training(train, base)
    findings += [*_check_places(pictures), *_check_licences(pictures)]
    return findings + (_check_books(pictures) if held_out else _propose_split(pictures))


def _check_size(stats: ImageStats, side: int) -> list[Finding]:
    """Return whether a picture must be enlarged for the base."""
    short = min(stats.size)
    if short >= side:
        return []
    detail = f"{stats.size[0]} x {stats.size[1]} px, the base draws {side}"
    if 2 * short < side:
        return [Finding("must fix", What.TOO_SMALL, detail)]
    return [Finding("worth a look", What.SMALL, detail)]


def group_problems(problems: Sequence[Problem]) -> list[str]:
    """Return the messages on files, one for all files that are wrong in the same way, most files first."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for path, message in problems:
        name, text = printable(path.name), message.removeprefix(f"{printable(path)}: ")
        kinds.setdefault(re.sub(r"\(.*?\)|'[^']*'|\d[\d,.]*", "", text), []).append((name, text))
    first = {kind: next(m for _, m in problems if m.endswith(texts[0][1])) for kind, texts in kinds.items()}
    return [
        f"{len(texts)} files ({name_list(name for name, _ in texts)}): each {texts[0][1]}"
        if len(texts) > 1
        else first[kind]
        for kind, texts in sorted(kinds.items(), key=lambda pair: -len(pair[1]))
    ]


def _check_tones(stats: ImageStats) -> list[Finding]:
    """Return the first of four faults of brightness and contrast."""
    tones = {
        What.MOSTLY_WHITE: stats.white > _MOSTLY,
        What.MOSTLY_BLACK: stats.black > _MOSTLY,
        What.VERY_DARK: stats.brightness < _DARK,
        What.PALE: stats.contrast < _PALE,
    }
    detail = f"mean brightness {stats.brightness:.0f} of 255"
    return [Finding("worth a look", name, detail) for name, is_so in tones.items() if is_so][:1]


def _check_centre(stats: ImageStats) -> list[Finding]:
    """Return whether the centre square loses much of a picture, and the box that keeps more."""
    is_better = stats.best_edges - stats.centre_edges >= _BETTER_BY
    if stats.centre_edges >= _CENTRE_KEEPS and not is_better:
        return []
    box = " ".join(map(str, crops.square_box(stats.size, stats.best_start)))
    better = f"; the box {box} keeps {stats.best_edges:.0%}" if is_better else ""
    detail = f"keeps {stats.centre_edges:.0%} of the edges{better}"
    return [Finding("worth a look", What.CUT_BY_CENTRE, detail)]


def _check_count(count: int) -> list[Finding]:
    """Return whether there are too few pictures to train on."""
    if count >= _FEW_TO_TRAIN:
        return []
    level: Level = "must fix" if count < FEWEST_TO_TRAIN else "worth a look"
    why = "training needs 3" if count < FEWEST_TO_TRAIN else "with fewer than 6 the model tends to copy them"
    return [Finding(level, f"only {count} to train on: {why}. Add pictures")]


def _check_training(train: Sequence[InspectedPicture], base: Base) -> list[Finding]:
    """Return the sizes and shapes of the training pictures, and which of them have no caption."""
    short_sides = [min(one.stats.size) for one in train]
    shapes = crops.count_buckets((one.stats.size for one in train), base.side)
    shape_list = ", ".join(f"{n} of {w} x {h}" for (w, h), n in shapes[:5]) + (" ..." if shapes[5:] else "")
    without_caption = [one.name for one in train if not one.picture.caption]
    sides = f"short sides {min(short_sides)} to {max(short_sides)} px; {base.name} draws {base.side} px"
    if without_caption:
        text = f"no caption: {name_list(without_caption)}. They are trained on with the trigger word alone"
        captions = Finding("worth a look", text)
    else:
        captions = Finding("fine", "every training picture has a caption")
    return [
        Finding("fine", sides),
        Finding("fine", f"shapes, if trained in buckets: {shape_list}"),
        captions,
    ]


def _check_places(pictures: Sequence[InspectedPicture]) -> list[Finding]:
    """Return how many pictures say where they were taken."""
    names = [one.name for one in pictures if HAS_PLACE in one.stats.notes]
    if not names:
        return []
    text = (
        f"{count_of(names, 'picture')} ({name_list(names)}) with the place where it was taken in the file. "
        "Nothing that is written here contains it; the files themselves still do"
    )
    return [Finding("worth a look", text)]


def _check_licences(pictures: Sequence[InspectedPicture]) -> list[Finding]:
    """Return which pictures have no licence."""
    unknown = [one.name for one in pictures if not one.picture.rights.get("licence")]
    if unknown:
        text = f"no licence known for {name_list(unknown)}: fine to try, not to publish"
        return [Finding("worth a look", text)]
    return [Finding("fine", "every picture has a licence")] if pictures else []


def _propose_split(pictures: Sequence[InspectedPicture]) -> list[Finding]:
    """Return which pictures could be held out, where none are."""
    names = [one.name for one in split.propose(pictures)]
    is_enough = sum(one.part == "train" for one in pictures) >= split.FEWEST_TO_SPLIT
    how = "lessons train does" if is_enough else f"--hold-out {len(names)}"
    text = f"nothing is held out; to judge by, keep back {name_list(names, 8)} ({how})"
    return [Finding("worth a look", text)] if names else []


def _check_books(pictures: Sequence[InspectedPicture]) -> list[Finding]:
    """Return which books have leaves on both sides of the split."""
    books = duplicates.books_of([one.picture.rights | one.picture.more for one in pictures])
    parts: dict[str, set[str]] = {}
    for one, book in zip(pictures, books, strict=True):
        if book and one.part != "unused":
            parts.setdefault(book, set()).add(one.part)
    both = [book for book, sides in parts.items() if len(sides) == 2]
    text = f"in training and held out alike: leaves of {name_list(both)}. Keep a book on one side"
    return [Finding("worth a look", text)] if both else []
