"""Lesson 07's museum: every fault with every seed, its losses, its measures and a strip of pictures.

`python -m lessons_lib.course.lesson_07_record record 11 12 13` trains them anew with these seeds, some
minutes a seed; a run that was stopped goes on. The pictures lie in notebooks/recorded/exhibits.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from lessons_lib.course import lesson_07, lesson_07_faults, long_run, recorded
from lessons_lib.course.lesson_07 import Exhibit, Images, Recipe
from lessons_lib.course.lesson_07_faults import FAULTS
from lessons_lib.course.lesson_07_measures import HEALTHY, measure
from lessons_lib.course.long_run import Row
from lessons_lib.display.notebook import jpeg
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases, judges
from lessons_lib.models.bases import Base
from lessons_lib.models.pixels import to_square
from lessons_lib.paths import RECORDED

NAME = "museum"
SEEDS = (11, 12, 13)
STRIPS = RECORDED / "exhibits"
TILE = 84  # px
# Of the samples, in the strip from left to right.
COLUMNS = ("base_images", "with_trigger", "in_other_program", "without_trigger", "of_training_captions")
LETTERS = "ABCDEFGHIJKL"
_WORK = long_run.WORK_DIR / f"{NAME}.json"


def row_of(judge: judges.Judge, fault: str, seed: int, exhibit: Exhibit, usual: Images) -> Row:
    """Return a training in the form in which it is recorded; `usual` as in `measure`."""
    losses = [round(loss, 3) for loss in exhibit.losses if math.isfinite(loss)]  # JSON has no NaN
    levels = {step: level for step, level in exhibit.validation.items() if math.isfinite(level)}
    validation = {str(step): round(level, 4) for step, level in levels.items()}
    values = measure(judge, exhibit, usual).items()
    measures = {name: value if math.isfinite(value) else None for name, value in values}
    return {"fault": fault, "seed": seed, "losses": losses, "validation": validation, "measures": measures}


def strip_of(exhibit: Exhibit) -> Image.Image:
    """Return the samples as one picture: a column for each of `COLUMNS`, a row for each prompt."""
    columns = [getattr(exhibit.samples, name) for name in COLUMNS]
    strip = Image.new("RGB", (TILE * len(columns), TILE * len(columns[0])))
    for x, images in enumerate(columns):
        for y, image in enumerate(images):
            strip.paste(to_square(image.convert("RGB"), TILE), (x * TILE, y * TILE))
    return strip


def strip_path(fault: str, seed: int, folder: Path = STRIPS) -> Path:
    """Return where the pictures of a recorded training are."""
    return folder / f"{seed}_{fault}.jpg"


def letters_of(seed: int) -> dict[str, str]:
    """Return the fault of each letter in the museum of a seed."""
    faults = list(FAULTS)
    random.Random(seed).shuffle(faults)
    return dict(zip(LETTERS, faults, strict=True))


def rows_of(record: Mapping[str, Any], seed: int) -> dict[str, Row]:
    """Return the recorded trainings of a seed, by fault."""
    return {row["fault"]: row for row in record["result"]["rows"] if row["seed"] == seed}


@cache
def _usual(base: Base, seed: int) -> Images:
    """Return what the base draws of the new subjects in the healthy training."""
    return lesson_07.base_samples(_sampler(base), lesson_07.healthy(base, seed))


@cache
def _sampler(base: Base) -> Sampler:
    return Sampler(base)


def _recipe(fault: str, base: Base, seed: int) -> Recipe:
    if fault == HEALTHY:
        return lesson_07.healthy(base, seed)
    return lesson_07_faults.recipe_of(fault, base, seed)


def record(seeds: Sequence[int], folder: Path = STRIPS) -> Path:
    """Train every fault and the healthy training with every seed, save strips and rows; return the rows'
    file.
    """
    base, weights = bases.find("pocket"), recorded.base_fingerprint()
    judge = judges.find(base)

    def trial(fault: str, seed: int) -> Row:
        recipe = _recipe(fault, base, seed)
        usual = _usual(base, seed)
        is_usual = (recipe.base, recipe.settings.trigger) == (base, lesson_07.TRIGGER)
        exhibit = lesson_07.train_exhibit(_sampler(recipe.base), recipe, usual if is_usual else None)
        folder.mkdir(parents=True, exist_ok=True)
        strip_path(fault, seed, folder).write_bytes(jpeg(strip_of(exhibit), quality=60))
        return row_of(judge, fault, seed, exhibit, usual)

    trials = []
    for seed in seeds:
        for fault in (HEALTHY, *FAULTS):
            identity = sha256(repr(_recipe(fault, base, seed).settings).encode()).hexdigest()[:8]
            trials.append((f"{fault}, seed {seed}, base {weights}, {identity}", (fault, seed)))
    rows = long_run.resume_trials(_WORK, trials, trial)
    return recorded.save(NAME, {"seeds": list(seeds), "rows": rows})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m lessons_lib.course.lesson_07_record")
    parser.add_argument("what", choices=("record",))
    parser.add_argument("seeds", type=int, nargs="*", metavar="SEED", help=f"(default: {SEEDS})")
    record(parser.parse_args().seeds or SEEDS)
