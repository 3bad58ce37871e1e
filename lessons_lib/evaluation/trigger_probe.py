"""What a word means to a base model already: how each tokenizer cuts it, and what the model draws when it hears it."""

from __future__ import annotations

from collections.abc import Sequence

from lessons_lib.dataset.captions import pieces
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases, families, features

MADE_UP = ("qzv7x", "w0pj3k", "vrr9t")


def cuts(word: str, names: Sequence[str] | None = None) -> dict[str, list[str] | str]:
    """Return, for each base model, the pieces its tokenizer cuts a word into, or why they could not be had."""
    found: dict[str, list[str] | str] = {}
    for name in names or bases.BASES:
        base = bases.find(name)
        try:
            found[name] = pieces(word, families.find(base.family).load_tokenizer(base))
        except (ValueError, OSError) as problem:
            found[name] = str(problem).splitlines()[0]
    return found


def pull(sampler: Sampler, word: str, seeds: Sequence[int] = (1, 2, 3)) -> float:
    """Return how far a word alone moves the base's pictures away from those of no words at all, 0 ... 1.

    1 - cosine of the pictures' features (see measure.features), meaned over seeds. Compare it with `pull_of_nothing`.
    """
    said, unsaid = sampler.sample([word, ""], seeds)
    return float((1 - (features.image_features(said) * features.image_features(unsaid)).sum(1)).mean())


def pull_of_nothing(sampler: Sampler, seeds: Sequence[int] = (1, 2, 3)) -> float:
    """Return the pull of made-up words, meaned: what a word without any meaning does to this base."""
    return sum(pull(sampler, word, seeds) for word in MADE_UP) / len(MADE_UP)
