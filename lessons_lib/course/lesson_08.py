"""Lesson 08: a made-up owl, trained plainly and with one remedy at a time, and what its adapters draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from lessons_lib.adapters.files import Adapter
from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course.trials import TRIGGER, flatten
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models.bases import Base
from lessons_lib.paths import ROOT
from lessons_lib.training import train

OWL, FOX = ROOT / "data" / "sample_character", ROOT / "data" / "sample_second_character"
FOX_TRIGGER, BOTH_TRIGGER = "zq7bp", "q4toys"  # words that mean nothing to the base
OWL_SUBJECT, FOX_SUBJECT = f"{TRIGGER} owl", f"{FOX_TRIGGER} fox"  # with a class noun
BYSTANDERS = ("a fox", "a cat", "a penguin", "a boy", "a parrot", "a robot")
CLASS_SUBJECTS = (
    "a rabbit",
    "a bear",
    "a duck",
    "a dog",
    "a frog",
    "a horse",
    "a girl",
    "a lion",
)  # no bystander
PLACES = ("in a boat", "beside a cake", "under a tree", "in the snow")
SEEDS = (1, 2)
PAIRS = ("a fox and a cat", "a penguin and a robot", "a boy and a parrot")
SHARE_OF_STEPS = 0.3  # of the base's own
STRENGTH = 1.0  # as trained
WEAKER = (0.5, 0.75)  # at which the plain training is drawn, too: less of the owl, and less harm
_CLASS_SEEDS = (11, 12)
_RIGHTS = {"maker": "this lesson", "licence": "CC0-1.0", "source": "samples of the base model"}


@dataclass(frozen=True)
class Remedy:
    """A training that differs from the plain one in one thing.

    `subject`: what captions and prompts call the owl. `settings`: of Settings, where they differ.
    `steps`: a share of the plain training's. `prior`: whether it also sees class pictures.
    """

    subject: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    steps: float = 1.0
    prior: bool = False

    @property
    def prompts(self) -> list[str]:
        """The owl in each of PLACES."""
        return [f"{self.subject} {place}" for place in PLACES]


PLAIN = "no remedy"
REMEDIES = {
    PLAIN: Remedy(TRIGGER),
    "class noun": Remedy(OWL_SUBJECT),
    "class pictures": Remedy(TRIGGER, prior=True),
    "noun and class pictures": Remedy(OWL_SUBJECT, prior=True),
    "separating words": Remedy(f"{TRIGGER}, the one with the striped scarf,"),
    "the name Tom": Remedy("tom"),
    "fewer steps": Remedy(TRIGGER, steps=0.4),
    "rank 4": Remedy(TRIGGER, {"rank": 4}),
    "masks": Remedy(TRIGGER, {"unmasked_weight": 0.1}),
}


def renamed(dataset: Dataset, noun: str, subject: str) -> Dataset:
    """Return the training pictures with captions that call the character otherwise: "an owl" becomes the
    subject.
    """
    article = "an" if noun[0] in "aeiou" else "a"
    captions = [(p.caption or "").replace(f"{article} {noun}", subject, 1) for p in dataset.train]
    return Dataset(dataset.train).with_captions(captions)


def class_pictures(sampler: Sampler) -> list[Picture]:
    """Return pictures that the base draws of things of the class, each with its prompt as the caption."""
    rows = sampler.sample(CLASS_SUBJECTS, _CLASS_SEEDS)
    return [
        Picture(Path(f"{thing.split()[-1]}_{seed}.png"), ImageFile.of(image), dict(_RIGHTS), thing)
        for thing, row in zip(CLASS_SUBJECTS, rows, strict=True)
        for seed, image in zip(_CLASS_SEEDS, row, strict=True)
    ]


def train_remedy(
    base: Base,
    owl: Dataset,
    remedy: Remedy,
    prior: Sequence[Picture],
    seed: int,
    run_dir: Path,
    share: float = SHARE_OF_STEPS,
) -> Run:
    """Return a run on the owl with one remedy; `prior` is used where the remedy says so.

    `share`: of the base's own steps, for the plain training.
    """
    pictures = replace(renamed(owl, "owl", remedy.subject), prior=list(prior) if remedy.prior else [])
    settings = Settings(
        base=base.name,
        trigger=remedy.subject.split()[0].rstrip(","),
        mode="concept",
        steps=base.share_of_steps(share * remedy.steps),
        seed=seed,
        name=run_dir.name,
        **{"unmasked_weight": 1.0} | dict(remedy.settings),
    )
    return train.train(pictures, settings, run_dir, replace=True)


def train_fox(base: Base, fox: Dataset, seed: int, run_dir: Path) -> Run:
    """Return a run on the fox alone, as the owl's with a class noun."""
    settings = _two_settings(base, FOX_TRIGGER, seed, run_dir, 1)
    return train.train(renamed(fox, "fox", FOX_SUBJECT), settings, run_dir, replace=True)


def train_both(base: Base, owl: Dataset, fox: Dataset, seed: int, run_dir: Path) -> Run:
    """Return a run on both characters, each with its own word; it has the steps of two trainings.

    The setting `trigger` is a third word, before every caption.
    """
    one, other = (
        renamed(owl, "owl", OWL_SUBJECT).train,
        renamed(fox, "fox", FOX_SUBJECT).train,
    )
    settings = _two_settings(base, BOTH_TRIGGER, seed, run_dir, 2)
    return train.train(Dataset([*one, *other]), settings, run_dir, replace=True)


def _two_settings(base: Base, trigger: str, seed: int, run_dir: Path, trainings: int) -> Settings:
    steps = base.share_of_steps(SHARE_OF_STEPS * trainings)
    return Settings(
        base=base.name, trigger=trigger, mode="concept", steps=steps, seed=seed, name=run_dir.name,
        unmasked_weight=1.0,
    )  # fmt: skip


def draw(
    sampler: Sampler,
    run: Path | Adapter | None,
    prompts: Sequence[str],
    seeds: Sequence[int] = SEEDS,
    strength: float = STRENGTH,
) -> list[Image.Image]:
    """Return samples in one list, prompt by prompt, with an adapter, which is taken off again, or without."""
    if run is None:
        return flatten(sampler.sample(prompts, seeds))
    sampler.load(run)
    try:
        return flatten(sampler.sample(prompts, seeds, strength=strength))
    finally:
        sampler.unload()
