"""What the training loops share: mixed precision, an optimizer step, an average of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pocket.muon import FAST


class Average:
    """The running mean of a model's weights, which is what a stage keeps in the end."""

    def __init__(self, model: nn.Module, decay: float = 0.998, warmup: int = 20) -> None:
        self.decay, self.warmup = decay, warmup
        self.weights: dict[str, Tensor] = {name: value.clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the mean towards the weights after step 1, 2 and so on; the first steps move it most."""
        names, values = zip(*model.state_dict().items(), strict=True)
        weight = 1 - min(self.decay, step / (step + self.warmup))
        torch._foreach_lerp_([self.weights[name] for name in names], list(values), weight)


def autocast(device: torch.device | str = "cpu") -> torch.autocast:
    """Return a context in which products run in bfloat16 where the device has units for it, else in
    float32.
    """
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda" or FAST == torch.bfloat16)


def apply_gradients(optimizers: list[torch.optim.Optimizer]) -> None:
    """Take one step with every optimizer and forget the gradients."""
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
