"""What a word means to a base model before training: what the base draws for it."""

from __future__ import annotations

from collections.abc import Sequence

from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import judges

MADE_UP_WORDS = ("qzv7x", "w0pj3k", "vrr9t")


def word_effect(sampler: Sampler, word: str, seeds: Sequence[int] = (1, 2, 3)) -> float:
    """Return how far a word alone moves the base's images away from those of the empty prompt, 0 ... 1.

    The mean over seeds of 1 - cosine of the features that the base's judge makes of them.
    Compare it with the same of MADE_UP_WORDS.
    """
    judge = judges.find(sampler.base)
    features, empty_prompt_features = map(judge.image_features, sampler.sample([word, ""], seeds))
    cosines = (features * empty_prompt_features).sum(1)
    return float((1 - cosines).mean())
