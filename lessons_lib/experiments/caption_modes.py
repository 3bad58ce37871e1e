"""What should a caption say? The same pictures and trigger word with three kinds of caption. Lesson 03.

`python -m lessons_lib.experiments.caption_modes` makes the long run that the lesson shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from IPython.display import Image as Shown
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from lessons_lib import captions, measure, train
from lessons_lib.experiments import bench, chart, trial
from lessons_lib.generate import Drawer
from lessons_lib.pictures import Picture
from lessons_lib.runs import Run, Settings

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
    return train.train(learn, texts(learn, mode), settings, folder)


def drawn_with(
    words: str, drawer: Drawer, subjects: Sequence[str], seeds: Sequence[int]
) -> list[Image.Image]:
    """Return pictures of prompts that end in these words, the trigger or the style words, prompt by prompt."""
    return trial.drawn(drawer, captions.surround(subjects, after=words), seeds)


def caller(drawer: Drawer, subjects: Sequence[str], seeds: Sequence[int], held_out: Tensor) -> str:
    """Return what calls more style from the adapter that is on: "trigger", "words" (of style), or "alike"."""
    by_trigger, by_words = (
        trial.style(measure.features(drawn_with(words, drawer, subjects, seeds)), held_out)
        for words in (TRIGGER, STYLE_WORDS)
    )
    low, high = measure.interval([t - w for t, w in zip(by_trigger, by_words, strict=True)])
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
        mode: {name: sum(trial.column(result["rows"], key, mode=mode), []) for name, key in keys.items()}
        for mode in MODES
    }
    return chart.levels(groups, result["floor"], result["ceiling"], "style match")


def verdicts(result: dict[str, Any]) -> list[str]:
    """Return what the recorded run shows of each mode beside plain content captions, and of the words that carry the style."""
    bare, plain, styled = MODES

    def of(key: str, mode: str) -> list[list[float]]:
        return trial.column(result["rows"], key, mode=mode)

    said = [
        trial.verdict(what, mode, plain, of(key, mode), of(key, plain))
        for key, what in (("style_with", "style by the trigger"), ("prompt", "prompt kept"))
        for mode in (bare, styled)
    ]
    both = of("style_words", styled), of("style_words", plain)
    said.append(trial.verdict("style by the style words", styled, plain, *both))
    pair = of("style_with", styled), of("style_words", styled)
    said.append(trial.verdict(f"style when said, after {styled}", "the trigger", "the style words", *pair))
    return said


def main() -> None:
    """Train and measure every mode with every seed, and record the result."""
    here = bench.bench()
    plain = trial.answers(here.drawer, trial.SUBJECTS, TRIGGER, trial.SEEDS)

    def one(mode: str, seed: int) -> bench.Row:
        folder = bench.WORK / f"{mode.replace(' ', '_')}_{seed}"
        here.drawer.load(teach(here.learn, mode, bench.STEPS, seed, folder).folder)
        tuned = trial.answers(here.drawer, trial.SUBJECTS, TRIGGER, trial.SEEDS)
        measured = trial.numbers(plain, tuned, trial.SUBJECTS, here.held_out)
        by_words = measure.features(drawn_with(STYLE_WORDS, here.drawer, trial.SUBJECTS, trial.SEEDS))
        return trial.row(
            {"mode": mode, "seed": seed}, measured, style_words=trial.style(by_words, here.held_out)
        )

    table = here.table("caption_modes", MODES, one)
    here.record("caption_modes", table, plain, trigger=TRIGGER, style_words=STYLE_WORDS)


if __name__ == "__main__":
    main()
