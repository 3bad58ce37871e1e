"""Whether an adapter fits a base model: each of its layers is there, whatever its file calls it, and has the
same size; and it was trained on the weights that the base has today.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from lessons_lib.adapters import kinds
from lessons_lib.adapters.files import Adapter, Factors
from lessons_lib.adapters.run import read_origin
from lessons_lib.dataset.messages import printable
from lessons_lib.models import bases, families
from lessons_lib.models.bases import Base

Shapes = Mapping[str, tuple[int, ...]]  # of each layer's weight, by PART.NAME as diffusers' files have it


def layer_shapes(parts: Mapping[str, nn.Module]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of linear layers and convolutions, (out, in) and (out, in, rows,
    columns), by the name that diffusers' files have for them. A quantised layer has its true shape.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for part, model in parts.items():
        for name, module in model.named_modules():
            if ".lora_" in name or name.endswith(".base_layer"):
                continue
            if hasattr(module, "in_features") and hasattr(module, "out_features"):
                shapes[f"{part}.{name}"] = (module.out_features, module.in_features)
            elif hasattr(module, "kernel_size") and getattr(module, "groups", 0) == 1:
                sides = (module.out_channels, module.in_channels, *module.kernel_size)
                shapes[f"{part}.{name}"] = sides
    return shapes


def fitted(adapter: Adapter, base: Base, shapes: Shapes) -> Adapter:
    """Return the adapter under diffusers' names for a base's layers, PART.NAME.

    A layer that its file has in one piece and diffusers in several, such as query, key and value, is cut into
    these. Raises ValueError that names the file and counts the layers that the base lacks or has in another
    size, or says that its folder was trained on other weights of a base that comes with the course.
    """
    _check_weights(adapter.path, base)
    targets = _targets(base, shapes)
    places = {layer: targets.get(_lookup(layer)) for layer in adapter.layers}
    if problem := _misfit(adapter, places, shapes, base):
        raise ValueError(f"{printable(adapter.path)} does not fit {base.name}: {problem}")
    layers: dict[str, Factors] = {}
    for layer, names in places.items():
        for name, factors in _pieces(adapter.layers[layer], names or (), shapes):
            if name in layers:
                raise ValueError(
                    f"{printable(adapter.path)}: has two changes for {name}; expected one a layer"
                )
            layers[name] = factors
    return replace(adapter, layers=layers)


def _check_weights(path: Path, base: Base) -> None:
    """Raise ValueError where the folder of an adapter says that the base had other weights then.

    A file alone, a folder of another trainer and one of an earlier version do not say: they pass.
    """
    if not (base.is_local and path.name):  # an adapter in memory has no path
        return
    origin, weights = read_origin(path), bases.weights_id(base)
    if origin.get("base") == base.name and (origin.get("base_weights") or weights) != weights:
        raise ValueError(
            f"{printable(path)} was trained on other weights of {base.name} and would draw something else "
            "on these; train it again"
        )


def original_names(base: Base, shapes: Shapes) -> dict[str, tuple[str, ...]]:
    """Return the names that the model's makers gave the layers of the denoiser: for each the layers that it
    is made of, by diffusers' names, in the order of its rows.
    """
    family = families.find(base.family)
    prefix = f"{family.DENOISER}."
    own = [name.removeprefix(prefix) for name in shapes if name.startswith(prefix)]
    return {
        original: tuple(prefix + name for name in names)
        for original, names in family.original_names(own).items()
    }


def _targets(base: Base, shapes: Shapes) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the layers of a base by part of the pipeline and name without dots, as kohya's files write it:
    diffusers' name and that of the model's makers.
    """
    denoiser = families.find(base.family).DENOISER
    targets = {(kinds.DENOISER, _flat(name)): layers for name, layers in original_names(base, shapes).items()}
    for name in shapes:
        part, _, inner = name.partition(".")
        if part == denoiser:
            targets[kinds.DENOISER, _flat(inner)] = (name,)
        else:  # transformers 5 has taken "text_model." out of CLIP's names
            targets[part, _flat(inner).removeprefix("text_model_")] = (name,)
    return targets


def _lookup(layer: str) -> tuple[str, str]:
    part, name, _ = kinds.split_prefix(layer)
    flat = _flat(name)
    return part, flat if part == kinds.DENOISER else flat.removeprefix("text_model_")


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _misfit(
    adapter: Adapter, places: Mapping[str, tuple[str, ...] | None], shapes: Shapes, base: Base
) -> str:
    """Return which layers a base lacks or has in another size; empty where it has them all."""
    count = len(places)
    lost = [layer for layer, names in places.items() if not names]
    if lost and len(lost) == count:
        return f"none of its {count} layers is in {base.name}; it was made for another base model"
    if lost:
        return (
            f"{len(lost)} of its {count} layers are not in {base.name}, such as {printable(lost[0])}; it was "
            "made for another base model, or is damaged"
        )
    for layer, names in places.items():
        factors = adapter.layers[layer]
        size = (len(factors.up), factors.down[0].numel())
        each = [shapes[name] for name in names or ()]
        expected = (sum(shape[0] for shape in each), torch.Size(each[0][1:]).numel())
        if size != expected:
            return (
                f"{printable(layer)} is {size[0]} x {size[1]} in it and {expected[0]} x {expected[1]} in "
                f"{base.name}; it was made for another base model"
            )
    return ""


def _pieces(factors: Factors, names: tuple[str, ...], shapes: Shapes) -> Iterator[tuple[str, Factors]]:
    """Yield the change of each layer that one layer of a file stands for, with that layer's dimensions."""
    ups = factors.up.split([shapes[name][0] for name in names])
    for name, up in zip(names, ups, strict=True):
        piece = Factors(factors.down, up, factors.alpha)
        if len(names) > 1:
            piece = _without_empty_ranks(piece)
        if piece.rank:
            sides = shapes[name][2:]
            down = piece.down.reshape(piece.rank, -1, *sides)
            yield (
                name,
                replace(piece, down=down, up=piece.up.reshape(len(up), piece.rank, *(1 for _ in sides))),
            )


def _without_empty_ranks(factors: Factors) -> Factors:
    """Return the same change without the ranks that do nothing in it, of which a fused layer has many where
    its parts were trained apart.
    """
    used = factors.up.flatten(1).any(0)
    share = float(used.float().mean())
    return Factors(factors.down[used], factors.up[:, used], factors.alpha * share)
