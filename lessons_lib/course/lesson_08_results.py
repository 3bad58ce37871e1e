"""Lesson 08's recorded run in sentences and as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from IPython.display import Image as NotebookImage

from lessons_lib.course import trials
from lessons_lib.course.lesson_08 import PLAIN, REMEDIES, STRENGTH
from lessons_lib.course.lesson_08_measures import turned
from lessons_lib.course.trials import Scores, flatten
from lessons_lib.display import charts, notebook
from lessons_lib.display.theme import ACCENT, INK, MUTED
from lessons_lib.evaluation import metrics

Result = Mapping[str, Any]
_DIRECTIONS = {-1: "lower", 0: "=", 1: "higher"}
_DRAWS_TWO = 0.5  # share of the figures of pairs that the base must draw for pairs to be a test


def _network_names(result: Result) -> list[str]:
    """Return the names of the networks that measured, the features first."""
    return list(result["base"]["of held-out owls"])


def base_lines(result: Result) -> list[str]:
    """Return what the base draws of the prompts before any training, in sentences."""
    base = result["base"]
    alone, paired = np.mean(base["drawn alone"]), np.mean(base["drawn in pairs"])
    use = "so pairs are measured, too" if paired >= _DRAWS_TWO else "so the test is one bystander alone"
    return [
        f"the base draws {_percent(alone)} of single bystanders, {_percent(paired)} side by side: {use}",
        *(_known_line(base, name) for name in _network_names(result)),
    ]


def _known_line(base: Mapping[str, Any], name: str) -> str:
    """Return which share of known cases one network takes for the owl: floor, ceiling, the other one."""
    floor, ceiling, other = (
        np.mean(turned(base[key][name])) for key in ("pulls", "of held-out owls", "of held-out foxes")
    )
    return (
        f"taken for the owl by {name}: {_percent(floor)} of the base's drawings, "
        f"{_percent(ceiling)} of held-out owls, {_percent(other)} of held-out foxes"
    )


def _percent(share: Any) -> str:
    return f"{100 * float(share):.0f} %"


def remedies(result: Result) -> list[str]:
    """Return the names of the remedies that were recorded."""
    recorded_names = {row["remedy"] for row in result["rows"]}
    return [name for name in REMEDIES if name in recorded_names]


def shares(result: Result, remedy: str, network: str) -> list[Scores]:
    """Return 1 or 0 for each bystander, whether it turned into the owl, one list a training."""
    return [turned(pulls) for pulls in trials.column(result["rows"], network, remedy=remedy)]


def table(result: Result) -> list[str]:
    """Return a row for each remedy: the share that turned, by each network with its 95 % interval, and the
    subject match.
    """
    names = _network_names(result)
    lines = [f"{'':24}" + "".join(f"{'turned, by ' + name:28}" for name in names) + "likeness"]
    for remedy in remedies(result):
        cells = [_share(flatten(shares(result, remedy, name))) for name in names]
        match = trials.mean_score(trials.column(result["rows"], "subject", remedy=remedy))
        lines.append(f"{remedy:24}" + "".join(f"{cell:28}" for cell in cells) + f"{match:.3f}")
    floor, ceiling = np.mean(result["base"]["subject"]), result["base"]["training pictures"]
    if missing := [name for name in REMEDIES if name not in remedies(result)]:
        lines.append(f"not run yet: {', '.join(missing)}")
    trainings = len(trials.column(result["rows"], "subject", remedy=PLAIN))
    lines.append(f"trainings of each remedy: {trainings}; 95 % intervals over their drawings in brackets")
    return [*lines, f"likeness: the base {floor:.3f}, training pictures {ceiling:.3f}"]


def _share(values: Scores) -> str:
    low, high = metrics.bootstrap_interval(values)
    return f"{np.mean(values):.2f} ({low:.2f} to {high:.2f})"


def beside_plain(result: Result) -> list[str]:
    """Return a row for each remedy: whether the share that turned, by each network, and the likeness are
    lower or higher than the plain training's, or show no difference.
    """
    names = _network_names(result)
    lines = [f"{'':24}" + "".join(f"{'turned, by ' + name:24}" for name in names) + "likeness"]
    for remedy in [name for name in remedies(result) if name != PLAIN]:
        pairs = [[shares(result, one, name) for one in (remedy, PLAIN)] for name in names]
        pairs.append([trials.column(result["rows"], "subject", remedy=one) for one in (remedy, PLAIN)])
        cells = [_DIRECTIONS[trials.direction(own, plain)] for own, plain in pairs]
        lines.append(f"{remedy:24}" + "".join(f"{cell:24}" for cell in cells).rstrip())
    return lines


def halved(result: Result) -> list[str]:
    """Return for each network which remedies lower the share that turned by half or more, clearly, and
    whether the owl's own likeness stayed, in sentences.
    """
    lines = []
    for name in _network_names(result):
        plain = shares(result, PLAIN, name)
        those = [
            f"{remedy}, {_kept(result, remedy)}"
            for remedy in remedies(result)
            if remedy != PLAIN and _is_halved(shares(result, remedy, name), plain)
        ]
        names = "; ".join(those) or "none that is clear"
        lines.append(f"at most half as many turned as without a remedy, by {name}: {names}")
    return lines


def _is_halved(remedy: list[Scores], plain: list[Scores]) -> bool:
    """Whether the share is at most half, and the interval of the differences leaves zero out."""
    differences = np.subtract(flatten(remedy), flatten(plain))
    _, high = metrics.bootstrap_interval(differences.tolist())
    return bool(high < 0 and 2 * np.mean(remedy) <= np.mean(plain))


def _kept(result: Result, remedy: str) -> str:
    """Return whether the subject match is lower than that of the plain training."""
    own, plain = (trials.column(result["rows"], "subject", remedy=one) for one in (remedy, PLAIN))
    low, high = metrics.bootstrap_interval(np.subtract(flatten(own), flatten(plain)).tolist())
    if high < 0:
        return "and the owl is less like itself"
    return "and the owl is more like itself" if low > 0 else "with no clear change of the owl itself"


def at_equal_likeness(result: Result) -> list[str]:
    """Return the plain training at each strength, then each remedy beside the highest of these at which the
    plain training is no more like the owl: the likeness, the share that turned, whether it is at most half.
    """
    plain = _plain_by_strength(result)
    if len(plain) < 2:
        return ["the plain training, drawn weaker: not run yet"]
    names, seeds = _network_names(result), sorted({row["seed"] for row in plain[min(plain)]})
    lines = [_equal_line("", "likeness", "beside", [f"turned, by {name}" for name in names])]
    for strength, rows in plain.items():
        shared = [_share(flatten([turned(row[name]) for row in rows])) for name in names]
        lines.append(_equal_line(f"{PLAIN}, strength {strength:g}", f"{_likeness(rows):.3f}", "", shared))
    halves = list[str]()
    for remedy in [name for name in remedies(result) if name != PLAIN]:
        rows = [row for row in result["rows"] if row["remedy"] == remedy and row["seed"] in seeds]
        fitting = [strength for strength in plain if _likeness(plain[strength]) <= _likeness(rows)]
        strength, cells = max(fitting, default=min(plain)), list[str]()
        for name in names:
            own, other = ([turned(row[name]) for row in group] for group in (rows, plain[strength]))
            is_half = _is_halved(own, other)
            halves += [f"{remedy}, by {name}"] * is_half
            cells.append(f"{np.mean(flatten(own)):.2f}{', at most half' if is_half else ''}")
        lines.append(_equal_line(remedy, f"{_likeness(rows):.3f}", f"strength {strength:g}", cells))
    those = "; ".join(halves) or "none that is clear"
    lines.append(f"at most half as many turned at equal likeness: {those}")
    return [*lines, f"trainings of each that were compared: {len(seeds)}"]


def _equal_line(name: str, likeness: str, beside: str, cells: Sequence[str]) -> str:
    """Return a row of the table at equal likeness."""
    return f"{name:26}{likeness:10}{beside:15}{''.join(f'{cell:24}' for cell in cells)}".rstrip()


def _plain_by_strength(result: Result) -> dict[float, list[Mapping[str, Any]]]:
    """Return the rows of the plain training by the strength at which it was drawn, a row a training seed, of
    those seeds that were drawn at every strength.
    """
    rows = [*result.get("weaker", []), *(row for row in result["rows"] if row["remedy"] == PLAIN)]
    strengths = sorted({row.get("strength", STRENGTH) for row in rows})
    seeds = [row["seed"] for row in rows]
    whole = sorted(seed for seed in set(seeds) if seeds.count(seed) == len(strengths))
    return {
        strength: [
            row for seed in whole for row in rows
            if (row.get("strength", STRENGTH), row["seed"]) == (strength, seed)
        ]
        for strength in strengths
    }  # fmt: skip


def _likeness(rows: Sequence[Mapping[str, Any]]) -> float:
    return trials.mean_score([row["subject"] for row in rows])


def character_lines(result: Result) -> list[str]:
    """Return the confusion tables of two characters, all trainings together, in sentences."""
    if not result["characters"]:
        return ["two characters: not run yet"]
    lines = []
    for kind in ("one file", "two files added"):
        for name in _network_names(result):
            counts = np.sum([row[kind][name] for row in result["characters"]], axis=0).tolist()
            for asked_for, (owl, fox, neither) in zip(("owl", "fox"), counts, strict=True):
                drawn = f"owl {owl}, fox {fox}, neither {neither}"
                lines.append(f"{kind}, by {name}: the {asked_for} was asked for: {drawn}")
    return lines


def word_lines(result: Result) -> list[str]:
    """Return the same wish by words alone, the best of eight drawings, beside the adapter's eight."""
    if "words" not in result:
        return ["words alone: not run yet"]
    words = result["words"]
    best = int(np.argmax(words["words, to training pictures"]))
    likeness, ceiling = words["words"][best], result["base"]["training pictures"]
    low, high = metrics.bootstrap_interval(words["adapter"])
    pays = "yes" if low > likeness else "no" if high < likeness else "that is not clear"
    return [
        f"words alone, the best of eight: likeness to held-out owls {likeness:.3f}",
        f"the adapter, the mean of eight: {np.mean(words['adapter']):.3f} ({low:.3f} to {high:.3f}); "
        f"training pictures {ceiling:.3f}",
        f"is the adapter clearly nearer than the best by words? {pays}",
    ]


def chart(result: Result) -> NotebookImage:
    """Return a JPEG with a row for each remedy: which share of the bystanders turned into the owl, with its
    95 % interval, and how like itself the owl is.
    """
    figure, axes = charts.new_chart(7.2, 3.6, 92)
    name, names = _network_names(result)[-1], remedies(result)
    for place, remedy in enumerate(names):
        values = flatten(shares(result, remedy, name))
        likeness = trials.mean_score(trials.column(result["rows"], "subject", remedy=remedy))
        colour = ACCENT if remedy == PLAIN else INK
        axes.plot(metrics.bootstrap_interval(values), [place, place], color=colour, linewidth=3)
        axes.plot(np.mean(values), place, "o", color=colour, markersize=8)
        axes.text(1.04, place, f"likeness {likeness:.3f}", va="center", fontsize=9, color=colour)
    floor = np.mean(turned(result["base"]["pulls"][name]))
    axes.axvline(floor, color=MUTED, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel=f"share that turned, by {name}; dashed: the base", xlim=(-0.03, 1.22))
    axes.set_xticks((0, 0.25, 0.5, 0.75, 1))
    axes.invert_yaxis()
    return notebook.figure_image(figure, f"for {len(names)} remedies, the share that turned and the likeness")
