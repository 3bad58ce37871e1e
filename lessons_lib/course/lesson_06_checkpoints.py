"""Lesson 06: three trainings whose checkpoints are judged twice, by the picker's measures and without them.

`python -m lessons_lib.course.lesson_06_checkpoints record` trains on pages, on a character and on a brand,
and measures every checkpoint by the picker's judge and by pocket-clip, of which the picker knows nothing.
It leaves a sheet of each for a reader who has not seen the measures, in runs/experiments/checkpoints/sheets:
a row a checkpoint, under letters in random order. `read pages=C character=A brand=F --reader "who"` opens
their keys and records what the reader would keep.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from lessons_lib.adapters.run import Run
from lessons_lib.course import lesson_05, lesson_08, long_run, recorded, trials
from lessons_lib.course.lesson_10 import THINGS
from lessons_lib.course.trials import TRIGGER
from lessons_lib.dataset import dataset
from lessons_lib.dataset.captions import Mode, with_trigger
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.display import notebook
from lessons_lib.evaluation import metrics, picker
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import clip, features, judges
from lessons_lib.models.features import Images
from lessons_lib.models.judges import Judge, OfflineJudge
from lessons_lib.paths import BRAND, SAMPLE, in_course

NAME, READER = "checkpoints", "checkpoints_reader"
COUNTS = (8, 16, 32, 64, 128, 256)
OWN, OTHER = "features", "pocket-clip"  # the judge that the picker uses, and one that it does not use
LETTERS = "ABCDEF"
_PLACE = long_run.WORK_DIR / NAME
SHEETS = _PLACE / "sheets"
_SHOWN = 6  # pictures of a row of a sheet


@dataclass(frozen=True)
class Case:
    """A training: its pictures, what is drawn of its checkpoints, and the noun in the place of which the
    trigger stands, in a concept.
    """

    folder: Path
    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    noun: str = ""

    @property
    def mode(self) -> Mode:
        return "concept" if self.noun else "style"

    def read(self, side: int) -> Dataset:
        """Return the pictures; those of a concept with the trigger and its noun in their captions."""
        pictures = dataset.read(in_course(self.folder), side=side)
        if not self.noun:
            return pictures
        train, held_out = (
            lesson_08.renamed(Dataset(part), self.noun, f"{TRIGGER} {self.noun}").train
            for part in (pictures.train, pictures.held_out)
        )
        return Dataset(train, held_out)


CASES = {
    "pages": Case(SAMPLE, tuple(trials.trigger_prompts(trials.SUBJECTS)), (1, 2)),
    "character": Case(lesson_08.OWL, tuple(lesson_08.REMEDIES["class noun"].prompts), (1, 2, 3), "owl"),
    "brand": Case(BRAND, tuple(with_trigger(thing, TRIGGER) for thing in THINGS), (1,)),
}


class ClipJudge(OfflineJudge):
    """pocket-clip alone: pictures beside pictures, and pictures beside the names of the concepts."""

    def image_features(self, images: Images) -> Tensor:
        return images if isinstance(images, Tensor) else clip.image_features(images)

    def concepts(self) -> tuple[list[str], Tensor]:
        return _concept_labels()


@cache
def _concept_labels() -> tuple[list[str], Tensor]:
    names = features.load_concepts()[0]
    return names, clip.label_features([name.replace("-", " ") for name in names])


def _adapters(sampler: Sampler, name: str, seed: int) -> dict[int, Run]:
    """Return the run of every count; a training that was finished before is not repeated."""
    case, folder = CASES[name], _PLACE / recorded.base_fingerprint() / f"{name} {seed}"
    places = {count: folder / f"{count:04d}" for count in COUNTS}
    if all(place.is_dir() for place in places.values()):
        return {count: Run.load(place) for count, place in places.items()}
    pictures = case.read(sampler.base.side)
    return lesson_05.train_sweep(sampler.base, pictures, COUNTS, seed, folder, case.mode)


def _draw(sampler: Sampler, name: str, run: Run | None) -> list[Image.Image]:
    """Return the samples of a checkpoint, or of the base, prompt by prompt."""
    sampler.unload()
    if run:
        sampler.load(run.folder)
    return trials.quick_samples(sampler, CASES[name].prompts, CASES[name].seeds)


def trial(sampler: Sampler, name: str, seed: int) -> long_run.Row:
    """Return what both judges measure on every checkpoint of a training, and on the base as count 0."""
    pictures, case = CASES[name].read(sampler.base.side), CASES[name]
    groups = {part: [p.image for p in getattr(pictures, part)] for part in ("train", "held_out")}
    both: dict[str, Judge] = {OWN: judges.find(sampler.base), OTHER: ClipJudge(sampler.base.side)}
    held_out = {judge: both[judge].image_features(groups["held_out"]) for judge in both}
    ceilings = {judge: metrics.style_match(both[judge].image_features(groups["train"]), held_out[judge])
                for judge in both}  # fmt: skip
    runs: dict[int, Run | None] = {0: None, **_adapters(sampler, name, seed)}
    samples = {count: _draw(sampler, name, run) for count, run in runs.items()}
    save_sheet(name, samples, groups["held_out"])
    rows = []
    for count, run in runs.items():
        row: dict[str, Any] = {"count": count, "validation": run and run.log[-1]["validation"]}
        for judge in both:
            one = picker.measure(both[judge], count, 1.0, samples[count], case.prompts, held_out[judge])
            row[judge] = {"styles": _rounded(one.styles), "prompts": _rounded(one.prompts)}
        rows.append(row)
    return {"case": name, "ceilings": {j: round(value, 4) for j, value in ceilings.items()}, "rows": rows}


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]


def save_sheet(
    name: str, samples: Mapping[int, Sequence[Image.Image]], held_out: Sequence[Image.Image]
) -> None:
    """Save a reader's sheet: held-out pictures, the base's samples, those of each checkpoint under a letter
    in random order; and the count of each letter, in another file.
    """
    SHEETS.mkdir(parents=True, exist_ok=True)
    counts = [count for count in samples if count]
    key = dict(zip(LETTERS, random.SystemRandom().sample(counts, len(counts)), strict=False))
    step = max(1, len(samples[0]) // _SHOWN)
    rows = [samples[count][::step][:_SHOWN] for count in (0, *key.values())]
    labels = ["held out", "base", *key]
    grid = notebook.image_grid([list(held_out)[:_SHOWN], *rows], labels, side=128)
    (SHEETS / f"{name}.jpg").write_bytes(grid.data)
    (SHEETS / f"{name}.json").write_text(json.dumps(key), encoding="utf-8")


def record() -> None:
    """Make the three trainings, measure their checkpoints and save what came out, and the sheets."""
    sampler = Sampler("pocket")
    rows = long_run.resume_trials(
        _PLACE / "rows.json",
        [(f"{name}, base {recorded.base_fingerprint()}, {COUNTS}", (name, 0)) for name in CASES],
        lambda name, seed: trial(sampler, name, seed),
    )
    recorded.save(NAME, {"counts": list(COUNTS), "cases": rows})


def save_answers(answers: Mapping[str, str], reader: str) -> Path:
    """Open the keys of the sheets, and save which count a reader preferred in each case that was read."""
    keys = {name: json.loads((SHEETS / f"{name}.json").read_text(encoding="utf-8")) for name in answers}
    preferred = {name: keys[name][letter] for name, letter in answers.items()}
    return recorded.save(READER, {"reader": reader, "preferred": preferred})


def main() -> None:
    """Record the trainings, or what a reader answered."""
    parser = argparse.ArgumentParser(prog="python -m lessons_lib.course.lesson_06_checkpoints")
    parser.add_argument("what", choices=("record", "read"))
    parser.add_argument("answers", nargs="*", metavar="CASE=LETTER", help="what the reader would keep")
    parser.add_argument("--reader", default="", help="who read the sheets, and what they knew")
    args = parser.parse_args()
    if args.what == "record":
        record()
    else:
        print(save_answers(dict(one.split("=") for one in args.answers), args.reader))


if __name__ == "__main__":
    main()
