"""What the file of an adapter holds: its tensors, each layer's alpha,
and a summary of the run in a few lines.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from lessons_lib.adapters import fit, kinds
from lessons_lib.adapters.fit import DOWN
from lessons_lib.dataset.messages import one_line
from lessons_lib.models import bases
from lessons_lib.models.bases import Base

SETTINGS = ("base", "trigger", "mode", "steps", "learning_rate", "batch", "seed")


def read_adapter(run_folder: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return an adapter's tensors and the metadata of its file.

    Raises FileNotFoundError where there is none, ValueError that names the file and says what it is: damaged,
    of another program, no LoRA, or with layers that are not whole.
    """
    path = kinds.adapter_file(Path(run_folder))
    tensors, metadata = _read_tensors(path)
    if problem := fit.damage(tensors):
        raise ValueError(f"{path}: {problem}. Copy or fetch the file again")
    return tensors, metadata


def _read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of an adapter's file and its metadata. ValueError when it is damaged or no adapter
    of ours.
    """
    kinds.check_kind(path, kinds.read_header(path))
    try:
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}
    except SafetensorError as problem:
        raise ValueError(f"{path}: is damaged ({one_line(problem)}); copy or fetch it again") from problem


def layer_alphas(tensors: dict[str, Tensor], metadata: dict[str, str]) -> dict[str, float]:
    """Return {layer: alpha}, from the file's adapter metadata.

    A layer it does not mention has alpha = rank.
    """
    config = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    alphas = {}
    for key in tensors:
        if key.endswith(DOWN):
            layer = key.removesuffix(DOWN)
            component, _, inner = layer.partition(".")
            pattern = config.get(f"{component}.alpha_pattern") or {}
            default = config.get(f"{component}.lora_alpha", tensors[key].shape[0])
            alphas[layer] = float(pattern.get(inner, default))
    return alphas


def summary(run_folder: Path) -> list[str]:
    """Return what a run holds, one fact a line.

    Raises FileNotFoundError where there is no adapter, ValueError where something is damaged.
    """
    lines, problems = facts(run_folder)
    read_adapter(run_folder)
    if problems:
        raise ValueError("; ".join(problems))
    return lines


def facts(run_folder: Path) -> tuple[list[str], list[str]]:
    """Return what can be told of a run, one fact a line, and what is wrong with it."""
    folder = Path(run_folder)
    lines, problems = list[str](), list[str]()
    parts = (
        lambda: _adapter_lines(folder, problems),
        lambda: _settings_lines(folder / "settings.json"),
        lambda: _loss_lines(folder / "log.jsonl", problems),
    )
    for part in parts:
        try:
            lines += part()
        except (ValueError, OSError) as problem:
            problems.append(str(problem))
    return lines, problems


def _adapter_lines(folder: Path, problems: list[str]) -> list[str]:
    """Return an adapter's layers, rank, alpha and size; what its tensors lack becomes a problem."""
    path = kinds.adapter_file(folder)
    tensors, metadata = _read_tensors(path)
    base = _base_of(folder / "settings.json")
    shapes = fit.shapes_on_disk(base) if base else {}
    problem = fit.damage(tensors)
    if not problem and base and shapes:
        problem = fit.misfit(tensors, shapes, base)
    if problem:
        problems.append(f"{path}: {problem}")
    alphas = layer_alphas(tensors, metadata)
    ranks = sorted({tensor.shape[0] for key, tensor in tensors.items() if key.endswith(DOWN)})
    lines = [
        f"adapter: {len(alphas)} layers, rank {', '.join(map(str, ranks))}, "
        f"alpha {', '.join(f'{alpha:g}' for alpha in sorted(set(alphas.values())))}",
        f"size: {sum(tensor.numel() for tensor in tensors.values()):,} numbers, "
        f"{path.stat().st_size / 1e6:.1f} MB",
    ]
    if not problem and fit.changes_nothing(tensors):
        lines.append("it changes nothing: in every layer one of the two factors is zero")
    return lines


def log_problems(run_folder: Path) -> list[str]:
    """Return what is wrong with a run's log, which drawing does not need."""
    problems = list[str]()
    _loss_lines(run_folder / "log.jsonl", problems)
    return problems


def _base_of(path: Path) -> Base | None:
    """Return the base model that a settings.json names, or None where that is not known."""
    try:
        return bases.find(json.loads(path.read_text(encoding="utf-8"))["base"])
    except (OSError, ValueError, KeyError, TypeError):
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
    values = {key.replace("_", " "): settings[key] for key in SETTINGS if settings.get(key) is not None}
    lines = [f"{name}: {value}" for name, value in values.items()]
    if settings.get("reason"):
        lines.append(f"diverged: {settings['reason']}. The adapter is that of step {settings.get('step')}")
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
    ran_away = not math.isfinite(last) or last > max(10.0, 100 * first)
    return [f"{line}; it ran away, so nothing useful was learned" if ran_away else line]
