"""Lesson 06: what came out on the machine that made the lesson. Yours may differ a little."""

from PIL import Image


# Exercise 1: a fifth of a painting, laid over the drawing like a ghost, is worth more than all that was learned. So the
# middles can be deceived as well. (Where nobody pastes and nobody blends, they still tell more than the whole.)
def my_fraud(drawing, painting):
    return Image.blend(drawing.convert("RGB"), painting.convert("RGB"), 0.2)


# Exercise 2: with 9 of 12 a coin is as one-sided in 15 % of such tests, with 10 in 4 %.
my_needed = 10

# Exercise 3: b was chosen, c asks a loss what it cannot know, and of six answers five are a coin's doing in 22 % of such tests.
my_claims = "ad"
