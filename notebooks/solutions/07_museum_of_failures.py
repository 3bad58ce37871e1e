"""Lesson 07: answers that its checkers accept."""

from lessons_lib.course.lesson_07_record import SEEDS, letters_of

# Exercise 1: what hangs under each letter, of the seed that the lesson shows.
my_names = letters_of(SEEDS[0])


# Exercise 2: both bring the training loss far below the healthy one; only "many" takes more steps for it.
def my_rule(measures: dict[str, float], healthy: dict[str, float]) -> str | None:
    if measures["steps"] > 2 * healthy["steps"]:
        return "many"
    if measures["steps"] == healthy["steps"] and measures["loss"] < 0.9 * healthy["loss"]:
        return "repeat"  # the loss of a few steps is mostly chance
    return None


# Exercise 3: more steps hardly mend noise, twice zero is zero, and NaN does not come from the pictures.
my_remedies = "bdf"
