"""The report before training: what is good, what is missing and what must be fixed in a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lessons_lib import origins
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.messages import PictureError, name_list, printable
from lessons_lib.dataset.parallel import parallel_map
from lessons_lib.dataset.pictures import Picture
from lessons_lib.inspection import image_stats, rules, split
from lessons_lib.inspection.findings import ADVICE, LEVELS, Finding, InspectedPicture, Level, Part
from lessons_lib.inspection.image_stats import ImageStats
from lessons_lib.models.bases import Base


@dataclass(frozen=True)
class Report:
    """What is known of a dataset, for one base model: on each picture, and on the set.

    `dataset` holds the pictures that can be used; its problems name the others.
    """

    base: Base
    dataset: Dataset
    pictures: list[InspectedPicture]
    findings: list[Finding]

    def count(self, level: Level) -> int:
        """Return how many findings there are of a level; training should wait while there is one to fix."""
        on_pictures = (finding for one in self.pictures for finding in one.findings)
        return sum(finding.level == level for finding in [*self.findings, *on_pictures])

    def values(self) -> list[dict[str, Any]]:
        """Return the findings as plain values, gravest first: level, what, advice, a detail a picture."""
        rows: list[dict[str, Any]] = [
            {"level": one.level, "what": one.what, "advice": "", "pictures": {}} for one in self.findings
        ]
        details: dict[tuple[Level, str], dict[str, str]] = {}
        for one in self.pictures:
            for finding in one.findings:
                details.setdefault((finding.level, finding.what), {})[one.name] = finding.detail
        rows += [
            {"level": level, "what": what, "advice": ADVICE.get(what, ""), "pictures": names}
            for (level, what), names in details.items()
        ]
        return sorted(rows, key=lambda row: LEVELS.index(row["level"]))

    def hold_out(self, count: int | None = None) -> Dataset:
        """Return the dataset with some of its training pictures held out for judging.

        See `split.hold_out`.
        """
        return split.hold_out(self.dataset, self.pictures, count)

    def lines(self) -> list[str]:
        """Return the report as text, gravest first: a line for each finding on the set,
        and for each kind on pictures.
        """
        return [f"{level}: {text}" for level in LEVELS for text in self.by_level(level)]

    def by_level(self, level: Level) -> list[str]:
        """Return the findings of one level: on the set, then each kind with the pictures it is said of."""
        texts = [finding.what for finding in self.findings if finding.level == level]
        names: dict[str, list[str]] = {}
        for one in self.pictures:
            for finding in one.findings:
                if finding.level == level:
                    name = f"{one.name} ({finding.detail})" if finding.detail else one.name
                    names.setdefault(finding.what, []).append(name)
        for what, pictures in names.items():
            advice = f". {ADVICE[what]}" if what in ADVICE else ""
            texts.append(f"{what}: {name_list(pictures)}{advice}")
        return texts


def inspect(
    dataset: Dataset,
    base: Base,
    cache: Path | None = None,
    on_picture: Callable[[int, int], None] | None = None,
) -> Report:
    """Return the report on a dataset.

    Statistics are cached in a folder: a second run only reads and hashes the files.
    Each file is read once; its pixels are kept for training while the dataset's memory lasts.
    The report itself takes some 10 kB a picture. Class pictures are left out.
    `on_picture` is called with (done, total).
    """
    pictures = dataset.pictures
    parts: dict[int, Part] = {id(p): "held_out" for p in dataset.held_out}
    parts |= {id(p): "unused" for p in dataset.unused}
    inspected: list[InspectedPicture] = []
    failures: dict[Path, str] = {}
    measured, notes = _measure_all(pictures, base.side, cache, on_picture)
    for name, picture, stats in zip(_unique_names(pictures), pictures, measured, strict=True):
        if isinstance(stats, PictureError):
            failures[picture.path] = str(stats)
        else:
            inspected.append(InspectedPicture(name, picture, stats, parts.get(id(picture), "train")))
    for one in inspected:
        one.findings += rules.check_picture(one, base.side)
    rules.add_pair_findings(inspected)
    usable = dataset.without(failures)
    findings = rules.check_set(inspected, usable.problems, base)
    findings += [Finding("worth a look", note) for note in [*dataset.notes, *notes]]
    return Report(base, usable, inspected, findings)


def _unique_names(pictures: list[Picture]) -> list[str]:
    """Return the name of each picture's file, safe to print, with its folder where two have the same."""
    times = Counter(picture.path.name for picture in pictures)
    paths = [picture.path for picture in pictures]
    return [printable(p.name if times[p.name] == 1 else f"{p.parent.name}/{p.name}") for p in paths]


def _measure_all(
    pictures: list[Picture], side: int, cache: Path | None, on_picture: Callable[[int, int], None] | None
) -> tuple[list[ImageStats | PictureError], list[str]]:
    """Return the statistics of each picture, or why there are none, and notes.

    A full disk is noted once and stops nothing.
    """
    measured, notes, cached = list[ImageStats | PictureError](), list[str](), list[tuple[Path, Path]]()
    with image_stats.feature_network() as load_network:
        results = parallel_map(partial(_measure, side=side, cache=cache, load_network=load_network), pictures)
        for picture, (stats, is_cached) in zip(pictures, results, strict=True):
            if cache and isinstance(stats, ImageStats) and not is_cached:
                try:
                    image_stats.save(stats, image_stats.cache_path(cache, stats.sha256, side))
                except OSError as problem:
                    notes.append(f"The statistics are not cached for the next time: {problem}")
                    cache = None
            if cache and isinstance(stats, ImageStats):
                cached.append((picture.path, image_stats.cache_path(cache, stats.sha256, side)))
            measured.append(stats)
            if on_picture:
                on_picture(len(measured), len(pictures))
    return measured, notes + origins.record(cached)


def _measure(
    picture: Picture, side: int, cache: Path | None, load_network: Callable[[], None]
) -> tuple[ImageStats | PictureError, bool]:
    """Return a picture's statistics, or why there are none, and whether they were cached."""
    file = picture.file
    try:
        data = file.content()
        sha256 = file.hash_of(data)
        cached = image_stats.load(image_stats.cache_path(cache, sha256, side)) if cache else None
        if cached and not file.wants_pixels:
            file.remember(cached.size, cached.notes)
            return cached, True
        decoded = file.decode(data)
        file.keep(decoded)
    except PictureError as problem:
        return problem, False
    if cached:
        return cached, True
    load_network()
    return image_stats.measure(decoded, sha256, side), False
