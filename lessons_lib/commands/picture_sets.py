"""The commands on a folder of pictures: what is in it, and what is removed from the cache with it."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from lessons_lib import origins, storage
from lessons_lib.display.progress import counting_bar

# As in cli.py, what loads torch is imported inside the functions.
if TYPE_CHECKING:
    from lessons_lib.inspection.report import Report
    from lessons_lib.models.bases import Base

_TAGGED = 100  # pictures; more take minutes


def check(args: Namespace) -> int:
    """Print the report on a folder and a trigger word.

    Code 1 when something must be fixed before training.
    """
    from lessons_lib.inspection import before_training, consent, html
    from lessons_lib.models import bases

    base = bases.find(args.base or "pocket")
    if args.captions:
        others = [f"--{name}" for name in ("html", "people", "prior") if getattr(args, name)]
        if others:
            raise ValueError(f"--captions prints the captions alone: leave out {' and '.join(others)}")
        return _print_captions(args, base)
    with counting_bar("looking", "picture") as on_picture:
        report, prior = before_training.reports_on(args.folder, args.prior, base, on_picture, pixel_bytes=0)
    if args.people:
        shown = [*report.dataset.pictures, *(prior.dataset.pictures if prior else ())]
        report = replace(report, findings=[*report.findings, *consent.check(shown)])
    lines = report.lines()
    if prior:
        about_prior = before_training.class_picture_lines(prior, report, args.trigger or "")
        lines += [f"--prior {args.prior}: {line}" for line in about_prior]
    lines += _coverage_lines(report, base, args.trigger or "")
    print(*lines, sep="\n")
    if args.html:
        args.html.write_text(html.render(report), encoding="utf-8")
        print(f"report   {args.html}")
    warnings = _trigger_warnings(args.trigger, report, base) if args.trigger else []
    stops = before_training.must_fix(report, prior)
    if stops:
        print(f"{len(stops)} to fix: lessons train stops at them; {before_training.OVERRULE} overrules that")
    parts = {name: len(getattr(report.dataset, name)) for name in ("train", "held_out", "unused")}
    args.emit("check", base=base.name, pictures=parts, findings=report.values(), trigger=warnings,
              must_fix=stops)  # fmt: skip
    return int(bool(stops))


def _coverage_lines(report: Report, base: Base, trigger: str) -> list[str]:
    """Return what the set never shows and shows too often: by its captions, or by tags where most pictures
    have none.
    """
    from lessons_lib.inspection import coverage
    from lessons_lib.models import judges

    train = report.dataset.train
    captions = [picture.caption for picture in train if picture.caption]
    if 2 * len(captions) >= len(train):
        return coverage.lines(captions, trigger)
    lines = coverage.tag_lines([picture.image for picture in train[:_TAGGED]], judges.find(base).tags)
    part = f"of the first {_TAGGED} pictures, " if len(train) > _TAGGED else ""
    return [part + line for line in lines]


def _trigger_warnings(trigger: str, report: Report, base: Base) -> list[str]:
    """Print and return what is wrong with a trigger word and the captions."""
    from lessons_lib.dataset import captions
    from lessons_lib.models import families

    tokenizer = families.find(base.family).load_tokenizer(base)
    lines = captions.caption_warnings(report.dataset.train, trigger, tokenizer, base.caption_tokens)
    print(*[f"! {line}" for line in lines] or [f"{trigger!r} is free to take a meaning"], sep="\n")
    return lines


def _print_captions(args: Namespace, base: Base) -> int:
    """Print every picture's captions whole, and to stderr what was decided and which words the base does not
    read.

    Code 1 when a caption or a table cannot be read. Raises ValueError without a trigger word.
    """
    from lessons_lib.dataset import captions
    from lessons_lib.dataset import dataset as datasets
    from lessons_lib.dataset.messages import printable
    from lessons_lib.models import families

    if not args.trigger:
        raise ValueError("--captions shows captions with the trigger word in them: name it with --trigger")
    dataset = datasets.scan(args.folder, pixel_bytes=0)
    tokenizer = families.find(base.family).load_tokenizer(base)
    overlong = captions.overlong_warnings(dataset.train, args.trigger, tokenizer, base.caption_tokens)
    for line in [*(text for _, text in dataset.problems), *dataset.notes, *overlong]:
        print(f"! {line}", file=sys.stderr)
    texts = captions.all_training_captions(dataset.train, args.trigger, args.mode or "style")
    for picture, of_picture in zip(dataset.train, texts, strict=True):
        for text in of_picture:
            print(f"{printable(picture.path)} | {text}")
            args.emit("caption", picture=picture.path, caption=text)
    return int(bool(dataset.problems))


def forget(args: Namespace) -> int:
    """Remove from the cache what came from a folder, or all that this course wrote, and print what that was.

    ValueError without a folder, OSError where something cannot be removed.
    """
    cache = storage.cache_dir()
    if args.all:
        count, left = origins.forget_all()
        print(f"removed the whole cache, {count} files, from {cache}")
        if left:
            print(f"! {left} files in its folders stay: nothing says that this course wrote them")
        return 0
    if not args.folder:
        raise ValueError("name the folder whose cached files are to go, or the whole cache with --all")
    count, size = origins.forget(args.folder)
    print(f"removed {count} cached files of {args.folder} ({size / 1e6:.1f} MB) from {cache}")
    if count:
        print("the pictures themselves and the runs stay")
    else:
        print("nothing there is known to come from it; what versions before 0.3 cached goes with --all")
    return 0
