"""The optimizer by its usual name, and the learning rate schedule."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from diffusers.optimization import get_scheduler
from torch import nn

from lessons_lib.adapters.settings import ResolvedSettings

_WEIGHT_DECAY = 1e-4
PACKAGES = {"adamw8bit": "bitsandbytes", "prodigy": "prodigyopt"}


def optimizer(parameters: Sequence[nn.Parameter], settings: ResolvedSettings) -> Any:
    """Return the optimizer that the settings name.

    ``adamw8bit`` keeps its state in a quarter of the memory (Dettmers et al. 2022, arXiv 2110.02861);
    ``prodigy`` finds its own learning rate and takes `learning_rate` as a factor,
    1 (Mishchenko and Defazio 2023, arXiv 2306.06101). Raises ValueError that names the package when it is not
    installed.
    """
    rate = settings.learning_rate
    try:
        if settings.optimizer == "adamw8bit":
            from bitsandbytes.optim import AdamW8bit

            return AdamW8bit(parameters, rate, weight_decay=_WEIGHT_DECAY)
        if settings.optimizer == "prodigy":
            from prodigyopt import Prodigy

            return Prodigy(parameters, rate, weight_decay=_WEIGHT_DECAY, safeguard_warmup=True)
    except ImportError as problem:
        package = PACKAGES[settings.optimizer]
        raise ValueError(
            f"the optimizer {settings.optimizer!r} needs {package}: pip install {package}, or choose adamw"
        ) from problem
    return torch.optim.AdamW(parameters, rate, weight_decay=_WEIGHT_DECAY, fused=True)


def lr_scheduler(optimizer: Any, settings: ResolvedSettings) -> Any:
    """Return the learning rate schedule: a warm-up of a tenth of the steps, at most twenty,
    then what the settings name.
    """
    constant = settings.lr_scheduler == "constant"
    return get_scheduler(
        "constant_with_warmup" if constant else settings.lr_scheduler,
        optimizer,
        num_warmup_steps=min(20, settings.steps // 10),
        num_training_steps=settings.steps,
    )


def set_rate(optimizer: Any, scheduler: Any) -> None:
    """Give an optimizer the rate that the schedule has at the step where both are."""
    for group, base, share in zip(
        optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True
    ):
        group["lr"] = base * share(scheduler.last_epoch)


def has_equal_rates(settings: ResolvedSettings, steps: int, until: int) -> bool:
    """Return whether a training of so many steps has the same learning rates up to one of them."""
    shares = [
        lr_scheduler(
            torch.optim.SGD([torch.zeros(1)]), dataclasses.replace(settings, steps=count)
        ).lr_lambdas[0]
        for count in (settings.steps, steps)
    ]
    return all(shares[0](step) == shares[1](step) for step in range(until))
