"""Step 8: the training, with its loss and samples while it goes, a stop that loses nothing, and going on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from lessons_lib.adapters.run import sample_files
from lessons_lib.display import charts
from lessons_lib.display.html import jpeg_uri
from lessons_lib.studio import work
from lessons_lib.studio.activity import Work
from lessons_lib.studio.steps.step import Step
from lessons_lib.studio.widgets import ActivityView, button, fill, row

_WIDTH, _HEIGHT, _POINTS, _WINDOW = 560, 140, 280, 25


class TrainingStep(Step):
    """A training that the page shows, stops and goes on with."""

    title = "Train"
    lead = (
        "You may close this page meanwhile. Stop whenever you like: what it has learned until then is kept, "
        "and it can go on from there."
    )
    work = Work.TRAINING

    def is_done(self) -> bool:
        run = self.project.run()
        return run is not None and not run.stopped

    def needs(self) -> str:
        if self.own_activity():
            return "The training is going on."
        return "" if self.project.run() else "Needs a training."

    def summary(self) -> str:
        run, count = self.project.run(), self.project.steps_kept()
        if count:
            return f"stopped after {count} steps; it can go on"
        if run is None:
            return ""
        seconds = run.log[-1]["seconds"] if run.log else 0
        return f"{run.folder.name}: {run.step} steps in {seconds / 60:.1f} min"

    def code(self) -> str:
        return (
            "training = work.train(studio)  # training.stop() stops it; the same call goes "
            "on\ntraining.wait()"
        )

    def build(self) -> list[ipywidgets.Widget]:
        self.curve, self.samples, self.start = ipywidgets.HTML(), ipywidgets.HTML(), row()
        self.view = ActivityView(self.note, self._ended, "Stop")
        self.view.on_tick = lambda activity: self._show_progress()
        self._drawn: dict[tuple[int, int], Path] = {}
        if activity := self.own_activity():
            self.view.follow(activity)
        else:
            self._show_start()
        self._show_progress()
        return [self.start, self.view, self.curve, self.samples]

    def _show_start(self) -> None:
        """Show the button that starts, goes on, or starts again."""
        count, run = self.project.steps_kept(), self.project.run()
        text = f"Go on from step {count}" if count else "Train"
        is_done = run is not None and not run.stopped
        if is_done:
            text = "Train again with what was changed since"
        style = () if is_done else ("main",)
        self.start.children = (button(text, self._train, self.note, *style),)

    def _train(self) -> None:
        activity = work.train(self.project)
        self.start.children = ()
        self.view.follow(activity)
        self.page.refresh()

    def _ended(self) -> None:
        run = self.project.run()
        if run:
            end = (
                f"Done after {run.step} steps."
                if not run.stopped
                else f"Stopped after {run.step} steps; they are kept."
            )
            self.note.say(end)
        self._show_start()
        self._show_progress()
        self.page.refresh()

    def _show_progress(self) -> None:
        """Show loss and samples from where the run is made now."""
        folder = self.project.working_dir()
        if folder is None:
            return
        rows = _rows(folder / "log.jsonl")
        if len(rows) > 1:
            self.curve.value = fill("curve", **_curve(rows))
        files = sample_files(folder)
        if files != self._drawn:
            self._drawn = files
            self.samples.value = fill(
                "samples", rows=_sample_rows(files, self.project.choices.sample_prompts)
            )


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return the whole rows of a log that may be written at this moment."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def _curve(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the loss as two lines of points: each step, and a running mean."""
    losses = np.array([row["loss"] for row in rows], dtype=float)
    window = min(_WINDOW, len(losses))
    mean = charts.running_mean(losses, window)
    top = float(np.nanpercentile(losses, 99)) * 1.05 or 1.0
    label = (
        f"loss {losses[0]:.3f} at step 1, {mean[-1]:.3f} at step {rows[-1]['step']}, as a mean of {window}"
    )
    return {
        "faint": _points(losses, 0, len(losses), top),
        "mean": _points(mean, window - 1, len(losses), top),
        "label": label,
    }


def _points(values: np.ndarray, start: int, count: int, top: float) -> str:
    """Return at most _POINTS points of a line for an SVG."""
    indices = np.unique(np.linspace(0, len(values) - 1, min(_POINTS, len(values))).astype(int))
    x = (indices + start) / max(1, count - 1) * _WIDTH
    y = _HEIGHT * (1 - np.clip(values[indices] / top, 0, 1))
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _sample_rows(
    files: dict[tuple[int, int], Path], prompts: tuple[str, ...]
) -> list[tuple[str, dict, dict | None]]:
    """Return for each prompt the sample before the training and the newest one, of `sample_files`."""
    rows = []
    for number, prompt in enumerate(prompts, 1):
        steps = [step for step, of_prompt in files if of_prompt == number]
        if 0 in steps:
            first, last = (
                {"uri": jpeg_uri(files[s, number].read_bytes()), "step": s} for s in (0, max(steps))
            )
            rows.append((prompt, first, last if last["step"] else None))
    return rows
