"""pocket-clip, a CLIPModel in this repository: how well a text and a picture go together.

Its text encoder is the pocket model's own. It was trained on drawings with plain backgrounds and knows little
of paintings.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel, CLIPProcessor

from lessons_lib.models.bases import verify
from lessons_lib.paths import POCKET_CLIP, in_course
from lessons_lib.session import quiet

FOLDER = POCKET_CLIP
_PROMPT_TEMPLATES = (
    "{}",
    "a {}",
    "a flat drawing of a {}",
    "a cartoon of a {}",
    "a {} on a white background",
)


@lru_cache(1)
def load() -> tuple[CLIPModel, CLIPProcessor]:
    """Return the model, in float32 on the CPU, and its processor.

    Pictures are resized by Pillow: the torchvision processor, which transformers takes where torchvision is
    installed, has no box filter.
    Raises ValueError when its file is damaged.
    """
    verify(in_course(FOLDER))
    with quiet():
        model = CLIPModel.from_pretrained(FOLDER, dtype=torch.float32).eval()
        image_processor = CLIPImageProcessorPil.from_pretrained(FOLDER)
        return model, CLIPProcessor(image_processor, AutoTokenizer.from_pretrained(FOLDER))


@torch.inference_mode()
def image_features(images: Sequence[Image.Image]) -> Tensor:
    """Return (n, 256) features of unit length. Raises ValueError for no pictures."""
    if not images:
        raise ValueError("there are no pictures: expected at least one")
    model, processor = load()
    inputs = processor.image_processor([i.convert("RGB") for i in images], return_tensors="pt").pixel_values
    return nn.functional.normalize(model.visual_projection(model.vision_model(inputs).pooler_output), dim=1)


@torch.inference_mode()
def text_features(captions: Sequence[str]) -> Tensor:
    """Return (n, 256) features of unit length. Raises ValueError for no captions."""
    if not captions:
        raise ValueError("there are no captions: expected at least one")
    model, processor = load()
    tokens = processor.tokenizer(list(captions), padding=True, truncation=True, return_tensors="pt")
    return nn.functional.normalize(model.text_projection(model.text_model(**tokens).pooler_output), dim=1)


def similarity(images: Sequence[Image.Image], captions: Sequence[str]) -> Tensor:
    """Return the cosine similarity of every picture and every caption, (pictures, captions).

    Only their order means much.
    """
    return image_features(images) @ text_features(captions).T


def tags(images: Sequence[Image.Image], labels: Sequence[str], count: int = 2) -> list[list[str]]:
    """Return the `count` labels most similar to each picture, the most similar first.

    Zero-shot classification, each label the mean of several prompts
    (Radford et al. 2021, arXiv 2103.00020, section 3.1.4).
    """
    features = sum(text_features([t.format(label) for label in labels]) for t in _PROMPT_TEMPLATES)
    best = (image_features(images) @ nn.functional.normalize(features, dim=1).T).topk(
        min(count, len(labels)), dim=1
    )
    return [[labels[i] for i in row] for row in best.indices.tolist()]
