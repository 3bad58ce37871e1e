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
from typing import Any, Literal

from filelock import FileLock, Timeout

from lessons_lib.bases import Base

WEIGHTS = "pytorch_lora_weights.safetensors"


@dataclass(frozen=True)
class Settings:
    """What a run is asked to do; None means the base model's own value. `sample_every`, `checkpoint_every` in steps."""

    base: str = "pocket"
    trigger: str = ""
    mode: Literal["style", "concept"] = "style"
    rank: int | None = None
    alpha: int | None = None
    steps: int | None = None
    learning_rate: float | None = None
    batch: int | None = None
    seed: int = 0
    caption_dropout: float = 0.1
    sample_prompts: tuple[str, ...] = ()
    sample_every: int | None = None
    checkpoint_every: int | None = None
    name: str = "run"

    def filled(self, base: Base) -> Plan:
        """Return settings with no None left; alpha follows rank, so that the file means the same in every program."""
        self.check()
        known = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        steps = self.steps or base.steps
        rank = self.rank or base.rank
        known |= {
            "rank": rank,
            "alpha": self.alpha or (rank if self.rank else base.alpha),
            "steps": steps,
            "learning_rate": self.learning_rate or base.learning_rate,
            "batch": self.batch or base.batch,
            "sample_every": self.sample_every or steps,
            "checkpoint_every": self.checkpoint_every or max(1, steps // 10),
        }
        return Plan(**known)

    def check(self) -> None:
        """Raise ValueError for a value that training could not use."""
        for name in ("rank", "alpha", "steps", "learning_rate", "batch", "sample_every", "checkpoint_every"):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ValueError(f"{name} is {value}; expected more than 0")
        if not 0 <= self.caption_dropout < 1:
            raise ValueError(f"caption_dropout is {self.caption_dropout}; expected at least 0 and below 1")
        if self.mode not in ("style", "concept"):
            raise ValueError(f"mode is {self.mode!r}; expected 'style' or 'concept'")
        if not self.trigger.strip():
            raise ValueError("the trigger word is empty; choose one that is no real word, such as mugh4l")


@dataclass(frozen=True)
class Plan(Settings):
    """Settings with nothing left open, as a run is made and stored."""

    rank: int = 0
    alpha: int = 0
    steps: int = 0
    learning_rate: float = 0.0
    batch: int = 0
    sample_every: int = 0
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
        """One row a step: step, loss, seconds, learning_rate."""
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
def workplace(out: Path) -> Iterator[Path]:
    """Give a folder to work in that takes the place of `out` when all went well.

    When it went wrong, or the process was killed, a folder that holds checkpoints stays for the next try and otherwise
    no trace does. A run that was stopped with Ctrl-C is taken up again from a copy.
    Raises OSError before any work when the place cannot be written, ValueError when `out` holds something else or
    another process is at work on it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir()) and not (out / "settings.json").exists()):
        raise ValueError(f"{out} exists and is not a run; choose another place, or remove it first")
    part = out.parent / f".{out.name}.unfinished"
    with alone(out):
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            if not part.exists() and (out / "checkpoints").is_dir():
                shutil.copytree(out, part)
            part.mkdir(exist_ok=True)
        except OSError as problem:
            raise OSError(
                f"cannot write to {out.parent} ({problem.strerror}); choose another place"
            ) from problem
        try:
            yield part
            replace(part, out)
        finally:
            if not any((part / "checkpoints").glob("*")):
                shutil.rmtree(part, ignore_errors=True)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Raise ValueError when another process of this machine is at work on `out`. The lock goes with the process."""
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
