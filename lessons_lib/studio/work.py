"""What a studio does in the background: first captions, a forecast, a training, before and after."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lessons_lib.adapters.run import Run
from lessons_lib.dataset import captioners
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.messages import PictureError
from lessons_lib.dataset.records import recorded_dataset
from lessons_lib.evaluation import compare as comparisons
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.studio import activity as activities
from lessons_lib.studio import results
from lessons_lib.studio.activity import Activity, Work
from lessons_lib.studio.project import Project
from lessons_lib.training import existing
from lessons_lib.training.forecast import Costs, duration
from lessons_lib.training.loop import Step

SEEDS = (1, 2)


class _Measured(Exception):
    """Ends a training at its forecast."""


def write_captions(project: Project, by: str = captioners.OFFLINE) -> Activity:
    """Start to write a first caption for each picture that has none; see `captioners.describe`."""

    def work(activity: Activity) -> None:
        pictures = [p for p in project.pictures.dataset(project.base.side).pictures if not p.caption]
        drafts = captioners.describe([p.image for p in pictures], by)
        for picture, draft in zip(pictures, drafts, strict=True):
            project.pictures.caption(picture.path.name, draft.text)

    return activities.begin(project.folder, Work.CAPTIONS, work)


def forecast(project: Project) -> Activity:
    """Start to measure what the training will cost, in ten steps that are then undone.

    A long training on a GPU makes ten more, compiled, which takes minutes. The forecast is kept in the
    choices as a line, unless these were changed meanwhile.
    """

    def work(activity: Activity) -> None:
        choices = project.choices
        trainer, _ = project.prepare()

        def on_forecast(costs: Costs) -> None:
            project.keep_forecast(str(costs), choices)
            raise _Measured

        with tempfile.TemporaryDirectory() as folder:
            try:
                trainer.train(Path(folder) / "run", on_forecast=on_forecast)
            except _Measured:
                pass

    return activities.begin(project.folder, Work.FORECAST, work)


def train(project: Project) -> Activity:
    """Start the training, or go on with one that was stopped; its result is the Run.

    `Activity.stop` ends it after the step that it is at, and keeps what is learned.
    """

    def work(activity: Activity) -> Run:
        trainer, out = project.prepare()
        project.choose(run=out.name, sample_prompts=trainer.settings.sample_prompts)
        if run := existing.finished(out, trainer.fingerprint):
            return run

        def on_step(step: Step) -> None:
            activity.progress(step.step, step.steps, f"{duration(step.left)} left")

        return trainer.train(out, on_step)

    return activities.begin(project.folder, Work.TRAINING, work)


def compare(project: Project) -> Activity:
    """Start to draw every prompt before and after with the newest run, and to measure the difference.

    ValueError before a run exists.
    """
    run = project.run()
    if run is None:
        raise ValueError("there is nothing to compare yet; train first")

    def work(activity: Activity) -> None:
        dataset, notes = _dataset_of(run, project)
        comparison = comparisons.compare(
            Sampler(run.base), run, dataset, project.prompts, SEEDS, activity.progress
        )
        comparisons.save(comparison, run.folder)
        results.save(comparison, notes)

    return activities.begin(project.folder, Work.COMPARISON, work)


def _dataset_of(run: Run, project: Project) -> tuple[Dataset, list[str]]:
    """Return the pictures that a run learned from, and a note where the set has changed since."""
    try:
        return recorded_dataset(run.dataset, run.folder, side=run.base.side), []
    except PictureError:
        return project.dataset(), ["pictures were changed after the training: compared with those of now"]
