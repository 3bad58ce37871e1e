"""Lesson 05's exercises: the flow-matching loss, how many steps an epoch takes,
and where to stop in the recorded sweep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from lessons_lib.course import trials
from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, checker, first_hint, is_close, not_yet
from lessons_lib.course.lesson_05 import counts_near_best
from lessons_lib.models.families.shared import add_noise, mse_per_example

Model = Callable[[Tensor, Tensor], Tensor]
Mistakes = list[tuple[bool, str]]


@checker
def check_loss(answer: Callable[[Model, Tensor, Tensor, Tensor], Tensor | None]) -> str:
    """Return what to say of a learner's answer(model, latents, noise, sigma): the loss of each example, (n,).

    Latents and noise are (n, 16, h, w), sigma is (n,), and model(noisy_latents, sigma) returns a velocity
    like the latents.
    """
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 3, 16, 4, 4, generator=generator)
    sigma = torch.tensor([0.2, 0.5, 0.9])
    velocity = torch.randn(latents.shape, generator=generator)
    inputs = []

    def model(noisy_latents: Tensor, sigma: Tensor) -> Tensor:
        inputs.append(noisy_latents)
        return velocity

    try:
        loss = answer(model, latents, noise, sigma)
    except RuntimeError:
        return not_yet("sigma has one number an example; sigma.view(-1, 1, 1, 1) fits the latents")
    if loss is None:
        return NOT_ATTEMPTED
    if not inputs:
        return not_yet("the model was not called; give it the noisy latents and sigma")
    mistakes = _input_mistakes(inputs[0], latents, noise, sigma) + _loss_mistakes(
        loss, velocity, latents, noise
    )
    return first_hint(mistakes) or RIGHT


def _input_mistakes(noisy_latents: Tensor, latents: Tensor, noise: Tensor, sigma: Tensor) -> Mistakes:
    """Return the likely mistakes in what the model was given."""
    share = sigma.view(-1, 1, 1, 1)
    expected, swapped = (1 - share) * latents + share * noise, share * latents + (1 - share) * noise
    return [
        (is_close(noisy_latents, swapped), "at sigma 1 all is noise; yours is the other way round"),
        (not is_close(noisy_latents, expected),
         "the model should see (1 - sigma) of the painting and sigma of the noise"),
    ]  # fmt: skip


def _loss_mistakes(loss: Tensor, velocity: Tensor, latents: Tensor, noise: Tensor) -> Mistakes:
    """Return the likely mistakes in what the velocity was compared with, and in the mean."""

    def errors(target: Tensor) -> Tensor:
        return (velocity - target).square().mean((1, 2, 3))

    targets = {
        "the velocity leads from the painting to the noise: change its sign": latents - noise,
        "that asks for the noise; flow matching asks for noise minus painting": noise,
        "that asks for the painting; flow matching asks for noise minus painting": latents,
    }
    right = errors(noise - latents)
    return [
        *((any(is_close(loss, wrong) for wrong in (errors(target), errors(target).mean())), hint)
          for hint, target in targets.items()),
        (is_close(loss, right.mean()),
         "one number an example, please; take the mean over all but the first dimension"),
        (not is_close(loss, right), "the mean of the squared difference"),
    ]  # fmt: skip


@checker
def check_steps(answer: Callable[[int, int, int, int], int | None]) -> str:
    """Return what to say of a learner's answer(pictures, epochs, batch, accumulation): the steps it takes."""
    cases = ((16, 100, 1, 1), (16, 100, 4, 1), (16, 100, 4, 2), (15, 7, 4, 1))
    steps = [answer(*case) for case in cases]
    if None in steps:
        return NOT_ATTEMPTED
    right = [math.ceil(n * epochs / (batch * accumulation)) for n, epochs, batch, accumulation in cases]
    one, batched, accumulated, uneven = (
        step == expected for step, expected in zip(steps, right, strict=True)
    )
    mistakes = [
        (one and steps[1] == right[0], "a step shows `batch` pictures at once, so there are fewer of them"),
        (one and batched and not accumulated, "with accumulation a step is several batches"),
        (one and batched and accumulated and steps[3] == right[3] - 1,
         "round up, or the last pictures are not seen"),
        (steps != right, f"{steps[1]} for 16 pictures, 100 epochs, batch 4, accumulation 1"),
    ]  # fmt: skip
    return first_hint(mistakes) or RIGHT


def best_stops(result: Mapping[str, Any]) -> list[int]:
    """Return the counts, in order, that the drawings cannot tell from the best: first by style, and of those
    by how much of the prompt is kept.
    """
    by_count = {n: trials.column(result["rows"], "prompt_rank", count=n) for n in counts_near_best(result)}
    most = max(by_count.values(), key=trials.mean_score)
    return [n for n, scores in by_count.items() if trials.direction(scores, most) >= 0]


@checker
def check_stop(step: int | None, result: Mapping[str, Any]) -> str:
    """Return what to say of the step at which a learner would stop a recorded sweep."""
    if step is None:
        return NOT_ATTEMPTED
    counts, near, stops = result["counts"][1:], counts_near_best(result), best_stops(result)
    if step not in counts:
        return not_yet(f"no adapter was kept there; choose one of {', '.join(map(str, counts))}")
    lower = "its style is lower than that of the best, and not by chance"
    mistakes = [
        (step < near[0], f"{lower}; train longer"),
        (step not in near, f"{lower}; and it costs more time"),
        (step not in stops, "another one has as much style and keeps more of the prompt"),
    ]
    cheapest = f"{RIGHT}; but the drawings cannot tell it from {stops[0]}, which costs less"
    return first_hint(mistakes) or (RIGHT if step == stops[0] else cheapest)


def loss_to_use(answer: Callable[[Model, Tensor, Tensor, Tensor], Tensor | None]) -> Callable[..., Tensor]:
    """Return a learner's loss where it is right, and else one that is."""
    return answer if check_loss(answer) == RIGHT else _flow_loss


def _flow_loss(model: Model, latents: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    velocity = model(add_noise(latents, noise, sigma), sigma)
    return mse_per_example(velocity, noise - latents)
