"""The folder of a studio: pictures, choices and runs. The folder is the state, so a page that was closed,
or a kernel that was restarted, goes on from it.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lessons_lib import storage
from lessons_lib.adapters.run import SETTINGS, Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset.captions import Mode, with_trigger
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.prompts import default_prompts, with_trigger_shortened
from lessons_lib.inspection.report import Report, inspect
from lessons_lib.models import bases, families
from lessons_lib.models.bases import Base
from lessons_lib.paths import safe_name
from lessons_lib.studio.pictures import PictureFolder
from lessons_lib.training import existing, workspace
from lessons_lib.training.train import Trainer

_SAMPLES = 5  # times that samples are drawn during a training
_SAMPLE_PROMPTS = 2


@dataclass(frozen=True)
class Choices:
    """What was chosen on the page; None means the base model's own value.

    `prompts`: what is drawn before and after. `run`: the folder of the newest run, by name, and
    `sample_prompts` what it draws on the way. `forecast`: what a training with these choices will cost, as a
    line; empty where that was not measured. `step`: the step of the page that is open, from 0. `furthest`:
    the last step that was opened so far.
    """

    base: str = "pocket"
    mode: Mode = "style"
    trigger: str = ""
    preset: Literal["quick", "standard", "thorough"] = "standard"
    steps: int | None = None
    rank: int | None = None
    learning_rate: float | None = None
    prompts: tuple[str, ...] = ()
    run: str = ""
    sample_prompts: tuple[str, ...] = ()
    forecast: str = ""
    step: int = 0
    furthest: int = 0


# Choices that change nothing of what a training costs.
_NOT_IN_FORECAST = {"prompts", "run", "sample_prompts", "forecast", "step", "furthest"}


def _cost_the_same(one: Choices, other: Choices) -> bool:
    """Return whether trainings with some choices and with others cost the same."""
    names = {field.name for field in dataclasses.fields(Choices)} - _NOT_IN_FORECAST
    return all(getattr(one, name) == getattr(other, name) for name in names)


class Project:
    """A studio's folder, which is made by the first thing that is kept in it.

    Raises ValueError where its studio.json is damaged.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder).resolve()
        self.pictures = PictureFolder(self.folder / "pictures", self.folder / "left_out")
        self.choices = self._read()
        self._lock = threading.Lock()  # the page and the work in the background both choose

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    @property
    def base(self) -> Base:
        """The base model."""
        return bases.find(self.choices.base)

    @property
    def prompts(self) -> list[str]:
        """What is drawn before and after: the prompts that were written, or those of the course."""
        return list(self.choices.prompts) or default_prompts(self.choices.mode)

    def choose(self, **values: Any) -> None:
        """Keep some of the choices; a forecast for others is dropped.

        TypeError for one that does not exist.
        """
        with self._lock:
            choices = dataclasses.replace(self.choices, **values)
            if not _cost_the_same(choices, self.choices):
                choices = dataclasses.replace(choices, forecast="")
            self._keep(choices)

    def keep_forecast(self, line: str, choices: Choices) -> None:
        """Keep what a training with some choices costs, as a line; dropped where they are others by now."""
        with self._lock:
            if _cost_the_same(choices, self.choices):
                self._keep(dataclasses.replace(self.choices, forecast=line))

    def _keep(self, choices: Choices) -> None:
        storage.write_json(self.folder / "studio.json", dataclasses.asdict(choices))
        self.choices = choices

    def report(self) -> Report:
        """Return the report on the pictures for the base. Statistics are cached by the content of a file."""
        return inspect(self.pictures.dataset(self.base.side), self.base, storage.cache_dir() / "image_stats")

    def hold_out(self, count: int | None = None) -> list[str]:
        """Hold some pictures out for judging, by default 1 in 5 of ten or more, and return their names.

        ValueError when fewer than three would be left to learn from.
        """
        names = [picture.path.name for picture in self.report().hold_out(count).held_out]
        for name in names:
            self.pictures.hold_out(name)
        return names

    def dataset(self) -> Dataset:
        """Return what is trained on, without the files that cannot be read.

        PictureError when nothing is left.
        """
        dataset = dataclasses.replace(self.report().dataset, problems=[])
        dataset.check()
        return dataset

    def settings(self) -> Settings:
        """Return the settings of a training. ValueError without a trigger word."""
        given = {
            name: getattr(self.choices, name)
            for name in ("base", "mode", "trigger", "preset", "steps", "rank", "learning_rate")
        }
        settings = Settings(**given, name=safe_name(self.name))
        steps = settings.resolve(self.base).steps
        return dataclasses.replace(
            settings,
            sample_prompts=self.with_trigger(self.prompts[:_SAMPLE_PROMPTS]),
            sample_every=max(1, steps // _SAMPLES),
        )

    def with_trigger(self, prompts: list[str]) -> tuple[str, ...]:
        """Return prompts with the trigger word in them, no longer than the base reads."""
        tokenizer = families.find(self.base.family).load_tokenizer(self.base)
        trigger, mode = self.choices.trigger, self.choices.mode
        return with_trigger_shortened(prompts, trigger, mode, tokenizer, self.base.caption_tokens)

    def first_caption(self) -> str:
        """Return the first picture's caption as it is taught."""
        pictures = self.pictures.dataset().train
        caption = (pictures[0].caption if pictures else None) or ""
        return with_trigger(caption, self.choices.trigger, self.choices.mode)

    def prepare(self) -> tuple[Trainer, Path]:
        """Return the trainer and the folder of its run: the one that was stopped or is finished, or a new one
        where the pictures, captions or settings are others now, so that no earlier run is lost.

        ValueError for settings that cannot be used, PictureError without pictures.
        """
        settings = self.settings()
        trainer = Trainer(self.base, self.dataset(), settings)
        out = existing.next_free(self.folder / "runs" / safe_name(settings.trigger), trainer.wanted)
        return trainer, out

    @property
    def run_dir(self) -> Path | None:
        """The folder of the newest run, whether or not it holds something yet; None before the first."""
        return self.folder / "runs" / self.choices.run if self.choices.run else None

    def run(self) -> Run | None:
        """Return the newest run, finished or stopped; None before the first step was kept."""
        folder = self.run_dir
        return Run.load(folder) if folder and (folder / SETTINGS).is_file() else None

    def working_dir(self) -> Path | None:
        """Return where the newest run's log and samples are now: in its folder, or where it is made."""
        folder = self.run_dir
        if folder is None:
            return None
        unfinished = workspace.unfinished_dir(folder)
        return unfinished if unfinished.is_dir() else folder

    def steps_kept(self) -> int:
        """Return how many steps of an unfinished training are kept; 0 where none are."""
        folder = self.run_dir
        states = existing.find(folder) if folder else []
        return states[0].steps if states and not states[0].is_finished else 0

    def _read(self) -> Choices:
        path = self.folder / "studio.json"
        if not path.is_file():
            return Choices()
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            prompts = {name: tuple(values.get(name, ())) for name in ("prompts", "sample_prompts")}
            return Choices(**values | prompts)
        except (TypeError, ValueError) as problem:
            raise ValueError(
                f"{path} is damaged ({problem}); expected what the studio wrote. Remove that file: pictures "
                "and runs stay"
            ) from problem
