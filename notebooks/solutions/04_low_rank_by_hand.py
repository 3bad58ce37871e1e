"""Lesson 04: answers that its checkers accept. Others are as good."""

import torch


# Exercise 1: down is rank x inside, up is outside x rank.
def numbers(inside: int, outside: int, rank: int) -> int:
    return rank * (inside + outside)


# Exercise 2: the change is up @ down, scaled by alpha / rank; the rank is the number of rows of down.
def merged(weight: torch.Tensor, down: torch.Tensor, up: torch.Tensor, alpha: float) -> torch.Tensor:
    return weight + up @ down * (alpha / len(down))


# Exercise 3: the number of cumulative sums that are still below the share, plus one.
def rank_needed(sizes: torch.Tensor, share: float) -> int:
    sums = sizes.square().cumsum(0)
    return int((sums < share * sums[-1]).sum()) + 1
