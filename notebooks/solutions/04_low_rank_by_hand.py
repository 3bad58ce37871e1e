"""Lesson 04: answers that its checkers accept. Others are as good."""

import torch

from lessons_lib.adapters.lora import LoraLinear


# Exercise 1: the frozen layer's answer, and the change: through down, then through up, scaled.
def my_forward(layer: LoraLinear, x: torch.Tensor) -> torch.Tensor:
    change: torch.Tensor = layer.up(layer.down(x))
    return layer.base(x) + layer.scaling * change


# Exercise 2: down is rank x in, up is out x rank.
def lora_parameters(in_features: int, out_features: int, rank: int) -> int:
    return rank * (in_features + out_features)


# Exercise 3: the number of cumulative sums that are still below the share, plus one.
def rank_needed(sizes: torch.Tensor, share: float) -> int:
    sums = sizes.square().cumsum(0)
    return int((sums < share * sums[-1]).sum()) + 1


# Exercise 4: the change is up @ down, scaled by alpha / rank; the rank is the number of rows of down.
def merge(weight: torch.Tensor, down: torch.Tensor, up: torch.Tensor, alpha: float) -> torch.Tensor:
    return weight + up @ down * (alpha / len(down))
