"""Lesson 04: answers that its checkers accept. Others are as good."""

import torch


# Exercise 1: down is rank x in, up is out x rank.
def lora_parameters(in_features: int, out_features: int, rank: int) -> int:
    return rank * (in_features + out_features)


# Exercise 2: the change is up @ down, scaled by alpha / rank; the rank is the number of rows of down.
def merge(weight: torch.Tensor, down: torch.Tensor, up: torch.Tensor, alpha: float) -> torch.Tensor:
    return weight + up @ down * (alpha / len(down))


# Exercise 3: the number of cumulative sums that are still below the share, plus one.
def rank_needed(sizes: torch.Tensor, share: float) -> int:
    sums = sizes.square().cumsum(0)
    return int((sums < share * sums[-1]).sum()) + 1
