"""The appendix on knobs: answers that its checkers accept. Others are as good."""


# Exercise 1: rate x alpha / rank stays the same.
def equal_alpha(rank: int, alpha: float, rate: float, new_rank: int, new_rate: float) -> float:
    return rate * alpha / rank * new_rank / new_rate


# Exercise 2: one thing changed, several trainings, nothing chosen by hand.
my_posts = "be"
