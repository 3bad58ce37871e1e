"""CLIP: how well a text and a picture go together (Radford et al. 2021, arXiv 2103.00020).

Every function takes the folder or the Hub's name of a CLIPModel. Without one it is pocket-clip, in this
repository: its text encoder is that of an earlier pocket model, with the same tokenizer; it was trained on
drawings with plain backgrounds and knows little of paintings.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel, CLIPProcessor

from lessons_lib.models.bases import verify
from lessons_lib.paths import POCKET_CLIP, in_course
from lessons_lib.session import quiet

_PROMPT_TEMPLATES = (
    "{}",
    "a {}",
    "a flat drawing of a {}",
    "a cartoon of a {}",
    "a {} on a white background",
)


@lru_cache(2)
def load(repository: str | None = None) -> tuple[CLIPModel, CLIPProcessor]:
    """Return the model, in float32 on the CPU, and its processor.

    Pictures are resized by Pillow: the torchvision processor, which transformers takes where torchvision is
    installed, has no box filter.
    Raises for a folder ValueError when its file is damaged, else OSError when it cannot be fetched.
    """
    repository = repository or str(POCKET_CLIP)
    if Path(repository).is_absolute():
        verify(in_course(Path(repository)))
    with quiet():
        model = CLIPModel.from_pretrained(repository, dtype=torch.float32, use_safetensors=True).eval()
        image_processor = CLIPImageProcessorPil.from_pretrained(repository)
        return model, CLIPProcessor(image_processor, AutoTokenizer.from_pretrained(repository))


@torch.inference_mode()
def image_features(images: Sequence[Image.Image], repository: str | None = None) -> Tensor:
    """Return (n, width) features of unit length. Raises ValueError for no pictures."""
    if not images:
        raise ValueError("there are no pictures: expected at least one")
    model, processor = load(repository)
    inputs = processor.image_processor([i.convert("RGB") for i in images], return_tensors="pt").pixel_values
    return nn.functional.normalize(model.visual_projection(model.vision_model(inputs).pooler_output), dim=1)


@torch.inference_mode()
def text_features(captions: Sequence[str], repository: str | None = None) -> Tensor:
    """Return (n, width) features of unit length. Raises ValueError for no captions."""
    if not captions:
        raise ValueError("there are no captions: expected at least one")
    model, processor = load(repository)
    tokens = processor.tokenizer(list(captions), padding=True, truncation=True, return_tensors="pt")
    return nn.functional.normalize(model.text_projection(model.text_model(**tokens).pooler_output), dim=1)


def label_features(labels: Sequence[str], repository: str | None = None) -> Tensor:
    """Return (labels, width) features of unit length, each the mean of several prompts (the paper's section
    3.1.4).
    """
    features = sum(text_features([t.format(one) for one in labels], repository) for t in _PROMPT_TEMPLATES)
    return nn.functional.normalize(features, dim=1)


def tags(
    images: Sequence[Image.Image], labels: Sequence[str], count: int = 2, repository: str | None = None
) -> list[list[str]]:
    """Return the `count` labels most similar to each picture, the most similar first: zero-shot
    classification.
    """
    scores = image_features(images, repository) @ label_features(labels, repository).T
    best = scores.topk(min(count, len(labels)), dim=1)
    return [[labels[i] for i in row] for row in best.indices.tolist()]
