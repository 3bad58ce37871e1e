"""Prompts with the trigger word in them, short enough that a base model reads all of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from lessons_lib.dataset.captions import Mode, find_overlong, has_trigger, truncate_to_tokens, with_trigger

_SUBJECTS = ("an elephant", "a horse", "a tiger", "a castle")
_PLACES = ("in a garden", "by the sea", "in a desert", "at night")  # for a concept, the subject itself


def default_prompts(mode: Mode) -> list[str]:
    """Return what is drawn where no prompt is given: subjects in a style, or places for a concept."""
    return list(_SUBJECTS if mode == "style" else _PLACES)


def shorten(text: str, trigger: str, mode: Mode, tokenizer: PreTrainedTokenizerBase, limit: int) -> str:
    """Return a prompt as it is, or its first words where it does not fit with the trigger into so many
    tokens.
    """
    is_long = find_overlong([with_trigger(text, trigger, mode)], tokenizer, limit)
    return truncate_to_tokens(text, trigger, mode, tokenizer, limit) if is_long else text


def with_trigger_shortened(
    texts: Sequence[str], trigger: str, mode: Mode, tokenizer: PreTrainedTokenizerBase, limit: int
) -> tuple[str, ...]:
    """Return prompts with the trigger word in them, none longer than so many tokens."""
    return tuple(with_trigger(shorten(t, trigger, mode, tokenizer, limit), trigger, mode) for t in texts)


def shorten_overlong(
    texts: Sequence[str], trigger: str, mode: Mode, tokenizer: PreTrainedTokenizerBase, limit: int
) -> tuple[str, ...]:
    """Return prompts as they are; one that is too long and has the trigger word is shortened and keeps it."""
    overlong = {index for index, _, _ in find_overlong(texts, tokenizer, limit)}
    return tuple(
        with_trigger_shortened([text], trigger, mode, tokenizer, limit)[0]
        if index in overlong and has_trigger(text, trigger)
        else text
        for index, text in enumerate(texts)
    )


def unread_lines(
    texts: Sequence[str], trigger: str, mode: Mode, tokenizer: PreTrainedTokenizerBase, limit: int
) -> list[str]:
    """Return a line for each prompt that is too long, with the words that are not read."""
    lines = []
    for text in texts:
        count = len(shorten(text, trigger, mode, tokenizer, limit).split())
        if rest := " ".join(text.split()[count:]):
            word = re.escape(" ".join(trigger.split()))
            rest = re.sub(rf"[,\s]*(?<!\w){word}(?!\w)", "", rest, flags=re.IGNORECASE).strip(" ,")
            lines.append(f"prompt longer than {limit} tokens; not read: {rest!r}")
    return lines
