"""What should a caption say? The same pictures and trigger word with three kinds of caption. Lesson 03.

`python -m lessons_lib.course.caption_modes` makes the long run that the lesson shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from IPython.display import Image as Shown
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import charts, long_run, trials
from lessons_lib.dataset import captions
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import features
from lessons_lib.training import train

TRIGGER = "thgh96"
STYLE_WORDS = "flat outline drawing"  # true of the paintings, and words that pocket was taught
MODES = ("trigger only", "content", "styled content")
STYLE_TALK = frozenset((
    "art", "artwork", "beautiful", "border", "borders", "century", "cartoon", "colourful", "decorative", "detailed",
    "drawing", "elegant", "illustration", "image", "indian", "intricate", "medieval", "miniature", "mughal", "ornate",
    "outline", "outlines", "painted", "painting", "persian", "picture", "style", "traditional", "watercolour",
))  # fmt: skip


def texts(learn: Sequence[Picture], mode: str) -> list[str]:
    """Return one caption a picture, the trigger in each. Raises ValueError for a mode that does not exist."""
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; expected one of {', '.join(MODES)}")
    if mode == "trigger only":
        return [TRIGGER] * len(learn)
    told = [picture.caption or "" for picture in learn]
    if mode == "styled content":
        told = captions.surround(told, after=STYLE_WORDS)
    return [captions.with_trigger(text, TRIGGER) for text in told]


def teach(learn: Sequence[Picture], mode: str, steps: int, seed: int, folder: Path) -> Run:
    """Return a run on captions of this mode. The captions are the only thing that differs between two of them."""
    settings = Settings(trigger=TRIGGER, steps=steps, seed=seed, name=mode.replace(" ", "_"))
    return train.train(Dataset(list(learn)).with_captions(texts(learn, mode)), settings, folder)


def drawn_with(
    words: str, sampler: Sampler, subjects: Sequence[str], seeds: Sequence[int]
) -> list[Image.Image]:
    """Return pictures of prompts that end in these words, the trigger or the style words, prompt by prompt."""
    return trials.drawn(sampler, captions.surround(subjects, after=words), seeds)


def caller(sampler: Sampler, subjects: Sequence[str], seeds: Sequence[int], held_out: Tensor) -> str:
    """Return what calls more style from the adapter that is on: "trigger", "words" (of style), or "alike"."""
    by_trigger, by_words = (
        trials.style(features.image_features(drawn_with(words, sampler, subjects, seeds)), held_out)
        for words in (TRIGGER, STYLE_WORDS)
    )
    low, high = metrics.bootstrap_interval([t - w for t, w in zip(by_trigger, by_words, strict=True)])
    return "trigger" if low > 0 else "words" if high < 0 else "alike"


def faults(caption: str, trigger: str, tokenizer: PreTrainedTokenizerBase, limit: int) -> list[str]:
    """Return what a style-mode caption should not do, a sentence each; none for a good one. It cannot judge whether it is true."""
    words = {word.strip(",.;:!").lower() for word in caption.split()}
    found = []
    if len(words) < 4:
        found.append("too short: say who or what is there, what they do and where")
    if told := sorted(words & STYLE_TALK):
        found.append(f"speaks of the style, which the trigger shall carry: {', '.join(told)}")
    if captions.collisions(trigger, [caption]):
        found.append(f"holds {trigger!r}, which is added to every caption later")
    if captions.too_long([captions.with_trigger(caption, trigger)], tokenizer, limit):
        found.append(f"longer than {limit} tokens with the trigger, so its end is not read")
    return found


def figure(result: dict[str, Any]) -> Shown:
    """Return the recorded run's picture: style match by the trigger, by the style words, and by neither."""
    keys = {"the trigger said": "style_with", "style words said": "style_words", "neither": "style_without"}
    groups = {
        mode: {name: sum(trials.column(result["rows"], key, mode=mode), []) for name, key in keys.items()}
        for mode in MODES
    }
    return charts.levels(groups, result["floor"], result["ceiling"], "style match")


def verdicts(result: dict[str, Any]) -> list[str]:
    """Return what the recorded run shows of each mode beside plain content captions, and of the words that carry the style."""
    bare, plain, styled = MODES

    def of(key: str, mode: str) -> list[list[float]]:
        return trials.column(result["rows"], key, mode=mode)

    said = [
        trials.verdict(what, mode, plain, of(key, mode), of(key, plain))
        for key, what in (("style_with", "style by the trigger"), ("prompt", "prompt kept"))
        for mode in (bare, styled)
    ]
    both = of("style_words", styled), of("style_words", plain)
    said.append(trials.verdict("style by the style words", styled, plain, *both))
    pair = of("style_with", styled), of("style_words", styled)
    said.append(trials.verdict(f"style when said, after {styled}", "the trigger", "the style words", *pair))
    return said


def main() -> None:
    """Train and measure every mode with every seed, and record the result."""
    here = long_run.bench()
    plain = trials.answers(here.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)

    def one(mode: str, seed: int) -> long_run.Row:
        folder = long_run.WORK / f"{mode.replace(' ', '_')}_{seed}"
        here.sampler.load(teach(here.learn, mode, long_run.STEPS, seed, folder).folder)
        tuned = trials.answers(here.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)
        measured = trials.numbers(plain, tuned, trials.SUBJECTS, here.held_out)
        by_words = features.image_features(
            drawn_with(STYLE_WORDS, here.sampler, trials.SUBJECTS, trials.SEEDS)
        )
        return trials.row(
            {"mode": mode, "seed": seed}, measured, style_words=trials.style(by_words, here.held_out)
        )

    table = here.table("caption_modes", MODES, one)
    here.record("caption_modes", table, plain, trigger=TRIGGER, style_words=STYLE_WORDS)


if __name__ == "__main__":
    main()
