"""The adapter's file as diffusers writes it, the same bytes for the same adapter."""

from __future__ import annotations

import json
from pathlib import Path

from diffusers import DiffusionPipeline
from peft import get_peft_model_state_dict

from lessons_lib import compat
from lessons_lib.adapters.run import WEIGHTS_NAME


def save_weights(pipe: DiffusionPipeline, part: str, folder: Path) -> None:
    """Write the adapter on a pipeline's component, "transformer" or "unet", into a folder,
    rank and alpha in the header.
    """
    denoiser = getattr(pipe, part)
    pipe.save_lora_weights(folder, **{f"{part}_lora_layers": get_peft_model_state_dict(denoiser)},
                           **compat.lora_metadata({part: denoiser}))  # fmt: skip
    sort_header(folder / WEIGHTS_NAME)


def sort_header(path: Path) -> None:
    """Sort the header of a safetensors file, whose metadata is written in random order,
    so that equal adapters are equal files.
    """
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])
