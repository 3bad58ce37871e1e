"""A long run: the base, the practice paintings and a table of trials that goes on where it was stopped."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from lessons_lib.course import recorded
from lessons_lib.course.trials import SUBJECTS, Answers
from lessons_lib.dataset import pictures
from lessons_lib.dataset.pictures import Picture
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases, features
from lessons_lib.paths import EXPERIMENTS, SAMPLE, in_course
from lessons_lib.training import latent_cache

WORK = EXPERIMENTS
STEPS, TRAINING_SEEDS = 150, (0, 1)
Row = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """What every trial of a long run shares. `taught` and `held_out` are features of paintings, (n, 1280)."""

    sampler: Sampler
    learn: list[Picture]
    taught: Tensor
    held_out: Tensor

    def table(self, question: str, names: Sequence[str], trial: Callable[[str, int], Row]) -> list[Row]:
        """Return trial(name, seed) for every name and training seed. Rows of another base, its settings too, are made again."""
        base, family = self.sampler.base, self.sampler.family
        told = f"{latent_cache.fingerprint(self.sampler.pipe.transformer)} {base} {family.TARGET_MODULES}"
        same = sha256(told.encode()).hexdigest()[:12]
        trials = [
            (f"{name}, seed {seed}, {STEPS} steps, {same}", (name, seed))
            for seed in TRAINING_SEEDS
            for name in names
        ]
        return rows(WORK / f"{question}.json", trials, trial)

    def record(self, question: str, table: list[Row], plain: Answers, **more: Any) -> Path:
        """Keep a table with its floor, the base without a trigger, and its ceiling, the training paintings."""
        floor = metrics.style_match(plain.unsaid_features, self.held_out)
        ceiling = metrics.style_match(self.taught, self.held_out)
        told = {"steps": STEPS, "subjects": list(SUBJECTS), "floor": round(floor, 4)}
        return recorded.keep(question, told | more | {"ceiling": round(ceiling, 4), "rows": table})


def bench() -> Bench:
    """Return the pocket base and the practice paintings, ready."""
    base = bases.find("pocket")
    found = pictures.load(in_course(SAMPLE), side=base.side)
    learn = pictures.for_training(found)
    taught, held_out = (
        features.image_features([p.image for p in part]) for part in (learn, pictures.held_out(found))
    )
    return Bench(Sampler(base), learn, taught, held_out)


def rows(
    path: Path, trials: Iterable[tuple[str, tuple[str, int]]], trial: Callable[[str, int], Row]
) -> list[Row]:
    """Return trial(*given) for each (name, given), in order; those whose name `path` holds already are not run again.

    The file is written after each trial, so that a run that was stopped goes on where it was. Progress goes to stderr.
    Raises ValueError when the file is damaged.
    """
    try:
        done: dict[str, Row] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as problem:
        raise ValueError(f"{path} is damaged ({problem}); remove it, and the trials run again") from problem
    found = []
    for name, given in trials:
        print(f"{name}: {'done before' if name in done else 'running'}", file=sys.stderr, flush=True)
        if name not in done:
            done[name] = trial(*given)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(done), encoding="utf-8")
            part.replace(path)
        found.append(done[name])
    return found
