"""Captions with a trigger word in them, and warnings about words and lengths that will not do what was meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from transformers import PreTrainedTokenizerBase

from lessons_lib.dataset.messages import name_list
from lessons_lib.dataset.pictures import Picture

Mode = Literal["style", "concept"]
WORDS = Path(__file__).with_name("words.txt")
ENDINGS = ("s", "es", "ed", "d", "ing", "er", "ers", "ly", "ness")


@lru_cache(1)
def dictionary() -> frozenset[str]:
    """Return everyday English words, first names and painters, in small letters; regular endings are left out."""
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def is_known_word(word: str) -> bool:
    """Tell whether a word, or what is left without a regular ending, is in the dictionary."""
    small = word.lower()
    stems = [small[: -len(e)] for e in ENDINGS if small.endswith(e) and len(small) - len(e) > 2]
    return small in dictionary() or any(s in dictionary() or s + "e" in dictionary() for s in stems)


def pieces(text: str, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return the tokens a tokenizer cuts a text into, without its start and end marks."""
    return tokenizer.tokenize(text)


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
            f"{first!r} is a word with a meaning: the old meaning will mix with the new one. {suggestion(first)}"
        )
    if any(mark in word for mark in ",.;:()[]<>\"'"):
        warnings.append(
            f"{word!r} holds punctuation, which captions use to part phrases; letters and digits are safer"
        )
    if tokenizer is not None:
        warnings += check_tokens(first, tokenizer, known=bool(warnings))
    return warnings


def check_tokens(word: str, tokenizer: PreTrainedTokenizerBase, known: bool) -> list[str]:
    """Return warnings about how a tokenizer cuts a trigger word. `known`: it has been called a known word already."""
    cut = pieces(word, tokenizer)
    warnings = []
    if len(cut) == 1 and len(word) > 1 and not known:
        warnings.append(f"{word!r} is one token, so the model knows it as a word already. {suggestion(word)}")
    unknown = tokenizer.unk_token_id
    if unknown is not None and unknown in tokenizer.convert_tokens_to_ids(cut):
        warnings.append(
            f"{word!r} has letters this tokenizer does not know; expected plain letters and digits"
        )
    if len(cut) > 8:
        warnings.append(
            f"{word!r} takes {len(cut)} tokens, which leaves less room for captions; 3 to 8 are usual"
        )
    return warnings


def suggestion(word: str) -> str:
    """Return a hint that spells the word with digits in place of vowels, as in mugh4l."""
    spelt = word.lower()
    for vowel, digit in (("a", "4"), ("e", "3"), ("o", "0"), ("i", "1")):
        if vowel in spelt:
            spelt = spelt.replace(vowel, digit, 1)
            break
    return f"Try {spelt if spelt != word.lower() else spelt + '7x'}"


def with_trigger(text: str, trigger: str, mode: Mode = "style") -> str:
    """Return a caption or a prompt with the trigger in it once: "a tiger, mugh4l" or, in concept mode, "th0r cat, asleep".

    The trigger follows the caption in style mode, as a style's name does in captions the base models were taught.
    Raises ValueError for a mode that does not exist.
    """
    if mode not in ("style", "concept"):
        raise ValueError(f"mode is {mode!r}; expected 'style' or 'concept'")
    trigger, text = " ".join(trigger.split()), text.strip().rstrip(",.")
    if not text or not trigger:
        return text or trigger
    if f" {trigger.lower()} " in " " + "".join(c if c.isalnum() else " " for c in text.lower()) + " ":
        return text
    return f"{text}, {trigger}" if mode == "style" else f"{trigger}, {text}"


def captions(
    pictures: Sequence[Picture],
    trigger: str,
    mode: Mode,
    tokenizer: PreTrainedTokenizerBase | None = None,
    limit: int | None = None,
) -> list[str]:
    """Return one caption a picture with the trigger in it; a picture without a caption gets the trigger alone.

    With a tokenizer and a limit in tokens, words are taken off the end of a caption that is too long, so that the
    trigger behind it still reaches the model. `concerns` tells what was missing or cut.
    """
    return [
        with_trigger(fitted(p.caption or "", trigger, mode, tokenizer, limit) if tokenizer and limit else p.caption or "",
                     trigger, mode)
        for p in pictures
    ]  # fmt: skip


def fitted(text: str, trigger: str, mode: Mode, tokenizer: PreTrainedTokenizerBase, limit: int) -> str:
    """Return the first words of a caption that fit into so many tokens together with the trigger."""
    words = text.split()
    while words and length(with_trigger(" ".join(words), trigger, mode), tokenizer) > limit:
        words.pop()
    return " ".join(words)


def length(text: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the tokens of a text with the tokenizer's own start and end marks, as the model counts them."""
    return len(pieces(text, tokenizer)) + tokenizer.num_special_tokens_to_add()


def too_long(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, limit: int
) -> list[tuple[int, str, str]]:
    """Return (index, the words that are kept, the words that are cut off) for each text of more than `limit` tokens."""
    found = []
    for index, text in enumerate(texts):
        if length(text, tokenizer) <= limit:
            continue
        words, count = text.split(), 0
        while count < len(words) and length(" ".join(words[: count + 1]), tokenizer) <= limit:
            count += 1
        found.append((index, " ".join(words[:count]), " ".join(words[count:])))
    return found


def replace(texts: Sequence[str], old: str, new: str) -> tuple[list[str], int]:
    """Return the captions with one word or phrase put in place of another, and in how many of them it stood.

    Whole words only, in any case: "cat" leaves "cattle" alone. Raises ValueError when `old` is empty.
    """
    if not old.strip():
        raise ValueError("there is nothing to look for; expected a word or a phrase")
    wanted = re.compile(rf"(?<!\w){re.escape(old)}(?!\w)", re.IGNORECASE)
    done = [wanted.subn(lambda _: new, text) for text in texts]
    return [" ".join(text.split()) for text, _ in done], sum(count > 0 for _, count in done)


def surround(texts: Sequence[str], before: str = "", after: str = "") -> list[str]:
    """Return the captions with the same words before and after each, parted by commas; empty ones stay empty."""
    return [", ".join(part for part in (before, text, after) if part) if text else "" for text in texts]


def collisions(trigger: str, texts: Sequence[str]) -> list[int]:
    """Return which captions hold the trigger's letters already, as a word or inside one: it would mean two things."""
    small = trigger.split()[0].lower()
    return [i for i, text in enumerate(texts) if small in text.lower()]


def concerns(
    pictures: Sequence[Picture],
    trigger: str,
    tokenizer: PreTrainedTokenizerBase | None = None,
    limit: int | None = None,
) -> list[str]:
    """Return every warning about the trigger and the captions, one a line, naming the files."""
    found = check_trigger(trigger, tokenizer)
    mute = name_list(p.path.name for p in pictures if not p.caption)
    if mute:
        found.append(f"no caption: {mute}. Taught with the trigger word alone")
    twice = collisions(trigger, [p.caption or "" for p in pictures])
    if twice:
        names = name_list(pictures[i].path.name for i in twice)
        found.append(f"{trigger!r} stands in the caption of {names} already; it should mean one thing only")
    if tokenizer and limit:
        texts = [with_trigger(p.caption or "", trigger) for p in pictures]
        for index, _, _ in too_long(texts, tokenizer, limit):
            caption = pictures[index].caption or ""
            rest = caption[len(fitted(caption, trigger, "style", tokenizer, limit)) :].strip()
            found.append(
                f"{pictures[index].path.name}: caption longer than {limit} tokens; not read: {rest!r}"
            )
    return found
