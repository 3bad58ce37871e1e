"""Does a real word drag its old meaning in, and does it leak? The same training with three words. Lesson 03.

`python -m lessons_lib.course.trigger_word` makes the long run that the lesson shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from IPython.display import Image as Shown

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import charts, long_run, trials
from lessons_lib.course.trials import Answers, Numbers
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.training import train

# Known to pocket; a word only to people; a word to nobody, beside which the others are seen.
WORDS = ("lion", "tom", "thgh96")
OLD = WORDS[0]  # whose meaning is watched, under every trigger


def teach(learn: Sequence[Picture], word: str, steps: int, seed: int, folder: Path) -> Run:
    """Return a run on plain captions with this trigger word. The word is the only thing that differs between two of them."""
    settings = Settings(trigger=word, steps=steps, seed=seed, name=f"trigger_{word}")
    return train.train(Dataset(list(learn)), settings, folder)


def answers_to_each(
    sampler: Sampler, subjects: Sequence[str], words: Sequence[str], seeds: Sequence[int]
) -> dict[str, Answers]:
    """Return the answers to each word; the pictures without a word are drawn once and shared."""
    first = trials.answers(sampler, subjects, words[0], seeds)
    others = {word: trials.answers(sampler, subjects, word, seeds, like=first) for word in words[1:]}
    return {words[0]: first} | others


def uninvited(answers: Answers) -> list[float]:
    """Return how far up the list the old meaning stands in pictures of other things, drawn with the trigger said."""
    return metrics.prompt_ranks(answers.said_features, [OLD] * len(answers.said))


def asked_for(sampler: Sampler, seeds: Sequence[int]) -> list[float]:
    """Return how far up the list the old meaning stands when it is what the prompt asks for, one value a seed."""
    drawn = trials.drawn(sampler, [f"a {OLD}"], seeds)
    return metrics.prompt_ranks(drawn, [OLD] * len(drawn))


def leaks(found: Numbers) -> str:
    """Return a sentence: how far the pictures drawn without the word moved, beside those drawn with it. No figures in it."""
    moved = [found.moved_without], [found.moved_with]
    return trials.verdict(
        "distance from the base", "leaving the word out", "saying it", *moved, figures=False
    )


def figure(result: dict[str, Any]) -> Shown:
    """Return the recorded run's picture: style match with each word and without it."""
    groups = {
        word: {
            "the word said": sum(trials.column(result["rows"], "style_with", word=word), []),
            "the word left out": sum(trials.column(result["rows"], "style_without", word=word), []),
        }
        for word in result["words"]
    }
    return charts.levels(groups, result["floor"], result["ceiling"], "style match")


def verdicts(result: dict[str, Any]) -> list[str]:
    """Return what the recorded run shows, in sentences: whether the word calls the style, then each real word beside the
    made-up one (style, leak, prompt kept), old meaning dragged in, old meaning lost."""
    table, base, made_up = result["rows"], result["base"], result["words"][-1]

    def beside(what: str, key: str, word: str) -> str:
        pair = trials.column(table, key, word=word), trials.column(table, key, word=made_up)
        return trials.verdict(what, word, made_up, *pair)

    def switched(word: str) -> str:
        pair = trials.column(table, "style_with", word=word), trials.column(table, "style_without", word=word)
        return trials.verdict("style", f"saying {word}", "leaving it out", *pair)

    claims = {
        "style when said": "style_with",
        "leak, moved when unsaid": "moved_without",
        "prompt kept when said": "prompt",
    }
    said = [switched(word) for word in result["words"]]
    said += [beside(what, key, word) for word in result["words"][:-1] for what, key in claims.items()]
    brought = [base["uninvited"][OLD]], [base["uninvited"][made_up]]
    said.append(trials.verdict(f"{OLD}s nobody asked for, before teaching", OLD, made_up, *brought))
    said.append(beside(f"{OLD}s nobody asked for, after teaching", "uninvited", OLD))
    for word in (OLD, made_up):
        after = trials.column(table, "asked_for", word=word)
        before = [base["asked_for"]] * len(after)
        said.append(
            trials.verdict(f"{OLD}s asked for", f"the model taught {word}", "the base", after, before)
        )
    return said


def main() -> None:
    """Train and measure every word with every seed, and record the result."""
    here = long_run.bench()
    many = range(1, 7)  # one prompt only, so more seeds
    plain = answers_to_each(here.sampler, trials.SUBJECTS, WORDS, trials.SEEDS)
    before = {
        "asked_for": asked_for(here.sampler, many),
        "uninvited": {word: uninvited(plain[word]) for word in WORDS},
    }

    def one(word: str, seed: int) -> long_run.Row:
        run = teach(here.learn, word, long_run.STEPS, seed, long_run.WORK / f"{word}_{seed}")
        here.sampler.load(run.folder)
        tuned = trials.answers(here.sampler, trials.SUBJECTS, word, trials.SEEDS)
        measured = trials.numbers(plain[word], tuned, trials.SUBJECTS, here.held_out)
        more = {"uninvited": uninvited(tuned), "asked_for": asked_for(here.sampler, many)}
        return trials.row({"word": word, "seed": seed}, measured, **more)

    table = here.table("trigger_word", WORDS, one)
    here.record("trigger_word", table, plain[WORDS[-1]], words=list(WORDS), base=before)


if __name__ == "__main__":
    main()
