"""The adapter's file as diffusers writes it, the same bytes for the same adapter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline
from peft import get_peft_model_state_dict

from lessons_lib import compat
from lessons_lib.adapters.run import WEIGHTS_NAME


def save_weights(pipe: DiffusionPipeline, part: str, folder: Path) -> None:
    """Write the adapter on a pipeline's component, "transformer" or "unet", into a folder,
    rank and alpha in the header.
    """
    denoiser = getattr(pipe, part)
    layers = {name: value.cpu() for name, value in get_peft_model_state_dict(denoiser).items()}
    pipe.save_lora_weights(folder, **{f"{part}_lora_layers": layers},
                           **compat.lora_metadata({part: denoiser}))  # fmt: skip
    sort_header(folder / WEIGHTS_NAME)


def sort_header(path: Path) -> None:
    """Sort the header of a safetensors file, so that equal adapters are equal files.

    Its metadata is written in random order, and in it sets such as the names of the target modules.
    """
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.get("__metadata__", {})
    for name, value in metadata.items():
        if name == "lora_adapter_metadata":
            metadata[name] = json.dumps(_sorted_lists(json.loads(value)), sort_keys=True)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])


def _sorted_lists(value: Any) -> Any:
    """Return a JSON value with its lists of texts sorted, at any depth."""
    if isinstance(value, dict):
        return {key: _sorted_lists(part) for key, part in value.items()}
    is_texts = isinstance(value, list) and all(isinstance(part, str) for part in value)
    return sorted(value) if is_texts else value
