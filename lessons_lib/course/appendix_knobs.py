"""The appendix on knobs: trainings that differ in one setting, and an adapter without some of its blocks."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from peft import LoKrConfig, LoraConfig
from torch import Tensor, nn

from lessons_lib import session
from lessons_lib.adapters import lora
from lessons_lib.adapters.files import Adapter
from lessons_lib.adapters.settings import ResolvedSettings, Settings
from lessons_lib.course.trials import TRIGGER
from lessons_lib.dataset import captions
from lessons_lib.dataset.pictures import Picture
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.training import data as training_data
from lessons_lib.training import distributed
from lessons_lib.training.data import TrainingData
from lessons_lib.training.loop import Loop
from lessons_lib.training.state import State

STEPS = 36  # nine epochs of the sixteen paintings
STANDARD = "standard"
LOKR_FACTOR = 4  # the first factor of each layer is 4 x 4
Kind = Literal["plain", "dora", "lokr"]


@dataclass(frozen=True)
class Recipe:
    """What a training does otherwise than the standard one.

    `settings`: of Settings. `texts`: how a picture is captioned, of `CAPTIONS`. `trains_text`: whether the
    first text encoder gets a LoRA as well.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind = "plain"
    texts: str = "full"
    trains_text: bool = False


_SMALL, _TEN = {"rank": 11, "alpha": 11}, {"rank": 10, "alpha": 10}  # with LoKr equal within 5 % in size
RECIPES = {
    STANDARD: Recipe({"ema_decay": 0.99}),  # an average beside the training changes nothing of it
    "alpha 8, rate x 4": Recipe({"alpha": 8, "learning_rate": 1.2e-2}),
    "alpha 128, rate / 4": Recipe({"alpha": 128, "learning_rate": 7.5e-4}),
    "rank 11": Recipe(_SMALL),
    "rate / 4": Recipe({"learning_rate": 7.5e-4}),
    "rank 11, rate / 3": Recipe(_SMALL | {"learning_rate": 1e-3}),
    "DoRA": Recipe(_TEN, "dora"),
    "DoRA, rate / 3": Recipe(_TEN | {"learning_rate": 1e-3}, "dora"),
    "LoKr": Recipe({}, "lokr"),
    "LoKr, rate x 5": Recipe({"learning_rate": 1.5e-2}, "lokr"),
    "little noise": Recipe({"sigma_shift": 0.4}),
    "much noise": Recipe({"sigma_shift": 8.0}),
    "constant": Recipe({"lr_scheduler": "constant", "ema_decay": 0.99}),
    "CLIP too": Recipe(trains_text=True),
    "short captions": Recipe(texts="short"),
    "short and full": Recipe(texts="both"),
}


def shorten(caption: str) -> str:
    """Return a caption up to its first comma or place: who is there, and nothing of where."""
    return re.split(
        r",| (?:in|on|under|with|at|by|near|beside|from|before|behind|among) ", caption, maxsplit=1
    )[0]


CAPTIONS: Mapping[str, Callable[[str], list[str]]] = {
    "full": lambda caption: [caption],
    "short": lambda caption: [shorten(caption)],
    "both": lambda caption: [caption, shorten(caption)],
}


def caption_lists(pictures: Iterable[Picture], texts: str) -> list[list[str]]:
    """Return the captions of each picture, with the trigger; see `CAPTIONS`."""
    return [
        [captions.with_trigger(text, TRIGGER) for text in CAPTIONS[texts](picture.caption or "")]
        for picture in pictures
    ]


def attach(denoiser: nn.Module, settings: ResolvedSettings, targets: Sequence[str], kind: Kind) -> None:
    """Attach an adapter of a kind. LoKr is PEFT's, its second factor whole, its size set by `LOKR_FACTOR`
    (Yeh et al. 2023, arXiv 2309.14859); the others are those of `lora.attach`.
    """
    if kind != "lokr":
        lora.attach(denoiser, settings.rank, settings.alpha, targets, settings.seed, kind)
        return
    whole = 10_000  # a rank above every side leaves the second factor whole
    denoiser.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        denoiser.add_adapter(
            LoKrConfig(r=whole, alpha=whole, decompose_factor=LOKR_FACTOR, target_modules=list(targets))
        )


@dataclass(frozen=True)
class _EncodedAnew(TrainingData):
    """A training set whose captions are encoded at each step, by text encoders that learn."""

    texts: tuple[str, ...] = field(kw_only=True)
    encode_texts: Callable[[list[str]], dict[str, Tensor]] = field(kw_only=True)

    def rows(self, pictures: Tensor, captions: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what `TrainingData.rows` does, the text embeddings with gradients."""
        latents, embeddings = super().rows(pictures, captions)
        return latents, embeddings | self.encode_texts([self.texts[i] for i in captions.tolist()])


class Bench:
    """A base and the encoded pictures of one set, on which recipes are trained one after the other.

    Each training has fresh copies of the networks that it changes, and leaves them on the sampler.
    """

    def __init__(self, sampler: Sampler, pictures: Sequence[Picture]):
        self.sampler, self.pictures = sampler, pictures
        names = {sampler.family.DENOISER, sampler.base.text_encoders[0]}
        self._fresh = {name: copy.deepcopy(getattr(sampler.pipe, name)) for name in names}

    def reset(self) -> None:
        """Put the base's own networks back."""
        for name, network in self._fresh.items():
            setattr(self.sampler.pipe, name, copy.deepcopy(network))
        self.sampler.adapter = None

    def train(self, recipe: Recipe, seed: int) -> State:
        """Return the state after a training; the sampler then draws with its adapter."""
        sampler = self.sampler
        self.reset()
        session.set_seed(seed)
        settings = Settings(
            base=sampler.base.name, trigger=TRIGGER, steps=STEPS, seed=seed, **recipe.settings
        ).resolve(sampler.base)
        attach(sampler.denoiser, settings, sampler.family.TARGET_MODULES, recipe.kind)
        networks, data = [sampler.denoiser], self.data(recipe)
        if recipe.trains_text:
            networks.append(_with_lora(getattr(sampler.pipe, sampler.base.text_encoders[0]), settings))
        loop = Loop(sampler.family, sampler.denoiser, data, settings, distributed.accelerator())
        state = State.start(nn.ModuleList(networks), data, settings)
        while state.step < STEPS:
            state.advance(loop.step(state), 0.0)
        sampler.adapter = "default"  # PEFT's name
        return state

    def data(self, recipe: Recipe) -> TrainingData:
        """Return the encoded set, its captions as the recipe has them and the trigger behind them."""
        sampler, texts = self.sampler, caption_lists(self.pictures, recipe.texts)
        every = [*texts, [TRIGGER]]
        data = training_data.encode(sampler.family, sampler.pipe, sampler.base, self.pictures, every)
        if not recipe.trains_text:
            return data
        encode = sampler.family.encode_captions.__wrapped__  # type: ignore[attr-defined]  # with gradients
        return _EncodedAnew(
            **vars(data),
            texts=tuple(text for one in every for text in one),
            encode_texts=lambda some: encode(sampler.pipe, some, sampler.base),
        )


def _with_lora(encoder: nn.Module, settings: ResolvedSettings) -> nn.Module:
    """Return a text encoder with a LoRA on every linear layer."""
    encoder.requires_grad_(False)
    encoder.add_adapter(LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules="all-linear"))
    return encoder


def block_groups(layers: Collection[str]) -> dict[str, list[str]]:
    """Return layers by the part of the network and the half of it that they lie in, whatever the family;
    ``double_blocks.3.attn`` lies in the part ``double_blocks``. A part of one layer, such as the output, is
    in no group. Single blocks, which a file has first, come last, as in the network.
    """
    places: dict[str, dict[str, int]] = {}
    starts = {name.partition(".")[0] for name in layers}
    has_component = len(starts) == 1 and not any(name.partition(".")[2][:1].isdigit() for name in layers)
    for name in layers:
        part, *rest = name.split(".")[has_component:]  # without "transformer" of transformer.blocks.3.attn
        number = next((int(piece) for piece in rest if piece.isdigit()), 0)
        places.setdefault(part, {})[name] = number
    groups: dict[str, list[str]] = {}
    for part, numbers in places.items():
        if len(numbers) == 1:
            continue
        count = max(numbers.values()) + 1
        for name, number in numbers.items():
            half = "" if count == 1 else ", second half" if 2 * number >= count else ", first half"
            groups.setdefault(part + half, []).append(name)
    return dict(sorted(groups.items(), key=lambda group: group[0].startswith("single")))


def group_title(group: str) -> str:
    """Return what people call a group of blocks: FLUX has double blocks, then single ones."""
    title = group.replace("single_transformer_blocks", "single blocks")
    return title.replace("transformer_blocks", "double blocks").replace("_", " ")


def without(adapter: Adapter, layers: Collection[str]) -> Adapter:
    """Return an adapter that leaves some layers as the base has them."""
    return replace(adapter, layers={n: f for n, f in adapter.layers.items() if n not in set(layers)})
