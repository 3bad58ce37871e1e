"""One trial: samples with and without the trigger word, scored one number a picture.

Shared by the lessons from 02 on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from torch import Tensor

from lessons_lib.dataset.captions import with_trigger
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import judges
from lessons_lib.models.features import load_concepts, named_concept
from lessons_lib.models.judges import Judge

TRIGGER = "thgh96"  # a word that means nothing to the base
SUBJECTS = ("an elephant", "a horse", "a castle", "a house", "a boat")
SEEDS = (1, 2)
Scores = list[float]
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class TriggerSamples:
    """Samples of the same subjects and seeds with the trigger in the prompt and without it, in one list,
    prompt by prompt.

    The features are those of the samples, (n, width).
    """

    with_trigger: list[Image.Image]
    without_trigger: list[Image.Image]
    features_with: Tensor
    features_without: Tensor


@dataclass(frozen=True)
class TriggerScores:
    """One value a sample, in the order of `TriggerSamples`.

    `style_*`: mean similarity to the held-out paintings. `distance_*`:
    1 - cosine to the base's sample of the same prompt and seed, 0 = the same. `prompt_rank`: how far up the
    list of concepts the subject stands when the trigger is in the prompt, 1 = first, -1 = last.
    """

    style_with: Scores
    style_without: Scores
    distance_with: Scores
    distance_without: Scores
    prompt_rank: Scores


@dataclass(frozen=True)
class SampleScores:
    """One value a sample: similarity to the held-out paintings, rank of the subject among all concepts
    (1 = first, -1 = last), and similarity to the nearest training painting (1 = a copy).
    """

    style: Scores
    prompt_rank: Scores
    nearest: Scores


def trigger_prompts(subjects: Sequence[str]) -> list[str]:
    """Return one prompt a subject, the course's trigger behind it."""
    return [with_trigger(subject, TRIGGER) for subject in subjects]


def quick_samples(
    sampler: Sampler, prompts: Sequence[str], seeds: Sequence[int], strength: float | None = None
) -> list[Image.Image]:
    """Return samples in one list, prompt by prompt, drawn in half of the base's usual steps,
    which halves the time. `strength` as in `Sampler.sample`.
    """
    steps = max(1, sampler.base.num_inference_steps // 2)
    return flatten(sampler.sample(prompts, seeds, strength=strength, steps=steps))


def trigger_samples(
    sampler: Sampler,
    subjects: Sequence[str],
    trigger: str,
    seeds: Sequence[int],
    shared: TriggerSamples | None = None,
) -> TriggerSamples:
    """Return samples of each subject with the trigger and without it,
    with whatever adapter the sampler has loaded.

    `shared`: samples of the same sampler with another trigger; those without a trigger are taken over,
    not drawn again.
    """
    judge = judges.find(sampler.base)
    images = quick_samples(sampler, [with_trigger(subject, trigger) for subject in subjects], seeds)
    features = judge.image_features(images)
    if shared:
        return TriggerSamples(images, shared.without_trigger, features, shared.features_without)
    plain = quick_samples(sampler, subjects, seeds)
    return TriggerSamples(images, plain, features, judge.image_features(plain))


def trigger_scores(
    judge: Judge,
    base: TriggerSamples,
    tuned: TriggerSamples,
    subjects: Sequence[str],
    held_out_features: Tensor,
) -> TriggerScores:
    """Return the scores of a tuned model's samples beside the base's; held_out_features: (n, width).

    Raises ValueError for a subject that names no concept.
    """
    return TriggerScores(
        style_scores(tuned.features_with, held_out_features),
        style_scores(tuned.features_without, held_out_features),
        distances(base.features_with, tuned.features_with),
        distances(base.features_without, tuned.features_without),
        metrics.prompt_ranks(tuned.features_with, _concept_of_each(subjects, len(tuned.with_trigger)), judge),
    )


def sample_scores(
    judge: Judge,
    images: Sequence[Image.Image],
    subjects: Sequence[str],
    train_features: Tensor,
    held_out_features: Tensor,
) -> SampleScores:
    """Return the scores of samples that follow one another subject by subject.

    Features of paintings are (n, width).
    """
    features = judge.image_features(images)
    return SampleScores(
        style_scores(features, held_out_features),
        metrics.prompt_ranks(features, _concept_of_each(subjects, len(images)), judge),
        nearest_scores(features, train_features),
    )


def _concept_of_each(subjects: Sequence[str], count: int) -> list[str]:
    """Return the concept of each of `count` samples, which follow one another subject by subject."""
    return [concept_of(subject) for subject in subjects for _ in range(count // len(subjects))]


def concept_of(subject: str) -> str:
    """Return the concept that a subject names.

    Raises ValueError when it names none of those pocket-flux was trained on.
    """
    concept = named_concept(subject, load_concepts()[0])
    if concept is None:
        raise ValueError(
            f"{subject!r} names no concept that pocket was trained on; see pocket/concepts.txt for the list"
        )
    return concept


def style_scores(features: Tensor, held_out_features: Tensor) -> Scores:
    """Return each sample's mean similarity (cosine) to the held-out paintings."""
    return _rounded(metrics.style_scores(features, held_out_features))


def nearest_scores(features: Tensor, train_features: Tensor) -> Scores:
    """Return each picture's similarity (cosine) to the training painting that is nearest to it."""
    return _rounded((features @ train_features.T).amax(1))


def distances(before: Tensor, after: Tensor) -> Scores:
    """Return 1 - cosine between the features of each picture before and after, (n, width) both."""
    return _rounded(1 - (before * after).sum(1))


def _rounded(values: Tensor) -> Scores:
    """Return values to four decimals, so that they are the same after they were written to JSON and read
    again.
    """
    return [round(value, 4) for value in values.tolist()]


def flatten(rows: Iterable[Iterable[_Item]]) -> list[_Item]:
    """Return the pictures or values of all rows in one list, row by row."""
    return list(chain.from_iterable(rows))


def verdict(
    measure: str, first: str, second: str, a: Sequence[Scores], b: Sequence[Scores], *, figures: bool = True
) -> str:
    """Return a sentence that says whether `first` is higher than `second`,
    or that the samples show no difference.

    `a` and `b` hold one list a training run, one value a sample, in the same order.
    Higher or lower is said only when the 95 % interval of the paired differences leaves zero out,
    also as printed, and every run agrees on the sign. `figures=False` leaves the numbers out,
    for results that differ in the last digit between machines.
    """
    mean, low, high = difference(a, b)
    side, count = direction(a, b), sum(map(len, a))
    if side:
        near, far = sorted((abs(low), abs(high)))
        by = f" by {abs(mean):.3f} ({near:.3f} to {far:.3f})" if figures else ""
        return f"{measure}: {first} is {'higher' if side > 0 else 'lower'} than {second}{by}"
    span = f" ({low:+.3f} to {high:+.3f})" if figures else ""
    return f"{measure}: {count} drawings show no difference between {first} and {second}{span}"


def difference(a: Sequence[Scores], b: Sequence[Scores]) -> tuple[float, float, float]:
    """Return the mean of the paired differences a - b and the ends of its 95 % interval, as printed."""
    every = np.concatenate([np.subtract(x, y) for x, y in zip(a, b, strict=True)])
    low, high = (round(end, 3) for end in metrics.bootstrap_interval(every.tolist()))
    return float(every.mean()), low, high


def direction(a: Sequence[Scores], b: Sequence[Scores]) -> int:
    """Return 1 where `a` is higher than `b`, -1 where it is lower, 0 where no difference shows.

    Higher or lower needs an interval that leaves zero out and training runs that agree on the sign.
    """
    _, low, high = difference(a, b)
    signs = {bool(np.mean(x) > np.mean(y)) for x, y in zip(a, b, strict=True)}
    if len(signs) > 1 or low <= 0 <= high:
        return 0
    return 1 if low > 0 else -1


def column(rows: Sequence[Mapping[str, Any]], key: str, **where: Any) -> list[Scores]:
    """Return one list of values a training run, from the rows that match,
    as in ``column(rows, "style", count=4)``.

    Raises ValueError when no row matches.
    """
    matches = [row[key] for row in rows if all(row[name] == value for name, value in where.items())]
    if not matches:
        raise ValueError(f"no row with {where}; expected one a training run. Record the long run again")
    return matches


def values(rows: Sequence[Mapping[str, Any]], key: str, **where: Any) -> Scores:
    """Return the values of `column` of all training runs in one list."""
    return flatten(column(rows, key, **where))


def mean_score(runs: Sequence[Scores]) -> float:
    """Return the mean over all samples of all training runs."""
    return float(np.mean(runs))


def ends_line(result: Mapping[str, Any]) -> str:
    """Return how long a recorded run trained and the two ends of its style match, as a line to print."""
    ends = f"floor {result['floor']:.2f}, the base; ceiling {result['ceiling']:.2f}, the paintings"
    return f"{result['steps']} steps; style: {ends}"


def mean_lines(result: Mapping[str, Any], variant: str, measures: Mapping[str, str]) -> list[str]:
    """Return a line for each variant of a recorded run with the mean of each measure.

    `variant`: what it is called in the rows, such as "count"; `measures`: the title of each key.
    """
    lines = []
    for name in dict.fromkeys(row[variant] for row in result["rows"]):
        runs = {title: column(result["rows"], key, **{variant: name}) for key, title in measures.items()}
        means = ", ".join(f"{title} {mean_score(scores):.2f}" for title, scores in runs.items())
        lines.append(f"{variant} {name}: {means}")
    return lines
