"""What each network of a base takes in memory, before any of it is downloaded or loaded."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors import safe_open

from lessons_lib.models.bases import Base
from lessons_lib.models.quantization import BYTES, packed_in_files, quantized_components
from lessons_lib.session import Session

_LAYER_GB = 0.3  # FLUX.1's largest layer, 18432 x 3072, in float32 is 0.23
_FLOAT32 = ".DenseReluDense.wo."  # T5's layers that transformers keeps in float32 beside float16
_TABLES = ("shared.weight", "embed_tokens.weight", "_embedding.weight")  # of embeddings; never packed


@dataclass(frozen=True)
class _Numbers:
    """What a network is made of, in billions of numbers: in `linear` layers that nf4 and int8 pack, in
    `others`, and in layers that stay `float32` beside float16. `packed_gb`: what its files hold packed.
    """

    linear: float = 0.0
    others: float = 0.0
    float32: float = 0.0
    packed_gb: float = 0.0

    def __add__(self, other: _Numbers) -> _Numbers:
        return _Numbers(*map(operator.add, astuple(self), astuple(other)))

    def whole_gb(self, dtype: torch.dtype) -> float:
        """Return what all that is not packed in the files takes in a precision."""
        return self.linear * dtype.itemsize + self.others_gb(dtype)

    def others_gb(self, dtype: torch.dtype) -> float:
        """Return what the layers that are never packed take in a precision."""
        width = 4 if dtype == torch.float16 else dtype.itemsize
        return self.others * dtype.itemsize + self.float32 * width


def weights_gb(base: Base, session: Session) -> dict[str, float]:
    """Return the GB (1e9 bytes) of each network's weights by component, in the precision of the session, or
    quantised where the base says so or its files are.
    """
    numbers, dtype = _numbers(base), base.precision(session)
    packed = quantized_components(base, _denoiser(base, numbers))
    return {
        name: n.packed_gb
        + (n.linear * BYTES[base.quantize] + n.others_gb(dtype) if name in packed else n.whole_gb(dtype))
        for name, n in numbers.items()
    }


def loading_gb(base: Base, session: Session) -> dict[str, float]:
    """Return the GB of RAM that each network takes while it is loaded for a GPU, by component.

    Files are mapped and take none. A network is whole in RAM, in its precision, before it goes to the GPU;
    one that is packed goes there layer by layer, and of it what is not packed is counted, which is hardly
    more than the table of embeddings.
    """
    numbers, dtype = _numbers(base), base.precision(session)
    packed = {*quantized_components(base, _denoiser(base, numbers)), *packed_in_files(base)}
    return {
        name: n.others * dtype.itemsize + _LAYER_GB if name in packed else n.whole_gb(dtype)
        for name, n in numbers.items()
    }


def _denoiser(base: Base, numbers: dict[str, _Numbers]) -> str:
    return next((name for name in numbers if name != "vae" and name not in base.text_encoders), "")


def _numbers(base: Base) -> dict[str, _Numbers]:
    """Return what each network of a base is made of, as its files hold it."""
    if base.is_local:
        return _numbers_on_disk(base.repository, frozenset(packed_in_files(base)))
    numbers = {}
    for name, (total, linear, *more) in base.parameters.items():
        float32 = sum(more)
        numbers[name] = _Numbers(linear, total - linear - float32, float32)
    for name, gigabytes in (base.packed_source.networks_gb if base.packed_source else {}).items():
        others = numbers[name].others
        numbers[name] = _Numbers(others=others, packed_gb=gigabytes - 2 * others)
    return numbers


@cache
def _numbers_on_disk(repository: str, packed: frozenset[str]) -> dict[str, _Numbers]:
    """Return the same of a base in a folder; `packed`: the components that are packed there."""
    numbers: dict[str, _Numbers] = {}
    for path in sorted(Path(repository).glob("*/*.safetensors")):
        name = path.parent.name
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_slice(key) for key in file.keys()}
            for key, tensor in tensors.items():
                one = _of_tensor(key, tensor.get_shape(), tensor.get_dtype(), name in packed)
                numbers[name] = numbers.get(name, _Numbers()) + one
    return numbers


def _of_tensor(key: str, shape: Sequence[int], kind: str, is_packed: bool) -> _Numbers:
    """Return what one tensor of a file adds; `is_packed`: whether the linear layers of the file are."""
    count = math.prod(shape) / 1e9
    if is_packed and kind not in ("F16", "BF16"):
        return _Numbers(packed_gb=count * (4 if kind == "F32" else 1))
    if _FLOAT32 in key:
        return _Numbers(float32=count)
    if len(shape) == 2 and not is_packed and not key.endswith(_TABLES):
        return _Numbers(linear=count)
    return _Numbers(others=count)
