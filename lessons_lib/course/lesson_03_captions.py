"""Lesson 03: what should a caption say?

The same pictures and trigger with three kinds of caption; a check of a caption.
`python -m lessons_lib.course.lesson_03_captions record` makes the long run that the lesson shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from IPython.display import Image as NotebookImage
from PIL import Image
from transformers import PreTrainedTokenizerBase

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import charts, long_run, trials
from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, checker, first_hint
from lessons_lib.course.trials import TRIGGER
from lessons_lib.dataset import captions
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models.bases import Base
from lessons_lib.training import train

STYLE_WORDS = "flat outline drawing"  # true of the paintings, and words that pocket was trained on
MODES = ("trigger only", "content", "styled content")
_STYLE_VOCABULARY = frozenset((
    "art", "artwork", "beautiful", "border", "borders", "century", "cartoon", "colourful", "decorative",
    "detailed", "drawing", "elegant", "illustration", "image", "indian", "intricate", "medieval",
    "miniature", "mughal", "ornate", "outline", "outlines", "painted", "painting", "persian", "picture",
    "style", "traditional", "watercolour",
))  # fmt: skip


def mode_captions(pictures: Sequence[Picture], mode: str) -> list[str]:
    """Return one caption a picture, the trigger in each. Raises ValueError for a mode that does not exist."""
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; expected one of {', '.join(MODES)}")
    if mode == "trigger only":
        return [TRIGGER] * len(pictures)
    texts = [picture.caption or "" for picture in pictures]
    if mode == "styled content":
        texts = captions.surround(texts, after=STYLE_WORDS)
    return [captions.with_trigger(text, TRIGGER) for text in texts]


def train_mode(
    base: Base, dataset: Dataset, mode: str, steps: int, seed: int, run_dir: Path, replace: bool = True
) -> Run:
    """Return a run on captions of this mode, which are all that differs between two of these runs.

    Without `replace` an equal run that lies there is taken.
    """
    settings = Settings(base=base.name, trigger=TRIGGER, steps=steps, seed=seed, name=mode.replace(" ", "_"))
    texts = mode_captions(dataset.train, mode)
    return train.train(Dataset(dataset.train).with_captions(texts), settings, run_dir, replace=replace)


def samples_with_suffix(
    suffix: str, sampler: Sampler, subjects: Sequence[str], seeds: Sequence[int]
) -> list[Image.Image]:
    """Return samples, prompt by prompt, of subjects followed by the trigger or by the style words."""
    return trials.quick_samples(sampler, captions.surround(subjects, after=suffix), seeds)


def caption_problems(caption: str, trigger: str, tokenizer: PreTrainedTokenizerBase, limit: int) -> list[str]:
    """Return a sentence for each rule of style mode that a caption breaks.

    Whether it is true cannot be checked.
    """
    words = {word.strip(",.;:!").lower() for word in caption.split()}
    problems = []
    if len(words) < 4:
        problems.append("too short: say who or what is there, what they do and where")
    if style_words := sorted(words & _STYLE_VOCABULARY):
        problems.append(f"speaks of the style, which the trigger shall carry: {', '.join(style_words)}")
    if captions.find_collisions(trigger, [caption]):
        problems.append(f"holds {trigger!r}, which is added to every caption later")
    if captions.find_overlong([captions.with_trigger(caption, trigger)], tokenizer, limit):
        problems.append(f"longer than {limit} tokens with the trigger, so its end is not read")
    return problems


Replace = Callable[[Sequence[str], str, str], "list[str] | None"]


@checker
def check_replace(answer: Replace) -> str:
    """Return what to say of a learner's answer(texts, old, new): texts with one word in place of another."""
    texts = ["a king walking", "two kings, one king", "no bird"]
    replaced = answer(list(texts), "king", "queen")
    if replaced is None:
        return NOT_ATTEMPTED
    expected = captions.replace_phrase(texts, "king", "queen")[0]
    mistakes = [
        (len(replaced) != len(texts), "one text for each, also where nothing is replaced"),
        (list(replaced) == [text.replace("king", "queen") for text in texts],
         "'walking' has become 'walqueening'; only whole words: \\b in a regular expression"),
        (list(replaced) != expected, f"expected {expected[1]!r} for {texts[1]!r}"),
    ]  # fmt: skip
    return first_hint(mistakes) or RIGHT


def replace_to_use(answer: Replace) -> Callable[[Sequence[str], str, str], list[str]]:
    """Return a learner's replacement where it is right, and else the library's."""
    if check_replace(answer) == RIGHT:
        return lambda texts, old, new: list(answer(texts, old, new) or ())
    return lambda texts, old, new: captions.replace_phrase(texts, old, new)[0]


@checker
def check_cue(cue: str | None, result: Mapping[str, Any]) -> str:
    """Return what to say of the cue that brings more style after styled content: "trigger", "words"
    or "alike".
    """
    if cue is None:
        return NOT_ATTEMPTED
    sides = (trials.column(result["rows"], key, mode=MODES[2]) for key in ("style_with", "style_by_words"))
    answer = {1: "trigger", -1: "words", 0: "alike"}[trials.direction(*sides)]
    mistakes = [
        (cue not in ("trigger", "words", "alike"), "one of 'trigger', 'words', 'alike'"),
        (cue != answer, "read the last line that the cell above printed"),
    ]
    return first_hint(mistakes) or RIGHT


def style_chart(result: Mapping[str, Any]) -> NotebookImage:
    """Return the recorded run as a JPEG: style match by the trigger, by no extra word, by the style words.

    The first two have the colours of the other charts of the lesson.
    """
    series = {
        "the trigger said": "style_with",
        "no extra word": "style_without",
        "style words said": "style_by_words",
    }
    groups = {
        mode: {name: trials.values(result["rows"], key, mode=mode) for name, key in series.items()}
        for mode in MODES
    }
    return charts.interval_chart(groups, result["floor"], result["ceiling"], "style match")


def verdicts(result: Mapping[str, Any]) -> list[str]:
    """Return what the recorded run shows of each mode beside plain content captions,
    and of what carries the style; the last compares the trigger with the style words.
    """
    trigger_only, content, styled = MODES

    def scores(key: str, *modes: str) -> list[list[list[float]]]:
        return [trials.column(result["rows"], key, mode=mode) for mode in modes]

    names = {"style_with": "the trigger", "style_without": "no extra word",
             "style_by_words": "the style words"}  # fmt: skip

    def by_cue(mode: str, first: str, second: str) -> str:
        sides = scores(first, mode) + scores(second, mode)
        return trials.verdict(f"style after {mode}", names[first], names[second], *sides)

    measures = {"style by the trigger": "style_with", "prompt kept": "prompt_rank"}
    beside_content = [
        trials.verdict(measure, mode, content, *scores(key, mode, content))
        for measure, key in measures.items()
        for mode in (trigger_only, styled)
    ]
    return [
        *beside_content,
        *(by_cue(mode, "style_without", "style_with") for mode in MODES),
        by_cue(styled, "style_with", "style_by_words"),
    ]


def record() -> None:
    """Train on every mode with every training seed, score the samples, and save the result."""
    run = long_run.prepare()
    base = trials.trigger_samples(run.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)

    def trial(mode: str, seed: int) -> long_run.Row:
        run_dir = run.run_dir(long_run.STANDARD if mode == "content" else mode, seed)
        base_model, steps = run.sampler.base, long_run.STEPS
        run.sampler.load(
            train_mode(base_model, run.dataset, mode, steps, seed, run_dir, replace=False).folder
        )
        tuned = trials.trigger_samples(run.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)
        scores = trials.trigger_scores(run.judge, base, tuned, trials.SUBJECTS, run.held_out_features)
        by_words = samples_with_suffix(STYLE_WORDS, run.sampler, trials.SUBJECTS, trials.SEEDS)
        style_by_words = trials.style_scores(run.judge.image_features(by_words), run.held_out_features)
        return {"mode": mode, "seed": seed, **asdict(scores), "style_by_words": style_by_words}

    rows = run.run_trials("caption_modes", MODES, trial)
    run.record("caption_modes", rows, base, trigger=TRIGGER, style_words=STYLE_WORDS)


if __name__ == "__main__":
    long_run.command_line("lesson_03_captions", {"record": record})
