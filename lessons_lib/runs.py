"""A run: the settings it was made with and the folder that holds what it learned."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lessons_lib.bases import Base

WEIGHTS = "pytorch_lora_weights.safetensors"


@dataclass(frozen=True)
class Settings:
    """What a run is asked to do; None means the base model's own value. `sample_every` in steps."""

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
        }
        return Plan(**known)

    def check(self) -> None:
        """Raise ValueError for a value that training could not use."""
        for name in ("rank", "alpha", "steps", "learning_rate", "batch"):
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


@dataclass(frozen=True)
class Run:
    """An adapter folder: readable by diffusers' ``load_lora_weights`` with no line of ours."""

    folder: Path
    settings: Plan
    stopped: bool = False  # by Ctrl-C, before the last step
    pictures: tuple[Path, ...] = ()

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
            known["sample_prompts"] = tuple(known["sample_prompts"])
            return cls(Path(folder), Plan(**known), stopped, tuple(Path(p) for p in pictures))
        except (KeyError, TypeError, ValueError) as problem:
            raise ValueError(f"{path} is damaged ({problem}); train again, or restore the file") from problem


@contextmanager
def workplace(out: Path) -> Iterator[Path]:
    """Give a folder to work in that takes the place of `out` when all went well, and otherwise leaves no trace.

    Raises OSError before any work when the place cannot be written, ValueError when `out` holds something else.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir()) and not (out / "settings.json").exists()):
        raise ValueError(f"{out} exists and is not a run; choose another place, or remove it first")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as problem:
        raise OSError(f"cannot write to {out.parent} ({problem.strerror}); choose another place") from problem
    try:
        yield part
        part.chmod(0o755)
        replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def replace(part: Path, out: Path) -> None:
    """Put `part` where `out` is; an older run there goes only when the new one has taken its place."""
    old = part.with_name(part.name + ".old")
    if out.exists():
        os.replace(out, old)
    os.replace(part, out)
    shutil.rmtree(old, ignore_errors=True)
