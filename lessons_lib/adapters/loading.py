"""An adapter, of this course or of another trainer, put on a pipeline: every layer of it, or none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import nn

from lessons_lib import compat
from lessons_lib.adapters import files, fit
from lessons_lib.adapters.files import Adapter, Factors
from lessons_lib.dataset.messages import one_line, printable
from lessons_lib.models.bases import Base
from lessons_lib.session import current, explain_out_of_memory, quiet


def load(pipe: DiffusionPipeline, base: Base, adapter: Adapter, name: str) -> int:
    """Put an adapter on a pipeline, in place of one of the same name; return the number of its layers.

    Strengths are set with ``pipe.set_adapters``. Raises ValueError that names the file where a layer of it is
    not in the base or has another size, or where its folder says that it was trained on other weights of the
    base: the pipeline is then as it was. Raises ValueError where a layer did not arrive, MemoryError where
    there is no room: then no adapter of that name is on the pipeline.
    """
    parts = _parts(pipe)
    fitted = fit.fitted(adapter, base, fit.layer_shapes(parts))
    no_room = current().out_of_memory_message(f"{base.name} with {printable(adapter.path)}")
    unload(pipe, name)
    try:
        with quiet(), explain_out_of_memory(no_room):
            for part, model in parts.items():
                prefix = f"{part}."
                layers = {
                    layer.removeprefix(prefix): factors
                    for layer, factors in fitted.layers.items()
                    if layer.startswith(prefix)
                }
                if layers:
                    _attach(pipe, part, model, layers, name)
    except MemoryError:
        unload(pipe, name)
        raise
    except Exception as problem:  # diffusers and PEFT raise many kinds, and none may escape
        unload(pipe, name)
        raise ValueError(
            f"{printable(adapter.path)} does not fit {base.name}: {one_line(problem)}"
        ) from problem
    attached = sum(_arrived(parts, layer, factors, name) for layer, factors in fitted.layers.items())
    if attached != len(fitted.layers):
        unload(pipe, name)
        raise ValueError(
            f"{printable(adapter.path)} does not fit {base.name}: {attached} of {len(fitted.layers)} layers "
            "took it"
        )
    return attached


def unload(pipe: DiffusionPipeline, name: str) -> None:
    """Take one adapter off a pipeline; nothing happens where it is not there."""
    names = adapter_names(pipe)
    if names == {name}:
        pipe.unload_lora_weights()  # bit for bit the base
    elif name in names:
        pipe.delete_adapters(name)


def adapter_names(pipe: DiffusionPipeline) -> set[str]:
    """Return the names of the adapters that are on a pipeline."""
    return {name for model in _parts(pipe).values() for name in getattr(model, "peft_config", {})}


def peft_config(layers: Mapping[str, Factors]) -> dict[str, Any]:
    """Return PEFT's settings for the layers of one part of a pipeline: rank and alpha of each."""
    rank = Counter(factors.rank for factors in layers.values()).most_common(1)[0][0]
    alpha = Counter(factors.alpha for factors in layers.values()).most_common(1)[0][0]
    patterns = {layer: f"^{re.escape(layer)}" for layer in layers}
    return {
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": {patterns[n]: f.rank for n, f in layers.items() if f.rank != rank},
        "alpha_pattern": {patterns[n]: f.alpha for n, f in layers.items() if f.alpha != alpha},
        "target_modules": sorted(layers),
    }


def _parts(pipe: DiffusionPipeline) -> dict[str, nn.Module]:
    """Return the networks of a pipeline that may hold an adapter, by name, without those that were freed."""
    parts = {part: getattr(pipe, part, None) for part in compat.lora_components(type(pipe))}
    return {part: model for part, model in parts.items() if model is not None}


def _attach(
    pipe: DiffusionPipeline, part: str, model: nn.Module, layers: Mapping[str, Factors], name: str
) -> None:
    tensors = files.named_tensors({f"{part}.{layer}": factors for layer, factors in layers.items()})
    metadata = {f"{part}.{key}": value for key, value in peft_config(layers).items()}
    if hasattr(model, "load_lora_adapter"):
        model.load_lora_adapter(tensors, prefix=part, adapter_name=name, metadata=metadata)
    else:  # a text encoder is a model of transformers
        pipe.load_lora_into_text_encoder(
            tensors, None, model, prefix=part, adapter_name=name, metadata=metadata
        )


def _arrived(parts: Mapping[str, nn.Module], layer: str, factors: Factors, name: str) -> bool:
    """Return whether a layer has the file's numbers and scale."""
    part, _, inner = layer.partition(".")
    module = parts[part].get_submodule(inner)
    if name not in getattr(module, "lora_B", {}) or abs(module.scaling[name] - factors.scaling) > 1e-6:
        return False
    pairs = ((module.lora_A[name].weight, factors.down), (module.lora_B[name].weight, factors.up))
    return all(torch.equal(weight.cpu(), tensor.to("cpu", weight.dtype)) for weight, tensor in pairs)
