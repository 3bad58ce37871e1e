"""What measures the pictures of a base: their features, the concepts that a prompt may name, labels.

A judge gives every picture one vector, and every concept one of the same width: the cosine of two pictures
is their similarity, that of a picture and a concept says whether it is shown. pocket's pictures are measured
by EfficientNet-lite0 beside the clip art that pocket was trained on, with nothing to fetch; those of other
bases by CLIP and DINOv2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoModel
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from lessons_lib.models import clip, features
from lessons_lib.models.bases import Base
from lessons_lib.models.features import Images
from lessons_lib.models.pixels import to_pixels
from lessons_lib.session import quiet

_DINO_SIDE = 224  # px; DINOv2's own evaluation
_BATCH = 16


class Judge(Protocol):
    """What measures pictures."""

    def image_features(self, images: Images) -> Tensor:
        """Return (n, width) float32 features of unit length; features are returned as they are.

        Raises ValueError for no pictures.
        """

    def concepts(self) -> tuple[list[str], Tensor]:
        """Return the names of concepts and their features, (concepts, width), of unit length."""

    def tags(self, images: Sequence[Image.Image], labels: Sequence[str], count: int = 2) -> list[list[str]]:
        """Return the `count` labels most similar to each picture, the most similar first."""


@dataclass(frozen=True)
class OfflineJudge:
    """The course's own networks. Pictures are compared at `side` px, that of the base's samples."""

    side: int

    def image_features(self, images: Images) -> Tensor:
        return features.image_features(images, self.side)

    def concepts(self) -> tuple[list[str], Tensor]:
        return features.load_concepts()

    def tags(self, images: Sequence[Image.Image], labels: Sequence[str], count: int = 2) -> list[list[str]]:
        return clip.tags(images, labels, count)


@dataclass(frozen=True)
class HubJudge:
    """A CLIP and a DINOv2, each the Hub's name or a folder.

    A cosine of two pictures is the mean of the two networks' cosines: CLIP-I and DINO of DreamBooth
    (Ruiz et al. 2022, arXiv 2208.12242). That of a picture and a concept is CLIP-T / sqrt(2).
    """

    clip: str
    dino: str

    def image_features(self, images: Images) -> Tensor:
        if isinstance(images, Tensor):
            return images
        if not images:
            raise ValueError("no pictures to measure: expected at least one")
        batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
        both = [
            torch.cat([clip.image_features(b, self.clip), _dino_features(b, self.dino)], 1) for b in batches
        ]
        return torch.cat(both) / 2**0.5

    def concepts(self) -> tuple[list[str], Tensor]:
        names = features.load_concepts()[0]
        rows = _concept_features(self.clip, tuple(names))
        return names, nn.functional.pad(rows, (0, _load_dino(self.dino).config.hidden_size))

    def tags(self, images: Sequence[Image.Image], labels: Sequence[str], count: int = 2) -> list[list[str]]:
        return clip.tags(images, labels, count, self.clip)


@lru_cache
def find(base: Base) -> Judge:
    """Return what measures a base's pictures; where CLIP and DINOv2 cannot be fetched it says so, on stderr,
    and takes the course's own networks.
    """
    if not base.judges:
        return OfflineJudge(base.side)
    judge = HubJudge(*base.judges)
    try:
        clip.load(judge.clip)
        _load_dino(judge.dino)
    except OSError as problem:
        reason = " ".join(str(problem).split())[:100]
        print(
            f"! {' and '.join(base.judges)} cannot be fetched ({reason}); pictures are measured by the "
            "course's own networks, and prompts beside the clip art that pocket was trained on",
            file=sys.stderr,
        )
        return OfflineJudge(base.side)
    return judge


@lru_cache(1)
def _load_dino(repository: str) -> nn.Module:
    with quiet():
        model = AutoModel.from_pretrained(repository, dtype=torch.float32, use_safetensors=True)
    return model.eval().requires_grad_(False)


@torch.inference_mode()
def _dino_features(images: Sequence[Image.Image], repository: str) -> Tensor:
    """Return (n, width) of unit length: DINOv2's class token (Oquab et al. 2023, arXiv 2304.07193)."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD))
    pixels = (to_pixels(images, _DINO_SIDE) + 1) / 2  # 0 ... 1
    return nn.functional.normalize(_load_dino(repository)((pixels - mean) / std).pooler_output, dim=1)


@lru_cache(1)
def _concept_features(repository: str, names: tuple[str, ...]) -> Tensor:
    return clip.label_features([name.replace("-", " ") for name in names], repository)
