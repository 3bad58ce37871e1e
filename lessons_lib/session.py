"""What this machine can do: its tier, device, precision and memory,
and the seeds that make a run repeatable.
"""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
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


def tier_of(gpu_gb: float) -> str:
    """Return the course's tier for so much GPU memory; none at all is the pocket tier."""
    if gpu_gb == 0:
        return "pocket"
    return "t4" if gpu_gb < 20 else "24gb" if gpu_gb < 60 else "80gb"


def gpu_dtype(capability: tuple[int, int]) -> torch.dtype:
    """Return bfloat16 only where it is real: a T4 answers that it has it and then emulates it, slowly."""
    return torch.bfloat16 if capability >= (8, 0) else torch.float16


def _total_memory() -> float:
    """Return this machine's memory in GB, or 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return 0.0


@cache
def current() -> Session:
    """Return this machine's session, looked up once."""
    return detect()


def detect() -> Session:
    """Return what this machine has.

    On a CPU training is in float32: few processors have fast half precision.
    On a GPU cuDNN's attention is turned off: with torch 2.11 and CUDA 13.0 on an H100 its backward pass ended
    the training of FLUX.1 with an illegal memory access, in diffusers' script too.
    PyTorch then takes its other fast kernels.
    """
    cores, memory = os.cpu_count() or 1, _total_memory()
    if not torch.cuda.is_available():
        return Session("pocket", torch.device("cpu"), torch.float32, cores, memory, "none", 0.0)
    torch.backends.cuda.enable_cudnn_sdp(False)
    properties = torch.cuda.get_device_properties(0)
    gigabytes = properties.total_memory / 1e9
    dtype = gpu_dtype((properties.major, properties.minor))
    return Session(tier_of(gigabytes), torch.device("cuda"), dtype, cores, memory, properties.name, gigabytes)


def set_seed(value: int) -> None:
    """Set the seeds of Python, NumPy and PyTorch."""
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.manual_seed(value)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the loading bars and notices of diffusers and transformers off the screen while inside."""
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
            yield
    finally:
        for log, verbosity, has_bars in before:
            log.set_verbosity(verbosity)
            if has_bars:
                log.enable_progress_bar()
