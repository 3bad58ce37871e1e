"""A second device without a GPU: its tensors compute on the CPU, and a CPU tensor beside one of them raises.

It shows what would stop on CUDA, MPS or XPU because two tensors are on two devices, a tensor was turned into
a NumPy array, or noise was drawn with a generator of another device. It is as fast as the CPU and gives the
CPU's numbers but for their last digits. It does not show a missing kernel or precision, or a lack of memory.
An error in a backward pass ends the process: PyTorch's engine cannot unwind a guard written in Python.
`torch.inference_mode` does not work on it; `torch.no_grad` does.

`device()` is a CUDA device where there is one, and else this one. `active(dtype)` makes it the session's::

    with simulated_device.active(torch.bfloat16) as here:
        Sampler("pocket").sample(["a cat"], [1])  # runs on `here`

In a notebook's kernel, where nothing is taken back, `simulated_device.activate()` does it before the first
cell. A test takes the fixture `device` of `tests/conftest.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

from lessons_lib import session
from lessons_lib.session import Session

NAME = "simulated"
_ATEN = torch.ops.aten
_BETWEEN_DEVICES = {_ATEN.copy_.default, _ATEN._to_copy.default}
_INDEXING = {_ATEN.index.Tensor, _ATEN.index_put.default, _ATEN.index_put_.default}  # take indices of the CPU


class DeviceTensor(Tensor):
    """A tensor of the simulated device; `raw` is the CPU's that holds its numbers."""

    raw: Tensor

    @staticmethod
    def __new__(cls, raw: Tensor) -> DeviceTensor:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            raw.shape,
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=torch.device(NAME, 0),
        )

    def __init__(self, raw: Tensor):
        self.raw = raw

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is _ATEN._has_compatible_shallow_copy_type.default:
            return all(isinstance(value, DeviceTensor) for value in args)
        _refuse_other_devices(func, [*args, *kwargs.values()])
        target = kwargs.get("device")
        if target is not None:
            kwargs["device"] = torch.device("cpu")
        result = func(*tree_map(_raw, tuple(args)), **tree_map(_raw, kwargs))
        if target is not None and torch.device(target).type == "cpu":
            return result
        if func is _ATEN.copy_.default:
            return args[0]
        for value in tree_leaves([args, kwargs]):
            if isinstance(value, DeviceTensor) and value.shape != value.raw.shape:
                value.data = DeviceTensor(value.raw)  # an operation has resized its output
        return return_and_correct_aliasing(func, args, kwargs, tree_map(_on_device, result))

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() first")

    __array__ = numpy

    def double(self, *args: Any) -> Any:
        raise TypeError("MPS has no float64")  # so that the library never needs it there

    def untyped_storage(self) -> Any:
        return self.raw.untyped_storage()

    def data_ptr(self) -> int:
        return self.raw.data_ptr()

    @property
    def data(self) -> Tensor:  # type: ignore[override]
        return self.detach()

    @data.setter
    def data(self, value: DeviceTensor) -> None:
        torch.Tensor.data.__set__(self, value)  # type: ignore[attr-defined]
        self.raw = value.raw


def _raw(value: Any) -> Any:
    return value.raw if isinstance(value, DeviceTensor) else value


def _on_device(value: Any) -> Any:
    return DeviceTensor(value) if type(value) is Tensor else value


def _refuse_other_devices(func: Any, values: Sequence[Any]) -> None:
    """Raise RuntimeError for what CUDA would refuse: a tensor of the CPU that is no single number,
    or a generator of the CPU.
    """
    if func in _BETWEEN_DEVICES:
        return
    values = values[:1] if func in _INDEXING else values
    for value in tree_leaves(values):
        if isinstance(value, Tensor) and not isinstance(value, DeviceTensor) and value.dim():
            raise RuntimeError(
                f"{func}: expected all tensors to be on the same device, but found at least two devices, "
                f"{NAME}:0 and {value.device}"
            )
        if isinstance(value, torch.Generator):
            raise RuntimeError(f"{func}: expected a {NAME!r} device type for generator but found 'cpu'")


def _empty(size: Sequence[int], dtype: Any = None, layout: Any = None, device: Any = None,
           pin_memory: Any = None, memory_format: Any = None) -> Tensor:  # fmt: skip
    return DeviceTensor(torch.empty(size, dtype=dtype, memory_format=memory_format))


def _empty_strided(size: Sequence[int], stride: Sequence[int], dtype: Any = None, layout: Any = None,
                   device: Any = None, pin_memory: Any = None) -> Tensor:  # fmt: skip
    return DeviceTensor(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    _raw(target).copy_(_raw(source))
    return target


class _Backend(backend_registration._DummyBackendModule):
    """What torch.simulated is; the device is offered to other libraries only while it is active."""

    is_active = False

    def is_available(self) -> bool:
        return self.is_active

    def empty_cache(self) -> None:
        pass

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


_backend = _Backend()


@cache
def _register() -> torch.library.Library:
    """Register the device with PyTorch, which can be done once a process."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_backend)
    library = torch.library.Library("aten", "IMPL")
    kernels: dict[str, Callable[..., Tensor]] = {
        "empty.memory_format": _empty,
        "empty_strided": _empty_strided,
        "_copy_from": _copy_from,
    }
    for name, kernel in kernels.items():
        library.impl(name, kernel, "PrivateUse1")
    return library


def device() -> torch.device:
    """Return the CUDA device where there is one, and else the simulated one."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    _register()
    return torch.device(NAME)


def activate(dtype: torch.dtype = torch.float32) -> torch.device:
    """Make `device()` that of the session for the rest of the process, in this precision; return it."""
    here = replace(session.detect(), device=device(), dtype=dtype, gpu="simulated", gpu_gb=15.0, tier="t4")
    _backend.is_active = here.device.type == NAME
    if _backend.is_active:
        # Checkpointing ends a recomputed part early by an error, which a guard written in Python cannot pass.
        torch.utils.checkpoint._enable_checkpoint_early_stop = False
    _use(lambda: here)
    return here.device


@contextmanager
def active(dtype: torch.dtype = torch.float32) -> Iterator[torch.device]:
    """Make `device()` that of the session while inside, in this precision; yield it."""
    before = session.detect
    try:
        yield activate(dtype)
    finally:
        _backend.is_active = False
        torch.utils.checkpoint._enable_checkpoint_early_stop = True
        _use(before)


def _use(detect: Callable[[], Session]) -> None:
    session.detect = detect
    session.current.cache_clear()
