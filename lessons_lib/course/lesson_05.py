"""Lesson 05: how many steps are enough?

One training a seed, whose adapter is kept at several counts of steps.
`python -m lessons_lib.course.lesson_05 record` makes the long run that the lesson shows,
`picture` its opening picture.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import long_run, trials
from lessons_lib.course.lesson_05_figures import MEASURES, save_opening_picture
from lessons_lib.course.trials import TRIGGER, SampleScores
from lessons_lib.dataset.captions import Mode
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation import metrics
from lessons_lib.models.bases import Base
from lessons_lib.models.judges import Judge
from lessons_lib.training import train
from lessons_lib.training.loop import Step

COUNTS = (25, 50, 100, 200, 400, 800)
TRAINING_SEEDS = (0, 1, 2, 3)  # after two trainings alone, the best count was a matter of luck
_ADVISED_PICTURES = (1000, 1500)  # Gooey's steps for FLUX.1-dev, of one picture each
# Hours for 700 steps of FLUX.1-dev, https://huggingface.co/blog/flux-qlora
PUBLISHED_HOURS = {"H100, 8 bits": 0.33, "RTX 4090, nf4": 0.68, "free T4, nf4": 4}


def train_sweep(
    base: Base, dataset: Dataset, counts: Sequence[int], seed: int, out: Path, mode: Mode = "style"
) -> dict[int, Run]:
    """Return one run for each count of steps, all from a single training: stopped there, copied, and resumed.

    The learning rate stays the same after its warm-up, so the adapter kept at a count is that of a training
    of this length. The loss of held-out pictures is measured at every count.
    Raises KeyboardInterrupt when it is stopped between.
    """
    settings = Settings(
        base=base.name, trigger=TRIGGER, mode=mode, steps=max(counts), seed=seed, lr_scheduler="constant",
        name="steps", validate_every=math.gcd(*counts), checkpoint_every=max(counts),
    )  # fmt: skip
    runs = {}
    # A new folder, so that no earlier training with these settings is resumed.
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        for count in sorted(counts):
            run = train.train(dataset, settings, run_dir, stop_at(count))
            if len(run.log) != count:
                raise KeyboardInterrupt
            runs[count] = _copy_run(run, out / f"{count:04d}")
    return runs


def _copy_run(run: Run, folder: Path) -> Run:
    """Return a copy of a run in another folder, without its checkpoints."""
    shutil.copytree(run.folder, folder, ignore=shutil.ignore_patterns("checkpoints"), dirs_exist_ok=True)
    return Run.load(folder)


def stop_at(count: int) -> Callable[[Step], None]:
    """Return an on_step that stops a training after so many steps, as a stop button would."""

    def on_step(step: Step) -> None:
        if step.step == count:
            raise KeyboardInterrupt

    return on_step


def print_loss_every(count: int) -> Callable[[Step], None]:
    """Return an on_step that prints the step and the smoothed loss, rounded so that it is the same on every
    machine.
    """

    def on_step(step: Step) -> None:
        if step.step % count == 0:
            print(f"step {step.step} of {step.steps}: loss {step.smooth_loss:.1f}")

    return on_step


def _row(count: int, seed: int, scores: SampleScores, validation: float | None = None) -> long_run.Row:
    """Return what was measured after so many steps, 0 for the base."""
    return {"count": count, "seed": seed, "validation": validation} | asdict(scores)


def sweep_result(
    judge: Judge, samples: Mapping[int, Sequence[Image.Image]], runs: Mapping[int, Run],
    subjects: Sequence[str], train_features: Tensor, held_out_features: Tensor, batch: int,
) -> dict[str, Any]:  # fmt: skip
    """Return a sweep of one training in the form of the recorded run: samples by count, 0 for the base,
    and runs by count.

    Features of paintings are (n, width). The floor is the style of the base's samples of the same prompts.
    """
    scores = {
        count: trials.sample_scores(judge, images, subjects, train_features, held_out_features)
        for count, images in samples.items()
    }
    validation = {count: run.log[-1].get("validation") for count, run in runs.items()}
    return {
        "rows": [_row(count, 0, one, validation.get(count)) for count, one in scores.items()],
        "counts": list(samples),
        "batch": batch,
        "pictures": len(train_features),
        "held_out_nearest": trials.nearest_scores(held_out_features, train_features),
        "floor": float(np.mean(scores[0].style)),
        "ceiling": metrics.style_match(train_features, held_out_features),
    }


def _best_count(result: Mapping[str, Any]) -> int:
    """Return the count, among those that were trained, whose samples match the style most."""
    style = {
        n: trials.mean_score(trials.column(result["rows"], "style", count=n)) for n in result["counts"][1:]
    }
    return max(style, key=lambda count: style[count])


def _compare_counts(
    result: Mapping[str, Any], key: str, first: int, second: int, figures: bool = True
) -> str:
    """Return a sentence that compares two counts of steps, 0 for the base, in one of `MEASURES`."""
    one, other = (f"{count} steps" if count else "the base" for count in (first, second))
    scores = [trials.column(result["rows"], key, count=count) for count in (first, second)]
    return trials.verdict(MEASURES[key], one, other, *scores, figures=figures)


def enough_steps(result: Mapping[str, Any]) -> int | None:
    """Return the fewest steps whose style cannot be told from the best.

    None when the best cannot be told from the base.
    """
    style = (trials.column(result["rows"], "style", count=count) for count in (_best_count(result), 0))
    if trials.direction(*style) <= 0:
        return None
    return counts_near_best(result)[0]


def counts_near_best(result: Mapping[str, Any]) -> list[int]:
    """Return the counts, in order, whose style is not lower than that of the best."""
    style = {n: trials.column(result["rows"], "style", count=n) for n in result["counts"][1:]}
    best = style[_best_count(result)]
    return [n for n, scores in style.items() if trials.direction(scores, best) >= 0]


def advice_verdict(result: Mapping[str, Any]) -> str:
    """Return a sentence on the advice of 1000 to 1500 steps of one picture, compared in pictures seen."""
    enough = enough_steps(result)
    if enough is None:
        return "enough for the style: no count can be told from the base, so nothing follows for the advice"
    pictures = enough * result["batch"]
    sentence = f"enough for the style: {enough} steps, {pictures} pictures seen"
    if enough == result["counts"][-1]:
        return f"{sentence}, the most that was tried; more might do better"
    low, high = _ADVISED_PICTURES
    side = "fewer than" if pictures < low else "as many as" if pictures <= high else "more than"
    return f"{sentence}; {side} the {low} to {high} of Gooey's advice for FLUX.1-dev"


def verdicts(result: Mapping[str, Any], figures: bool = True) -> list[str]:
    """Return what a sweep shows, in sentences: style at each count, how many are enough,
    what more of them cost.
    """
    counts, best = result["counts"], _best_count(result)
    last = counts[-1]
    sentences = [_compare_counts(result, "style", best, 0, figures)]
    sentences += [_compare_counts(result, "style", n, best, figures) for n in counts[1:] if n != best]
    sentences.append(advice_verdict(result))
    for count in sorted({enough_steps(result) or last, last}):
        sentences.append(_compare_counts(result, "prompt_rank", count, 0, figures))
    sentences.append(_compare_counts(result, "nearest", last, 0, figures))
    return [*sentences, _copy_verdict(result), *validation_verdict(result)]


def kept_verdicts(result: Mapping[str, Any]) -> list[str]:
    """Return what more steps than are enough for the style do to the prompt that is kept, a sentence each;
    none where no count is enough.
    """
    enough = enough_steps(result)
    later = [count for count in result["counts"] if enough is not None and count > enough]
    return [_compare_counts(result, "prompt_rank", count, enough or 0) for count in later]


def mean_lines(result: Mapping[str, Any]) -> list[str]:
    """Return the ends of the style and the mean of every measure at each count, one line a count,
    with the held-out loss where it was measured.
    """
    lines = [f"style match of the training paintings: {result['ceiling']:.2f}"]
    for count in result["counts"]:
        scores = {title: trials.column(result["rows"], key, count=count) for key, title in MEASURES.items()}
        parts = [f"{title} {trials.mean_score(values):.2f}" for title, values in scores.items()]
        validation = [row["validation"] for row in result["rows"] if row["count"] == count]
        if None not in validation:
            parts.append(f"held-out loss {np.mean(validation):.2f}")
        lines.append(f"{count:3} steps: {', '.join(parts)}")
    return lines


def _copy_verdict(result: Mapping[str, Any]) -> str:
    """Return how many samples of the longest training look more like a training painting than any held-out
    one does.
    """
    last = result["counts"][-1]
    scores = trials.values(result["rows"], "nearest", count=last)
    near = sum(score > max(result["held_out_nearest"]) for score in scores)
    return f"nearer to a training painting than any held-out one, at {last} steps: {near} of {len(scores)}"


def validation_verdict(result: Mapping[str, Any]) -> list[str]:
    """Return at which count the held-out loss of each training was lowest.

    No sentence where it was not measured.
    """
    by_seed: dict[int, list[long_run.Row]] = {}
    for row in result["rows"]:
        if row["validation"] is not None:
            by_seed.setdefault(row["seed"], []).append(row)
    lowest = [min(by_seed[seed], key=lambda row: row["validation"])["count"] for seed in sorted(by_seed)]
    steps = ", ".join(f"{count} steps" for count in lowest)
    return [f"held-out loss lowest at: {steps}"] if lowest else []


def mean_absolute_change(values: Sequence[float]) -> float:
    """Return how far a value lies from the one before it, on average."""
    return float(np.abs(np.diff(values)).mean())


def record() -> None:
    """Train once with each training seed, score the samples at every count, and save the result."""
    run = long_run.prepare()
    base = trials.trigger_samples(run.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)

    def scores(images: Sequence[Image.Image]) -> SampleScores:
        return trials.sample_scores(
            run.judge, images, trials.SUBJECTS, run.train_features, run.held_out_features
        )

    def trial(_: str, seed: int) -> long_run.Row:
        rows = [_row(0, seed, scores(base.with_trigger))]
        runs = train_sweep(run.sampler.base, run.dataset, COUNTS, seed, run.run_dir("steps", seed))
        for count, one in runs.items():
            run.sampler.load(one.folder)
            images = trials.quick_samples(run.sampler, trials.trigger_prompts(trials.SUBJECTS), trials.SEEDS)
            rows.append(_row(count, seed, scores(images), one.log[-1]["validation"]))
        return {"counts": rows}

    variants = [f"at {', '.join(map(str, COUNTS))}"]
    trainings = run.run_trials("how_many_steps", variants, trial, TRAINING_SEEDS)
    run.record(
        "how_many_steps", trials.flatten(training["counts"] for training in trainings), base,
        steps=COUNTS[-1], counts=[0, *COUNTS], batch=run.sampler.base.batch, pictures=len(run.dataset.train),
        held_out_nearest=trials.nearest_scores(run.held_out_features, run.train_features),
    )  # fmt: skip


if __name__ == "__main__":
    long_run.command_line("lesson_05", {"record": record, "picture": save_opening_picture})
