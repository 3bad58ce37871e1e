"""Low-rank adaptation: a layer by hand, the same thing attached by PEFT, and what was learned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from peft import LoraConfig
from torch import Tensor, nn


def lora_delta(down: Tensor, up: Tensor, alpha: float) -> Tensor:
    """Return the dense weight change that a pair of LoRA factors stands for.

    down: (rank, in_features), PEFT's ``lora_A``.  up: (out_features, rank), ``lora_B``; zeros at the start.
    The product is scaled by alpha / rank, so another rank keeps its learning rate.
    Raises ValueError when the two ranks differ.  Hu et al. 2021, arXiv 2106.09685.  Built in lesson 04.
    """
    if down.shape[0] != up.shape[1]:
        raise ValueError(
            f"down has rank {down.shape[0]} and up has rank {up.shape[1]}; they must be the same"
        )
    return up @ down * (alpha / down.shape[0])


class LoraLinear(nn.Module):
    """A frozen linear layer plus a thin change that can be learned. PEFT's ``lora.Linear``, in ten lines."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.down.weight, a=5**0.5)
        nn.init.zeros_(self.up.weight)  # so that a new adapter changes nothing

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.up(self.down(x)) * self.scale


def attach(denoiser: nn.Module, rank: int, alpha: int, targets: Sequence[str], seed: int) -> LoraConfig:
    """Freeze the denoiser and attach a LoRA in float32 to every layer whose name ends in a target; return its settings.

    float32 whatever the base's precision: gradients of float16 weights cannot be unscaled (diffusers#6086).
    """
    denoiser.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights=True, target_modules=list(targets))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        denoiser.add_adapter(config)
    for parameter in learned(denoiser).values():
        parameter.data = parameter.data.float()
    return config


def learned(denoiser: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that training changes, by name."""
    return {name: p for name, p in denoiser.named_parameters() if p.requires_grad}


def count(denoiser: nn.Module) -> tuple[int, int]:
    """Return (parameters that are trained, parameters in all)."""
    return sum(p.numel() for p in learned(denoiser).values()), sum(p.numel() for p in denoiser.parameters())


def singular_values(denoiser: nn.Module) -> dict[str, Tensor]:
    """Return, for each layer with a LoRA, the singular values of its change, largest first, (rank,)."""
    found = {}
    for name, module in denoiser.named_modules():
        for adapter in getattr(module, "lora_A", {}):
            down, up = module.lora_A[adapter].weight.detach(), module.lora_B[adapter].weight.detach()
            change = lora_delta(down.float(), up.float(), module.lora_alpha[adapter])
            found[name] = torch.linalg.svdvals(change)[: down.shape[0]]
    return found
