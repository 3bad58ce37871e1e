"""What a word means to a base model before training: its tokens, and what the base draws for it."""

from __future__ import annotations

from collections.abc import Sequence

from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases, families, judges

MADE_UP_WORDS = ("qzv7x", "w0pj3k", "vrr9t")


def tokenizations(word: str, names: Sequence[str] | None = None) -> dict[str, list[str] | str]:
    """Return for each base model the tokens of a word, or a sentence on why its tokenizer cannot be
    loaded.
    """
    tokens: dict[str, list[str] | str] = {}
    for name in names or bases.BASES:
        base = bases.find(name)
        try:
            tokens[name] = families.find(base.family).load_tokenizer(base).tokenize(word)
        except (ValueError, OSError) as problem:
            tokens[name] = str(problem).splitlines()[0]
    return tokens


def word_effect(sampler: Sampler, word: str, seeds: Sequence[int] = (1, 2, 3)) -> float:
    """Return how far a word alone moves the base's images away from those of the empty prompt, 0 ... 1.

    The mean over seeds of 1 - cosine of the features that the base's judge makes of them.
    Compare it with the same of MADE_UP_WORDS.
    """
    judge = judges.find(sampler.base)
    features, empty_prompt_features = map(judge.image_features, sampler.sample([word, ""], seeds))
    cosines = (features * empty_prompt_features).sum(1)
    return float((1 - cosines).mean())
