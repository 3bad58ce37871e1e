"""The layers of an adapter in a file, of this course or of another trainer: two factors and alpha for each,
under the names that the file has for them.

What others write: kohya-ss/sd-scripts networks/lora.py and lora_flux.py (`lora_unet_NAME.lora_down.weight`,
`.alpha`; dots become underscores), ostris/ai-toolkit toolkit/network_mixins.py (diffusers' or the makers'
names with `lora_A`, no alpha: scale 1), Nerogar/OneTrainer modules/util/convert_lora_util.py (all of these),
PEFT's folders (`base_model.model.NAME.lora_A.weight`, alpha in adapter_config.json).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lessons_lib.adapters import kinds
from lessons_lib.dataset.messages import one_line, printable

_CONFIG_NAME = "adapter_config.json"  # PEFT's, beside its weights
_KEY = re.compile(
    r"(?P<layer>.+?)\.(?:lora_(?P<letter>[AB])(?:\.default)?|lora[._](?P<side>down|up)"
    r"|lora_linear_layer\.(?P<old>down|up))\.weight"
)
_SIDES = {"A": "down", "B": "up"}


@dataclass(frozen=True)
class Factors:
    """The change of one layer, up @ down * alpha / rank.

    down: (rank, in_features), up: (out_features, rank); of a convolution with the kernel's two sides after
    that, those of `up` being 1.
    """

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def scaling(self) -> float:
        """What the product of the factors is multiplied by."""
        return self.alpha / self.rank

    @property
    def delta(self) -> Tensor:
        """The change of the weight in float32, (out_features, in_features and a kernel's sides)."""
        change = self.up.float().flatten(1) @ self.down.float().flatten(1) * self.scaling
        return change.view(len(self.up), *self.down.shape[1:])


@dataclass(frozen=True)
class Adapter:
    """The layers of an adapter by name, the metadata of its file, and whose keys it had."""

    layers: dict[str, Factors]
    metadata: dict[str, str] = field(default_factory=dict)
    form: str = "diffusers"
    path: Path = Path()

    @property
    def ranks(self) -> list[int]:
        """The ranks of its layers, each once, rising."""
        return sorted({factors.rank for factors in self.layers.values()})

    @property
    def changes_nothing(self) -> bool:
        """Whether the change of every layer is zero, as that of a new adapter is."""
        return not any(
            f.alpha and f.up.count_nonzero() and f.down.count_nonzero() for f in self.layers.values()
        )


def read(path: Path) -> Adapter:
    """Return the adapter in a file, a run's folder or PEFT's, its layers by the names that the file has.

    Raises FileNotFoundError where there is none, ValueError that names the file and says what it is or lacks:
    damaged, a pickle, a checkpoint, no LoRA, a layer with one factor, numbers that are not finite.
    """
    path = kinds.adapter_file(Path(path))
    adapter = read_unchecked(path)
    if problem := damage(adapter):
        raise ValueError(f"{printable(path)}: {problem}. Copy or fetch the file again")
    return adapter


def read_unchecked(path: Path) -> Adapter:
    """Return the adapter in a file although a layer of it may not be whole.

    Raises ValueError for a file that is damaged or holds no LoRA, or holds more than one.
    """
    header = kinds.read_header(path)
    kinds.check_kind(path, header)
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            metadata = dict(file.metadata() or {})
    except SafetensorError as problem:
        raise ValueError(
            f"{printable(path)}: is damaged ({one_line(problem)}); copy or fetch it again"
        ) from problem
    return of_tensors(tensors, metadata, path)


def of_tensors(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None, path: Path = Path()
) -> Adapter:
    """Return the adapter that a file's tensors are, by their keys; ValueError for a tensor of no layer."""
    sides, alphas = _sorted_keys(path, tensors)
    config = _config(path, metadata or {})
    layers = {
        name: Factors(
            factors.get("down", torch.empty(0)),
            factors.get("up", torch.empty(0)),
            alphas[name] if name in alphas else _configured_alpha(name, _rank(factors), config),
        )
        for name, factors in sides.items()
    }
    return Adapter(layers, dict(metadata or {}), _form(layers), path)


def named_tensors(layers: Mapping[str, Factors]) -> dict[str, Tensor]:
    """Return the factors of layers by diffusers' names, "LAYER.lora_A.weight" and "LAYER.lora_B.weight"."""
    named = {}
    for layer, factors in layers.items():
        named[f"{layer}.lora_A.weight"] = factors.down
        named[f"{layer}.lora_B.weight"] = factors.up
    return named


def damage(adapter: Adapter) -> str:
    """Return what is wrong with an adapter's layers, the first by name; empty where nothing is."""
    names = {"down": "lora_A", "up": "lora_B"}
    for layer, factors in adapter.layers.items():
        for side, other in (("down", "up"), ("up", "down")):
            if not getattr(factors, side).numel():
                return f"{layer} has {names[other]} and no {names[side]}; expected both factors of each layer"
        down, up = factors.down, factors.up
        if down.ndim != up.ndim or down.ndim not in (2, 4):
            return f"the factors of {layer} have {down.ndim} and {up.ndim} dimensions; expected 2 each"
        if down.shape[0] != up.shape[1]:
            return f"the factors of {layer} have ranks {down.shape[0]} and {up.shape[1]}; expected the same"
        numbers = torch.cat([down.flatten().float(), up.flatten().float(), torch.tensor([factors.alpha])])
        if not numbers.isfinite().all():
            return f"{layer} holds numbers that are not finite (NaN or infinite), so it would draw nothing"
    return ""


def with_scale_in_factors(adapter: Adapter) -> Adapter:
    """Return the same adapter with alpha = rank: alpha / rank is multiplied into `up`."""
    layers = {
        name: replace(f, up=f.up if f.scaling == 1 else f.up * f.scaling, alpha=float(f.rank))
        for name, f in adapter.layers.items()
    }
    return replace(adapter, layers=layers)


def _sorted_keys(
    path: Path, tensors: Mapping[str, Tensor]
) -> tuple[dict[str, dict[str, Tensor]], dict[str, float]]:
    """Return the factors of each layer by side, and the alphas that the file has as tensors.

    Raises ValueError for tensors that are neither.
    """
    sides: dict[str, dict[str, Tensor]] = {}
    alphas, others = {}, []
    for key, tensor in tensors.items():
        if match := _KEY.fullmatch(key):
            side = match["side"] or match["old"] or _SIDES[match["letter"]]
            sides.setdefault(match["layer"], {})[side] = tensor
        elif key.endswith(".alpha") and tensor.numel() == 1:
            alphas[key.removesuffix(".alpha")] = float(tensor)
        else:
            others.append(key)
    if others or (others := sorted(alphas.keys() - sides.keys())):
        raise ValueError(
            f"{printable(path)}: holds {len(others)} tensors that belong to no LoRA layer, such as "
            f"{printable(others[0])}; expected lora_A and lora_B, or lora_down, lora_up and alpha"
        )
    return sides, alphas


def _form(layers: Mapping[str, Factors]) -> str:
    """Return whose keys most layers of a file have."""
    forms = [kinds.split_prefix(layer)[2] for layer in layers]
    return max(forms, key=forms.count)


def _config(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return rank and alpha as diffusers has them in a file's header, or PEFT in a file beside it.

    ValueError when it is no JSON object.
    """
    beside = path.parent / _CONFIG_NAME
    try:
        if "lora_adapter_metadata" in metadata or not beside.is_file():
            return dict(json.loads(metadata.get("lora_adapter_metadata", "{}")))
        return {f".{key}": value for key, value in json.loads(beside.read_text(encoding="utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as problem:
        raise ValueError(f"{printable(path)}: its rank and alpha cannot be read; fetch it again") from problem


def _configured_alpha(name: str, rank: int, config: Mapping[str, Any]) -> float:
    """Return a layer's alpha by PEFT's settings; its rank where they do not mention it."""
    component, _, inner = name.partition(".")
    if f"{component}.lora_alpha" not in config and ".lora_alpha" in config:
        component, inner = "", name
    patterns = config.get(f"{component}.alpha_pattern") or {}
    matches = (value for pattern, value in patterns.items() if re.fullmatch(rf"(.*\.)?({pattern})", inner))
    alpha = float(next(matches, config.get(f"{component}.lora_alpha", rank)))
    return alpha * rank**0.5 if config.get(f"{component}.use_rslora") else alpha


def _rank(factors: Mapping[str, Tensor]) -> int:
    down, up = factors.get("down"), factors.get("up")
    return len(down) if down is not None else up.shape[1] if up is not None and up.ndim > 1 else 0
