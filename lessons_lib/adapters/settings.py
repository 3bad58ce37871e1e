"""What a training is asked to do: Settings as given, and resolved for one base model."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints

from lessons_lib.models.bases import Base

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

    def filled(self, base: Base) -> ResolvedSettings:
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
        return ResolvedSettings(**known)

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
class ResolvedSettings(Settings):
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
