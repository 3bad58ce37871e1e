"""Run diffusers' training script on equal terms, also where torchvision is missing.

`python -m benchmarks.stand_in SCRIPT [its options]`.

The script uses torchvision to crop and to make tensors. Not every torch has a torchvision, and the pictures
of this benchmark are square and of the right size already, so that only the tensors are left to make.
"""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_tensor(image: Image.Image) -> Tensor:
    """Return a picture as (3, h, w), 0 ... 1."""
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float().div(255)


def unchanged(*args: Any, **more: Any) -> Any:
    """Return a function that leaves a picture as it is: these are square and of the right size."""
    return lambda image: image


class Whole:
    """Torchvision's crops, of pictures that are of the right size already."""

    def __init__(self, *args: Any) -> None:
        pass

    def __call__(self, image: Any) -> Any:
        return image

    @staticmethod
    def get_params(image: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        return 0, 0, *output_size


def normalized(mean: list[float], std: list[float]) -> Any:
    """Return a function that brings a tensor from 0 ... 1 to the range that the script asks for."""
    return lambda image: (image - mean[0]) / std[0]


def chain(parts: list[Any]) -> Any:
    """Return a function that applies the parts one after another, as torchvision's Compose does."""

    def through(image: Any) -> Any:
        for part in parts:
            image = part(image)
        return image

    return through


def install() -> None:
    """Put the few names that the script needs where it looks for torchvision."""
    package, transforms, functional = (
        ModuleType(name)
        for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    )
    transforms.__dict__.update(
        Resize=unchanged,
        CenterCrop=Whole,
        RandomCrop=Whole,
        RandomHorizontalFlip=unchanged,
        Normalize=normalized,
        InterpolationMode=SimpleNamespace(BILINEAR=2, LANCZOS=1),
        Compose=chain,
        ToTensor=lambda: to_tensor,
        functional=functional,
    )
    functional.__dict__.update(
        crop=lambda image, *box: image,
        resize=lambda image, *size, **how: image,
        hflip=lambda image: image,
        to_tensor=to_tensor,
        normalize=lambda image, mean, std: normalized(mean, std)(image),
    )
    package.__dict__.update(transforms=transforms)
    sys.modules |= {part.__name__: part for part in (package, transforms, functional)}


if __name__ == "__main__":
    if importlib.util.find_spec("torchvision") is None:
        for package in ("datasets", "diffusers", "transformers"):
            importlib.import_module(package)  # they look for the real one, and must not find this
        install()
    torch.backends.cuda.enable_cudnn_sdp(False)  # as lessons_lib.session does, which gives the reason
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
