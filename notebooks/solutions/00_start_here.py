"""Lesson 00: what came out on the machine that ran the lesson. Yours may differ a little."""

# Exercise 1: any prompt is right. It tests the style, not you.
my_prompt = "a bicycle by the sea"

# Exercise 2: half the strength closes much less than half of the style gap.
my_guess = 0.1
