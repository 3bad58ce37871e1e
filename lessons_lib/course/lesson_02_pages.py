"""Lesson 02: whole pages or details, what does each teach?

The same settings and seeds on two sets by one painter: pages with their borders, and details with one thing
each. `python -m lessons_lib.course.lesson_02_pages record` makes the long run that the lesson shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from IPython.display import Image as NotebookImage
from PIL import Image
from torch import Tensor

from lessons_lib.course import charts, lesson_02, long_run, trials
from lessons_lib.course.trials import TRIGGER, Scores
from lessons_lib.dataset import dataset as datasets
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation import metrics
from lessons_lib.models.judges import Judge
from lessons_lib.paths import DETAILS, SAMPLE, in_course

SETS = {"pages": SAMPLE, "details": DETAILS}
MEASURES = {
    "page": "whole drawings, beside held-out pages",
    "centre": "their centres, beside the centres of pages",
    "detail": "whole drawings, beside held-out details",
}


@dataclass(frozen=True)
class Yardsticks:
    """Features to hold drawings against, (n, width): held-out pages, their centres, held-out details."""

    page: Tensor
    centre: Tensor
    detail: Tensor


def read_sets(side: int) -> dict[str, Dataset]:
    """Return the pages and the details."""
    return {name: datasets.read(in_course(folder), side=side) for name, folder in SETS.items()}


def _yardsticks(judge: Judge, sets: Mapping[str, Dataset], side: int) -> Yardsticks:
    """Return the features of the held-out pictures of both sets."""
    pages, details = ([picture.image for picture in sets[name].held_out] for name in SETS)
    crops = metrics.centre_crops(pages, side)
    return Yardsticks(*map(judge.image_features, (pages, crops, details)))


def _style_by_measure(
    judge: Judge, images: Sequence[Image.Image], sticks: Yardsticks, side: int
) -> dict[str, Scores]:
    """Return one style score a drawing for each of `MEASURES`."""
    whole, centre = (judge.image_features(one) for one in (images, metrics.centre_crops(images, side)))
    return {
        "page": trials.style_scores(whole, sticks.page),
        "centre": trials.style_scores(centre, sticks.centre),
        "detail": trials.style_scores(whole, sticks.detail),
    }


def ends(
    judge: Judge, base_images: Sequence[Image.Image], sets: Mapping[str, Dataset], side: int
) -> dict[str, tuple[float, float]]:
    """Return floor, the base's drawings, and ceiling, the training pictures, of each of `MEASURES`."""
    sticks = _yardsticks(judge, sets, side)
    low = _style_by_measure(judge, base_images, sticks, side)
    high = {
        name: _style_by_measure(judge, [picture.image for picture in one.train], sticks, side)
        for name, one in sets.items()
    }
    ceilings = {"page": high["pages"], "centre": high["pages"], "detail": high["details"]}
    return {key: (trials.mean_score([low[key]]), trials.mean_score([ceilings[key][key]])) for key in MEASURES}


def gap_chart(result: Mapping[str, Any]) -> NotebookImage:
    """Return the recorded run as a JPEG: the share of each gap that the two trainings closed."""
    groups = {
        title.replace(", ", ",\n"): {
            name: [
                metrics.share_of_gap(value, *result["ends"][key])
                for run in trials.column(result["rows"], key, set=name)
                for value in run
            ]
            for name in SETS
        }
        for key, title in MEASURES.items()
    }
    return charts.interval_chart(groups, 0.0, 1.0, "share of the gap")


def verdicts(result: Mapping[str, Any]) -> list[str]:
    """Return what the recorded run shows of the two sets, in sentences."""
    titles = {**MEASURES, "prompt_rank": "prompt kept"}
    return [
        trials.verdict(
            title,
            "details",
            "pages",
            *(trials.column(result["rows"], key, set=name) for name in ("details", "pages")),
        )
        for key, title in titles.items()
    ]


def record() -> None:
    """Train on pages and on details with every training seed, score the samples, and save the result."""
    run = long_run.prepare()
    side = run.sampler.base.side
    sets = read_sets(side)
    sticks = _yardsticks(run.judge, sets, side)
    base = trials.trigger_samples(run.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)

    def trial(variant: str, seed: int) -> long_run.Row:
        run_dir = run.run_dir(long_run.STANDARD if variant == "pages" else variant, seed)
        one = lesson_02.train_subset(
            run.sampler.base, sets[variant], long_run.STEPS, seed, run_dir, replace=False
        )
        run.sampler.load(one.folder)
        images = trials.quick_samples(run.sampler, trials.trigger_prompts(trials.SUBJECTS), trials.SEEDS)
        scores = trials.sample_scores(
            run.judge, images, trials.SUBJECTS, run.train_features, run.held_out_features
        )
        by_measure = _style_by_measure(run.judge, images, sticks, side)
        return {"set": variant, "seed": seed} | asdict(scores) | by_measure

    rows = run.run_trials("pages_or_details", list(SETS), trial)
    run.record("pages_or_details", rows, base, ends=ends(run.judge, base.with_trigger, sets, side))


if __name__ == "__main__":
    long_run.command_line("lesson_02_pages", {"record": record})
