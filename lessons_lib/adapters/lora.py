"""Low-rank adaptation: a layer by hand, the same layer attached by PEFT, its size, its strength,
merged and taken off.

What an adapter learned is in spectrum.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from lessons_lib import compat

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
    """A frozen linear layer plus a low-rank change that can be trained: PEFT's ``lora.Linear`` by hand."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float):
        super().__init__()
        self.base = base.requires_grad_(False)
        weight = base.weight  # half precision is too coarse to learn in
        factory = {"device": weight.device, "dtype": torch.promote_types(weight.dtype, torch.float32)}
        self.down = nn.Linear(base.in_features, rank, bias=False, **factory)
        self.up = nn.Linear(rank, base.out_features, bias=False, **factory)
        self.scaling = alpha / rank
        nn.init.kaiming_uniform_(self.down.weight, a=5**0.5)
        nn.init.zeros_(self.up.weight)  # so that a new adapter changes nothing

    def forward(self, x: Tensor) -> Tensor:
        change = self.up(self.down(x.to(self.down.weight.dtype))) * self.scaling
        output = self.base(x)
        return (output + change).to(output.dtype)


def attach(denoiser: nn.Module, rank: int, alpha: int, target_modules: Sequence[str], seed: int,
           variant: Variant = "plain") -> LoraConfig:  # fmt: skip
    """Freeze the denoiser and attach a LoRA in float32 to every layer whose name ends in a target.

    Return its settings.
    float32 whatever the base's precision: gradients of float16 weights cannot be unscaled (diffusers#6086).
    Variants: ``rslora`` scales by alpha / sqrt(rank) (Kalajdzievski 2023, arXiv 2312.03732);
    ``dora`` learns the length of every row of the weight apart from its direction
    (Liu et al. 2024, arXiv 2402.09353); ``pissa`` starts from the largest singular vectors, which it takes
    out of the frozen weights (Meng et al. 2024, arXiv 2404.02948): its file fits no other copy of the base.
    Raises ValueError for another variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"the variant is {variant!r}; expected one of {', '.join(VARIANTS)}")
    denoiser.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(target_modules), **VARIANTS[variant])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        denoiser.add_adapter(config)
    for parameter in trainable_parameters(denoiser).values():
        parameter.data = parameter.data.float()
    if variant in ("plain", "rslora"):
        for layer in denoiser.modules():
            if isinstance(layer, LoraLayer):
                compat.use_input_precision(layer)
                for factors in (layer.lora_A, layer.lora_B):
                    factors.update({name: _Factor(factor) for name, factor in factors.items()})
    return config


class _Factor(nn.Linear):
    """A LoRA factor that is trained in float32 and used in the precision of its input.

    PEFT converts the input to the factor's precision instead, which copies all the activations of a
    half-precision base.
    """

    def __init__(self, factor: nn.Linear):
        super().__init__(factor.in_features, factor.out_features, bias=False, device="meta")
        self.weight = factor.weight

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight.to(x.dtype))


def _adapter_configs(denoiser: nn.Module) -> dict[str, LoraConfig]:
    """Return the settings of the attached adapters, by name. Raises ValueError when there are none."""
    configs = getattr(denoiser, "peft_config", {})
    if not configs:
        raise ValueError("no adapter is attached; expected one from `attach` or `load_lora_weights`")
    return dict(configs)


def target_layers(denoiser: nn.Module, target_modules: Sequence[str]) -> dict[str, nn.Module]:
    """Return by name the layers whose names end in a target, in the model's order."""
    ends = tuple(f".{target}" for target in target_modules)
    return {name: module for name, module in denoiser.named_modules() if f".{name}".endswith(ends)}


def highest_rank(denoiser: nn.Module, target_modules: Sequence[str]) -> int:
    """Return the highest rank that the change of a target layer can have: the smaller side of its weight."""
    layers = target_layers(denoiser, target_modules).values()
    return max(min(m.in_features, m.out_features) for m in layers if isinstance(m, nn.Linear))


def detach(denoiser: nn.Module) -> None:
    """Take the adapter off.

    The base is bit for bit what it was, unless `merge` came before: then it keeps the change.
    Raises ValueError when nothing is attached, and for ``pissa``, which has altered the base;
    merge that one first.
    """
    initialisations = [config.init_lora_weights for config in _adapter_configs(denoiser).values()]
    if "pissa" in initialisations and not is_merged(denoiser):
        raise ValueError(
            "pissa took a part out of the frozen weights, so taking it off would lose that part; "
            "merge it first, or load the base again"
        )
    denoiser.unload_lora()


def set_strength(denoiser: nn.Module, strength: float) -> None:
    """Draw with the adapters at a strength: 0 is the base, 1 as trained.

    ValueError when none is attached, or it is merged.
    """
    names = list(_adapter_configs(denoiser))
    if is_merged(denoiser):
        raise ValueError("the adapter is merged, so its strength is fixed; unmerge it first")
    denoiser.set_adapters(names, strength)


def merge(denoiser: nn.Module) -> None:
    """Add the change to the frozen weights, at its present strength:
    sampling is then as fast as without an adapter.

    Live and merged agree to 1e-5 in float32. In half precision the sum is rounded,
    and small changes are lost. Raises ValueError when nothing is attached, it is merged already,
    or a change is not a finite number.
    """
    _adapter_configs(denoiser)
    if is_merged(denoiser):
        raise ValueError("the adapter is merged already; merging it again would add its change twice")
    denoiser.fuse_lora(safe_fusing=True)


def unmerge(denoiser: nn.Module) -> None:
    """Subtract the change again.

    The weights come back to within rounding, not bit for bit; ValueError if not merged.
    """
    if not is_merged(denoiser):
        raise ValueError("the adapter is not merged; there is nothing to take out of the weights")
    denoiser.unfuse_lora()


def is_merged(denoiser: nn.Module) -> bool:
    """Return whether an adapter's change is inside the frozen weights at present."""
    return any(getattr(module, "merged", False) for module in denoiser.modules())


def trainable_parameters(denoiser: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that training changes, by name."""
    return {name: p for name, p in denoiser.named_parameters() if p.requires_grad}


def count_parameters(denoiser: nn.Module) -> tuple[int, int]:
    """Return (trainable parameters, all parameters), as PEFT's ``get_nb_trainable_parameters``."""
    trainable = sum(p.numel() for p in trainable_parameters(denoiser).values())
    return trainable, sum(p.numel() for p in denoiser.parameters())


@dataclass(frozen=True)
class AdapterSize:
    """The size of an adapter that is not there yet: layers with a LoRA, parameters it trains,
    parameters of the base.
    """

    layers: int
    trainable: int
    frozen: int

    @property
    def share(self) -> float:
        """The trainable parameters as a share of the frozen ones."""
        return self.trainable / self.frozen

    def megabytes(self, bits: int = 32) -> float:
        """Return the size of its file in MB (1e6 bytes), without a header of some kB.

        This course writes 32 bits.
        """
        return self.trainable * bits / 8e6


def adapter_size(denoiser: nn.Module, rank: int, target_modules: Sequence[str]) -> AdapterSize:
    """Return the size of the adapter that `attach` would make: rank x (in + out) parameters a layer.

    Nothing is computed, so a model on the ``meta`` device, which takes no memory, is counted as well.
    Count a model before it is quantised: packed weights have fewer numbers.
    Raises ValueError when no layer's name ends in a target, or one that does is not linear.
    """
    layers = target_layers(denoiser, target_modules)
    if not layers:
        raise ValueError(
            f"no layer is called {' or '.join(target_modules)}; expected the family's TARGET_MODULES"
        )
    for name, layer in layers.items():
        if not isinstance(layer, nn.Linear):
            raise ValueError(f"{name} is a {type(layer).__name__}; only linear layers can be counted")
    trainable = sum(rank * (layer.in_features + layer.out_features) for layer in layers.values())
    return AdapterSize(len(layers), trainable, sum(p.numel() for p in denoiser.parameters()))
