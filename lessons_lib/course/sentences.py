"""Sentences of the lessons that state a result, bound to the recorded runs and to the outputs above them.

A Markdown cell that states a result has `bound` in its metadata: `template`, its source with a field such as
``{how_many_pictures[style][4]:.2f}`` for each figure; `holds`, fields with the text that each must give,
such as ``{how_many_pictures[style][4 vs 16]}`` and "no difference"; `printed`, lines that must stand in the
outputs of the cells above. The fields are those of `Figures`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbformat import NotebookNode

from lessons_lib.course import recorded, trials
from lessons_lib.evaluation import metrics
from lessons_lib.paths import RECORDED

ANEW = "write the sentence anew"
DIRECTIONS = {1: "higher", -1: "lower", 0: "no difference"}
_VARIANT_KEYS = (
    "count",
    "trigger",
    "mode",
    "set",
    "recipe",
    "rank",
)  # what the variants of a run are called in its rows


class Measure(Mapping[str, Any]):
    """One measure of a recorded run, by variant.

    ``[4]`` is the mean of the variant 4; ``[4 vs 16]`` one of `DIRECTIONS`, as in `trials.direction`;
    ``[4 by 16]`` the size of the mean difference and ``[4 to 16]`` its interval, with signs; ``[4 gap]`` the
    share of the way from the floor to the ceiling; ``[lowest]`` and ``[highest]`` name a variant.
    """

    def __init__(self, runs: Mapping[str, list[trials.Scores]], floor: float, ceiling: float):
        self._runs, self._floor, self._ceiling = runs, floor, ceiling

    def __getitem__(self, key: str | int) -> Any:
        key = str(key)  # str.format makes a number of [4]
        name, _, end = key.rpartition(" ")
        if key in ("lowest", "highest"):
            means = {variant: trials.mean_score(runs) for variant, runs in self._runs.items()}
            return (min if key == "lowest" else max)(means, key=lambda variant: means[variant])
        if end == "gap" and name in self._runs:
            return metrics.share_of_gap(trials.mean_score(self._runs[name]), self._floor, self._ceiling)
        for word in ("vs", "by", "to"):
            first, sign, second = key.partition(f" {word} ")
            if sign:
                return self._compare(word, self._runs[first], self._runs[second])
        return trials.mean_score(self._runs[key])

    @staticmethod
    def _compare(word: str, first: list[trials.Scores], second: list[trials.Scores]) -> Any:
        if word == "vs":
            return DIRECTIONS[trials.direction(first, second)]
        mean, low, high = trials.difference(first, second)
        return abs(mean) if word == "by" else f"{low:+.3f} to {high:+.3f}"

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)


class Figures(Mapping[str, Any]):
    """The figures of a recorded run, by measure: see `Measure`.

    ``[a vs b]`` compares two measures, by variant; ``[drawings]`` and ``[trainings]`` are the numbers of one
    variant's; ``[floor]``, ``[ceiling]``, ``[steps]`` and other numbers of the record come as they are.
    """

    def __init__(self, result: Mapping[str, Any]):
        self._result = result
        self._rows: list[dict[str, Any]] = result["rows"]
        self._key = next(key for key in _VARIANT_KEYS if key in self._rows[0])

    def __getitem__(self, key: str) -> Any:
        if key == "drawings":  # of one variant, all trainings together
            return sum(
                len(row["style" if "style" in row else "style_with"]) for row in self._of(self._variants[-1])
            )
        if key == "trainings":
            return len(self._of(self._variants[-1]))
        first, sign, second = key.partition(" vs ")
        if sign:
            pairs = {v: (self._runs(first, v), self._runs(second, v)) for v in self._variants}
            words = {variant: DIRECTIONS[trials.direction(*pair)] for variant, pair in pairs.items()}
            return {int(v) if v.isdigit() else v: word for v, word in words.items()}
        if key in self._result and isinstance(self._result[key], int | float):
            return self._result[key]
        runs = {v: self._runs(key, v) for v in self._variants if all(r[key] is not None for r in self._of(v))}
        floor, ceiling = self._result.get("ends", {}).get(
            key, (self._result["floor"], self._result["ceiling"])
        )
        return Measure(runs, floor, ceiling)

    @property
    def _variants(self) -> list[str]:
        return list(dict.fromkeys(str(row[self._key]) for row in self._rows))

    def _of(self, variant: str) -> list[dict[str, Any]]:
        return [row for row in self._rows if str(row[self._key]) == variant]

    def _runs(self, key: str, variant: str) -> list[trials.Scores]:
        return [np.atleast_1d(row[key]).tolist() for row in self._of(variant)]

    def __iter__(self) -> Iterator[str]:
        return iter(key for key in self._rows[0] if key not in ("seed", *_VARIANT_KEYS))

    def __len__(self) -> int:
        return len(list(iter(self)))


def figures() -> dict[str, Figures]:
    """Return the figures of every recorded run that compares variants, by the record's name."""
    results = {path.stem: recorded.load(path.stem)["result"] for path in sorted(RECORDED.glob("*.json"))}
    return {name: Figures(result) for name, result in results.items() if "floor" in result}


def render(template: str, values: Mapping[str, Figures]) -> str:
    """Return a template with its fields filled in. Raises KeyError for a figure that is not recorded."""
    return template.format_map(values)


def printed(book: NotebookNode, index: int) -> str:
    """Return what the code cells above a cell have printed."""
    outputs = [o for cell in book.cells[:index] if cell.cell_type == "code" for o in cell.outputs]
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


def problems(path: Path, values: Mapping[str, Figures]) -> list[str]:
    """Return a line for each bound sentence of a notebook whose figure or direction does not hold."""
    book = nbformat.read(path, as_version=4)
    lines = []
    for index, cell in enumerate(book.cells):
        bound, place = cell.metadata.get("bound", {}), f"{path.name}, cell {index}"
        try:
            lines += _changed(bound, cell.source, place, values)
        except KeyError as missing:
            lines.append(f"{place}: {missing} is not recorded: {ANEW}")
        above = printed(book, index)
        lines += [f"{place}: no cell above prints {text!r}: {ANEW}"
                  for text in bound.get("printed", []) if text not in above]  # fmt: skip
    return lines


def _changed(bound: Mapping[str, Any], source: str, place: str, values: Mapping[str, Figures]) -> list[str]:
    """Return a line for the first figure of a cell that is another now, and for each direction that turned.

    Raises KeyError for a figure that is not recorded.
    """
    lines = []
    if "template" in bound and (wanted := render(bound["template"], values)) != source:
        now, then = _first_difference(wanted, source)
        lines.append(f"{place}: says {then!r}, recorded is {now!r}")
    for field, word in bound.get("holds", {}).items():
        if (now := render(field, values)) != word:
            lines.append(f"{place}: {field} was {word!r} and is {now!r}: {ANEW}")
    return lines


def _first_difference(a: str, b: str) -> tuple[str, str]:
    """Return the first lines in which two texts differ."""
    pairs = zip(a.splitlines(), b.splitlines(), strict=False)
    return next(((x, y) for x, y in pairs if x != y), (a[-80:], b[-80:]))


def fill(path: Path, values: Mapping[str, Figures]) -> bool:
    """Write the recorded figures into the bound sentences of a notebook; return whether any has changed. A
    sentence with a figure that is not recorded stays as it is.
    """
    book = nbformat.read(path, as_version=4)
    before = [cell.source for cell in book.cells]
    for cell in book.cells:
        if "template" in cell.metadata.get("bound", {}):
            with contextlib.suppress(KeyError):
                cell.source = render(cell.metadata["bound"]["template"], values)
    if before == [cell.source for cell in book.cells]:
        return False
    path.write_text(nbformat.writes(book, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return True
