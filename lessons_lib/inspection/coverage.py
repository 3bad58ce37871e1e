"""What a set never shows and what it shows too often, by its captions, or by tags where it has none.

What nearly every picture shows is learned with the trigger and comes along later; what none shows is drawn in
the base's own way.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set

from PIL import Image

from lessons_lib.dataset.captions import is_known_word
from lessons_lib.dataset.messages import name_list

_TOO_OFTEN = 0.6  # share of the pictures; below, practice and real sets differ too much to say anything
_FEWEST = 6  # pictures: of fewer every second one is no pattern
# Words of a caption that show an attribute, without an s at their end, as `_words` gives them.
ATTRIBUTES: dict[str, frozenset[str]] = {
    name: frozenset(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words.split())
    for name, words in {
        "people": "man men woman women person people child children boy girl king queen prince princess lady "
        "portrait face crowd dancer musician soldier rider figure",
        "animals": "animal dog cat horse bird elephant tiger lion deer cow fish duck peacock fox rabbit",
        "plants": "tree flower plant leaf leaves blossom forest garden grass rose palm bush field",
        "buildings": "house building castle palace tower temple church city street bridge wall roof tent",
        "water": "water river lake sea ocean pond stream boat rain fountain beach waves",
        "night": "night moon stars evening dusk dark darkness candle lamp",
        "indoors": "room indoors inside kitchen table chair bed window carpet hall interior studio",
        "vehicles": "car bus train bicycle boat ship plane cart truck",
        "food": "food fruit bread cake apple plate cup bowl",
    }.items()
}
_SMALL_WORDS = frozenset(
    "a an the of in on at by to with and or from under over near its his her their is are one two three some "
    "big small old young white black red blue green yellow picture photo image painting drawing".split()
)
Tagger = Callable[[Sequence[Image.Image], Sequence[str], int], list[list[str]]]


def lines(captions: Sequence[str | None], trigger: str = "") -> list[str]:
    """Return what captions say of the set: words in most of them, and attributes in none; one line where they
    are in another language than English.

    No lines for fewer than six captions.
    """
    texts = [_words(caption, trigger) for caption in captions if caption]
    if len(texts) < _FEWEST:
        return []
    if not _are_english(set().union(*texts)):
        return ["what is shown often or never was not looked for: the captions are not in English"]
    often = Counter(word for words in texts for word in words - _SMALL_WORDS)
    shown = {name: sum(bool(words & wanted) for words in texts) for name, wanted in ATTRIBUTES.items()}
    return _often_lines(often, len(texts), "captions") + _never_lines(shown, "caption names")


def tag_lines(images: Sequence[Image.Image], tags: Tagger) -> list[str]:
    """Return what a network's tags say of pictures that have no captions; `tags` as `Judge.tags`.

    Each picture gets the two attributes that fit it most, so a rare one may be missed.
    """
    if len(images) < _FEWEST:
        return []
    counts = Counter(tag for best in tags(images, list(ATTRIBUTES), 2) for tag in best)
    shown = {name: counts[name] for name in ATTRIBUTES}
    return _often_lines(counts, len(images), "tags") + _never_lines(shown, "tag names")


def _words(caption: str, trigger: str) -> set[str]:
    """Return the words of a caption without the trigger, in small letters, singular."""
    text = re.sub(re.escape(trigger), " ", caption, flags=re.IGNORECASE) if trigger else caption
    # In Hindi and its relatives vowels are marks, which are no letters to `re`.
    letters = (char if unicodedata.category(char)[0] in "LM" else " " for char in text.lower())
    # In Korean and Chinese one or two letters may be a word.
    words = [word for word in "".join(letters).split() if len(word) > 2 or not word.isascii()]
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words}


def _are_english(words: Set[str]) -> bool:
    """Return whether at least half of some words are in the list of everyday English words."""
    return 2 * sum(map(is_known_word, words)) >= len(words)


def _often_lines(counts: Mapping[str, int], total: int, kind: str) -> list[str]:
    """Return a line that names what most pictures show."""
    often = sorted((word for word, n in counts.items() if n > _TOO_OFTEN * total), key=lambda w: -counts[w])
    if not often:
        return []
    names = name_list([f"{word!r} ({counts[word]} of {total})" for word in often])
    return [
        f"shown often, by the {kind}: {names}. It will come along with the trigger; add pictures without it"
    ]


def _never_lines(shown: Mapping[str, int], kind: str) -> list[str]:
    """Return a line that names the attributes that no picture shows."""
    never = [name for name, count in shown.items() if not count]
    if not never:
        return []
    return [f"never shown: no {kind} {name_list(never, len(ATTRIBUTES))}. The adapter learns nothing of it"]
