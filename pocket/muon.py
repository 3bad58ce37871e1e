"""Muon for matrices and kernels, AdamW for the rest: fewer samples for the same loss than AdamW alone.

Keller Jordan et al. 2024. torch.optim.Muon orthogonalises in bfloat16, which processors without bf16 units
run a hundred times slower than float32; this one does so only where such units are.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

# Instructions that multiply bfloat16 matrices faster than float32 ones.
UNITS = ("avx512_bf16", "amx_bf16", "sve_bf16")
FAST = torch.bfloat16 if any(torch.cpu.get_capabilities().get(unit) for unit in UNITS) else torch.float32


def orthogonal(update: Tensor, steps: int = 3) -> Tensor:
    """Return the nearest matrices with near-equal singular values. update: (count, rows, columns)."""
    wide = update if update.shape[1] <= update.shape[2] else update.mT
    wide = (wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(torch.bfloat16 if wide.is_cuda else FAST)
    for _ in range(steps):
        gram = wide @ wide.mT
        wide = 3.4445 * wide + torch.baddbmm(-4.7750 * gram, gram, gram, beta=1, alpha=2.0315) @ wide
    return (wide if update.shape[1] <= update.shape[2] else wide.mT).to(update.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonalised; parameters of one shape are orthogonalised in one batch."""

    def __init__(
        self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for params in shapes.values():
                self.step_one_shape(params, group)

    def step_one_shape(self, params: list[Tensor], group: dict) -> None:
        momenta = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in params]
        gradients = [p.grad for p in params]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        updates = torch.stack(torch._foreach_lerp(gradients, momenta, group["momentum"])).flatten(2)
        directions = orthogonal(updates).view(-1, *params[0].shape)
        rows, columns = updates.shape[1:]
        rate = group["lr"] * max(1, rows / columns) ** 0.5
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(params, list(directions), alpha=-rate)


def optimizers(
    model: nn.Module, muon: Iterable[str], lr_muon: float, lr_adam: float
) -> list[torch.optim.Optimizer]:
    """Return [Muon, AdamW]; Muon takes the weights with two or more dimensions whose name holds a part from
    `muon`.
    """
    parts = tuple(muon)
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    first = [p for n, p in named if p.ndim >= 2 and any(part in n for part in parts)]
    taken_by_muon = {id(p) for p in first}
    rest = [p for _, p in named if id(p) not in taken_by_muon]
    return [Muon(first, lr_muon), torch.optim.AdamW(rest, lr_adam, betas=(0.9, 0.98), weight_decay=0.0)]


def set_rates(opts: list[torch.optim.Optimizer], share: float) -> None:
    """Scale every learning rate to `share` of where it started."""
    for opt in opts:
        for group in opt.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * share
