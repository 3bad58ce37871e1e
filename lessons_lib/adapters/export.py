"""An adapter as a file that other programs read: diffusers', ComfyUI's and kohya's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from lessons_lib import storage
from lessons_lib.adapters import files, fit, kinds
from lessons_lib.adapters.files import Adapter, Factors
from lessons_lib.adapters.loading import peft_config
from lessons_lib.adapters.run import OTHER_FORMATS, origin_base, read_origin
from lessons_lib.adapters.weights import sort_header
from lessons_lib.models import families
from lessons_lib.models.bases import Base
from lessons_lib.models.skeletons import skeletons

_CLIP_LAYERS = "encoder.layers."  # how the layers of CLIP's blocks begin


def write_comfyui(run_dir: Path, name: str | None = None) -> Path:
    """Return the path of other_formats/NAME_comfyui.safetensors, written into the run's folder.

    ComfyUI reads diffusers' keys for transformers (`transformer.*.lora_A.weight`),
    and for older denoisers only kohya's (`lora_down.weight`), but no metadata: where a file names no alpha it
    takes scale 1. So alpha / rank is multiplied into `lora_B`, and no program has to know it.
    (Where alpha is the rank, that changes nothing; `.alpha` keys would do for some architectures, but
    diffusers refuses them in files for others.) diffusers reads this file too. Raises FileNotFoundError,
    and ValueError for a file that holds no LoRA.
    """
    adapter, base, settings = _of_run(run_dir)
    tensors = files.named_tensors(files.with_scale_in_factors(adapter).layers)
    renamed = {comfyui_key(key, base): tensor for key, tensor in tensors.items()}
    return _write(run_dir, renamed, settings, base, name, "comfyui")


def write_kohya(run_dir: Path) -> Path:
    """Return the path of other_formats/NAME_kohya.safetensors, written into the run's folder, for
    kohya-ss/sd-scripts and what reads its files.

    Layers have the names of the model's makers, in which query, key and value may be one layer: its factors
    are those of its parts side by side, so its rank is the sum of theirs. ComfyUI and diffusers read this
    file too. Raises ValueError for a layer that has no such name.
    """
    adapter, base, settings = _of_run(run_dir)
    shapes = fit.layer_shapes(skeletons(base))
    layers = kohya_layers(fit.fitted(adapter, base, shapes), base, shapes)
    tensors = {}
    for layer, factors in layers.items():
        tensors[f"{layer}.lora_down.weight"] = factors.down
        tensors[f"{layer}.lora_up.weight"] = factors.up
        tensors[f"{layer}.alpha"] = torch.tensor(factors.alpha)
    return _write(run_dir, tensors, settings, base, None, "kohya")


def write_diffusers(adapter: Adapter, path: Path) -> None:
    """Write an adapter under diffusers' names, with rank and alpha of every layer in the header, where
    ``load_lora_weights`` reads them.
    """
    parts: dict[str, dict[str, Factors]] = {}
    for layer, factors in adapter.layers.items():
        part, _, inner = layer.partition(".")
        parts.setdefault(part, {})[inner] = factors
    config = {
        f"{p}.{key}": value for p, layers in parts.items() for key, value in peft_config(layers).items()
    }
    header = {"format": "pt", "lora_adapter_metadata": json.dumps(config)}
    _save(files.named_tensors(adapter.layers), path, header)


def comfyui_key(key: str, base: Base) -> str:
    """Return a tensor's key, which is diffusers', as ComfyUI reads it: kohya's for an architecture that has a
    `COMFYUI_PREFIX`, else diffusers'.

    Raises ValueError for a layer of a part that has no name in kohya's files.
    """
    family = families.find(base.family)
    part, _, inner = key.removesuffix(".weight").partition(".")
    layer, factor = inner.rsplit(".", 1)
    if part in base.text_encoders:
        layer = _in_text_model(layer)
    if not family.COMFYUI_PREFIX:
        return f"{part}.{layer}.{factor}.weight"
    prefixes = {family.DENOISER: family.COMFYUI_PREFIX} | _text_prefixes(base)
    if part not in prefixes:
        raise ValueError(f"{key} has no name that ComfyUI reads; expected a layer of {', '.join(prefixes)}")
    side = {"lora_A": "lora_down", "lora_B": "lora_up"}[factor]
    return f"{prefixes[part]}{layer.replace('.', '_')}.{side}.weight"


def _text_prefixes(base: Base) -> dict[str, str]:
    """Return the prefixes of a base's text encoders in kohya's files, by the part of the pipeline."""
    if len(base.text_encoders) == 1:
        return {base.text_encoders[0]: "lora_te_"}
    return {name: f"lora_te{number}_" for number, name in enumerate(base.text_encoders, 1)}


def _in_text_model(layer: str) -> str:
    """Return the name of a text encoder's layer as files have it: transformers 5 has taken "text_model." out
    of CLIP's names.
    """
    return f"text_model.{layer}" if layer.startswith(_CLIP_LAYERS) else layer


def kohya_layers(adapter: Adapter, base: Base, shapes: fit.Shapes) -> dict[str, Factors]:
    """Return the layers of an adapter, which has diffusers' names, by kohya's names.

    Raises ValueError for one that the model's makers have in another order, or not at all.
    """
    rest, layers = dict(adapter.layers), {}
    for original, names in fit.original_names(base, shapes).items():
        parts = {name: rest.pop(name, None) for name in names}
        if any(parts.values()):
            layers[kinds.KOHYA_PREFIX + original.replace(".", "_")] = _fused(parts, shapes)
    for part, text_prefix in _text_prefixes(base).items():
        for name in [name for name in rest if name.startswith(f"{part}.")]:
            layer = _in_text_model(name.removeprefix(f"{part}."))
            if layer.startswith(f"text_model.{_CLIP_LAYERS}"):
                layers[text_prefix + layer.replace(".", "_")] = rest.pop(name)
    if rest:
        raise ValueError(f"{len(rest)} layers have no name in kohya's files, such as {next(iter(rest))}")
    return layers


def _fused(parts: Mapping[str, Factors | None], shapes: fit.Shapes) -> Factors:
    """Return one change for a layer that is made of several: each part keeps its rows and its ranks."""
    present = {name: f for name, f in parts.items() if f is not None}
    if len(parts) == 1:
        return next(iter(present.values()))
    rank = sum(factors.rank for factors in present.values())
    up, row, column = torch.zeros(sum(shapes[name][0] for name in parts), rank), 0, 0
    for name in parts:
        rows = shapes[name][0]
        if factors := present.get(name):
            up[row : row + rows, column : column + factors.rank] = factors.up * factors.scaling
            column += factors.rank
        row += rows
    down = torch.cat([factors.down for factors in present.values()])
    return Factors(down, up.to(down.dtype), float(rank))


def modelspec_metadata(settings: Mapping[str, Any], base: Base, name: str) -> dict[str, str]:
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


def _of_run(run_dir: Path) -> tuple[Adapter, Base, dict[str, Any]]:
    settings = read_origin(Path(run_dir))
    if "base" not in settings:
        raise ValueError(f"{run_dir}: its settings.json does not name a base model; expected a run's folder")
    base = origin_base(settings)
    return files.read(run_dir), replace(base, side=settings.get("resolution") or base.side), settings


def _write(run_dir: Path, tensors: Mapping[str, Tensor], settings: dict[str, Any], base: Base,
           name: str | None, program: str) -> Path:  # fmt: skip
    folder = Path(run_dir)
    name = name or settings.get("name") or folder.resolve().name
    path = folder / OTHER_FORMATS / f"{name}_{program}.safetensors"
    _save(tensors, path, modelspec_metadata(settings, base, name))
    return path


def _save(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write a safetensors file as a whole or not at all; equal tensors give equal files."""
    own = {key: tensor.clone(memory_format=torch.contiguous_format) for key, tensor in tensors.items()}
    with storage.atomic(path) as partial:
        save_file(own, partial, metadata)
        sort_header(partial)
