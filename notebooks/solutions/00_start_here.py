"""Lesson 00: what came out on the machine that made the lesson. Yours may differ a little."""

# Exercise 1: anything will do. It is a test of the style, not of you.
my_prompt = "a bicycle by the sea"

# Exercise 2: half the strength gets far less than half of the way.
my_guess = 0.1
