"""Lesson 03: answers that its checkers accept. Others are as good."""

# Exercise 1: who, doing what, where. Not how it is painted.
my_caption = "a tiger jumping after a deer among rocks and trees"

# Exercise 2: in no dictionary, several pieces, and its letters stand in no caption.
my_trigger = "kz4rt"

# Exercise 3: a guess, which the pictures decide. After a short training the two are often alike: the trigger and the
# style words stood side by side in every caption, so whatever one of them learned, the other learned beside it.
my_guess = "alike"
