"""What a training is asked to do: `Settings` as given, `ResolvedSettings` for one base model.

The fields are the one source of the command's options, their help and the table in notebooks/SETTINGS.md.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from lessons_lib.dataset.messages import one_line
from lessons_lib.models import bases
from lessons_lib.models.bases import Base
from lessons_lib.paths import safe_name

PRESETS = {"quick": 0.4, "standard": 1.0, "thorough": 2.5}  # times the base model's own number of steps
EXAMPLE_TRIGGER = "mugh4l"  # no real word; the one of the practice paintings

# What is drawn and written on the way, and how much memory that takes, changes nothing of what is learned.
WITHOUT_EFFECT = (
    "preset", "sample_prompts", "sample_every", "validate_every", "checkpoint_every", "tensorboard", "name",
    "gradient_checkpointing", "keep_adapters",
)  # fmt: skip

_EARLIER: dict[str, Any] = {
    "keep_adapters": False,
    "picture_order": "replacement",
    "caption_choice": "first",
    "quantize": "none",
    "resolution": None,
    "latents": "mode",
    "aspect_ratio_buckets": "off",
    "size_ids": "constant",
    "unmasked_weight": 1.0,
    "normalize_masked_area_loss": False,
}


def option(default: Any, help: str, flag: str = "", metavar: str | None = None) -> Any:
    """Return a field of Settings with its help and, where it is not --field-name, the command's option."""
    return field(default=default, metadata={"help": help, "flag": flag, "metavar": metavar})


@dataclass(frozen=True)
class Settings:
    """What a run is asked to do; None means the base model's own value. What ends in `_every` is in steps."""

    base: str = option("pocket", "the base model to start from", metavar="NAME")
    trigger: str = option("", "the made-up word to call it by", metavar="WORD")
    mode: Literal["style", "concept"] = option("style", "a way of painting, or one thing")
    preset: Literal["quick", "standard", "thorough"] = option(
        "standard", "how long, as a multiple of the base model's steps: 0.4, 1 or 2.5; --steps overrides it"
    )
    rank: int | None = option(None, "rank of the LoRA layers")
    alpha: int | None = option(
        None, "scale of the LoRA layers is alpha / rank; it follows a rank that is given"
    )
    steps: int | None = option(None, "training steps", metavar="N")
    learning_rate: float | None = option(None, "learning rate; with prodigy a factor, 1", "--lr", "RATE")
    batch: int | None = option(None, "pictures that go through the model at once", metavar="N")
    gradient_accumulation_steps: int = option(1, "batches before the adapter changes", "--accumulate", "N")
    optimizer: Literal["adamw", "adamw8bit", "prodigy"] = option(
        "adamw", "adamw8bit needs less memory, prodigy finds its own rate"
    )
    lr_scheduler: Literal["cosine", "linear", "constant"] = option(
        "cosine", "the learning rate's course after a short warm-up", "--schedule"
    )
    ema_decay: float = option(
        0.0, "keep an average of the adapter, such as 0.99; 0 keeps none", "--ema", "DECAY"
    )
    sigma_sampling: Literal["uniform", "logit_normal"] | None = option(
        None, "how noise levels are drawn before they are shifted: all alike, or most in the middle"
    )
    sigma_shift: float | None = option(
        None, "above 1: noisier levels, as large pictures ask for (arXiv 2403.03206)", metavar="SHIFT"
    )
    quantize: Literal["auto", "none", "nf4", "int8"] = option(
        "auto", "frozen weights in 4 or 8 bits; auto: nf4 where they do not fit this machine otherwise"
    )
    resolution: int | None = option(None, "side of the pictures; less needs less memory", metavar="PX")
    latents: Literal["mode", "sample"] | None = option(
        None, "of the VAE's distribution: its mode, or a sample at each step, with twice the room on disk"
    )
    aspect_ratio_buckets: Literal["on", "off"] | None = option(
        None,
        "on: pictures keep their shape, and a batch holds pictures of one shape; off: squares",
        "--buckets",
    )
    size_ids: Literal["picture", "constant"] = option(
        "picture",
        "where a base reads sizes beside the text: size and crop of each picture, or of a whole square",
    )
    unmasked_weight: float = option(
        0.1, "weight of the loss where a picture's mask is black; 1 uses no masks", metavar="WEIGHT"
    )
    normalize_masked_area_loss: bool = option(False, "pictures with large and small masks count alike")
    gradient_checkpointing: bool = option(False, "less memory, more time")
    compile: bool | None = option(
        None, "shorter steps after a first one of minutes; left open: on a GPU, where measuring shows it"
    )
    prior_weight: float = option(1.0, "weight of the class pictures' loss", metavar="WEIGHT")
    seed: int = option(0, "seed of the training", metavar="N")
    picture_order: Literal["shuffle", "replacement"] = option(
        "shuffle", "shuffle: every picture once before any twice; replacement: as in versions 0.1 and 0.2"
    )
    caption_dropout: float = option(
        0.1, "share of captions replaced by the trigger word alone", metavar="SHARE"
    )
    caption_choice: Literal["random", "first"] = option(
        "random", "of several captions of a picture: one at random at each step, or always the first"
    )
    sample_prompts: tuple[str, ...] = option((), "prompts drawn on the way", "--prompt", "TEXT")
    sample_every: int | None = option(None, "draw the sample prompts every N steps", metavar="N")
    validate_every: int | None = option(
        None, "measure the loss on held-out pictures every N steps", metavar="N"
    )
    checkpoint_every: int | None = option(None, "keep the whole state every N steps", metavar="N")
    keep_adapters: bool = option(False, "keep the adapter each time samples are drawn, for `lessons pick`")
    tensorboard: bool = option(False, "write the log for TensorBoard, too")
    name: str = option("run", "what the run and its files are called")

    def resolve(self, base: Base) -> ResolvedSettings:
        """Return settings for one base with no None left but for `compile`, which the training settles.

        Alpha follows rank, so that the file means the same in every program.
        Raises ValueError for a value that training could not use.
        """
        self.check()
        steps = self.steps or round(base.steps * PRESETS[self.preset])
        rank = self.rank or base.rank
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        own_rate = 1.0 if self.optimizer == "prodigy" else base.learning_rate
        return ResolvedSettings(**values | {
            "base": base.name,
            "trigger": " ".join(self.trigger.split()),
            "rank": rank,
            "alpha": self.alpha or (rank if self.rank else base.alpha),
            "steps": steps,
            "learning_rate": self.learning_rate or own_rate,
            "batch": self.batch or base.batch,
            "sigma_sampling": self.sigma_sampling or base.sigma_sampling,
            "sigma_shift": self.sigma_shift or base.sigma_shift,
            "latents": self.latents or base.latents,
            "aspect_ratio_buckets": self.aspect_ratio_buckets or base.aspect_ratio_buckets,
            "quantize": "none" if self.quantize == "auto" else self.quantize,
            "resolution": None if self.resolution == base.side else self.resolution,
            **{name: getattr(self, name) or own for name, own in own_intervals(steps).items()},
        })  # fmt: skip

    def adapt(self, base: Base) -> Base:
        """Return the base as these settings load it: its weights quantised, at their resolution."""
        quantize = "none" if self.quantize == "auto" else self.quantize
        return dataclasses.replace(base, quantize=quantize, side=self.resolution or base.side)

    def check(self) -> None:
        """Raise ValueError for a value that training could not use."""
        self._check_numbers()
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in (*choices, None):
                raise ValueError(f"{name} is {value!r}; expected one of {', '.join(choices)}")
        if not self.trigger.strip():
            raise ValueError("the trigger word is empty; choose one that is no real word, such as mugh4l")
        if not " ".join(self.trigger.split()).isprintable():
            raise ValueError(f"the trigger word is {self.trigger!r}; expected letters and digits")
        if self.name != safe_name(self.name):
            raise ValueError(
                f"name is {self.name!r}, which names no file on every system; expected one such as "
                f"{safe_name(self.name)!r}"
            )

    def _check_numbers(self) -> None:
        for f in dataclasses.fields(self):
            if isinstance(value := getattr(self, f.name), float) and not math.isfinite(value):
                raise ValueError(f"{f.name} is {value}; expected a finite number")
        for name in (
            "rank", "alpha", "steps", "learning_rate", "batch", "gradient_accumulation_steps", "sigma_shift",
            "resolution", "sample_every", "validate_every", "checkpoint_every",
        ):  # fmt: skip
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ValueError(f"{name} is {value}; expected more than 0")
        for name in ("caption_dropout", "ema_decay"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} is {value}; expected at least 0 and below 1")
        if self.resolution is not None and self.resolution % 64:
            raise ValueError(f"resolution is {self.resolution}; expected a multiple of 64, such as 512")
        if not 0 <= self.unmasked_weight <= 1:
            raise ValueError(f"unmasked_weight is {self.unmasked_weight}; expected 0 to 1")
        if self.prior_weight < 0:
            raise ValueError(f"prior_weight is {self.prior_weight}; expected 0 or more")
        if not -(2**63) <= self.seed < 2**64:
            raise ValueError(f"seed is {self.seed}; expected a number of at most 64 bits")


CHOICES = {
    name: get_args(literal)
    for name, kind in get_type_hints(Settings).items()
    for literal in (kind, *get_args(kind))  # the second is of Literal[...] | None
    if get_origin(literal) is Literal
}


@dataclass(frozen=True)
class ResolvedSettings(Settings):
    """Settings with nothing left open, as a run is made and stored."""

    rank: int = 0
    alpha: int = 0
    steps: int = 0
    learning_rate: float = 0.0
    batch: int = 0
    sigma_sampling: Literal["uniform", "logit_normal"] = "uniform"
    sigma_shift: float = 1.0
    latents: Literal["mode", "sample"] = "mode"
    aspect_ratio_buckets: Literal["on", "off"] = "off"
    quantize: Literal["auto", "none", "nf4", "int8"] = "none"
    sample_every: int = 0
    validate_every: int = 0
    checkpoint_every: int = 0


def own_intervals(steps: int) -> dict[str, int]:
    """Return the settings that end in `_every` where they are not given, for a number of steps."""
    tenth = max(1, steps // 10)
    return {"sample_every": steps, "validate_every": tenth, "checkpoint_every": tenth}


def repeated(run: ResolvedSettings, options: Mapping[str, Any]) -> Settings:
    """Return the settings of a run with some of them changed.

    What follows from a setting that is changed is open again, as where none is given: alpha from the rank,
    steps from the preset, the intervals from the steps, the learning rate where prodigy comes or goes, and
    from another base all that is a base's own, or was chosen for its memory or speed.
    """
    fields = {f.name: f.default for f in dataclasses.fields(Settings)}
    values = {name: getattr(run, name) for name in fields}
    changed = {name for name, value in options.items() if value != values[name]}
    opened = {"alpha"} if "rank" in changed else set()
    if "preset" in options:
        opened.add("steps")
    if "optimizer" in changed and "prodigy" in (run.optimizer, options["optimizer"]):
        opened.add("learning_rate")
    if "base" in changed:
        opened |= {name for name, default in fields.items() if default is None}
        opened |= {"quantize", "gradient_checkpointing"}
    if "steps" in changed | opened:
        opened |= {name for name, own in own_intervals(run.steps).items() if values[name] == own}
    return Settings(**values | {name: fields[name] for name in opened} | dict(options))


def learned_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that decide what is learned: all but those of what is drawn and written on the
    way, and those that do what earlier versions did.
    """
    values = without_earlier(settings)
    return {name: value for name, value in values.items() if name not in WITHOUT_EFFECT}


def earlier_values(base: str) -> dict[str, Any]:
    """Return what versions before 0.3 did where they had no setting for it, by the name of the setting.

    A run that was recorded without one has these values, and they are left out of its fingerprint, so that a
    stopped one goes on to the same adapter.
    """
    row = bases.BASES.get(base)
    return _EARLIER | {"sigma_sampling": row.earlier_sigma_sampling if row else "logit_normal"}


def without_earlier(settings: Settings) -> dict[str, Any]:
    """Return settings by name without those that an earlier version did not have and that do what it did."""
    earlier = earlier_values(settings.base)
    values = dataclasses.asdict(settings) | {"compile": bool(settings.compile)}  # left open: the old default
    return {n: value for n, value in values.items() if earlier.get(n, ...) != value}


def read_settings(path: Path) -> tuple[ResolvedSettings, dict[str, Any]]:
    """Return the settings in a run's settings.json, and what else it holds. ValueError when it is damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        names, earlier = (
            [f.name for f in dataclasses.fields(ResolvedSettings)],
            earlier_values(values["base"]),
        )
        own = {name: values.pop(name) for name in names if name in values or name not in earlier}
        own["sample_prompts"] = tuple(own["sample_prompts"])
        settings = ResolvedSettings(**earlier | own)
        settings.check()
        return settings, values
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise ValueError(
            f"{path} is damaged ({one_line(problem)}); expected the settings of a run. Restore that file "
            "from a copy; the adapter beside it does not need it to be loaded in other programs"
        ) from problem


def flag(name: str) -> str:
    """Return the command's option for a field of Settings."""
    own = Settings.__dataclass_fields__[name].metadata["flag"]
    return own or f"--{name.replace('_', '-')}"


def table() -> str:
    """Return the settings as a Markdown table: name, option, default, what it does."""
    rows = ["| setting | option | default | |", "|---|---|---|---|"]
    for f in dataclasses.fields(Settings):
        default = "the base model's own" if f.default is None else json.dumps(f.default).replace("[]", "none")
        choices = f": {', '.join(CHOICES[f.name])}" if f.name in CHOICES else ""
        if f.type == "bool | None":
            default, choices = "measured", ", `--no-compile`"
        rows.append(f"| `{f.name}` | `{flag(f.name)}`{choices} | {default} | {f.metadata['help']} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
