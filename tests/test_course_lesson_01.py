"""Lesson 00's, 01's and 04's exercises are used by the next cells: the learner's where it is right, and else
the library's.
"""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from lessons_lib.adapters import lora
from lessons_lib.course import lesson_00, lesson_01, lesson_04
from lessons_lib.paths import POCKET


def test_noise_levels_fall_from_one_to_zero_as_those_of_the_pipeline():
    levels = lesson_01.noise_levels(20)
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(POCKET, subfolder="scheduler")
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / 20, 20), mu=0.4675)  # of 64 tokens
    assert torch.allclose(torch.tensor(levels), scheduler.sigmas, atol=2e-3)


def test_a_step_to_zero_ends_at_the_predicted_picture():
    noisy_latents, pred_original = torch.randn(2, 1, 4, 2, 2)
    assert torch.allclose(
        lesson_01.euler_step(noisy_latents, pred_original, 0.4, 0.0), pred_original, atol=1e-6
    )


def test_the_learner_is_used_where_right_and_the_library_where_not():
    assert lesson_01.step_to_use(lambda *_: None) is lesson_01.euler_step
    own = lambda z, x, s, n: z + (n - s) * (z - x) / s  # noqa: E731
    assert lesson_01.step_to_use(own) is own
    x, y = torch.eye(3), torch.eye(3)[:2]
    for answer in (lambda *_: None, lambda a, b: (a @ b.T).mean()):
        assert lesson_00.style_match_to_use(answer)(x, y) == pytest.approx(1 / 3)


@pytest.mark.parametrize("is_own", [False, True])
def test_layers_are_put_round_the_targets_of_a_model_and_taken_off_again(is_own):
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    x, before = torch.randn(3, 4), list(model)
    output = model(x)
    own = lambda layer, x: layer.base(x) + layer.scaling * layer.up(layer.down(x))  # noqa: E731
    layer = lesson_04.layer_to_use(own if is_own else lambda *_: None)
    assert (layer is lora.LoraLinear) is not is_own
    with lesson_04.with_layers(model, ["0", "2"], layer, rank=2) as parameters:
        assert len(parameters) == 4 and torch.equal(model(x), output)
        torch.nn.init.ones_(model[0].up.weight)
        assert not torch.equal(model(x), output)
    assert list(model) == before and torch.equal(model(x), output)
