"""Lesson 02: answers that its checkers accept. Others are as good."""

# Exercise 1: left and right just outside the two outer men, top above the plume, bottom below the feet in front.
my_box = (60, 272, 535, 758)

# Exercise 2: one rider, one beast, one boat of people at most. By eye it is enough to avoid two of a kind.
my_eight = [0, 1, 3, 7, 8, 9, 11, 12]

# Exercise 3: B forbids commercial use, and nobody knows whose C is. E stays, with its maker's name in the card.
my_letters = "BC"
