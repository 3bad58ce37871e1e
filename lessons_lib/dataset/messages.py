"""The error for a picture that cannot be used, and names that are safe to print in its message."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence, Sized


class PictureError(ValueError):
    """A picture, or a folder of them, that cannot be used; the message names the file and what to do."""


def printable(path: str | os.PathLike[str]) -> str:
    """Return a name that is safe to print: line breaks, control and lone surrogates are spelt out."""
    joiners = "\u200c\u200d"  # not "printable", yet ordinary letters in Urdu and Hindi names
    return "".join(c if c.isprintable() or c in joiners else ascii(c)[1:-1] for c in os.fspath(path))


def one_line(problem: BaseException, most: int | None = 160) -> str:
    """Return an error's message in one line of at most so many characters; other libraries' are long."""
    return printable(" ".join(str(problem).split()))[:most] or type(problem).__name__


def name_list(names: Iterable[str], most: int = 4) -> str:
    """Return a few names, safe to print, and how many more there are."""
    every = [printable(name) for name in names]
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")


def count_of(items: Sized, noun: str) -> str:
    """Return "1 picture" or "3 pictures"."""
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def left_out(names: Sequence[str], noun: str, reason: str) -> str:
    """Return a note on files that are not read: how many, the names of a few, and why."""
    return f"{count_of(names, noun)} left out ({name_list(names)}): {reason}"
