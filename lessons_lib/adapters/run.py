"""A run: the settings it was made with and the folder that holds what it learned."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from filelock import FileLock, Timeout

from lessons_lib.models.bases import Base

if TYPE_CHECKING:
    from accelerate import Accelerator

WEIGHTS = "pytorch_lora_weights.safetensors"
PRESETS = {"quick": 0.4, "standard": 1.0, "thorough": 2.5}  # times the base model's own number of steps


@dataclass(frozen=True)
class Settings:
    """What a run is asked to do; None means the base model's own value. What ends in `_every` is in steps.

    `preset` stretches or shortens the base's number of steps where `steps` is None. `batch` pictures go through the
    model at once, `gradient_accumulation_steps` times before the adapter changes. `ema_decay` 0 keeps no average.
    `compile` lets torch compile the model's blocks, which takes a minute before the first step.
    `tensorboard` writes the log for that program too, into the run's folder.
    `sigma_shift` above 1 trains at noisier levels, as large pictures ask for (Esser et al. 2024, arXiv 2403.03206).
    """

    base: str = "pocket"
    trigger: str = ""
    mode: Literal["style", "concept"] = "style"
    preset: Literal["quick", "standard", "thorough"] = "standard"
    rank: int | None = None
    alpha: int | None = None
    steps: int | None = None
    learning_rate: float | None = None
    batch: int | None = None
    gradient_accumulation_steps: int = 1
    optimizer: Literal["adamw", "adamw8bit", "prodigy"] = "adamw"
    lr_scheduler: Literal["cosine", "linear", "constant"] = "cosine"
    ema_decay: float = 0.0
    sigma_shift: float | None = None
    gradient_checkpointing: bool = False
    compile: bool = False
    prior_weight: float = 1.0
    seed: int = 0
    caption_dropout: float = 0.1
    sample_prompts: tuple[str, ...] = ()
    sample_every: int | None = None
    validate_every: int | None = None
    checkpoint_every: int | None = None
    tensorboard: bool = False
    name: str = "run"

    def filled(self, base: Base) -> Plan:
        """Return settings with no None left; alpha follows rank, so that the file means the same in every program."""
        self.check()
        known = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        steps = self.steps or round(base.steps * PRESETS[self.preset])
        rank = self.rank or base.rank
        known |= {
            "rank": rank,
            "alpha": self.alpha or (rank if self.rank else base.alpha),
            "steps": steps,
            "learning_rate": self.learning_rate
            or (1.0 if self.optimizer == "prodigy" else base.learning_rate),
            "batch": self.batch or base.batch,
            "sigma_shift": self.sigma_shift or base.sigma_shift,
            "sample_every": self.sample_every or steps,
            "validate_every": self.validate_every or max(1, steps // 10),
            "checkpoint_every": self.checkpoint_every or max(1, steps // 10),
        }
        return Plan(**known)

    def check(self) -> None:
        """Raise ValueError for a value that training could not use."""
        for name in ("rank", "alpha", "steps", "learning_rate", "batch", "gradient_accumulation_steps", "sigma_shift",
                     "sample_every", "validate_every", "checkpoint_every"):  # fmt: skip
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ValueError(f"{name} is {value}; expected more than 0")
        for name in ("caption_dropout", "ema_decay"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} is {value}; expected at least 0 and below 1")
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"{name} is {value!r}; expected one of {', '.join(choices)}")
        if self.prior_weight < 0:
            raise ValueError(f"prior_weight is {self.prior_weight}; expected 0 or more")
        if not self.trigger.strip():
            raise ValueError("the trigger word is empty; choose one that is no real word, such as mugh4l")


CHOICES = {
    name: get_args(kind) for name, kind in get_type_hints(Settings).items() if get_origin(kind) is Literal
}


@dataclass(frozen=True)
class Plan(Settings):
    """Settings with nothing left open, as a run is made and stored."""

    rank: int = 0
    alpha: int = 0
    steps: int = 0
    learning_rate: float = 0.0
    batch: int = 0
    sigma_shift: float = 1.0
    sample_every: int = 0
    validate_every: int = 0
    checkpoint_every: int = 0


@dataclass(frozen=True)
class Run:
    """An adapter folder: readable by diffusers' ``load_lora_weights`` with no line of ours."""

    folder: Path
    settings: Plan
    stopped: bool = False  # before the last step
    pictures: tuple[Path, ...] = ()
    went_on_from: int = 0  # the step at which it was taken up again after a stop

    def __str__(self) -> str:
        steps = f"{self.settings.steps} steps"
        if self.stopped:
            return (
                f"{self.folder}: stopped at step {len(self.log)} of {steps}; the same call goes on from there"
            )
        return f"{self.folder}: {steps}" + (
            f", went on from {self.went_on_from}" if self.went_on_from else ""
        )

    @property
    def adapter(self) -> Path:
        """The weights' file."""
        return self.folder / WEIGHTS

    @property
    def log(self) -> list[dict[str, Any]]:
        """One row a step: step, loss, seconds, learning_rate, and validation where that was measured."""
        return [json.loads(line) for line in (self.folder / "log.jsonl").read_text().splitlines()]

    def save(self) -> None:
        """Write settings.json."""
        known = dataclasses.asdict(self.settings) | {
            "stopped": self.stopped,
            "pictures": [str(p) for p in self.pictures],
            "went_on_from": self.went_on_from,
        }
        (self.folder / "settings.json").write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Return the run in a folder. FileNotFoundError when it holds none, ValueError when its settings are damaged."""
        path = Path(folder) / "settings.json"
        if not path.is_file():
            raise FileNotFoundError(
                f"{folder} holds no run: expected settings.json; name a folder that `lessons train` wrote"
            )
        try:
            known = json.loads(path.read_text())
            stopped, pictures = known.pop("stopped"), known.pop("pictures")
            went_on_from = known.pop("went_on_from", 0)
            known["sample_prompts"] = tuple(known["sample_prompts"])
            return cls(Path(folder), Plan(**known), stopped, tuple(Path(p) for p in pictures), went_on_from)
        except (KeyError, TypeError, ValueError) as problem:
            raise ValueError(f"{path} is damaged ({problem}); train again, or restore the file") from problem


@contextmanager
def workplace(out: Path, machine: Accelerator | None = None) -> Iterator[Path]:
    """Give a folder to work in that takes the place of `out` when all went well.

    When it went wrong, or the process was killed, a folder that holds checkpoints stays for the next try and otherwise
    no trace does. A run that was stopped with Ctrl-C is taken up again from a copy. Of several processes the first
    makes the folder and puts it in its place; the others wait for that.
    Raises OSError before any work when the place cannot be written, ValueError when `out` holds something else or
    another program is at work on it.
    """
    part = out.parent / f".{out.name}.unfinished"
    if machine is None or machine.is_main_process:
        with alone(out):
            prepare(out, part)
            try:
                if machine:
                    machine.wait_for_everyone()
                yield part
                replace(part, out)
            finally:
                if not any((part / "checkpoints").glob("*")):
                    shutil.rmtree(part, ignore_errors=True)
    else:
        machine.wait_for_everyone()
        yield part
    if machine:
        machine.wait_for_everyone()


def prepare(out: Path, part: Path) -> None:
    """Make the folder to work in, with what a stopped run left; see `workplace` for what it raises."""
    if out.exists() and (not out.is_dir() or any(out.iterdir()) and not (out / "settings.json").exists()):
        raise ValueError(f"{out} exists and is not a run; choose another place, or remove it first")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if not part.exists() and (out / "checkpoints").is_dir():
            shutil.copytree(out, part)
        part.mkdir(exist_ok=True)
    except OSError as problem:
        raise OSError(f"cannot write to {out.parent} ({problem.strerror}); choose another place") from problem


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Raise ValueError when another program on this machine is at work on `out`. The lock goes with the process."""
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir()) / f"lessons-{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as problem:
        raise ValueError(
            f"another program is training into {out} right now; wait for it, or choose another place"
        ) from problem
    try:
        yield
    finally:
        lock.release()


def replace(part: Path, out: Path) -> None:
    """Put `part` where `out` is; an older run there goes only when the new one has taken its place."""
    old = part.with_name(part.name + ".old")
    if out.exists():
        os.replace(out, old)
    os.replace(part, out)
    shutil.rmtree(old, ignore_errors=True)
