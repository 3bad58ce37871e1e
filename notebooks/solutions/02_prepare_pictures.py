"""Lesson 02: answers that its checkers accept. Others are as good."""

# Exercise 1: left and right just outside the two outer men, top above the plume, bottom below the front feet.
my_box = (60, 272, 535, 758)

# Exercise 2: at most one rider, one animal, one boat with people. It is enough to avoid two that are alike.
my_eight = [0, 1, 3, 7, 8, 9, 11, 12]

# Exercise 3: B forbids commercial use, and nobody knows who made C. E stays; the card names its maker.
my_letters = "BC"
