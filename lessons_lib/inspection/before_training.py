"""What is said of pictures before a training starts, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lessons_lib import storage
from lessons_lib.dataset.captions import fill_placeholders, has_trigger
from lessons_lib.dataset.dataset import Dataset, scan
from lessons_lib.dataset.messages import count_of, name_list, printable
from lessons_lib.dataset.pictures import PIXEL_BYTES
from lessons_lib.dataset.sources import Source
from lessons_lib.inspection import duplicates
from lessons_lib.inspection.report import Report, inspect
from lessons_lib.inspection.rules import group_problems
from lessons_lib.models.bases import Base

OVERRULE = "--anyway"  # the option of `lessons train` that goes on without what must be fixed


def reports_on(
    folder: Source,
    prior: Source | None,
    base: Base,
    on_picture: Callable[[int, int], None] | None = None,
    pixel_bytes: int = PIXEL_BYTES,
) -> tuple[Report, Report | None]:
    """Return the reports on a folder and on its class pictures; `pixel_bytes` of each stay in memory."""
    cache = storage.cache_dir() / "image_stats"
    report = inspect(scan(folder, base.side, pixel_bytes=pixel_bytes), base, cache, on_picture)
    return report, inspect(scan(prior, base.side), base, cache) if prior else None


def lines_before(report: Report) -> list[str]:
    """Return what must be fixed and what is left out or read in its own way, worst first.

    The other findings are counted.
    """
    more = [text for text in report.by_level("worth a look") if text not in report.dataset.notes]
    rest = [f"{len(more)} more worth a look: lessons check says which"] if more else []
    return [*(f"must fix: {text}" for text in must_fix(report)), *report.dataset.notes, *rest]


def must_fix(report: Report, prior: Report | None = None) -> list[str]:
    """Return what stops a training, a line each: in the pictures, then in the class pictures."""
    return report.by_level("must fix") + (group_problems(prior.dataset.problems) if prior else [])


def training_set(report: Report, prior: Report | None, held_out: int | None, anyway: bool) -> Dataset:
    """Return the dataset to train on, some of it held out, with its class pictures.

    Raises ValueError where something must be fixed first, unless it is overruled with `anyway`, and where no
    picture is left.
    """
    lines = must_fix(report, prior)
    if lines and not anyway:
        raise ValueError(
            f"{count_of(lines, 'thing')} must be fixed before training: {lines[0]}. "
            f"{OVERRULE} trains all the same, without the files that cannot be read"
        )
    replace(report.dataset, problems=[]).check()
    dataset = report.hold_out(held_out)
    return replace(dataset, prior=prior.dataset.pictures) if prior else dataset


def class_picture_lines(prior: Report, subject: Report, trigger: str) -> list[str]:
    """Return what is wrong with class pictures: no captions, the trigger in them, the subject's own
    pictures.
    """
    lines = [*(f"must fix: {text}" for text in group_problems(prior.dataset.problems)), *prior.dataset.notes]
    pictures = prior.dataset.pictures
    class_name = " ".join(trigger.split()[1:]) or "cat"
    without = [p.path.name for p in pictures if not p.caption]
    if without:
        lines.append(
            f"{count_of(without, 'class picture')} without a caption ({name_list(without)}): an empty "
            f"caption is taught. Write what each shows, such as 'a {class_name} on a chair'"
        )
    word = (trigger.split() or [""])[0]
    holding = [
        p.path.name
        for p in pictures
        if p.caption and (has_trigger(p.caption, word) or fill_placeholders(p.caption, "") != p.caption)
    ]
    if holding:
        lines.append(
            f"{count_of(holding, 'class picture')} with the trigger word {printable(word)!r} in the caption "
            f"({name_list(holding)}): they are there to keep the class apart from it. Take the word out"
        )
    both = [*subject.pictures, *prior.pictures]
    is_class = [index >= len(subject.pictures) for index in range(len(both))]
    pairs = duplicates.across_split([one.stats for one in both], is_class)
    if pairs:
        names = [f"{both[i].name} is {both[j].name}" for i, j in pairs]
        lines.append(
            f"{count_of(pairs, 'class picture')} of the subject itself ({name_list(names)}): they teach "
            "that the subject is like any other of its class. Leave them out"
        )
    return lines
