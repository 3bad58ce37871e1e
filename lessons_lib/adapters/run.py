"""A run: the settings it was made with and the folder that holds what it learned."""

from __future__ import annotations

import dataclasses
import json
import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

from lessons_lib import storage
from lessons_lib.adapters.settings import ResolvedSettings, read_settings
from lessons_lib.dataset.messages import one_line
from lessons_lib.dataset.records import Record, recorded_path
from lessons_lib.models import bases
from lessons_lib.models.bases import Base

WEIGHTS_NAME = "pytorch_lora_weights.safetensors"  # diffusers' own name for the file in a folder
SETTINGS, CARD = "settings.json", "README.md"  # beside the weights
MERGED = "merged.json"  # beside the weights of an adapter that was merged from others
STEPS = "steps"  # the folder of the adapters that were kept on the way, one folder a step
OTHER_FORMATS = "other_formats"  # the folder of other programs' files: services refuse two files side by side


class Outcome(Enum):
    """Why a training ended: after its last step, by Ctrl-C or a stop button,
    or because the loss was NaN or infinite.
    """

    DONE = "done"
    STOPPED = "stopped"
    DIVERGED = "diverged"


def highest_loss(start_loss: float) -> float:
    """Return the loss above which a training that began at `start_loss` has diverged: a hundred times that.

    A prediction of zero has a loss of about 1 on any base. The first losses can be far below that, when their
    noise levels were low, so a loss below ten never counts as diverged.
    """
    return max(10.0, 100.0 * start_loss)


@dataclass(frozen=True)
class Run:
    """An adapter folder: readable by diffusers' ``load_lora_weights`` with no line of ours.

    `dataset`: the files of its parts train, held_out and prior, with their captions (see
    dataset/records.py). `step`: the last one that counts. `reason`: what was wrong with the loss where it
    diverged. `unseen`: how many training pictures were in no batch. `fingerprint`: a hash of all that
    decides what is learned; empty where an older version wrote it. `earlier_schedules`: the steps of shorter
    trainings that it went on from, where their learning rates were not those of a training in one go.
    `base_weights`: what tells the base's weights from others of its name, as `bases.weights_id`; empty where
    an older version wrote it. `compiling`: whether its blocks were compiled, and why; empty where they were
    not and nothing was tried.
    """

    folder: Path
    settings: ResolvedSettings
    outcome: Outcome = Outcome.DONE
    dataset: dict[str, list[Record]] = field(default_factory=dict)
    resumed_from: int = 0  # the step at which it was taken up again after a stop
    step: int = 0
    reason: str = ""
    unseen: int = 0
    fingerprint: str = ""
    earlier_schedules: tuple[int, ...] = ()
    base_weights: str = ""
    compiling: str = ""

    def __str__(self) -> str:
        steps = f"{self.settings.steps} steps"
        if self.outcome is Outcome.DIVERGED:
            return f"{self.folder}: {self.step} of {steps}, then {self.reason}"
        if self.stopped:
            step = self.step or len(self.log)  # version 0.1 recorded no step
            return f"{self.folder}: stopped at step {step} of {steps}; the same call goes on from there"
        resumed = f", resumed from {self.resumed_from}" if self.resumed_from else ""
        return f"{self.folder}: " + ", ".join([f"{steps}{resumed}", *filter(None, self._remarks)])

    @property
    def _remarks(self) -> tuple[str, str]:
        schedules = " and ".join(map(str, self.earlier_schedules))
        return f"begun with the schedule of {schedules} steps" if schedules else "", self.unseen_line

    @property
    def base(self) -> Base:
        """The base model as it was trained on: at the run's resolution, its weights packed as they were."""
        return self.settings.adapt(bases.find(self.settings.base))

    @property
    def stopped(self) -> bool:
        """Whether it ended before its last step."""
        return self.outcome is not Outcome.DONE

    @property
    def unseen_line(self) -> str:
        """How many pictures were never learned from, as a sentence without its end; empty where all were."""
        count = len(self.dataset.get("train", ()))
        return f"{self.unseen} of {count} pictures were in no batch" if self.unseen else ""

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The files it learned from."""
        return tuple(recorded_path(record, self.folder) for record in self.dataset.get("train", ()))

    @property
    def adapter(self) -> Path:
        """The weights' file."""
        return self.folder / WEIGHTS_NAME

    @property
    def samples(self) -> list[Path]:
        """The samples of the last step that has any, in the order of the prompts; not the base's own."""
        numbered = sample_files(self.folder)
        last = max((step for step, _ in numbered), default=0)
        return [numbered[key] for key in sorted(numbered) if last and key[0] == last]

    @property
    def log(self) -> list[dict[str, Any]]:
        """One row a step: step, loss, seconds, learning_rate, and validation where that was measured."""
        lines = (self.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    @property
    def seconds_a_step(self) -> float | None:
        """The median time of a step; None with fewer than two steps."""
        gaps = [after - before for before, after in pairwise(row["seconds"] for row in self.log)]
        return statistics.median(gaps) if gaps else None

    def save(self) -> None:
        """Write settings.json, which `lessons train --config` takes back."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("folder", "settings", "outcome")]
        rest = {"outcome": self.outcome.value} | {name: getattr(self, name) for name in names}
        values = dataclasses.asdict(self.settings) | rest
        storage.write_json(self.folder / SETTINGS, values)

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Return the run in a folder.

        FileNotFoundError when it holds none, ValueError when its settings are damaged.
        """
        path = Path(folder) / SETTINGS
        if not path.is_file():
            raise FileNotFoundError(
                f"{folder} holds no run: expected settings.json; name a folder that `lessons train` wrote"
            )
        settings, rest = read_settings(path)
        try:
            rest = rest if "outcome" in rest else _from_version_0_1(rest)
            later: dict[str, Any] = {
                name: rest[name]
                for name in ("step", "reason", "unseen", "fingerprint", "base_weights", "compiling")
                if name in rest
            }
            later["earlier_schedules"] = tuple(rest.get("earlier_schedules", ()))
            outcome, dataset = Outcome(rest["outcome"]), dict(rest["dataset"])
            return cls(Path(folder), settings, outcome, dataset, int(rest["resumed_from"]), **later)
        except (KeyError, TypeError, ValueError) as problem:
            raise ValueError(
                f"{path} is damaged ({one_line(problem)}); expected the settings of a run. Restore that file"
            ) from problem


def sample_files(run_dir: Path) -> dict[tuple[int, int], Path]:
    """Return the samples in a run's folder by step and the number of the prompt."""
    matches = [re.fullmatch(r"(\d+)_(\d+)\.jpg", path.name) for path in run_dir.glob("samples/*")]
    return {(int(m[1]), int(m[2])): run_dir / "samples" / m[0] for m in matches if m}


def read_origin(path: Path) -> dict[str, Any]:
    """Return what the settings.json or merged.json beside an adapter says, such as its base; nothing where
    there is no such file. Raises ValueError when it is damaged.
    """
    folder = path if path.is_dir() else path.parent
    for name in (SETTINGS, MERGED):
        file = folder / name
        try:
            return dict(json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        except (ValueError, TypeError) as problem:
            raise ValueError(
                f"{file}: is damaged ({one_line(problem)}); restore that file from a copy"
            ) from problem
    return {}


def origin_base(origin: Mapping[str, Any]) -> Base:
    """Return the base model that an origin, see `read_origin`, names, its weights packed as they were then.

    Raises KeyError where it names none, and ValueError where there is none of that name.
    """
    return dataclasses.replace(bases.find(origin["base"]), quantize=origin.get("quantize", "none"))


def _from_version_0_1(rest: dict[str, Any]) -> dict[str, Any]:
    """Return in today's form what version 0.1 wrote beside the settings."""
    return {
        "outcome": Outcome.STOPPED.value if rest["stopped"] else Outcome.DONE.value,
        "resumed_from": rest.get("went_on_from", 0),
        "dataset": {"train": [{"path": path} for path in rest["pictures"]]},
    }
