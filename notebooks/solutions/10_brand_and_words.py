"""Lesson 10: what came out on the machine that ran the lesson. Yours may differ a little."""

import numpy as np
import torch


# Exercise 1: the prompt's tokens are read and not learned. Without the end the model would go on after its
# answer.
def my_labelled(prompt: list[int], answer: list[int], end: int) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.tensor([*prompt, *answer, end])
    labels = torch.tensor([-100] * len(prompt) + [*answer, end])
    return tokens, labels


# Exercise 2: the menu changes, prices must be quoted, and weights cannot ask who wants to know a salary. A
# tone and a form are habits: they are in every answer, and on no page.
my_looked_up = "ace"


# Exercise 3: a distance to each colour of the palette, of which the smallest counts.
def my_share(colours: np.ndarray, palette: np.ndarray, near: float) -> float:
    distances = np.linalg.norm(colours[:, None] - palette, axis=-1)  # (n, m)
    return float((distances.min(-1) < near).mean())
