"""Low-rank adaptation: a layer by hand, the same thing attached by PEFT, its size on paper, on and off, in and out.

What an adapter learned is in anatomy.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

Variant = Literal["plain", "rslora", "dora", "pissa"]
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "pissa": {"init_lora_weights": "pissa"},
}


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
    """A frozen linear layer plus a thin change that can be learned: PEFT's ``lora.Linear`` by hand."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float):
        super().__init__()
        self.base = base.requires_grad_(False)
        weight = base.weight  # half precision is too coarse to learn in
        kind = {"device": weight.device, "dtype": torch.promote_types(weight.dtype, torch.float32)}
        self.down = nn.Linear(base.in_features, rank, bias=False, **kind)
        self.up = nn.Linear(rank, base.out_features, bias=False, **kind)
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.down.weight, a=5**0.5)
        nn.init.zeros_(self.up.weight)  # so that a new adapter changes nothing

    def forward(self, x: Tensor) -> Tensor:
        thin = self.up(self.down(x.to(self.down.weight.dtype))) * self.scale
        known = self.base(x)
        return (known + thin).to(known.dtype)


def attach(denoiser: nn.Module, rank: int, alpha: int, targets: Sequence[str], seed: int,
           variant: Variant = "plain") -> LoraConfig:  # fmt: skip
    """Freeze the denoiser and attach a LoRA in float32 to every layer whose name ends in a target; return its settings.

    float32 whatever the base's precision: gradients of float16 weights cannot be unscaled (diffusers#6086).
    Variants: ``rslora`` scales by alpha / sqrt(rank) (Kalajdzievski 2023, arXiv 2312.03732); ``dora`` learns the length
    of every row of the weight apart from its direction (Liu et al. 2024, arXiv 2402.09353); ``pissa`` starts from the
    largest singular vectors, which it takes out of the frozen weights (Meng et al. 2024, arXiv 2404.02948): its file
    fits no other copy of the base. Raises ValueError for another variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"the variant is {variant!r}; expected one of {', '.join(VARIANTS)}")
    denoiser.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets), **VARIANTS[variant])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        denoiser.add_adapter(config)
    for parameter in learned(denoiser).values():
        parameter.data = parameter.data.float()
    if variant in ("plain", "rslora"):
        for layer in denoiser.modules():
            if isinstance(layer, LoraLayer):
                layer.cast_input_dtype_enabled = False
                for factors in (layer.lora_A, layer.lora_B):
                    factors.update({name: Factor(factor) for name, factor in factors.items()})
    return config


class Factor(nn.Linear):
    """A LoRA factor that is learned in float32 and used in the precision of what comes in.

    PEFT brings what comes in to the factor's precision instead: all the activations of a half-precision base are then copied.
    """

    def __init__(self, factor: nn.Linear):
        super().__init__(factor.in_features, factor.out_features, bias=False, device="meta")
        self.weight = factor.weight

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight.to(x.dtype))


def attached(denoiser: nn.Module) -> dict[str, LoraConfig]:
    """Return the settings of what is attached, by name. Raises ValueError when there is nothing."""
    configs = getattr(denoiser, "peft_config", {})
    if not configs:
        raise ValueError("no adapter is attached; expected one from `attach` or `load_lora_weights`")
    return dict(configs)


def detach(denoiser: nn.Module) -> None:
    """Take the adapter off. The base is bit for bit what it was, unless `merge` came before: then it keeps the change.

    Raises ValueError when nothing is attached, and for ``pissa``, which has altered the base; merge that one first.
    """
    kinds = [config.init_lora_weights for config in attached(denoiser).values()]
    if "pissa" in kinds and not is_merged(denoiser):
        raise ValueError(
            "pissa took a part out of the frozen weights, so taking it off would lose that part; "
            "merge it first, or load the base again"
        )
    denoiser.unload_lora()


def scale(denoiser: nn.Module, strength: float) -> None:
    """Turn what is attached up or down: 0 is the base, 1 is as trained. ValueError when nothing is, or it is merged."""
    names = list(attached(denoiser))
    if is_merged(denoiser):
        raise ValueError("the adapter is merged, so its strength is fixed; unmerge it first")
    denoiser.set_adapters(names, strength)


def merge(denoiser: nn.Module) -> None:
    """Add the change to the frozen weights, at its present strength: drawing is then as fast as without an adapter.

    Live and merged agree to 1e-5 in float32. In half precision the sum is rounded, and small changes are lost.
    Raises ValueError when nothing is attached, it is merged already, or a change is no number.
    """
    attached(denoiser)
    if is_merged(denoiser):
        raise ValueError("the adapter is merged already; merging it again would add its change twice")
    denoiser.fuse_lora(safe_fusing=True)


def unmerge(denoiser: nn.Module) -> None:
    """Subtract the change again. The weights come back to within rounding, not bit for bit; ValueError if not merged."""
    if not is_merged(denoiser):
        raise ValueError("the adapter is not merged; there is nothing to take out of the weights")
    denoiser.unfuse_lora()


def is_merged(denoiser: nn.Module) -> bool:
    """Tell whether an adapter's change is inside the frozen weights at present."""
    return any(getattr(module, "merged", False) for module in denoiser.modules())


def learned(denoiser: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that training changes, by name."""
    return {name: p for name, p in denoiser.named_parameters() if p.requires_grad}


def count(denoiser: nn.Module) -> tuple[int, int]:
    """Return (parameters that are trained, parameters in all)."""
    return sum(p.numel() for p in learned(denoiser).values()), sum(p.numel() for p in denoiser.parameters())


@dataclass(frozen=True)
class Size:
    """How much an adapter would hold, before there is one: layers it sits on, numbers it learns, numbers of the base."""

    layers: int
    learned: int
    base: int

    @property
    def share(self) -> float:
        """The learned numbers as a share of the base's."""
        return self.learned / self.base

    def megabytes(self, bits: int = 32) -> float:
        """Return the size of its file in MB (1e6 bytes), a header of some kB left out; this course writes 32 bits."""
        return self.learned * bits / 8e6


def on_paper(denoiser: nn.Module, rank: int, targets: Sequence[str]) -> Size:
    """Return the size of the adapter that `attach` would make: rank x (in + out) numbers a layer.

    Nothing is computed, so a model on the ``meta`` device, which takes no memory, is counted as well. Count a model
    before it is quantised: packed weights have fewer numbers. Raises ValueError when no layer's name ends in a target,
    or one that does is not linear.
    """
    ends = tuple(f".{target}" for target in targets)
    found = {name: module for name, module in denoiser.named_modules() if f".{name}".endswith(ends)}
    if not found:
        raise ValueError(f"no layer is called {' or '.join(targets)}; expected the family's TARGET_MODULES")
    for name, module in found.items():
        if not isinstance(module, nn.Linear):
            raise ValueError(f"{name} is a {type(module).__name__}; only linear layers can be counted")
    numbers = sum(rank * (layer.in_features + layer.out_features) for layer in found.values())
    return Size(len(found), numbers, sum(p.numel() for p in denoiser.parameters()))
