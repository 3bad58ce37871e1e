"""Lesson 01: answers that its checkers accept. Others are as good."""

# Exercise 1: a little more noise than picture. Below that the model believes its eyes.
my_sigma = 0.61

# Exercise 2: watch for the station at which you would know it, and compare it with lesson 01's elephant.
my_prompt = "a glossy 3d drawing of a teapot in a garden"
