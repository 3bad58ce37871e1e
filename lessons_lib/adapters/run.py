"""A run: the settings it was made with and the folder that holds what it learned."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lessons_lib.adapters.settings import ResolvedSettings

if TYPE_CHECKING:
    pass

WEIGHTS = "pytorch_lora_weights.safetensors"


@dataclass(frozen=True)
class Run:
    """An adapter folder: readable by diffusers' ``load_lora_weights`` with no line of ours."""

    folder: Path
    settings: ResolvedSettings
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
            return cls(
                Path(folder),
                ResolvedSettings(**known),
                stopped,
                tuple(Path(p) for p in pictures),
                went_on_from,
            )
        except (KeyError, TypeError, ValueError) as problem:
            raise ValueError(f"{path} is damaged ({problem}); train again, or restore the file") from problem
