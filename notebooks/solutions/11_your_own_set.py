"""Lesson 11: one answer of many."""

from lessons_lib.course.lesson_11 import Goal

# Exercise 1: what can be seen in the pictures, things that the set does not show, and two numbers.
my_goal = Goal(
    change="flat areas are hatched with crayon, and every outline is drawn twice",
    keep="one can say what it is without reading the prompt",
    prompts=("a boat", "an elephant", "a castle", "a bicycle"),
    style=0.25,
    prompt=0.7,
)

# Exercise 2: b was never tried and d cannot be known; the others say what was done and what was seen.
my_sentences = "ace"
