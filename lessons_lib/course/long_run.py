"""A long run: the pocket base, the practice paintings, a table of trials that resumes,
and the command line that starts it.

The modules of the lessons are run as `python -m lessons_lib.course.lesson_02 record` (or `picture`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from lessons_lib import storage
from lessons_lib.course import recorded
from lessons_lib.course.trials import SUBJECTS, TriggerSamples
from lessons_lib.dataset import dataset
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import judges
from lessons_lib.models.judges import Judge
from lessons_lib.paths import EXPERIMENTS, SAMPLE, in_course, safe_name
from lessons_lib.training import latent_cache

WORK_DIR = EXPERIMENTS
STANDARD = "the practice paintings"  # the training that several questions share
STEPS, TRAINING_SEEDS = 100, (0, 1)
Row = dict[str, Any]
Trial = Callable[[str, int], Row]  # from a variant's name and a training seed to a row of scores


@dataclass(frozen=True)
class LongRun:
    """What all trials of a long run share. The features are those of the dataset's paintings, (n, width)."""

    sampler: Sampler
    dataset: Dataset
    train_features: Tensor
    held_out_features: Tensor

    @property
    def judge(self) -> Judge:
        """What measures the base's pictures."""
        return judges.find(self.sampler.base)

    def run_trials(
        self, question: str, variants: Sequence[str], trial: Trial, seeds: Sequence[int] = TRAINING_SEEDS
    ) -> list[Row]:
        """Return trial(variant, seed) for every variant and training seed; a run that was stopped resumes.

        Rows of another base, or of the same base with other settings, are not used again.
        """
        trials = [
            (f"{variant}, training seed {seed}, {self._key}", (variant, seed))
            for seed in seeds
            for variant in variants
        ]
        return resume_trials(WORK_DIR / f"{question}.json", trials, trial)

    @property
    def _key(self) -> str:
        """The steps and a hash of all else that the trials of different questions have in common:
        the weights and the base's defaults, wherever they lie.
        """
        weights = latent_cache.weights_hash(self.sampler.pipe.transformer)
        base = replace(self.sampler.base, repository="")
        identity = f"{weights} {base} {self.sampler.family.TARGET_MODULES}"
        return f"{STEPS} steps, {sha256(identity.encode()).hexdigest()[:12]}"

    def run_dir(self, name: str, seed: int) -> Path:
        """Return the folder of a training; questions that need the same training give it the same name."""
        return WORK_DIR / safe_name(self._key) / safe_name(f"{name} {seed}")

    def record(self, question: str, rows: list[Row], base_samples: TriggerSamples, **more: Any) -> Path:
        """Save rows with their floor, the base's samples without a trigger, and their ceiling,
        the training paintings.
        """
        floor = metrics.style_match(base_samples.features_without, self.held_out_features)
        ceiling = metrics.style_match(self.train_features, self.held_out_features)
        result = {"steps": STEPS, "subjects": list(SUBJECTS), "floor": round(floor, 4)}
        return recorded.save(question, result | more | {"ceiling": round(ceiling, 4), "rows": rows})


def prepare() -> LongRun:
    """Return the pocket base and the practice paintings, ready for trials."""
    sampler = Sampler("pocket")
    paintings = dataset.read(in_course(SAMPLE), side=sampler.base.side)
    judge, splits = judges.find(sampler.base), (paintings.train, paintings.held_out)
    features = [judge.image_features([p.image for p in split]) for split in splits]
    return LongRun(sampler, paintings, *features)


def resume_trials(path: Path, trials: Iterable[tuple[str, tuple[str, int]]], trial: Trial) -> list[Row]:
    """Return `trial(*arguments)` for each (name, arguments), in order.

    Names that `path` holds already are not run again.
    The file is written after each trial, so that a run that was stopped resumes. Progress goes to stderr.
    Raises ValueError when the file is damaged.
    """
    try:
        rows: dict[str, Row] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as problem:
        raise ValueError(f"{path} is damaged ({problem}); remove it, and the trials run again") from problem
    names = []
    for name, arguments in trials:
        print(f"{name}: {'done before' if name in rows else 'running'}", file=sys.stderr, flush=True)
        if name not in rows:
            rows[name] = trial(*arguments)
            storage.write_bytes(path, json.dumps(rows).encode())
        names.append(name)
    return [rows[name] for name in names]


def command_line(
    lesson: str, makers: Mapping[str, Callable[[], None]], arguments: Sequence[str] | None = None
) -> None:
    """Make what the command line names: "record", a long run for the lesson, or "picture",
    its opening picture.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m lessons_lib.course.{lesson}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.epilog = "\n".join(f"{name}: {maker.__doc__}" for name, maker in makers.items())
    parser.add_argument("what", choices=makers)
    makers[parser.parse_args(arguments).what]()
