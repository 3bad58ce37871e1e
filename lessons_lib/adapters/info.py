"""What the file of an adapter holds: its tensors, each layer's alpha,
and a summary of the run in a few lines.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from lessons_lib.adapters.run import WEIGHTS_NAME

_DOWN = ".lora_A.weight"  # the end of a factor's key in diffusers' files
SETTINGS = ("base", "trigger", "mode", "steps", "learning_rate", "batch", "seed")


def read_adapter(run_folder: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return an adapter's tensors and the metadata of its file.

    Raises FileNotFoundError, ValueError when it is no LoRA.
    """
    path = Path(run_folder) / WEIGHTS_NAME
    if not path.is_file():
        raise FileNotFoundError(
            f"no adapter in {run_folder}: expected {WEIGHTS_NAME}; train one, or name another folder"
        )
    with safe_open(path, "pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}
    if not any(key.endswith(_DOWN) for key in tensors):
        raise ValueError(
            f"{path}: holds no lora_A tensors; expected an adapter that diffusers saved. Train it again"
        )
    return tensors, metadata


def layer_alphas(tensors: dict[str, Tensor], metadata: dict[str, str]) -> dict[str, float]:
    """Return {layer: alpha}, from the file's adapter metadata.

    A layer it does not mention has alpha = rank.
    """
    config = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    alphas = {}
    for key in tensors:
        if key.endswith(_DOWN):
            layer = key.removesuffix(_DOWN)
            component, _, inner = layer.partition(".")
            pattern = config.get(f"{component}.alpha_pattern") or {}
            default = config.get(f"{component}.lora_alpha", tensors[key].shape[0])
            alphas[layer] = float(pattern.get(inner, default))
    return alphas


def summary(run_folder: Path) -> list[str]:
    """Return what a run holds, one fact a line. Raises FileNotFoundError where there is no adapter."""
    folder = Path(run_folder)
    tensors, metadata = read_adapter(folder)
    alphas = layer_alphas(tensors, metadata)
    ranks = sorted({tensor.shape[0] for key, tensor in tensors.items() if key.endswith(_DOWN)})
    return [
        f"adapter: {len(alphas)} layers, rank {', '.join(map(str, ranks))}, "
        f"alpha {', '.join(f'{alpha:g}' for alpha in sorted(set(alphas.values())))}",
        f"size: {sum(tensor.numel() for tensor in tensors.values()):,} numbers, "
        f"{(folder / WEIGHTS_NAME).stat().st_size / 1e6:.1f} MB",
        *_settings_lines(folder / "settings.json"),
        *_loss_lines(folder / "log.jsonl"),
    ]


def _settings_lines(path: Path) -> list[str]:
    """Return the main settings that a file holds, one a line; none when there is no file."""
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    values = {key.replace("_", " "): settings[key] for key in SETTINGS if settings.get(key) is not None}
    return [f"{name}: {value}" for name, value in values.items()]


def _loss_lines(path: Path) -> list[str]:
    """Return the mean loss of a log's first and last tenth as one line; none when there is no log."""
    rows = (
        [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    )
    if not rows:
        return []
    tenth = max(1, len(rows) // 10)
    first, last = (sum(row["loss"] for row in part) / tenth for part in (rows[:tenth], rows[-tenth:]))
    return [f"loss: {first:.3f} at first, {last:.3f} at last, over {len(rows)} steps"]
