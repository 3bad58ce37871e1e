"""Lesson 03: does a real word as a trigger bring its old meaning along, and does it leak?

The same training, three words.
`python -m lessons_lib.course.lesson_03_trigger record` makes the long run that the lesson shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from IPython.display import Image as NotebookImage

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import charts, long_run, trials
from lessons_lib.course.trials import TriggerSamples, TriggerScores
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import judges
from lessons_lib.models.bases import Base
from lessons_lib.models.judges import Judge
from lessons_lib.training import train

# A concept that pocket was trained on, a word only to people, and a word that means nothing, as the control.
TRIGGERS = ("lion", "tom", trials.TRIGGER)
WATCHED_CONCEPT = TRIGGERS[0]  # whose rank is measured under every trigger
_SEEDS_OF_CONCEPT = range(1, 7)  # one prompt only, so more seeds


def train_trigger(
    base: Base, dataset: Dataset, trigger: str, steps: int, seed: int, run_dir: Path, replace: bool = True
) -> Run:
    """Return a run on the set's captions with this trigger, which is all that differs between two of these
    runs. Without `replace` an equal run that lies there is taken.
    """
    settings = Settings(base=base.name, trigger=trigger, steps=steps, seed=seed, name=f"trigger_{trigger}")
    return train.train(Dataset(dataset.train), settings, run_dir, replace=replace)


def samples_by_trigger(
    sampler: Sampler, subjects: Sequence[str], triggers: Sequence[str], seeds: Sequence[int]
) -> dict[str, TriggerSamples]:
    """Return the samples of each trigger; those without a trigger are drawn once and shared."""
    samples = {triggers[0]: trials.trigger_samples(sampler, subjects, triggers[0], seeds)}
    for trigger in triggers[1:]:
        samples[trigger] = trials.trigger_samples(sampler, subjects, trigger, seeds, samples[triggers[0]])
    return samples


def unprompted_ranks(judge: Judge, samples: TriggerSamples) -> list[float]:
    """Return the rank of the watched concept, 1 = first, in samples of other subjects with the trigger in the
    prompt.
    """
    return metrics.prompt_ranks(samples.features_with, [WATCHED_CONCEPT] * len(samples.with_trigger), judge)


def prompted_ranks(sampler: Sampler, seeds: Sequence[int]) -> list[float]:
    """Return the rank of the watched concept, 1 = first, when the prompt names it; one value a seed."""
    images = trials.quick_samples(sampler, [f"a {WATCHED_CONCEPT}"], seeds)
    return metrics.prompt_ranks(images, [WATCHED_CONCEPT] * len(images), judges.find(sampler.base))


def leak_verdict(scores: TriggerScores) -> str:
    """Return a sentence: how far samples without the trigger moved, beside those with it.

    It holds no figures.
    """
    runs = [scores.distance_without], [scores.distance_with]
    return trials.verdict("distance from the base", "leaving the word out", "saying it", *runs, figures=False)


def style_chart(result: Mapping[str, Any]) -> NotebookImage:
    """Return the recorded run as a JPEG: style match with each trigger in the prompt and without it."""
    series = {"the word said": "style_with", "the word left out": "style_without"}
    groups = {
        trigger: {name: trials.values(result["rows"], key, trigger=trigger) for name, key in series.items()}
        for trigger in result["triggers"]
    }
    return charts.interval_chart(groups, result["floor"], result["ceiling"], "style match")


def verdicts(result: Mapping[str, Any]) -> list[str]:
    """Return what the recorded run shows, in sentences.

    Whether each trigger switches the style on; then each real word beside the made-up one: style,
    prompt kept, and the leak of the watched concept; then whether its old meaning came along and whether it
    was forgotten.
    """
    real_words, made_up = result["triggers"][:-1], result["triggers"][-1]
    measures = {"style with the trigger": "style_with", "prompt kept with the trigger": "prompt_rank"}
    return [
        *(_switch_verdict(result, trigger) for trigger in result["triggers"]),
        *(
            _beside_made_up(result, measure, key, word)
            for measure, key in measures.items()
            for word in real_words
        ),
        _beside_made_up(result, "leak, distance without the trigger", "distance_without", WATCHED_CONCEPT),
        _unprompted_before(result),
        _beside_made_up(
            result,
            f"{WATCHED_CONCEPT}s nobody asked for, after training",
            "unprompted_ranks",
            WATCHED_CONCEPT,
        ),
        *(_forgetting_verdict(result, trigger) for trigger in (WATCHED_CONCEPT, made_up)),
    ]


def _scores(result: Mapping[str, Any], key: str, trigger: str) -> list[list[float]]:
    return trials.column(result["rows"], key, trigger=trigger)


def _switch_verdict(result: Mapping[str, Any], trigger: str) -> str:
    """Compare the style with this trigger in the prompt and without it."""
    scores = [_scores(result, key, trigger) for key in ("style_with", "style_without")]
    return trials.verdict("style", f"saying {trigger}", "leaving it out", *scores)


def _beside_made_up(result: Mapping[str, Any], measure: str, key: str, trigger: str) -> str:
    """Compare one measure of this trigger with that of the made-up word."""
    made_up = result["triggers"][-1]
    scores = [_scores(result, key, word) for word in (trigger, made_up)]
    return trials.verdict(measure, trigger, made_up, *scores)


def _unprompted_before(result: Mapping[str, Any]) -> str:
    """Compare how much of the watched concept the base draws unasked with its name and with the made-up
    word.
    """
    ranks, made_up = result["base"]["unprompted_ranks"], result["triggers"][-1]
    runs = [ranks[WATCHED_CONCEPT]], [ranks[made_up]]
    measure = f"{WATCHED_CONCEPT}s nobody asked for, before training"
    return trials.verdict(measure, WATCHED_CONCEPT, made_up, *runs)


def _forgetting_verdict(result: Mapping[str, Any], trigger: str) -> str:
    """Compare the watched concept, when the prompt names it, after a training with this trigger and in the
    base.
    """
    after = _scores(result, "prompted_ranks", trigger)
    before = [result["base"]["prompted_ranks"]] * len(after)
    model = f"the model trained with {trigger}"
    return trials.verdict(f"{WATCHED_CONCEPT}s asked for", model, "the base", after, before)


def record() -> None:
    """Train with every trigger and every training seed, score the samples, and save the result."""
    run = long_run.prepare()
    base = samples_by_trigger(run.sampler, trials.SUBJECTS, TRIGGERS, trials.SEEDS)
    base_ranks = {
        "prompted_ranks": prompted_ranks(run.sampler, _SEEDS_OF_CONCEPT),
        "unprompted_ranks": {trigger: unprompted_ranks(run.judge, base[trigger]) for trigger in TRIGGERS},
    }

    def trial(trigger: str, seed: int) -> long_run.Row:
        run_dir = run.run_dir(long_run.STANDARD if trigger == trials.TRIGGER else trigger, seed)
        base_model, steps = run.sampler.base, long_run.STEPS
        one = train_trigger(base_model, run.dataset, trigger, steps, seed, run_dir, replace=False)
        run.sampler.load(one.folder)
        tuned = trials.trigger_samples(run.sampler, trials.SUBJECTS, trigger, trials.SEEDS)
        scores = trials.trigger_scores(
            run.judge, base[trigger], tuned, trials.SUBJECTS, run.held_out_features
        )
        return {
            "trigger": trigger,
            "seed": seed,
            **asdict(scores),
            "unprompted_ranks": unprompted_ranks(run.judge, tuned),
            "prompted_ranks": prompted_ranks(run.sampler, _SEEDS_OF_CONCEPT),
        }

    rows = run.run_trials("trigger_word", TRIGGERS, trial)
    run.record("trigger_word", rows, base[TRIGGERS[-1]], triggers=list(TRIGGERS), base=base_ranks)


if __name__ == "__main__":
    long_run.command_line("lesson_03_trigger", {"record": record})
