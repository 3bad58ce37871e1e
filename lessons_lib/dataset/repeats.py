"""How often a picture is drawn compared to the others: a column of its table, or the name of its folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import PurePosixPath

from lessons_lib.dataset.messages import count_of, name_list

_COLUMNS = ("repeats", "num_repeats", "repeat")  # kohya, ai-toolkit, SimpleTuner
_NUMBER = re.compile(r"\d{1,6}(\.\d{0,6})?|\.\d{1,6}")
_FOLDER = re.compile(r"(\d{1,3})_(?=\S)")  # kohya: 10_zq7 cat


def in_folder_name(name: str) -> str:
    """Return the repeats in a folder's name as kohya's trainer reads it, 10 in "10_zq7 cat", or an empty
    text.
    """
    match = _FOLDER.match(name)
    return match[1] if match and int(match[1]) else ""


def in_path(name: str) -> str:
    """Return the repeats in the name of the innermost folder of a picture that has some, or an empty text."""
    folders = PurePosixPath(name).parts[:-1]
    return next((number for folder in folders[::-1] if (number := in_folder_name(folder))), "")


def normalise(rows: Sequence[tuple[str, dict[str, str]]]) -> list[str]:
    """Put the repeats of each row, a file name and its columns, into the column repeats.

    Returns a problem on those that are no number above 0.
    """
    wrong: list[str] = []
    for file_name, columns in rows:
        texts = [columns.pop(name) for name in _COLUMNS if name in columns]
        text = next((text for text in texts if text), "")
        if _NUMBER.fullmatch(text) and float(text) > 0:
            columns["repeats"] = text
        elif text:
            wrong.append(f"{file_name}: {text}")
    if not wrong:
        return []
    return [
        f"{count_of(wrong, 'row')} with repeats that are no number above 0 ({name_list(wrong)}); expected "
        "how often a picture is drawn compared to the others, such as 2"
    ]


def note(repeats: Sequence[str]) -> list[str]:
    """Return a note on the repeats of each picture; none where no picture has any."""
    counts = Counter(Fraction(text or 1) for text in repeats)
    if not any(repeats):
        return []
    if len(counts) == 1:
        (number,) = counts
        reason = "the same for all pictures, so every picture is drawn equally often"
        return [f"repeats are {float(number):g}, {reason}; --steps says for how long"]
    parts = [f"{count} with {float(number):g}" for number, count in sorted(counts.items(), reverse=True)]
    return [
        f"repeats are weights ({', '.join(parts)}): a picture with 2 is drawn twice as often as one with 1"
    ]
