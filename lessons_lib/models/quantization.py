"""Frozen weights in 4 or 8 bits, by bitsandbytes through diffusers and transformers (QLoRA): packed while
they are loaded, or already in a base's files.

The linear layers of the denoiser are packed, and those of a text encoder with more than a billion parameters;
the VAE, norms, convolutions and small encoders stay as they are. Of int8's two packages bitsandbytes is taken
and not torchao: it is nf4's package too, and Colab's torchao has to go before PEFT works.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lessons_lib import compat
from lessons_lib.models.bases import Base
from lessons_lib.session import Session

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

KINDS = ("none", "nf4", "int8")
# Bytes of a weight. nf4: 4 bits, a scale in 8 bits for each 64 weights, a scale of those for each 256 of them
# (Dettmers et al. 2023, arXiv 2305.14314). int8: a scale a row.
BYTES = {"nf4": (4 + 8 / 64 + 32 / 64 / 256) / 8, "int8": 1.0}
_LARGE = 1.0  # billion parameters; a smaller text encoder gains little


def quantized_components(base: Base, denoiser: str) -> tuple[str, ...]:
    """Return the pipeline's components whose linear layers are packed: the denoiser and large text encoders.

    Empty where nothing is to be quantised.
    """
    if base.quantize == "none":
        return ()
    large = [name for name in base.text_encoders if base.parameters.get(name, (0.0,))[0] > _LARGE]
    return denoiser, *large


def packed_in_files(base: Base) -> dict[str, str]:
    """Return the kind of each network that is packed in the files a base is loaded from, by component.

    Raises ValueError for a kind that is not in KINDS.
    """
    if base.packed_source:
        return dict.fromkeys(base.packed_source.networks_gb, base.quantize)
    if not base.is_local:
        return {}
    configs = {path.parent.name: _read_config(path) for path in Path(base.repository).glob("*/config.json")}
    return {name: _kind(base, name, config) for name, config in sorted(configs.items()) if config}


def kind_in_files(base: Base) -> str:
    """Return the kind in which a base's files are packed; "none" where they are whole."""
    return next(iter(packed_in_files(base).values()), "none")


def _read_config(path: Path) -> dict[str, Any]:
    """Return what a network's config.json says of its packing; empty where it is whole."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")).get("quantization_config") or {})
    except (ValueError, TypeError, AttributeError) as problem:
        raise ValueError(
            f"{path} is damaged ({problem}); expected the JSON that save_pretrained writes. Fetch or copy "
            "that file again"
        ) from problem


def _kind(base: Base, name: str, config: Mapping[str, Any]) -> str:
    if config.get("load_in_8bit"):
        return "int8"
    kind = config.get("bnb_4bit_quant_type") if config.get("load_in_4bit") else config.get("quant_method")
    if kind != "nf4":
        raise ValueError(
            f"{name} of {base.name} is packed as {kind} in its files; expected whole weights, nf4 or int8"
        )
    return "nf4"


def is_available() -> bool:
    """Return whether bitsandbytes is installed."""
    return importlib.util.find_spec("bitsandbytes") is not None


def check(base: Base) -> None:
    """Raise ValueError where a base cannot be loaded as it says, with what to do."""
    if base.quantize not in KINDS:
        raise ValueError(f"quantize is {base.quantize!r}; expected one of {', '.join(KINDS)}")
    if other := set(packed_in_files(base).values()) - {base.quantize}:
        kind = other.pop()
        raise ValueError(
            f"the files of {base.name} are packed in {kind} and cannot be loaded as quantize "
            f"{base.quantize!r}; expected {kind} or auto"
        )
    if base.quantize == "int8" and base.half_precisions and "float16" not in base.half_precisions:
        raise ValueError(
            f"int8 computes in float16, in which {base.name} gives NaN; expected nf4, or no quantising"
        )
    if base.quantize != "none" and not is_available():
        raise ValueError(
            f"{base.quantize} weights need bitsandbytes, which is not installed: {_install_line()}"
        )


def _install_line() -> str:
    """Return what to type to install bitsandbytes, in a notebook or a terminal; in a notebook nothing that is
    there is moved. diffusers and transformers look for it once, when they are imported.
    """
    ipython = sys.modules.get("IPython")
    if ipython and hasattr(ipython.get_ipython(), "kernel"):
        return (
            "type %pip install --no-deps bitsandbytes in a cell and run it, restart the kernel, and run the "
            "notebook again"
        )
    return "pip install bitsandbytes, then run the command again"


def loading_options(
    base: Base, session: Session, denoiser: str, components: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what ``DiffusionPipeline.from_pretrained`` takes to quantise what is loaded, not given;
    empty where nothing is to be quantised, or it is so in the files.

    Raises ValueError as `check` does.
    """
    check(base)
    if base.quantize != "none" and session.device.type == "cpu":
        compat.quantize_on_cpu()
    done = {*components, *packed_in_files(base)}
    names = [name for name in quantized_components(base, denoiser) if name not in done]
    if not names:
        return {}
    import diffusers
    import transformers

    settings = _settings(base.quantize, base.precision(session))
    mapping = {
        name: (transformers if name in base.text_encoders else diffusers).BitsAndBytesConfig(**settings)
        for name in names
    }
    return {"quantization_config": diffusers.PipelineQuantizationConfig(quant_mapping=mapping)}


def compute_in(pipe: DiffusionPipeline, dtype: torch.dtype) -> None:
    """Let the nf4 layers of a pipeline compute in this precision.

    Weights that were packed elsewhere bring that of another machine: bfloat16, which a T4 only emulates.
    """
    networks = [part for part in pipe.components.values() if isinstance(part, nn.Module)]
    for layer in (layer for network in networks for layer in network.modules()):
        if type(layer).__name__ == "Linear4bit":  # without bitsandbytes there is no class to compare with
            layer.compute_dtype = dtype


def _settings(kind: str, dtype: torch.dtype) -> dict[str, Any]:
    """Return BitsAndBytesConfig's arguments, the same in diffusers and transformers."""
    if kind == "int8":
        return {"load_in_8bit": True}
    return {
        "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": dtype,
    }  # fmt: skip


def as_code(kind: str, denoiser: str, dtype: str) -> str:
    """Return the expression that quantises the denoiser alone in a program without this library, which has
    imported torch and diffusers; `dtype` such as "torch.bfloat16".
    """
    settings = _settings(kind, torch.float32) | ({} if kind == "int8" else {"bnb_4bit_compute_dtype": dtype})
    arguments = ", ".join(
        f"{name}={value if value == dtype else repr(value)}" for name, value in settings.items()
    )
    config = f"diffusers.BitsAndBytesConfig({arguments})"
    return f"diffusers.PipelineQuantizationConfig(quant_mapping={{{denoiser!r}: {config}}})"
