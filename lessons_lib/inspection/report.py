"""The report before training: what is good, what is missing and what must be fixed in a source of pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from lessons_lib.dataset import metadata, sources
from lessons_lib.dataset.archives import Problem
from lessons_lib.dataset.decode import PictureError, shown
from lessons_lib.dataset.pictures import in_order
from lessons_lib.dataset.sources import Entry, Source
from lessons_lib.inspection import image_stats, rules
from lessons_lib.inspection.image_stats import ImageStats
from lessons_lib.inspection.rules import ADVICE, LEVELS, Finding, InspectedPicture, Level
from lessons_lib.models.bases import Base


@dataclass(frozen=True)
class Report:
    """What was found in a source, for one base model: on each picture, and on the set."""

    base: Base
    seen: list[InspectedPicture]
    overall: list[Finding]

    def count(self, level: Level) -> int:
        """Return how many things of a level there are; training should wait while there is one to fix."""
        return sum(f.level == level for f in [*self.overall, *(f for s in self.seen for f in s.findings)])


def inspect(
    source: Source,
    base: Base,
    folder: Path | None = None,
    on_picture: Callable[[int, int], None] | None = None,
) -> Report:
    """Return the report on a source. Looks are kept in `folder` where one is given: a second run only reads the files.

    Memory grows by some 10 kB a picture. Raises PictureError when there is no such source or nothing in it.
    """
    found = sources.find(source)
    seen, problems, notes = [], list(found.problems), list(found.notes)
    times = Counter(entry.path.name for entry in found.entries)
    for done, (entry, result) in enumerate(looked_at(found.entries, base.side, folder, notes), 1):
        if isinstance(result, PictureError):
            problems.append((entry.path, str(result)))
        else:
            path = entry.path
            name = path.name if times[path.name] == 1 else f"{path.parent.name}/{path.name}"
            seen.append(InspectedPicture(shown(name), entry, result, caption_of(entry, problems)))
        if on_picture:
            on_picture(done, len(found.entries))
    for one in seen:
        one.findings += rules.of_picture(one, base.side)
    rules.compare(seen)
    overall = rules.of_set(seen, problems, base)
    return Report(base, seen, [*overall, *(Finding("worth a look", note) for note in notes)])


def looked_at(
    entries: Sequence[Entry], side: int, folder: Path | None, notes: list[str]
) -> Iterator[tuple[Entry, ImageStats | PictureError]]:
    """Give each entry with its look, or with why there is none; a full disk is noted once and stops nothing."""

    def recalled(entry: Entry) -> ImageStats | None:
        try:
            return image_stats.known(entry, side, folder) if folder else None
        except PictureError:
            return None  # said below

    def measured(entry: Entry) -> ImageStats | PictureError:
        try:
            return image_stats.look(entry, side)
        except PictureError as problem:
            return problem

    known = list(in_order(recalled, entries))
    missing = [entry for entry, look in zip(entries, known, strict=True) if look is None]
    with image_stats.one_thread_each() if missing else nullcontext():
        fresh = in_order(measured, missing)
        for entry, old in zip(entries, known, strict=True):
            result = old or next(fresh)
            if folder and isinstance(result, ImageStats) and old is None:
                try:
                    image_stats.keep(result, image_stats.place(folder, result.digest, side))
                except OSError as problem:
                    notes.append(f"The findings are not kept for the next time: {problem}")
                    folder = None
            yield entry, result


def caption_of(entry: Entry, problems: list[Problem]) -> str | None:
    """Return a picture's caption, or None; one that cannot be read is a problem."""
    told = entry.row.get("caption") or entry.row.get("text")
    if told or not entry.note:
        return told or None
    try:
        return metadata.caption_in(entry.note)
    except PictureError as problem:
        problems.append((entry.path, str(problem)))
        return None


def to_train(report: Report) -> list[InspectedPicture]:
    """Return the pictures that would be trained on: those of split "train", or all where no table names splits."""
    return rules.to_train(report.seen)


def held_out(report: Report, share: float = 0.2, seed: int = 0) -> list[Path]:
    """Return the files to keep back for judging, leaves of one book and copies together; the same for the same seed."""
    return [one.entry.path for one in rules.choose(report.seen, share, seed)]


def lines(report: Report) -> list[str]:
    """Return the report as text, gravest first: a line for each finding on the set, one for each kind on pictures."""
    told: list[tuple[Level, str]] = [(f.level, f.what) for f in report.overall]
    kinds: dict[tuple[Level, str], list[str]] = {}
    for one in report.seen:
        for f in one.findings:
            name = f"{one.name} ({f.detail})" if f.detail else one.name
            kinds.setdefault((f.level, f.what), []).append(name)
    for (level, what), names in kinds.items():
        advice = f". {ADVICE[what]}" if what in ADVICE else ""
        told.append((level, f"{what}: {sources.listed(names)}{advice}"))
    return [f"{level}: {text}" for level, text in sorted(told, key=lambda t: LEVELS.index(t[0]))]
