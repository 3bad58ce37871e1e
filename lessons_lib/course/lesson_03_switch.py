"""Lesson 03: what makes a trigger a switch?

The same paintings and trigger with three recipes.
`python -m lessons_lib.course.lesson_03_switch record` makes the long run that the lesson shows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from IPython.display import Image as NotebookImage

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import charts, long_run, trials
from lessons_lib.course.trials import TRIGGER
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models.bases import Base
from lessons_lib.training import train

RECIPES = ("as before", "dropout", "class pictures")
_DROPOUT = 0.5  # share of captions that are the trigger alone


def class_pictures(sampler: Sampler, dataset: Dataset) -> list[Picture]:
    """Return the base's own drawings of the captions without the trigger, one a training picture.

    They show what each caption means without the trigger (prior preservation, Ruiz et al. 2022,
    arXiv 2208.12242). The sampler must have no adapter.
    """
    texts = [picture.caption or "" for picture in dataset.train]
    images = trials.quick_samples(sampler, texts, seeds=[1])
    return [
        dataclasses.replace(picture, file=ImageFile.of(image), mask=None)
        for picture, image in zip(dataset.train, images, strict=True)
    ]


def _with_recipe(dataset: Dataset, recipe: str, prior: list[Picture]) -> Dataset:
    """Return the training set of a recipe. Raises ValueError for one that does not exist."""
    if recipe not in RECIPES:
        raise ValueError(f"the recipe is {recipe!r}; expected one of {', '.join(RECIPES)}")
    return Dataset(dataset.train, prior=prior if recipe == "class pictures" else [])


def _train_recipe(
    base: Base, dataset: Dataset, recipe: str, steps: int, seed: int, run_dir: Path, replace: bool = True
) -> Run:
    """Return a run on a set of `_with_recipe`. Without `replace` an equal run that lies there is taken."""
    settings = Settings(base=base.name, trigger=TRIGGER, steps=steps, seed=seed, name="switch")
    if recipe == "dropout":
        settings = dataclasses.replace(settings, caption_dropout=_DROPOUT)
    return train.train(dataset, settings, run_dir, replace=replace)


def style_chart(result: Mapping[str, Any]) -> NotebookImage:
    """Return the recorded run as a JPEG: style match with the trigger in the prompt and without it."""
    series = {"the trigger said": "style_with", "the trigger left out": "style_without"}
    groups = {
        recipe: {name: trials.values(result["rows"], key, recipe=recipe) for name, key in series.items()}
        for recipe in RECIPES
    }
    return charts.interval_chart(groups, result["floor"], result["ceiling"], "style match")


def verdicts(result: Mapping[str, Any]) -> list[str]:
    """Return what the recorded run shows: each recipe with and without the trigger, and beside the first."""

    def scores(key: str, recipe: str) -> list[list[float]]:
        return trials.column(result["rows"], key, recipe=recipe)

    first = RECIPES[0]
    sides = ("style_with", "style_without")
    titles = {"style_with": "style with the trigger", "style_without": "style without it"}
    return [
        *(trials.verdict(f"style, {r}", "saying it", "leaving it out", *(scores(key, r) for key in sides))
          for r in RECIPES),
        *(trials.verdict(titles[key], r, first, scores(key, r), scores(key, first))
          for r in RECIPES[1:] for key in sides),
    ]  # fmt: skip


def record() -> None:
    """Train with every recipe and every training seed, score the samples, and save the result."""
    run = long_run.prepare()
    base = trials.trigger_samples(run.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)
    prior = class_pictures(run.sampler, run.dataset)

    def trial(recipe: str, seed: int) -> long_run.Row:
        run_dir = run.run_dir(long_run.STANDARD if recipe == RECIPES[0] else recipe, seed)
        dataset = _with_recipe(run.dataset, recipe, prior)
        base_model, steps = run.sampler.base, long_run.STEPS
        run.sampler.load(
            _train_recipe(base_model, dataset, recipe, steps, seed, run_dir, replace=False).folder
        )
        tuned = trials.trigger_samples(run.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)
        scores = trials.trigger_scores(run.judge, base, tuned, trials.SUBJECTS, run.held_out_features)
        return {"recipe": recipe, "seed": seed, **asdict(scores)}

    rows = run.run_trials("trigger_switch", RECIPES, trial)
    run.record("trigger_switch", rows, base, dropout=_DROPOUT)


if __name__ == "__main__":
    long_run.command_line("lesson_03_switch", {"record": record})
