"""Lesson 01's exercise, one step on the way from noise to picture, and the share of noise at each step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, checker, first_hint, is_close

Step = Callable[[Tensor, Tensor, float, float], Tensor | None]


def noise_levels(steps: int) -> list[float]:
    """Return sigma before each of so many steps and after the last, from 1 to 0.

    Shifted towards noise, where the prompt decides (Esser et al. 2024, arXiv 2403.03206), by 1.6: that is
    what the scheduler of pocket uses. It depends on the number of tokens of a picture.
    """
    level, shift = torch.linspace(1, 0, steps + 1), 1.6
    return (shift * level / (1 + (shift - 1) * level)).tolist()


def euler_step(noisy_latents: Tensor, pred_original: Tensor, sigma: float, next_sigma: float) -> Tensor:
    """Return the latents after one step from sigma to next_sigma, along the predicted velocity.

    What diffusers' ``FlowMatchEulerDiscreteScheduler.step`` does.
    """
    velocity = (noisy_latents - pred_original) / sigma
    return noisy_latents + (next_sigma - sigma) * velocity


@checker
def check_step(answer: Step) -> str:
    """Return what to say of a learner's answer(noisy_latents, pred_original, sigma, next_sigma)."""
    noisy_latents, pred_original = torch.randn(2, 1, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    sigma, next_sigma = 0.8, 0.5
    latents = answer(noisy_latents.clone(), pred_original.clone(), sigma, next_sigma)
    if latents is None:
        return NOT_ATTEMPTED
    way = noisy_latents - pred_original
    mistakes = [
        (is_close(latents, pred_original), "that jumps to the end; go from sigma to next_sigma only"),
        (is_close(latents, noisy_latents + (sigma - next_sigma) * way / sigma),
         "the velocity leads to the noise, and the noise shall become less: next_sigma - sigma"),
        (is_close(latents, noisy_latents + (next_sigma - sigma) * way),
         "the velocity is the way divided by sigma"),
        (not is_close(latents, euler_step(noisy_latents, pred_original, sigma, next_sigma)),
         "velocity = (noisy_latents - pred_original) / sigma; go (next_sigma - sigma) along it"),
    ]  # fmt: skip
    return first_hint(mistakes) or RIGHT


def step_to_use(answer: Step) -> Step:
    """Return a learner's step where it is right, and else the library's."""
    return answer if check_step(answer) == RIGHT else euler_step
