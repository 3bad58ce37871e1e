"""pocket-clip: which words belong to which picture, asked of a CLIPModel that lies in the repository.

Its text tower is the base's own `text_encoder`. It learned from drawings on plain grounds; of paintings it knows little.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPModel, CLIPProcessor

from lessons_lib.models.bases import verify
from lessons_lib.paths import POCKET_CLIP, in_course
from lessons_lib.session import quiet

FOLDER = POCKET_CLIP
PHRASINGS = ("{}", "a {}", "a flat drawing of a {}", "a cartoon of a {}", "a {} on a white background")


@lru_cache(1)
def load() -> tuple[CLIPModel, CLIPProcessor]:
    """Return the model, float32 and on the CPU, and its processor. Raises ValueError when its file is damaged."""
    verify(in_course(FOLDER))
    with quiet():
        model = CLIPModel.from_pretrained(FOLDER, dtype=torch.float32).eval()
        return model, CLIPProcessor.from_pretrained(FOLDER)


@torch.inference_mode()
def of_pictures(images: Sequence[Image.Image]) -> Tensor:
    """Return (n, 256) features of unit length. Raises ValueError for no pictures."""
    if not images:
        raise ValueError("no pictures to look at: expected at least one")
    model, processor = load()
    seen = processor.image_processor([i.convert("RGB") for i in images], return_tensors="pt").pixel_values
    return nn.functional.normalize(model.visual_projection(model.vision_model(seen).pooler_output), dim=1)


@torch.inference_mode()
def of_words(captions: Sequence[str]) -> Tensor:
    """Return (n, 256) features of unit length. Raises ValueError for no captions."""
    if not captions:
        raise ValueError("no captions to read: expected at least one")
    model, processor = load()
    read = processor.tokenizer(list(captions), padding=True, truncation=True, return_tensors="pt")
    return nn.functional.normalize(model.text_projection(model.text_model(**read).pooler_output), dim=1)


def likeness(images: Sequence[Image.Image], captions: Sequence[str]) -> Tensor:
    """Return the cosine of every picture with every caption, (pictures, captions); only their order means much."""
    return of_pictures(images) @ of_words(captions).T


def tags(images: Sequence[Image.Image], words: Sequence[str], count: int = 2) -> list[list[str]]:
    """Return for each picture the words most like it, the likest first.

    Zero-shot, each word the mean of several phrasings (Radford et al. 2021, arXiv 2103.00020, section 3.1.4).
    """
    read = sum(of_words([phrasing.format(word) for word in words]) for phrasing in PHRASINGS)
    best = (of_pictures(images) @ nn.functional.normalize(read, dim=1).T).topk(min(count, len(words)), dim=1)
    return [[words[i] for i in row] for row in best.indices.tolist()]
