"""One trial: what a set of captions taught, seen with the trigger word and without it, in one number a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from lessons_lib.dataset.captions import with_trigger
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import features as features_

SUBJECTS = ("an elephant", "a horse", "a castle", "a house", "a boat")
SEEDS = (1, 2)
Values = list[float]


@dataclass(frozen=True)
class Answers:
    """Pictures of the same prompts and seeds, flat, prompt by prompt: with the trigger word said and unsaid."""

    said: list[Image.Image]
    unsaid: list[Image.Image]
    said_features: Tensor
    unsaid_features: Tensor


@dataclass(frozen=True)
class Numbers:
    """One value a picture, in the order of `Answers`.

    `style_with`, `style_without`: likeness to the held-out paintings with the trigger said and unsaid. `moved_with`,
    `moved_without`: 1 - cosine to the base's picture of the same words and seed, 0 = not moved. `prompt`: how far up
    the list the asked thing stands with the trigger said, 1 = first, -1 = last.
    """

    style_with: Values
    style_without: Values
    moved_with: Values
    moved_without: Values
    prompt: Values


def answers(
    sampler: Sampler, subjects: Sequence[str], trigger: str, seeds: Sequence[int], like: Answers | None = None
) -> Answers:
    """Return what the sampler makes of each subject with the trigger and without it, with whatever adapter it has on.

    `like`: answers of the same sampler to another trigger, whose pictures without one need not be drawn again.
    """
    said = drawn(sampler, [with_trigger(subject, trigger) for subject in subjects], seeds)
    unsaid = like.unsaid if like else drawn(sampler, subjects, seeds)
    return Answers(
        said,
        unsaid,
        features_.image_features(said),
        like.unsaid_features if like else features_.image_features(unsaid),
    )


def drawn(sampler: Sampler, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
    """Return pictures in one list, prompt by prompt, drawn in half the base's usual steps: half the time, for all alike."""
    return flat(sampler.sample(prompts, seeds, steps=max(1, sampler.base.num_inference_steps // 2)))


def numbers(base: Answers, tuned: Answers, subjects: Sequence[str], held_out: Tensor) -> Numbers:
    """Return what changed from the base's answers to the tuned model's; `held_out` are features of paintings.

    Raises ValueError for a subject that pocket-flux has no name for.
    """
    each = len(tuned.said) // len(subjects)
    wanted = [known(subject) for subject in subjects for _ in range(each)]
    return Numbers(
        style(tuned.said_features, held_out),
        style(tuned.unsaid_features, held_out),
        moved(base.said_features, tuned.said_features),
        moved(base.unsaid_features, tuned.unsaid_features),
        metrics.prompt_ranks(tuned.said_features, wanted),
    )


def known(subject: str) -> str:
    """Return the concept a subject names. Raises ValueError when it names none that can be recognised."""
    name = features_.concept_in(subject, features_.concepts()[0])
    if name is None:
        raise ValueError(
            f"{subject!r} names nothing that pocket was taught; see pocket/concepts.txt for what was"
        )
    return name


def style(features: Tensor, held_out: Tensor) -> Values:
    """Return each picture's mean likeness to the held-out paintings."""
    return rounded((features @ held_out.T).mean(1))


def moved(before: Tensor, after: Tensor) -> Values:
    """Return how far each picture lies from the one before it, 1 - cosine."""
    return rounded(1 - (before * after).sum(1))


def rounded(values: Tensor) -> Values:
    """Return numbers that are the same whenever they are written down and read again."""
    return [round(value, 4) for value in values.tolist()]


def flat(rows: Sequence[Sequence[Image.Image]]) -> list[Image.Image]:
    return [image for row in rows for image in row]


def verdict(
    what: str, first: str, second: str, a: Sequence[Values], b: Sequence[Values], figures: bool = True
) -> str:
    """Return a sentence that says whether `first` is higher than `second`, or that the pictures cannot tell.

    `a` and `b` hold one list a training run, one value a drawing, in the same order. Higher or lower is said only when
    the 95 % interval of the paired differences leaves zero out, also as printed, and every run agrees on the side.
    `figures=False` leaves the numbers out, for results that differ in the last digit between machines.
    """
    gaps = [np.subtract(x, y) for x, y in zip(a, b, strict=True)]
    every = np.concatenate(gaps)
    low, high = (round(end, 3) for end in metrics.bootstrap_interval(every.tolist()))
    sides = {bool(gap.mean() > 0) for gap in gaps}
    if (low > 0 or high < 0) and len(sides) == 1:
        near, far = sorted((abs(low), abs(high)))
        by = f" by {abs(every.mean()):.3f} ({near:.3f} to {far:.3f})" if figures else ""
        return f"{what}: {first} is {'higher' if low > 0 else 'lower'} than {second}{by}"
    span = f" ({low:+.3f} to {high:+.3f})" if figures else ""
    return f"{what}: {len(every)} drawings show no difference between {first} and {second}{span}"


def row(named: dict[str, Any], found: Numbers, **more: Any) -> dict[str, Any]:
    """Return a trial's row: what it is called by, its numbers, and what else was measured."""
    return named | asdict(found) | more


def column(table: Sequence[dict[str, Any]], key: str, **where: Any) -> list[Values]:
    """Return one list of values a training run, from the rows that have these names, as in ``word="tom"``.

    Raises ValueError when no row has them.
    """
    found = [line[key] for line in table if all(line[k] == v for k, v in where.items())]
    if not found:
        raise ValueError(f"no row with {where}; expected one a training run. Record the long run again")
    return found


def mean(values: Sequence[Values]) -> float:
    """Return the mean over all pictures of all training runs."""
    return float(np.mean(values))
