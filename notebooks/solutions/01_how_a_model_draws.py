"""Lesson 01: answers that its checkers accept. Others are as good."""

# Exercise 1: a little more noise than picture. With less noise the model repeats what it sees.
my_sigma = 0.61

# Exercise 2: note the step at which you recognise it, and compare it with lesson 01's elephant.
my_prompt = "a glossy 3d drawing of a teapot in a garden"
