"""What this machine can do: its tier, device, precision and memory,
and the seeds that make a run repeatable.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
import psutil
import torch


@dataclass(frozen=True)
class Session:
    """One machine as training sees it; memory in GB (1e9 bytes)."""

    tier: str  # pocket, t4, 24gb or 80gb
    device: torch.device
    dtype: torch.dtype
    cores: int
    memory_gb: float
    gpu: str
    gpu_gb: float

    def out_of_memory_message(self, name: str) -> str:
        """Return what to say where a model does not fit into the memory that it computes in."""
        memory = (
            f"{self.gpu_gb:.1f} GB of {self.gpu}" if self.gpu_gb else f"{self.memory_gb:.1f} GB of memory"
        )
        return f"{name} does not fit into the {memory}; close what else uses it, or choose a smaller base"


def tier_of(gpu_gb: float) -> str:
    """Return the course's tier for so much GPU memory; none at all is the pocket tier."""
    if gpu_gb == 0:
        return "pocket"
    return "t4" if gpu_gb < 20 else "24gb" if gpu_gb < 60 else "80gb"


def gpu_dtype(capability: tuple[int, int]) -> torch.dtype:
    """Return bfloat16 only where it is real: a T4 answers that it has it and then emulates it, slowly."""
    return torch.bfloat16 if capability >= (8, 0) else torch.float16


def _cuda() -> tuple[str, float, torch.dtype]:
    """Return name, memory in GB and precision of the first NVIDIA or AMD GPU.

    cuDNN's attention is turned off: with torch 2.11 and CUDA 13.0 on an H100 its backward pass ended
    the training of FLUX.1 with an illegal memory access, in diffusers' script too.
    PyTorch then takes its other fast kernels.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)
    properties = torch.cuda.get_device_properties(0)
    dtype = gpu_dtype((properties.major, properties.minor))
    return properties.name, properties.total_memory / 1e9, dtype


def _xpu() -> tuple[str, float, torch.dtype]:
    """Return the same of the first Intel GPU."""
    properties = torch.xpu.get_device_properties(0)
    dtype = torch.bfloat16 if properties.has_bfloat16_conversions else torch.float16
    return properties.name, properties.total_memory / 1e9, dtype


def _mps() -> tuple[str, float, torch.dtype]:
    """Return the same of Apple's GPU: the share of the machine's memory that Metal advises to use at most,
    and float16, as diffusers' training scripts advise there.
    """
    return "Apple silicon", torch.mps.recommended_max_memory() / 1e9, torch.float16


_GPUS = {"cuda": _cuda, "xpu": _xpu, "mps": _mps}


def peak_ram() -> float:
    """Return the most RAM that this process has held so far, in GB (1e9 bytes)."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e9
    import resource  # which Windows does not have

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


@cache
def current() -> Session:
    """Return this machine's session, looked up once."""
    return detect()


def detect() -> Session:
    """Return what this machine has: an NVIDIA, AMD, Intel or Apple GPU, or the CPU, which the environment
    variable ACCELERATE_USE_CPU asks for even where there is a GPU.

    On a CPU training is in float32: few processors have fast half precision.
    Apple's GPU is of the tier t4 with any memory, which is the machine's own: it is about as fast as a T4.
    """
    from accelerate.utils.environment import parse_flag_from_env  # loads for a second

    cores, memory = os.cpu_count() or 1, psutil.virtual_memory().total / 1e9
    kind = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
    if kind not in _GPUS or parse_flag_from_env("ACCELERATE_USE_CPU"):
        return Session("pocket", torch.device("cpu"), torch.float32, cores, memory, "none", 0.0)
    name, gigabytes, dtype = _GPUS[kind]()
    tier = "t4" if kind == "mps" else tier_of(gigabytes)
    return Session(tier, torch.device(kind), dtype, cores, memory, name, gigabytes)


@contextmanager
def explain_out_of_memory(advice: str) -> Iterator[None]:
    """Raise a MemoryError with this advice when the memory of the GPU or of the machine runs out inside."""
    from accelerate.utils.memory import should_reduce_batch_size

    try:
        yield
    except RuntimeError as problem:
        if not (isinstance(problem, torch.OutOfMemoryError) or should_reduce_batch_size(problem)):
            raise
        raise MemoryError(advice) from problem


def release_memory() -> None:
    """Free what nothing refers to any more, modules that refer to one another too, and give the GPU's memory
    that is held for later back to the system.
    """
    gc.collect()
    device = current().device
    if device.type != "cpu":
        torch.get_device_module(device).empty_cache()


def set_seed(value: int) -> None:
    """Set the seeds of Python, NumPy and PyTorch."""
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.manual_seed(value)


def quiet() -> AbstractContextManager[None]:
    """Keep the loading bars and notices of diffusers, transformers and PEFT off the screen while inside.

    They are the whole process's: where several threads are inside, they come back when the last has left.
    """
    return _QUIET


class _Shared(AbstractContextManager[None]):
    """A context that several threads may be in: entered by the first, left by the last."""

    def __init__(self, open_context: Callable[[], AbstractContextManager[None]]):
        self._open, self._lock, self._inside = open_context, threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._context = self._open()
                self._context.__enter__()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._context.__exit__(None, None, None)


@contextmanager
def _silenced() -> Iterator[None]:
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    logs = (diffusers_log, transformers_log)
    before = [(log, log.get_verbosity(), log.is_progress_bar_enabled()) for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.filterwarnings("ignore", module=r"peft(\.|$)")  # of a second adapter on a model
            yield
    finally:
        for log, verbosity, has_bars in before:
            log.set_verbosity(verbosity)
            if has_bars:
                log.enable_progress_bar()


_QUIET = _Shared(_silenced)
