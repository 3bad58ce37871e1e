"""Lesson 05: answers that its checkers accept. Others are as good."""

import math
from collections.abc import Callable

from torch import Tensor


# Exercise 1: the prediction for the noisy latents against noise minus latents; one mean for each example.
def flow_loss(
    model: Callable[[Tensor, Tensor], Tensor], latents: Tensor, noise: Tensor, sigma: Tensor
) -> Tensor:
    sigmas = sigma.view(-1, 1, 1, 1)
    noisy_latents = (1 - sigmas) * latents + sigmas * noise
    velocity = model(noisy_latents, sigma)
    return (velocity - (noise - latents)).square().mean((1, 2, 3))


# Exercise 2: a step uses batch x accumulation pictures; the last step may need only a part of them.
def steps_needed(pictures: int, epochs: int, batch: int, accumulation: int) -> int:
    return math.ceil(pictures * epochs / (batch * accumulation))


# Exercise 3: the drawings tell 50, 100 and 200 apart neither by style nor by the prompt kept, and 50 costs
# least. The recorded run's own figures decide; after another recording this may be another count.
my_stop = 50
