"""Lesson 00: what came out on the machine that ran the lesson. Yours may differ a little."""

from torch import Tensor


# Exercise 1: each drawing with each painting, and the mean of all.
def my_style_match(features: Tensor, held_out: Tensor) -> float:
    return float((features @ held_out.T).mean())


# Exercise 2: half the strength closes much less than half of the style gap.
my_guess = 0.1

# Exercise 3: any prompt is right. It tests the style, not you.
my_prompt = "a bicycle by the sea"
