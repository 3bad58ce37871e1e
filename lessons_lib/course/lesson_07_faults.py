"""Lesson 07's faults: what each changes in a healthy training, its signs, what to do, and who met it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from lessons_lib.adapters import lora
from lessons_lib.course.lesson_07 import OLD_WORD, Recipe, healthy
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.models import bases
from lessons_lib.models.bases import Base

_TOO_MANY, _TOO_FEW = 5, 0.06  # times the steps of the healthy training
_REPEATS = 10
_STYLE_WORDS = "a flat gouache miniature in ochre and green"
_GUIDANCE = 3.5  # diffusers' and kohya's default for drawing with FLUX.1-dev


@dataclass(frozen=True)
class Fault:
    """A way to fail. `name`: as the learner picks it. `word`: what people search for. `signs`: what the
    exhibit shows. `report`: an address where somebody met it.
    """

    name: str
    word: str
    signs: str
    why: str
    remedy: str
    report: str
    change: Callable[[Recipe], Recipe]


def _with_settings(recipe: Recipe, **values: Any) -> Recipe:
    return replace(recipe, settings=replace(recipe.settings, **values))


def _rate(recipe: Recipe) -> Recipe:
    return _with_settings(recipe, learning_rate=10 * (recipe.settings.learning_rate or 0))


def _too_many_steps(recipe: Recipe) -> Recipe:
    return _with_settings(recipe, steps=_TOO_MANY * (recipe.settings.steps or 1))


def _too_few_steps(recipe: Recipe) -> Recipe:
    return _with_settings(recipe, steps=max(1, round(_TOO_FEW * (recipe.settings.steps or 1))))


def _one_picture_ten_times(recipe: Recipe) -> Recipe:
    """The night picture ten times."""
    night = next(p for p in recipe.dataset.train if "moon" in p.path.stem)
    train = [*recipe.dataset.train, *[night] * (_REPEATS - 1)]
    return replace(recipe, dataset=Dataset(train, recipe.dataset.held_out))


def _style_in_captions(recipe: Recipe) -> Recipe:
    texts = [f"{_STYLE_WORDS}, {picture.caption}" for picture in recipe.dataset.train]
    return replace(recipe, dataset=recipe.dataset.with_captions(texts))


def _shuffled_captions(recipe: Recipe) -> Recipe:
    """Every picture with the caption of another."""
    order = list(range(len(recipe.dataset.train)))
    random.Random(recipe.settings.seed).shuffle(order)
    places = {order[i]: order[i - 1] for i in range(len(order))}  # a ring: none keeps its own
    texts = [recipe.dataset.train[places[i]].caption or "" for i in range(len(order))]
    return replace(recipe, dataset=recipe.dataset.with_captions(texts))


def _real_word(recipe: Recipe) -> Recipe:
    return _with_settings(recipe, trigger=OLD_WORD)


def _distilled(recipe: Recipe) -> Recipe:
    """The distilled form of the base; that it says it cannot be trained is overruled."""
    base = replace(bases.find(recipe.base.distilled), trainable=True)
    return replace(_with_settings(recipe, base=base.name), base=base, steps=base.num_inference_steps)


def _alpha(recipe: Recipe) -> Recipe:
    """Trained with alpha = rank / 2, read by a program that takes alpha for the rank: twice as strong."""
    alpha = recipe.base.rank // 2
    changed = _with_settings(recipe, rank=recipe.base.rank, alpha=alpha)
    return replace(changed, strength_elsewhere=recipe.base.rank / alpha)


@contextmanager
def _in_float16(denoiser: nn.Module) -> Iterator[None]:
    """The adapter, its gradients, its optimizer and the activations in float16, and no scaler."""
    for parameter in lora.trainable_parameters(denoiser).values():
        parameter.data = parameter.data.half()
    with torch.autocast(next(denoiser.parameters()).device.type, torch.float16):
        yield


def _float16(recipe: Recipe) -> Recipe:
    return replace(recipe, while_training=_in_float16)


@contextmanager
def _without_up(denoiser: nn.Module) -> Iterator[None]:
    """The factors B are not among what the optimizer changes."""
    for name, parameter in lora.trainable_parameters(denoiser).items():
        parameter.requires_grad_("lora_B" not in name)
    yield


def _nothing_learned(recipe: Recipe) -> Recipe:
    return replace(recipe, while_training=_without_up)


@contextmanager
def _guided(denoiser: nn.Module) -> Iterator[None]:
    """The guidance that is meant for drawing goes into the model at every training step."""

    def raise_guidance(_: nn.Module, args: tuple, values: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return args, values | {"guidance": torch.full_like(values["guidance"], _GUIDANCE)}

    hook = denoiser.register_forward_pre_hook(raise_guidance, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def _guidance(recipe: Recipe) -> Recipe:
    return replace(recipe, while_training=_guided)


def recipe_of(fault: str, base: Base, seed: int) -> Recipe:
    """Return the training that has one fault."""
    return FAULTS[fault].change(healthy(base, seed))


FAULTS = {
    "rate": Fault(
        name="learning rate ten times too high",
        word="divergence",
        signs="the loss climbs, the held-out loss begins far above the healthy one, every picture is noise",
        why="each step goes beyond the place that it aimed at, and the next one starts farther away",
        remedy="a tenth of the learning rate, and start again; more steps hardly mend noise (not tried here)",
        report="https://github.com/bmaltais/kohya_ss/issues/137",
        change=_rate,
    ),
    "many": Fault(
        name="far too many steps",
        word="overfitting, memorisation",
        signs="five times as many steps; the loss keeps falling, the held-out loss rises",
        why="what the pictures have in common is learned early; then only the pictures themselves are left",
        remedy="take the checkpoint where the held-out loss was lowest, or train again with fewer steps",
        report="https://github.com/TheLastBen/fast-stable-diffusion/issues/1195",
        change=_too_many_steps,
    ),
    "few": Fault(
        name="far too few steps",
        word="underfitting",
        signs="a curve of a few steps, too short to tell anything; after looks like before",
        why="B starts at zero and has hardly moved",
        remedy="train for longer; count pictures seen, steps times batch, not steps",
        report="https://github.com/cocktailpeanut/fluxgym/issues/27",
        change=_too_few_steps,
    ),
    "repeat": Fault(
        name="one picture ten times in the set",
        word="mode collapse, duplicates",
        signs="the loss falls far below the healthy one in as many steps; the pictures have no sure sign",
        why="more than half of the steps have that picture, and the others are hardly seen",
        remedy="`lessons check` names duplicates: keep one of each, or give it a smaller weight",
        report="https://arxiv.org/abs/2305.20086",
        change=_one_picture_ten_times,
    ),
    "style": Fault(
        name="style words inside the captions",
        word="the style sits in other words than the trigger",
        signs="captions of the set draw much the same smears, whatever they say; new prompts change less",
        why="not known: place, words and pictures differ from lesson 03, where style words did little harm",
        remedy="style words out of captions and prompts; a true one may stand behind a caption (lesson 03)",
        report="https://github.com/atomantic/PortOS/issues/1320",
        change=_style_in_captions,
    ),
    "shuffle": Fault(
        name="captions of other pictures",
        word="misaligned captions",
        signs="the loss looks healthy, no sure sign is there; here the tree comes apart, bricks show behind",
        why="each word is pulled towards another thing, but the training is too short to get there",
        remedy="print captions beside pictures before training (`lessons check --captions`); look at five",
        report="https://github.com/huggingface/diffusers/issues/14430",
        change=_shuffled_captions,
    ),
    "word": Fault(
        name="the trigger is a word that the base knows",
        word="leakage, a collision of words",
        signs="before the training already, prompts show that word's old meaning; without the trigger not",
        why="the old meaning is in the base and comes along with every prompt",
        remedy="a made-up word, tried on the base first: `lessons check --trigger WORD`",
        report="https://github.com/XavierXiao/Dreambooth-Stable-Diffusion/issues/71",
        change=_real_word,
    ),
    "distilled": Fault(
        name="a distilled base trained as if it were none",
        word="the distillation breaks down",
        signs="the curve looks healthy; before is not quite what this base draws: the tree is lighter here",
        why="it was made to draw one sharp picture in four steps; the usual loss asks for a mean of many",
        remedy="train on the model that it was distilled from and draw with the distilled one",
        report="https://github.com/huggingface/diffusers/issues/12120",
        change=_distilled,
    ),
    "alpha": Fault(
        name="alpha is not the rank, and another program reads the file",
        word="double or half strength",
        signs="the trainer's own pictures are fine; in the other program they are overdone, or too weak",
        why="the change is B A times alpha / rank; a reader that drops alpha takes it to be the rank",
        remedy="alpha equal to rank, or the factor multiplied into B before the file is written",
        report="https://github.com/CSU-JPG/Glance/issues/2",
        change=_alpha,
    ),
    "half": Fault(
        name="float16 without a scaler",
        word="loss is NaN",
        signs="the curve ends after a few steps, and every picture is black",
        why="float16 has no room for small gradients: they become 0, Adam divides by them, and 0 / 0 is NaN",
        remedy="keep the adapter in float32 and scale the loss (GradScaler), or use bfloat16",
        report="https://github.com/kohya-ss/sd-scripts/issues/293",
        change=_float16,
    ),
    "zero": Fault(
        name="B stayed zero",
        word="the LoRA has no effect",
        signs="the held-out loss is the same number all along; before and after are the same to the last bit",
        why="the optimizer was not given the factors B, or they were never saved or never loaded",
        remedy="take ten steps first and see whether the norm of B is above zero (`lessons info`)",
        report="https://github.com/huggingface/peft/issues/793",
        change=_nothing_learned,
    ),
    "guidance": Fault(
        name="guidance left on while training",
        word="washed-out pictures",
        signs="both losses begin above the healthy ones; pictures are hazy and pale, things are still there",
        why="it learns to give the unguided answer where guidance is asked for: guidance loses its effect",
        remedy="train FLUX.1-dev and its kin with guidance 1, and draw with 3.5",
        report="https://github.com/black-forest-labs/flux/issues/79",
        change=_guidance,
    ),
}


def label(key: str) -> str:
    """Return the description of a fault, by its key: its signs, the reason, the remedy and who
    met it.
    """
    fault = FAULTS[key]
    lines = (
        f"{key}: {fault.name} ({fault.word})",
        f"you see   {fault.signs}",
        f"because   {fault.why}",
        f"do        {fault.remedy}",
        f"report    {fault.report}",
    )
    return "\n".join(lines)
