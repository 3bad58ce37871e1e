"""Lesson 03: answers that its checkers accept. Others are as good."""

# Exercise 1: who, doing what, where. Not how it is painted.
my_caption = "a tiger jumping after a deer among rocks and trees"

# Exercise 2: in no dictionary, several tokens, and in no caption.
my_trigger = "kz4rt"

# Exercise 3: a guess that the pictures confirm or refute. After a short training the two are often alike: the
# trigger and the style words were together in every caption, so both learned the same.
my_guess = "alike"
