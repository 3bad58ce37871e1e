"""Lesson 06: what came out on the machine that ran the lesson. Yours may differ a little."""

import math

from PIL import Image


# Exercise 1: `most` or more for one side, or for the other.
def my_chance(most: int, count: int) -> float:
    tail = sum(math.comb(count, k) for k in range(most, count + 1)) / 2**count
    return min(1.0, 2 * tail)


# Exercise 2: a fifth of a painting, blended into the sample, raises the measure more than all that was
# learned. So the measure of the centres can be deceived as well. Where nothing is pasted or blended, it still
# tells more than the whole.
def my_fraud(sample: Image.Image, painting: Image.Image) -> Image.Image:
    return Image.blend(sample.convert("RGB"), painting.convert("RGB"), 0.2)


# Exercise 3: chance alone is as one-sided as 9 of 12 in 15 % of such tests, as 10 of 12 in 4 %.
my_needed = 10

# Exercise 4: b was picked by hand, c asks of a loss what it cannot say, and chance alone gives five of six in
# 22 % of such tests.
my_claims = "ad"
