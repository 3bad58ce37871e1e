"""A base model's networks without their weights, so that its layers can be counted and compared."""

from __future__ import annotations

import importlib

import diffusers
import torch
from torch import nn

from lessons_lib import compat
from lessons_lib.models.bases import Base
from lessons_lib.session import quiet


def skeletons(base: Base) -> dict[str, nn.Module]:
    """Return the parts of a base's pipeline that an adapter may change, such as "transformer".

    They are on the ``meta`` device: every layer, and no memory.

    Only the parts' config.json are read, from where the base is loaded. Raises OSError where they are neither
    here nor can be fetched.
    """
    with quiet():
        index = diffusers.DiffusionPipeline.load_config(base.source)
        names = compat.lora_components(getattr(diffusers, index["_class_name"]))
        return {name: _skeleton(base.source, name, *index[name]) for name in names if name in index}


def _skeleton(repository: str, part: str, library: str, class_name: str) -> nn.Module:
    model = getattr(importlib.import_module(library), class_name)
    if hasattr(model, "load_config"):
        config = model.load_config(repository, subfolder=part)
        with torch.device("meta"):
            return model.from_config(config)
    config = model.config_class.from_pretrained(repository, subfolder=part)
    with torch.device("meta"):
        return model(config)
