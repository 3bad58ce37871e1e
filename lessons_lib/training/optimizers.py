"""How an adapter is changed: the optimizer by its usual name, the course of its rate, and an average of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers.optimization import get_scheduler
from torch import nn

from lessons_lib.adapters.settings import ResolvedSettings

WEIGHT_DECAY = 1e-4
NEEDS = {"adamw8bit": "bitsandbytes", "prodigy": "prodigyopt"}


def optimizer(parameters: Sequence[nn.Parameter], plan: ResolvedSettings) -> Any:
    """Return the optimizer a plan asks for.

    ``adamw8bit`` keeps its state in a quarter of the memory (Dettmers et al. 2022, arXiv 2110.02861); ``prodigy`` finds
    its own rate and takes `learning_rate` as a factor, 1 (Mishchenko and Defazio 2023, arXiv 2306.06101).
    Raises ValueError that names the package when it is not installed.
    """
    try:
        if plan.optimizer == "adamw8bit":
            from bitsandbytes.optim import AdamW8bit

            return AdamW8bit(parameters, plan.learning_rate, weight_decay=WEIGHT_DECAY)
        if plan.optimizer == "prodigy":
            from prodigyopt import Prodigy

            return Prodigy(parameters, plan.learning_rate, weight_decay=WEIGHT_DECAY, safeguard_warmup=True)
    except ImportError as problem:
        package = NEEDS[plan.optimizer]
        raise ValueError(
            f"the optimizer {plan.optimizer!r} needs {package}: pip install {package}, or choose adamw"
        ) from problem
    return torch.optim.AdamW(parameters, plan.learning_rate, weight_decay=WEIGHT_DECAY, fused=True)


def schedule(optimizer: Any, plan: ResolvedSettings) -> Any:
    """Return the rate's course: a tenth of the steps to rise, at most twenty, then as `lr_scheduler` says."""
    name = "constant_with_warmup" if plan.lr_scheduler == "constant" else plan.lr_scheduler
    rise = min(20, plan.steps // 10)
    return get_scheduler(name, optimizer, num_warmup_steps=rise, num_training_steps=plan.steps)
