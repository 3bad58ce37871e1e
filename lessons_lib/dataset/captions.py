"""Captions with a trigger word in them, and warnings about words and lengths that do not do what was
meant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from transformers import PreTrainedTokenizerBase

from lessons_lib.dataset.messages import name_list
from lessons_lib.dataset.pictures import Picture

Mode = Literal["style", "concept"]
WORD_LIST = Path(__file__).with_name("words.txt")
# Where other trainers' sets want the trigger word: ai-toolkit's [trigger] and [name], and the like.
_PLACEHOLDER = re.compile(
    r"\[{1,2} *(?:trigger|name|trigger[ _-]?word|trigger[ _-]?phrase|concept|token) *\]{1,2}"
    r"|\{{1,2} *(?:trigger|name|trigger[ _-]?word|trigger[ _-]?phrase|concept|token) *\}{1,2}"
    r"|< *(?:trigger|trigger[ _-]?word|trigger[ _-]?phrase) *>",
    re.IGNORECASE,
)
# What other programs read and this one does not: places, weights (word:1.2), wildcards {a|b}, <lora:x:1>.
_MARKUP = re.compile(r"\[\w+\]|\{[\w| ,]+\}|\([^()]+:\d*\.?\d+\)|<\w+:[^<>]+>")
_ENDINGS = ("s", "es", "ed", "d", "ing", "er", "ers", "ly", "ness")


@lru_cache(1)
def known_words() -> frozenset[str]:
    """Return everyday English words, first names and painters, in lowercase letters.

    Regular endings are left out.
    """
    lines = WORD_LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def is_known_word(word: str) -> bool:
    """Return whether a word, or what is left without a regular ending, is in the word list."""
    lower = word.lower()
    stems = [lower.removesuffix(e) for e in _ENDINGS if lower.endswith(e) and len(lower) - len(e) > 2]
    return lower in known_words() or any(s in known_words() or s + "e" in known_words() for s in stems)


def check_trigger(word: str, tokenizer: PreTrainedTokenizerBase | None) -> list[str]:
    """Return warnings about a trigger word; none when it is a word that means nothing yet.

    In concept mode the trigger may be "th0r cat", a word and its class: only the first word is judged.
    Raises ValueError when there is no word at all.
    """
    if not word.split():
        raise ValueError("the trigger word is empty; expected a made-up word such as mugh4l")
    first = word.split()[0]
    warnings = []
    if is_known_word(first):
        warnings.append(
            f"{first!r} is a word with a meaning: the old meaning will mix with the new one. "
            f"{suggest_trigger(first)}"
        )
    if any(mark in word for mark in ",.;:()[]<>\"'"):
        warnings.append(
            f"{word!r} holds punctuation, which captions use between phrases; letters and digits are safer"
        )
    if tokenizer is not None:
        warnings += _check_tokens(first, tokenizer, is_known=bool(warnings))
    return warnings


def _check_tokens(word: str, tokenizer: PreTrainedTokenizerBase, is_known: bool) -> list[str]:
    """Return warnings about how a tokenizer splits a trigger word.

    `is_known`: there is a warning that it is a known word.
    """
    tokens = tokenizer.tokenize(word)
    warnings = []
    if len(tokens) == 1 and len(word) > 1 and not is_known:
        warnings.append(
            f"{word!r} is one token, so the model knows it as a word already. {suggest_trigger(word)}"
        )
    unknown = tokenizer.unk_token_id
    if unknown is not None and unknown in tokenizer.convert_tokens_to_ids(tokens):
        warnings.append(
            f"{word!r} has letters this tokenizer does not know; expected plain letters and digits"
        )
    if len(tokens) > 8:
        warnings.append(
            f"{word!r} takes {len(tokens)} tokens, which leaves less room for captions; 3 to 8 are usual"
        )
    return warnings


def suggest_trigger(word: str) -> str:
    """Return a hint that spells the word with a digit in place of a vowel, as in mugh4l."""
    suggested = word.lower()
    for vowel, digit in (("a", "4"), ("e", "3"), ("o", "0"), ("i", "1")):
        if vowel in suggested:
            suggested = suggested.replace(vowel, digit, 1)
            break
    return f"Try {suggested if suggested != word.lower() else suggested + '7x'}"


def with_trigger(text: str, trigger: str, mode: Mode = "style") -> str:
    """Return a caption or a prompt with the trigger in it once: "a tiger, mugh4l" or, in concept mode,
    "th0r cat, asleep".

    The trigger follows the caption in style mode, as a style's name does in the captions that base models
    were trained on. Raises ValueError for a mode that does not exist.
    """
    if mode not in ("style", "concept"):
        raise ValueError(f"mode is {mode!r}; expected 'style' or 'concept'")
    trigger, text = unicodedata.normalize("NFC", " ".join(trigger.split())), text.strip().rstrip(",. ")
    if not trigger:
        return text
    text = fill_placeholders(unicodedata.normalize("NFC", text), trigger)
    if not text:
        return trigger
    if has_trigger(text, trigger):
        return text
    return f"{text}, {trigger}" if mode == "style" else f"{trigger}, {text}"


def has_trigger(text: str, trigger: str) -> bool:
    """Return whether a text holds the trigger as words of its own, in any case.

    "th0r-cat" and "th0r_cat" are "th0r cat".
    """
    words = re.split(r"[-_\s]+", unicodedata.normalize("NFC", trigger).strip("-_ \t\n"))
    letter = r"[^\W_]"
    pattern = rf"(?<!{letter})" + r"(?:[-_\s]+|[\W_])".join(map(re.escape, words)) + rf"(?!{letter})"
    return bool(words[0]) and bool(re.search(pattern, unicodedata.normalize("NFC", text), re.IGNORECASE))


def fill_placeholders(text: str, trigger: str) -> str:
    """Return a text with the trigger where another trainer's set has [trigger] or the like.

    If the text already has the trigger, or the trigger is empty, the placeholder is removed.
    "[trigger] cat" with the trigger "th0r cat" becomes "th0r cat".
    """
    if not _PLACEHOLDER.search(text):
        return text
    rest = _PLACEHOLDER.sub(" ", text)
    if not trigger or has_trigger(rest, trigger):
        return re.sub(r"^[\s,]+|(?<=,)[\s,]+(?=,)|[\s,]+$", "", " ".join(rest.split())).replace(" ,", ",")
    class_words = " ".join(trigger.split()[1:])
    follows = rf"(?: {re.escape(class_words)}(?!\w))?" if class_words else ""
    pattern = re.compile(f"(?:{_PLACEHOLDER.pattern}){follows}", re.IGNORECASE)
    return " ".join(pattern.sub(lambda _: trigger, text).split())


def training_captions(
    pictures: Sequence[Picture],
    trigger: str,
    mode: Mode,
) -> list[str]:
    """Return one caption a picture, its first, with the trigger in it.

    A picture without a caption gets the trigger alone.
    """
    first = [replace(picture, other_captions=()) for picture in pictures]
    return [texts[0] for texts in all_training_captions(first, trigger, mode)]


def all_training_captions(
    pictures: Sequence[Picture],
    trigger: str,
    mode: Mode,
    tokenizer: PreTrainedTokenizerBase | None = None,
    limit: int | None = None,
) -> list[list[str]]:
    """Return every caption of each picture as `training_captions` does the first.

    With a tokenizer and a limit in tokens, words are taken off the end of a caption that is too long,
    so that the trigger behind it still reaches the model. `caption_warnings` says what was missing or cut.
    """

    def fitted(text: str) -> str:
        if tokenizer and limit:
            text = truncate_to_tokens(text, trigger, mode, tokenizer, limit)
        return with_trigger(text, trigger, mode)

    return [[fitted(text) for text in picture.captions] for picture in pictures]


def truncate_to_tokens(
    text: str, trigger: str, mode: Mode, tokenizer: PreTrainedTokenizerBase, limit: int
) -> str:
    """Return the first words of a caption that fit into so many tokens together with the trigger."""
    words = text.split()
    while words and _count_tokens(with_trigger(" ".join(words), trigger, mode), tokenizer) > limit:
        words.pop()
    return " ".join(words)


def _count_tokens(text: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the tokens of a text with the tokenizer's own start and end marks, as the model counts them."""
    return len(tokenizer(text, verbose=False).input_ids)  # which would warn of a text that is cut anyway


def find_overlong(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, limit: int
) -> list[tuple[int, str, str]]:
    """Return (index, the words that are kept, the words that are cut off) for each text of more than `limit`
    tokens.
    """
    overlong = []
    for index, text in enumerate(texts):
        if _count_tokens(text, tokenizer) <= limit:
            continue
        words, count = text.split(), 0
        while count < len(words) and _count_tokens(" ".join(words[: count + 1]), tokenizer) <= limit:
            count += 1
        overlong.append((index, " ".join(words[:count]), " ".join(words[count:])))
    return overlong


def replace_phrase(texts: Sequence[str], old: str, new: str) -> tuple[list[str], int]:
    """Return the captions with one word or phrase put in place of another, and in how many of them it stood.

    Whole words only, in any case: "cat" leaves "cattle" alone. Raises ValueError when `old` is empty.
    """
    if not old.strip():
        raise ValueError("the text to replace is empty; expected a word or a phrase")
    pattern = re.compile(rf"(?<!\w){re.escape(old)}(?!\w)", re.IGNORECASE)
    replaced = [pattern.subn(lambda _: new, text) for text in texts]
    return [" ".join(text.split()) for text, _ in replaced], sum(count > 0 for _, count in replaced)


def surround(texts: Sequence[str], before: str = "", after: str = "") -> list[str]:
    """Return the captions with the same words before and after each, with commas between.

    Empty ones stay empty.
    """
    return [", ".join(part for part in (before, text, after) if part) if text else "" for text in texts]


def find_collisions(trigger: str, texts: Sequence[str]) -> list[int]:
    """Return which captions hold the trigger's letters already, as a word or inside one:
    it would mean two things.
    """
    lower = trigger.split()[0].lower()
    return [i for i, text in enumerate(texts) if lower in text.lower()]


def caption_warnings(
    pictures: Sequence[Picture],
    trigger: str,
    tokenizer: PreTrainedTokenizerBase | None = None,
    limit: int | None = None,
) -> list[str]:
    """Return every warning about the trigger and the captions, one a line, naming the files."""
    warnings = check_trigger(trigger, tokenizer)
    without_caption = name_list(p.path.name for p in pictures if not p.caption)
    if without_caption:
        warnings.append(f"no caption: {without_caption}. Trained on with the trigger word alone")
    pictures = _one_a_caption(pictures)
    texts = [p.caption or "" for p in pictures]
    collisions = [i for i in find_collisions(trigger, texts) if not has_trigger(texts[i], trigger)]
    if collisions:
        names = name_list(pictures[i].path.name for i in collisions)
        warnings.append(
            f"{trigger!r} is part of other words in the caption of {names}; it should mean one thing only"
        )
    marked = [p.path.name for p in pictures if _MARKUP.search(fill_placeholders(p.caption or "", trigger))]
    if marked:
        warnings.append(
            f"{len(marked)} with brackets of another program in the caption ({name_list(marked)}): they are "
            "taught as letters. Take them out"
        )
    if tokenizer and limit:
        warnings += overlong_warnings(pictures, trigger, tokenizer, limit)
    return warnings


def _one_a_caption(pictures: Sequence[Picture]) -> list[Picture]:
    """Return each picture as often as it has captions, each time with another one of them."""
    return [replace(p, caption=text, other_captions=()) for p in pictures for text in p.captions]


def overlong_warnings(
    pictures: Sequence[Picture], trigger: str, tokenizer: PreTrainedTokenizerBase, limit: int
) -> list[str]:
    """Return a warning about captions that do not fit: the words that are not read, of the first of them."""
    pictures = _one_a_caption(pictures)
    texts = [with_trigger(p.caption or "", trigger) for p in pictures]
    overlong = [pictures[index] for index, _, _ in find_overlong(texts, tokenizer, limit)]
    if not overlong:
        return []
    caption = overlong[0].caption or ""
    kept_words = truncate_to_tokens(caption, trigger, "style", tokenizer, limit)
    names = name_list(picture.path.name for picture in overlong)
    count, of_first = (
        ("caption", "") if len(overlong) == 1 else (f"{len(overlong)} captions", " of the first")
    )
    cut_words = caption[len(kept_words) :].strip()
    return [f"{names}: {count} longer than {limit} tokens; not read{of_first}: {cut_words!r}"]
