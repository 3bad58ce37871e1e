import random

import numpy as np
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
