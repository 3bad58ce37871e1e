import os
import random
import subprocess
import sys
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from lessons_lib import session


@pytest.mark.parametrize(("gigabytes", "tier"), [(0, "pocket"), (15, "t4"), (24, "24gb"), (80, "80gb")])
def test_the_tier_follows_from_gpu_memory(gigabytes, tier):
    assert session.tier_of(gigabytes) == tier


def test_a_t4_trains_in_float16_and_an_l4_in_bfloat16():
    assert session.gpu_dtype((7, 5)) == torch.float16
    assert session.gpu_dtype((8, 9)) == torch.bfloat16


def test_one_seed_repeats_python_numpy_and_torch():
    drawn = []
    for _ in range(2):
        session.set_seed(5)
        drawn.append((random.random(), float(np.random.rand()), float(torch.rand(1))))
    assert drawn[0] == drawn[1]


def test_loading_bars_come_back_after_quiet():
    from diffusers.utils import logging

    logging.enable_progress_bar()
    with session.quiet():
        assert not logging.is_progress_bar_enabled()
    assert logging.is_progress_bar_enabled()


def test_only_notices_of_peft_are_hidden_while_quiet():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        with session.quiet():
            warnings.warn_explicit("a second adapter", UserWarning, "x", 1, "peft.tuners.tuners_utils")
            warnings.warn_explicit("something else", UserWarning, "x", 2, "another")
    assert [str(one.message) for one in shown] == ["something else"]


def test_loading_bars_come_back_when_the_last_of_several_threads_has_left_quiet():
    from diffusers.utils import logging

    logging.enable_progress_bar()
    first, second = session.quiet(), session.quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not logging.is_progress_bar_enabled()
    second.__exit__(None, None, None)
    assert logging.is_progress_bar_enabled()


def test_the_memory_is_that_of_the_machine_on_a_system_without_sysconf(monkeypatch):
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert session.detect().memory_gb == pytest.approx(psutil.virtual_memory().total / 1e9)


def machine_with(monkeypatch, kind):
    """Let PyTorch say that the machine has an accelerator of this kind."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device(kind))


@pytest.mark.parametrize(("has_bfloat16", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_an_intel_gpu_is_used_in_the_precision_that_it_has(monkeypatch, has_bfloat16, dtype):
    machine_with(monkeypatch, "xpu")
    card = SimpleNamespace(name="Arc A770", total_memory=16.2e9, has_bfloat16_conversions=has_bfloat16)
    monkeypatch.setattr(torch.xpu, "get_device_properties", lambda index: card)
    here = session.detect()
    assert (here.device.type, here.dtype, here.tier, here.gpu) == ("xpu", dtype, "t4", "Arc A770")
    assert here.gpu_gb == 16.2


def test_apples_gpu_is_used_in_float16_and_is_of_the_tier_of_a_t4_with_any_memory(monkeypatch):
    machine_with(monkeypatch, "mps")
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 48e9)
    here = session.detect()
    assert (here.device.type, here.dtype, here.tier, here.gpu_gb) == ("mps", torch.float16, "t4", 48)


def test_an_nvidia_gpu_is_used_without_cudnns_attention(monkeypatch):
    machine_with(monkeypatch, "cuda")
    is_enabled, card = [], SimpleNamespace(name="L4", total_memory=24e9, major=8, minor=9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: card)
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", is_enabled.append)
    here = session.detect()
    assert (here.device.type, here.dtype, here.tier, is_enabled) == ("cuda", torch.bfloat16, "24gb", [False])


@pytest.mark.parametrize("said", ["1", "true", "yes"])
def test_the_processor_is_taken_where_accelerates_variable_asks_for_it(monkeypatch, said):
    machine_with(monkeypatch, "mps")
    monkeypatch.setenv("ACCELERATE_USE_CPU", said)
    here = session.detect()
    assert (here.device.type, here.dtype, here.tier, here.gpu_gb) == ("cpu", torch.float32, "pocket", 0)


def test_an_accelerator_that_the_course_does_not_know_is_left_alone(monkeypatch):
    machine_with(monkeypatch, "hpu")
    assert session.detect().device.type == "cpu"


@pytest.mark.parametrize("problem", [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    torch.OutOfMemoryError("XPU out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("MPS backend out of memory (MPS allocated: 5.05 GB, other allocations: 3.87 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
])  # fmt: skip
def test_memory_that_runs_out_on_any_device_is_one_error_with_advice(problem):
    with pytest.raises(MemoryError, match="try a smaller batch"):
        with session.explain_out_of_memory("try a smaller batch"):
            raise problem


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), session.explain_out_of_memory("no"):
        raise RuntimeError("shapes differ")


def test_what_does_not_fit_is_named_with_the_memory_it_had():
    here = replace(session.current(), gpu="Tesla T4", gpu_gb=15.8)
    assert here.out_of_memory_message("sdxl").startswith(
        "sdxl does not fit into the 15.8 GB of Tesla T4; close"
    )
    assert "into the 12.7 GB of memory;" in replace(here, gpu_gb=0.0, memory_gb=12.7).out_of_memory_message(
        "sdxl"
    )


def test_threads_that_wait_do_not_spin():
    script = "import os, sys, lessons_lib; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert run.stdout.split() == ["passive", "False"]
