"""Lesson 08: the answers."""

from torch import Tensor


# Exercise 1: two means of squares; only the second has the weight.
def my_loss(pred: Tensor, target: Tensor, class_pred: Tensor, class_target: Tensor, weight: float) -> Tensor:
    own = (pred - target).square().mean()
    return own + weight * (class_pred - class_target).square().mean()


# Exercise 2: the word and its class, the company by name, the ground; nothing of what the owl always has.
my_caption = "thgh96 owl with a red bird on its wing, on a green background"

# Exercise 3: your own face, the choir, and the grandmother: who, to what, and when are written down.
my_sets = "bcf"
