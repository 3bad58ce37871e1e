"""An adapter as a file that other programs read: ComfyUI, and those that read kohya's keys and modelspec's
metadata.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from lessons_lib.adapters.info import layer_alphas, read_adapter
from lessons_lib.adapters.weights import sort_header
from lessons_lib.models import bases, families
from lessons_lib.models.bases import Base
from lessons_lib.models.families import Family

_KOHYA_FACTORS = {"lora_A": "lora_down", "lora_B": "lora_up"}  # from diffusers' name of a factor


def write_comfyui(run_folder: Path, name: str | None = None) -> Path:
    """Return the path of NAME_comfyui.safetensors, written beside the adapter.

    ComfyUI reads diffusers' keys for transformers (`transformer.*.lora_A.weight`),
    and for older denoisers only kohya's (`lora_down.weight`), but no metadata: where a file names no alpha it
    takes scale 1. So alpha / rank is multiplied into `lora_B`, and no program has to know it.
    (Where alpha is the rank, that changes nothing; `.alpha` keys would do for some architectures, but
    diffusers refuses them in files for others.) diffusers reads this file too. Raises FileNotFoundError,
    and ValueError for a file that holds no LoRA.
    """
    folder = Path(run_folder)
    tensors, metadata = read_adapter(folder)
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    base = bases.find(settings["base"])
    family = families.find(base.family)
    for layer, alpha in layer_alphas(tensors, metadata).items():
        tensors[f"{layer}.lora_B.weight"] *= alpha / len(tensors[f"{layer}.lora_A.weight"])
    name = name or settings.get("name") or folder.resolve().name
    path = folder / f"{name}_comfyui.safetensors"
    partial = path.with_suffix(".part")
    renamed = {comfyui_key(key, family): tensor for key, tensor in tensors.items()}
    save_file(renamed, partial, modelspec_metadata(settings, base, name))
    sort_header(partial)
    partial.replace(path)
    return path


def comfyui_key(key: str, family: Family) -> str:
    """Return a tensor's key as ComfyUI reads it: kohya's for an architecture that has a `KOHYA_PREFIX`,
    else diffusers'.
    """
    if not family.KOHYA_PREFIX:
        return key
    layer, factor = key.removeprefix(f"{family.DENOISER}.").removesuffix(".weight").rsplit(".", 1)
    return f"{family.KOHYA_PREFIX}{layer.replace('.', '_')}.{_KOHYA_FACTORS[factor]}.weight"


def modelspec_metadata(settings: dict[str, Any], base: Base, name: str) -> dict[str, str]:
    """Return the metadata that other programs show: modelspec 1.0.1,
    https://github.com/Stability-AI/ModelSpec.

    A base without a name there gets no architecture, so that no program takes the adapter for another
    model's.
    """
    architecture = {"modelspec.architecture": f"{base.modelspec_architecture}/lora"}
    return (architecture if base.modelspec_architecture else {}) | {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.implementation": "diffusers",
        "modelspec.title": name,
        "modelspec.trigger_phrase": settings.get("trigger") or "",
        "modelspec.license": base.licence,
        "modelspec.resolution": f"{base.side}x{base.side}",
        "modelspec.date": date.today().isoformat(),
    }
