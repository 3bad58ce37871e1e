"""What `adaptation`'s scores say: how much of the prompt two bases keep at equal style."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
LEVELS = (0.3, 0.5)  # shares of the style's ceiling at which the prompts are read off
Row = dict[str, Any]


def _points(row: Row, measure: str, things: Sequence[int] | None = None) -> list[tuple[float, float]]:
    """Return style and prompt at each strength, as means over things; all of them where none are named."""
    which = slice(None) if things is None else list(things)
    return [
        (
            float(np.mean(np.array(row[key][measure])[which])),
            float(np.mean(np.array(row[key]["prompt"])[which])),
        )
        for key in ("0", *(f"{strength:g}" for strength in STRENGTHS))
    ]


def _read_off(points: list[tuple[float, float]], level: float) -> float | None:
    for (style, prompt), (higher, lower) in pairwise(points):
        if style <= level <= higher:
            share = (level - style) / max(higher - style, 1e-9)
            return (prompt + share * (lower - prompt)) / max(points[0][1], 1e-9)
    return None


def kept_at(row: Row, level: float, measure: str = "style") -> float | None:
    """Return the share of the prompt that is kept where the style reaches a level, between two strengths;
    None where it never does.
    """
    return _read_off(_points(row, measure), level)


def gain(
    pairs: Sequence[tuple[Row, Row]], level: float, measure: str = "style", draws: int = 2000
) -> tuple[float, float, float, float]:
    """Return by how much more of the prompt the second row of each pair keeps at equal style: the mean over
    pairs, its 95 % bootstrap interval over pairs and things, and the mean level.

    Where one of the two does not reach the level, both are read off at the highest that both reach.
    """
    rng = np.random.default_rng(0)

    def difference(pair: tuple[Row, Row], things: Sequence[int] | None = None) -> tuple[float, float]:
        both = [_points(row, measure, things) for row in pair]
        common = min(level, *(max(style for style, _ in points) for points in both))
        kept = [_read_off(points, max(common, points[0][0])) for points in both]
        return float(kept[1] or 0.0) - float(kept[0] or 0.0), common

    mean = np.mean([difference(pair) for pair in pairs], 0)
    count = len(pairs[0][0]["0"]["prompt"])
    drawn = []
    for _ in range(draws):
        some = rng.integers(len(pairs), size=len(pairs))
        drawn.append(
            np.mean([difference(pairs[k], rng.integers(count, size=count).tolist())[0] for k in some])
        )
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(mean[0]), float(low), float(high), float(mean[1])


def gains(rows: dict[str, Row], old: Path, new: Path) -> str:
    """Return a Markdown table of what the second folder of weights keeps more than the first, set by set
    and over all held-out looks.
    """
    sets = [key.removeprefix(f"{old}, ") for key in rows if key.startswith(f"{old}, ")]
    groups = {name: [name] for name in sets if not name.startswith("look ")}
    groups["held-out looks"] = [name for name in sets if name.startswith("look ")]
    lines = [
        "| set | measure | level | read at | more of the prompt kept | 95 % interval |",
        "|---" * 6 + "|",
    ]
    for group, names in groups.items():
        pairs = [(rows[f"{old}, {n}"], rows[f"{new}, {n}"]) for n in names if f"{new}, {n}" in rows]
        for measure in ("style", "centre") if pairs else ():
            for level in LEVELS:
                mean, low, high, common = gain(pairs, level, measure)
                read = f"{level:.0%} | {common:.0%} | {mean:+.2f} | {low:+.2f} to {high:+.2f}"
                lines.append(f"| {group} | {measure} | {read} |")
    return "\n".join(lines)


def table(rows: dict[str, Row]) -> str:
    """Return the results as a Markdown table, a row a set and folder of weights."""
    columns = [f"prompt kept at {level:.0%} of the {m}" for m in ("style", "centre") for level in LEVELS]
    lines = ["| weights and set | base's prompt | " + " | ".join(columns) + " | layouts, base | at 1.0 |"]
    lines.append("|---" * (len(columns) + 4) + "|")
    for name, row in rows.items():
        values = [kept_at(row, level, m) for m in ("style", "centre") for level in LEVELS]
        said = ["not reached" if v is None else f"{v:.2f}" for v in values]
        distances = f"{row['0']['layouts']:.2f} | {row['1']['layouts']:.2f}"
        lines.append(f"| {name} | {np.mean(row['0']['prompt']):.2f} | {' | '.join(said)} | {distances} |")
    return "\n".join(lines)
