"""Lesson 01: answers that its checkers accept. Others are as good."""

from torch import Tensor

# Exercise 1: note the step at which you recognise it, and compare it with lesson 01's elephant.
my_prompt = "a glossy 3d drawing of a teapot in a garden"


# Exercise 2: from sigma to next_sigma along the velocity, which leads from the guess to the noise.
def my_step(noisy_latents: Tensor, pred_original: Tensor, sigma: float, next_sigma: float) -> Tensor:
    velocity = (noisy_latents - pred_original) / sigma
    return noisy_latents + (next_sigma - sigma) * velocity


# Exercise 3: a little more noise than picture. With less noise the model repeats what it sees.
my_sigma = 0.64
