"""What a run or another trainer's file holds, in a few lines: layers, rank, alpha, size, settings, loss."""

from __future__ import annotations

import json
import math
from pathlib import Path

from lessons_lib.adapters import files, fit, kinds
from lessons_lib.adapters.files import Adapter
from lessons_lib.adapters.run import SETTINGS, WEIGHTS_NAME, highest_loss, origin_base, read_origin
from lessons_lib.dataset.messages import one_line, printable
from lessons_lib.models.bases import Base
from lessons_lib.models.skeletons import skeletons

_METADATA = {  # of sd-scripts, modelspec 1.0.1 and ai-toolkit
    "modelspec.title": "title", "ss_output_name": "name", "modelspec.architecture": "architecture",
    "ss_base_model_version": "base model", "modelspec.trigger_phrase": "trigger",
    "modelspec.implementation": "implementation", "modelspec.license": "licence", "software": "software",
}  # fmt: skip
_SHOWN = ("base", "trigger", "mode", "steps", "learning_rate", "batch", "seed")


def facts(path: Path, base: Base | None = None) -> tuple[list[str], list[str]]:
    """Return what a run or another trainer's file tells, one fact a line, and what is wrong with it.

    `base`: the base model that it shall fit; without it, the one that settings.json names.
    """
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    is_run = Path(path).is_dir() or Path(path).name == WEIGHTS_NAME
    lines, problems = list[str](), list[str]()
    parts = [lambda: _adapter_lines(Path(path), base or _base_of(Path(path), problems), problems)]
    if is_run:
        parts += [
            lambda: _settings_lines(folder / SETTINGS),
            lambda: _loss_lines(folder / "log.jsonl", problems),
        ]
    for part in parts:
        try:
            lines += part()
        except (ValueError, OSError) as problem:
            problems.append(str(problem))
    return lines, list(dict.fromkeys(problems))


def _adapter_lines(path: Path, base: Base | None, problems: list[str]) -> list[str]:
    """Return an adapter's layers, rank, alpha, size and origin; what it lacks becomes a problem."""
    path = kinds.adapter_file(path)
    adapter = files.read_unchecked(path)
    problem = files.damage(adapter)
    if problem:
        problems.append(f"{path}: {problem}")
    alphas = sorted({factors.alpha for factors in adapter.layers.values()})
    numbers = sum(f.down.numel() + f.up.numel() for f in adapter.layers.values())
    lines = [
        f"adapter: {len(adapter.layers)} layers, rank {', '.join(map(str, adapter.ranks))}, "
        f"alpha {', '.join(f'{alpha:g}' for alpha in alphas)}",
        f"size: {numbers:,} numbers, {path.stat().st_size / 1e6:.1f} MB",
    ]
    if path.name != WEIGHTS_NAME or adapter.form != "diffusers":
        lines += _origin_lines(adapter)
    if base and not problem:
        lines += _fit_lines(adapter, base, problems)
    if not problem and adapter.changes_nothing:
        lines.append("it changes nothing: in every layer one of the two factors is zero")
    return lines


def _origin_lines(adapter: Adapter) -> list[str]:
    """Return whose file it is and what its metadata says, one fact a line."""
    facts = {name: adapter.metadata[key] for key, name in _METADATA.items() if adapter.metadata.get(key)}
    return [
        f"file: in {adapter.form}'s format; as a run's: lessons merge FILE --base NAME --out FOLDER",
        *(f"{name}: {printable(value)[:200]}" for name, value in facts.items()),
    ]


def _fit_lines(adapter: Adapter, base: Base, problems: list[str]) -> list[str]:
    """Return that an adapter fits a base; none where the base's layers are not known on this machine."""
    try:
        layers = fit.fitted(adapter, base, fit.layer_shapes(skeletons(base))).layers
    except OSError:
        return []
    except ValueError as problem:
        problems.append(str(problem))
        return []
    return [f"fits {base.name}: {len(adapter.layers)} of {len(adapter.layers)} layers, {len(layers)} there"]


def log_problems(run_dir: Path) -> list[str]:
    """Return what is wrong with a run's log, which drawing does not need."""
    problems = list[str]()
    _loss_lines(run_dir / "log.jsonl", problems)
    return problems


def _base_of(path: Path, problems: list[str]) -> Base | None:
    """Return the base model that is named beside an adapter, or None: none is named, or it is a problem."""
    try:
        origin = read_origin(path)
        return origin_base(origin) if origin.get("base") else None
    except (ValueError, OSError) as problem:
        problems.append(str(problem))
        return None


def _settings_lines(path: Path) -> list[str]:
    """Return the main settings that a file holds, one a line, and how the run ended; none when there is no
    file.
    """
    try:
        settings = dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (ValueError, TypeError) as problem:
        raise ValueError(
            f"{path}: is damaged ({one_line(problem)}); restore that file from a copy"
        ) from problem
    values = {key.replace("_", " "): settings[key] for key in _SHOWN if settings.get(key) is not None}
    lines = [f"{name}: {value}" for name, value in values.items()]
    if settings.get("reason"):
        lines.append(f"diverged: {settings['reason']}. The adapter is that of step {settings.get('step')}")
    if earlier := settings.get("earlier_schedules"):
        lines.append(f"begun with the schedule of {' and '.join(map(str, earlier))} steps")
    if settings.get("unseen"):
        count = len(settings.get("dataset", {}).get("train", ()))
        lines.append(f"never seen: {settings['unseen']} of {count} pictures were in no batch")
    return lines


def _loss_lines(path: Path, problems: list[str]) -> list[str]:
    """Return the mean loss of a log's first and last tenth as one line; none when there is no log.

    Rows that cannot be read become a problem.
    """
    rows, damaged = [], []
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            rows.append(float(json.loads(line)["loss"]))
        except (ValueError, KeyError, TypeError):
            damaged.append(number)
    if damaged:
        problems.append(
            f"{path}: is damaged at line {damaged[0]}, {len(rows)} other rows are whole; the adapter does "
            "not need it"
        )
    if not rows:
        return []
    tenth = max(1, len(rows) // 10)
    first, last = (sum(part) / tenth for part in (rows[:tenth], rows[-tenth:]))
    line = f"loss: {first:.3f} at first, {last:.3f} at last, over {len(rows)} steps"
    ran_away = not math.isfinite(last) or last > highest_loss(first)
    return [f"{line}; it ran away, so nothing useful was learned" if ran_away else line]
