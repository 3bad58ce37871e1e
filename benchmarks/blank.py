"""Base models of random weights, to time training at its real size and to test it in miniature without a
download.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import nn
from transformers import PreTrainedModel

from benchmarks.architectures import BLANKS, Part

NAMES = tuple(BLANKS)


def network(part: Part, small: bool = False, **more: Any) -> nn.Module:
    """Return the network with the weights that its class begins with."""
    settings = part.settings | (part.small if small else {}) | more
    if issubclass(part.model, PreTrainedModel):
        return part.model(part.model.config_class(**settings))
    return part.model(**settings)


def denoiser_size(name: str) -> int:
    """Return how many parameters the denoiser has at its real size; nothing is allocated."""
    with torch.device("meta"):
        return sum(p.numel() for p in network(next(iter(BLANKS[name].parts.values()))).parameters())


def initialise(model: nn.Module) -> nn.Module:
    """Return a network of the meta device in bfloat16 on the GPU, or else the CPU.

    Matrices are drawn from N(0, 0.02), norms are 1, biases 0.
    """
    model = model.bfloat16().to_empty(device="cuda" if torch.cuda.is_available() else "cpu")
    if isinstance(model, PreTrainedModel):
        model.tie_weights()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()  # klein's VAE; no other network writes a buffer
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.02)
            else:
                weight.fill_(0 if name.endswith("bias") else 1)
    return model


def write(
    name: str, folder: Path, small: bool = False, seed: int = 0, parts: Collection[str] | None = None
) -> Path:
    """Write the base model of that name for DiffusionPipeline.from_pretrained, and return its folder.

    The real size is in bfloat16. `small`: the same classes in 1 to 3 MB, float32, which draw 64 px. `parts`:
    the networks to write ("unet", "vae" and so on), or else all; the others must be passed as None on
    loading. Raises KeyError when there is no such base.
    """
    blank = BLANKS[name]
    index = {"_class_name": blank.pipeline, "scheduler": ["diffusers", blank.scheduler]} | blank.options
    for place, part in blank.parts.items():
        index[place] = [part.model.__module__.split(".")[0], part.model.__name__]
        more = {}
        if part.tokenizer:
            tokenizer, subfolder = part.tokenizer(), place.replace("text_encoder", "tokenizer")
            tokenizer.save_pretrained(folder / subfolder)
            index[subfolder] = ["transformers", type(tokenizer).__name__]
            # CLIP pools at the end token: at either size it is this tokenizer's, not the published 49407.
            more = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
            more |= {"vocab_size": len(tokenizer)} if small else {}
        if parts is None or place in parts:
            torch.manual_seed(seed)
            with torch.device("cpu" if small else "meta"):
                model = network(part, small, **more)
            (model if small else initialise(model)).save_pretrained(folder / place, max_shard_size="40GB")
            del model
            torch.cuda.empty_cache()  # one network at a time
    schedule = {"_class_name": blank.scheduler} | blank.schedule
    for path, content in (("model_index.json", index), ("scheduler/scheduler_config.json", schedule)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        content = {"_diffusers_version": diffusers.__version__} | content
        (folder / path).write_text(json.dumps(content, indent=2))
    return folder
