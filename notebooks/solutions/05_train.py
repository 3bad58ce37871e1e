"""Lesson 05: answers that its checkers accept. Others are as good."""

import math
from collections.abc import Callable

from torch import Tensor


# Exercise 1: mix, ask, and hold the answer beside noise less painting; the mean leaves one number an example.
def flow_loss(
    model: Callable[[Tensor, Tensor], Tensor], latents: Tensor, noise: Tensor, sigma: Tensor
) -> Tensor:
    spread = sigma.view(-1, 1, 1, 1)
    answer = model((1 - spread) * latents + spread * noise, sigma)
    return (answer - (noise - latents)).square().mean((1, 2, 3))


# Exercise 2: a step shows batch x accumulation pictures; the last one may be only partly needed.
def steps_needed(pictures: int, looks: int, batch: int, accumulation: int) -> int:
    return math.ceil(pictures * looks / (batch * accumulation))


# Exercise 3: from 400 steps on the style gains nothing more, and from 800 on the prompt goes and copies come.
my_stop = 400
