"""Whether an adapter is whole and fits a base model: both factors of every layer, finite numbers, layers
there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from lessons_lib.models import families
from lessons_lib.models.bases import Base

DOWN, UP = ".lora_A.weight", ".lora_B.weight"  # the ends of the factors' keys in diffusers' files
Shapes = Mapping[str, tuple[int, ...]]  # (out_features, in_features) of each linear layer, by name


def adapter_layers(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the layers that the factors of an adapter belong to, in the file's order."""
    ends = (DOWN, UP)
    return list(dict.fromkeys(key.removesuffix(end) for end in ends for key in tensors if key.endswith(end)))


def damage(tensors: Mapping[str, Tensor]) -> str:
    """Return what is wrong with an adapter's tensors, the first layer by name; empty where nothing is."""
    for layer in adapter_layers(tensors):
        for end, other in ((DOWN, UP), (UP, DOWN)):
            if layer + end not in tensors:
                return f"{layer} has {_name(other)} and no {_name(end)}; expected both factors of each layer"
        down, up = tensors[layer + DOWN], tensors[layer + UP]
        if down.ndim != 2 or up.ndim != 2:
            return f"the factors of {layer} have {down.ndim} and {up.ndim} dimensions; expected 2 each"
        if down.shape[0] != up.shape[1]:
            return f"the factors of {layer} have ranks {down.shape[0]} and {up.shape[1]}; expected the same"
        if not (torch.isfinite(down.float()).all() and torch.isfinite(up.float()).all()):
            return f"{layer} holds numbers that are not finite (NaN or infinite), so it would draw nothing"
    return ""


def changes_nothing(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether the change of every layer is zero, as that of a new adapter is."""
    return not any(
        tensors[layer + UP].count_nonzero() and tensors[layer + DOWN].count_nonzero()
        for layer in adapter_layers(tensors)
    )


def misfit(tensors: Mapping[str, Tensor], shapes: Shapes, base: Base) -> str:
    """Return which layers of an adapter a base model lacks or has in another size; empty where it has them
    all.
    """
    layers = adapter_layers(tensors)
    lost = [layer for layer in layers if layer not in shapes]
    if len(lost) == len(layers):
        return f"none of its {len(layers)} layers is in {base.name}; it was made for another base model"
    if lost:
        return (
            f"{len(lost)} of its {len(layers)} layers are not in {base.name}, such as {lost[0]}; it was "
            "made for another base model, or is damaged"
        )
    for layer in layers:
        size = (len(tensors[layer + UP]), tensors[layer + DOWN].shape[1])
        if size != tuple(shapes[layer]):
            return (
                f"{layer} is {size[0]} x {size[1]} in it and {' x '.join(map(str, shapes[layer]))} in "
                f"{base.name}; it was made for another base model"
            )
    return ""


def linear_shapes(denoiser: nn.Module, component: str) -> dict[str, tuple[int, ...]]:
    """Return the sizes of a denoiser's linear layers, named as in an adapter's file."""
    return {
        f"{component}.{name}": (module.out_features, module.in_features)
        for name, module in denoiser.named_modules()
        if hasattr(module, "in_features") and hasattr(module, "out_features")
    }


def shapes_on_disk(base: Base) -> dict[str, tuple[int, ...]]:
    """Return the sizes of a base's linear layers from its files, without loading it; empty for one on the
    Hub.
    """
    component = families.find(base.family).DENOISER
    shapes = {}
    files = sorted(Path(base.repository, component).glob("*.safetensors")) if base.is_local else []
    for path in files:
        with safe_open(path, "pt") as file:
            for key in file.keys():
                if key.endswith(".weight") and len(shape := file.get_slice(key).get_shape()) == 2:
                    shapes[f"{component}.{key.removesuffix('.weight')}"] = tuple(shape)
    return shapes


def _name(end: str) -> str:
    return end.split(".")[1]
