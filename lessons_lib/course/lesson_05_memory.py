"""Lesson 05: what a training holds in memory, part by part, and what a step costs on one base beside
another.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from IPython.display import Image as NotebookImage
from torch import Tensor, nn

from lessons_lib import compat
from lessons_lib.adapters import lora
from lessons_lib.display import charts
from lessons_lib.display.notebook import figure_image
from lessons_lib.display.theme import ACCENT, INK, MUTED
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models.bases import Base
from lessons_lib.training import forecast
from lessons_lib.training.data import TrainingData

_TRAINABLE_PARTS = ("adapter", "gradients", "optimizer state")


def memory_by_part(sampler: Sampler, data: TrainingData) -> dict[str, float]:
    """Return what a training holds in memory, in MB, part by part.

    The sampler must have no adapter loaded, and has none after.
    "activations": what the layers keep of a batch for the backward pass, the largest part that can be chosen.
    """
    pipe, base = sampler.pipe, sampler.base

    def size(*names: str) -> float:
        return sum(forecast.size_mb(dict(getattr(pipe, name).named_parameters())) for name in names)

    parts = {
        "text encoders": size(*base.text_encoders),
        "VAE": size("vae"),
        "frozen model": size(sampler.family.DENOISER),
    }
    model, large = sampler.denoiser, max(2, base.batch)
    lora.attach(model, base.rank, base.alpha, sampler.family.TARGET_MODULES, 0)
    adapter = forecast.size_mb(lora.trainable_parameters(model))
    parts |= {"adapter": adapter, "gradients": adapter, "optimizer state": 2 * adapter}
    for batch in (large, 1):
        parts[f"activations, batch {batch}"] = _activation_mb(sampler, data, batch)
    model.enable_gradient_checkpointing()
    parts[f"batch {large}, checkpointed"] = _activation_mb(sampler, data, large)
    model.disable_gradient_checkpointing()
    lora.detach(model)
    return parts


def _activation_mb(sampler: Sampler, data: TrainingData, batch: int) -> float:
    """Return the MB that one forward pass keeps as activations.

    The model's own parameters are not counted.
    """
    model, generator = sampler.denoiser, torch.Generator().manual_seed(0)
    latents, prompt_embeds = data.batch(batch, 0.0, generator)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    sigma = torch.full((batch,), 0.5).to(latents)
    parameters = {compat.storage_id(p) for p in model.parameters()}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        sizes[compat.storage_id(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = sampler.family.loss(model, latents, prompt_embeds, noise, sigma)
    loss.sum().backward()  # until here `loss` holds all saved tensors, so that no two share an address
    model.zero_grad()
    return sum(size for address, size in sizes.items() if address not in parameters) / 1e6


def memory_chart(parts: Mapping[str, float]) -> NotebookImage:
    """Return a JPEG with a bar to scale for each part, in MB; what training adds is red."""
    figure, axes = charts.new_chart(7.2, 3.2, 76)
    colours = [
        ACCENT if name in _TRAINABLE_PARTS else MUTED if "frozen" not in name else INK for name in parts
    ]
    bars = axes.barh(list(parts), list(parts.values()), color=colours)
    axes.bar_label(bars, [f"{value:.1f} MB" for value in parts.values()], padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(parts.values()))
    axes.set_xticks([])
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
    return figure_image(figure, ", ".join(f"{name} {value:.1f} MB" for name, value in parts.items()))


def relative_step_cost(model: nn.Module, base: Base) -> float:
    """Return what a step costs, in no unit: parameters x tokens x batch.

    Attention, which grows faster, is left out.
    """
    tokens = (base.side // 16) ** 2 + base.caption_tokens
    return sum(p.numel() for p in model.parameters()) * tokens * base.batch
