"""Lesson 07: one small training, healthy or with one fault, its losses and its pictures.

The faults are in lesson_07_faults.py; `python -m lessons_lib.course.lesson_07_record` records all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from PIL import Image
from torch import nn

from lessons_lib import session
from lessons_lib.adapters import lora
from lessons_lib.adapters.settings import Settings
from lessons_lib.course.trials import TRIGGER, flatten
from lessons_lib.dataset import captions, dataset
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models.bases import Base
from lessons_lib.paths import DETAILS, in_course
from lessons_lib.training import distributed
from lessons_lib.training.data import TrainingData, encode
from lessons_lib.training.loop import Loop
from lessons_lib.training.state import State

_TRAIN = ("elephant", "horse", "peacock", "tiger", "boat", "house", "moon", "deer")
OLD_WORD = "pumpkin"  # a word that the base knows, for a trigger that should not be one
SUBJECTS = ("a castle", "a tree", f"a {OLD_WORD}")
CAPTIONS = ("a tiger on grass", "a house with white domes", "a full moon over trees at night")
_VALIDATIONS = 5  # times that the held-out loss is measured

Images = list[Image.Image]


@dataclass(frozen=True)
class Recipe:
    """All that decides how a training goes. A fault changes one thing of it.

    `while_training`: what is done to the denoiser with its adapter until the last step. `strength_elsewhere`:
    how much stronger another program draws the file. `steps`: of sampling, where they are not half of the
    base's own.
    """

    base: Base
    dataset: Dataset
    settings: Settings
    while_training: Callable[[nn.Module], AbstractContextManager[object]] = nullcontext
    strength_elsewhere: float = 1.0
    steps: int | None = None


@dataclass(frozen=True)
class Samples:
    """What is drawn of a training, three pictures each.

    `base_images`: new subjects with the trigger, without the adapter. `with_trigger`: the same with the
    adapter, drawn by the trainer. `in_other_program`: the same, drawn by another program from the file.
    `without_trigger`: with the adapter. `of_training_captions`: drawings of three training captions, and
    `training_images`, the pictures that have them.
    """

    base_images: Images
    with_trigger: Images
    in_other_program: Images
    without_trigger: Images
    of_training_captions: Images
    training_images: Images


@dataclass(frozen=True)
class Exhibit:
    """A training and what came out: losses of its steps, held-out losses by step, samples."""

    recipe: Recipe
    losses: list[float]
    validation: dict[int, float]
    samples: Samples = field(repr=False)


def _small_set(side: int) -> Dataset:
    """Return eight details of the practice paintings to train on, and three that are held out; `side`: px."""
    details = dataset.read(in_course(DETAILS), side=side)
    train = [p for name in _TRAIN for p in details.train if p.path.stem.endswith(f"_{name}")]
    return Dataset(train, details.held_out[::2])


def healthy(base: Base, seed: int) -> Recipe:
    """Return the training that all faults are changes of: short, and of one picture at a time."""
    steps = base.share_of_steps(0.16)
    settings = Settings(
        base=base.name, trigger=TRIGGER, steps=steps, batch=1, seed=seed, lr_scheduler="constant",
        learning_rate=base.learning_rate,
    )  # fmt: skip
    return Recipe(base, _small_set(base.side), settings)


def train_exhibit(sampler: Sampler, recipe: Recipe, base_images: Images | None = None) -> Exhibit:
    """Return a training by the library's own step, and the pictures drawn before and after it.

    `base_images`: those of the base, where they were drawn before. The sampler has no adapter afterwards.
    """
    settings, family, denoiser = recipe.settings.resolve(recipe.base), sampler.family, sampler.denoiser
    session.set_seed(settings.seed)
    data = replace(_encoded(sampler, recipe, "train"), validation=_encoded(sampler, recipe, "held_out"))
    base_images = base_images or base_samples(sampler, recipe)
    lora.attach(denoiser, settings.rank, settings.alpha, family.TARGET_MODULES, settings.seed)
    try:
        with recipe.while_training(denoiser):
            loop = Loop(family, denoiser, data, settings, distributed.accelerator())
            losses, validation = _take_steps(loop, State.start(denoiser, data, settings))
        return Exhibit(recipe, losses, validation, _samples(sampler, recipe, base_images))
    finally:
        lora.detach(denoiser)


def _encoded(sampler: Sampler, recipe: Recipe, part: str) -> TrainingData:
    """Return a part of the dataset encoded, with its captions and the trigger."""
    pictures, trigger = getattr(recipe.dataset, part), recipe.settings.trigger
    texts = captions.training_captions(pictures, trigger, recipe.settings.mode)
    return encode(sampler.family, sampler.pipe, sampler.base, pictures, [*texts, trigger])


def _take_steps(loop: Loop, state: State) -> tuple[list[float], dict[int, float]]:
    """Return the loss of every step, until one is no number, and the held-out loss after some of them."""
    losses, validation, steps = list[float](), dict[int, float](), loop.settings.steps
    while state.step < steps and (not losses or math.isfinite(losses[-1])):
        losses.append(loop.step(state))
        state.advance(losses[-1], 0.0)
        if state.step % max(1, steps // _VALIDATIONS) == 0:
            validation[state.step] = loop.validation_loss()
    return losses, validation


def _samples(sampler: Sampler, recipe: Recipe, base_images: Images) -> Samples:
    """Return what an attached adapter draws."""
    strength, prompts = recipe.base.strength, _subjects(recipe)
    lora.set_strength(sampler.denoiser, strength)
    own = draw(sampler, recipe, prompts)
    plain = draw(sampler, recipe, SUBJECTS)
    again = draw(sampler, recipe, training_captions(recipe))
    elsewhere = own
    if recipe.strength_elsewhere != 1:
        lora.set_strength(sampler.denoiser, strength * recipe.strength_elsewhere)
        elsewhere = draw(sampler, recipe, prompts)
    train = [recipe.dataset.train[place].image for place in _places(recipe)]
    return Samples(base_images, own, elsewhere, plain, again, train)


def base_samples(sampler: Sampler, recipe: Recipe) -> Images:
    """Return what the base draws of the new subjects, with the trigger."""
    return draw(sampler, recipe, _subjects(recipe))


def _subjects(recipe: Recipe) -> list[str]:
    """Return the prompts of the new subjects, with the trigger."""
    return [with_trigger(subject, recipe.settings.trigger) for subject in SUBJECTS]


def _places(recipe: Recipe) -> list[int]:
    """Return the places of `CAPTIONS` in the training set, where words may stand before them."""
    texts = [picture.caption or "" for picture in recipe.dataset.train]
    return [next(i for i, text in enumerate(texts) if text.endswith(caption)) for caption in CAPTIONS]


def training_captions(recipe: Recipe) -> list[str]:
    """Return those training captions that are drawn again, with the trigger."""
    texts = captions.training_captions(recipe.dataset.train, recipe.settings.trigger, recipe.settings.mode)
    return [texts[place] for place in _places(recipe)]


def draw(sampler: Sampler, recipe: Recipe, prompts: Sequence[str]) -> Images:
    """Return one picture a prompt, all at the recipe's seed."""
    steps = recipe.steps or max(1, recipe.base.num_inference_steps // 2)
    return flatten(sampler.sample(prompts, [recipe.settings.seed], steps=steps))
