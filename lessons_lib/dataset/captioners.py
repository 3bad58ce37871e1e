"""First captions by a model: three vision-language models, and tags that need no download.

All models are classes of transformers itself: no code of a model's page is run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from lessons_lib.models import features
from lessons_lib.session import current, quiet, release_memory

_PROMPT = (
    "Say in one short sentence who and what is in this picture, what they do and where. Say nothing of its "
    "style, medium, painter, period or mood."
)
_STYLE_OPENING = re.compile(
    r"^(?:(?:this|the) (?:image|picture|photo) (?:shows|is|depicts)\s+)?"
    r"(?:an?|the)\s+(?:[\w-]+\s+){0,3}(?:painting|drawing|illustration|miniature|picture|image|photo|photograph|artwork)"
    r"(?:\s+(?:of|showing|depicting|that shows)\s+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Captioner:
    """A model that describes pictures.

    `prompt`: the text it gets with each picture; memory in GB, as published.
    """

    repository: str
    licence: str
    memory_gb: float
    prompt: str | None
    note: str


@dataclass(frozen=True)
class CaptionDraft:
    """A caption and the name of the model that wrote it."""

    text: str
    by: str


CAPTIONERS = {
    "florence-2": Captioner(
        "florence-community/Florence-2-base", "MIT", 1, "<DETAILED_CAPTION>",
        "small and quick; takes no instruction to leave the style out, so its opening words are cut",
    ),
    "qwen3-vl": Captioner(
        "Qwen/Qwen3-VL-2B-Instruct",
        "Apache-2.0",
        6,
        _PROMPT,
        "follows instructions; needs a GPU and torchvision",
    ),
    "blip": Captioner(
        "Salesforce/blip-image-captioning-base", "BSD-3-Clause", 1, None, "the oldest; short captions"
    ),
}  # fmt: skip
OFFLINE = "tags"


def describe(images: Sequence[Image.Image], by: str = OFFLINE) -> list[CaptionDraft]:
    """Return a first caption for each picture, the style left out.

    Correct them: the model does not know your subject.
    `by`: a name of CAPTIONERS, downloaded the first time, or "tags",
    which needs no download and only names the nearest things that pocket-flux knows.
    Raises ValueError for another name.
    """
    if by != OFFLINE and by not in CAPTIONERS:
        raise ValueError(
            f"there is no captioner called {by!r}; choose one of {OFFLINE}, {', '.join(CAPTIONERS)}"
        )
    if not images:
        return []
    if by == OFFLINE:
        return [CaptionDraft(" and ".join(tags), OFFLINE) for tags in _nearest_concepts(images)]
    texts = _generate_captions(CAPTIONERS[by], images)
    release_memory()  # of the model: what is trained next needs it
    return [CaptionDraft(strip_style(text), CAPTIONERS[by].repository) for text in texts]


def _nearest_concepts(images: Sequence[Image.Image]) -> list[list[str]]:
    """Return for each picture the two names whose drawings its features are nearest to, nearest first.

    The mean is subtracted on both sides first: paintings are alike in a way that would give all of them the
    same tags.
    """
    names, concepts = features.load_concepts()
    image_features = features.image_features(images)  # (images, 1280)
    if len(images) > 2:
        image_features = image_features - image_features.mean(0)
    nearest = (image_features @ (concepts - concepts.mean(0)).T).topk(2, dim=1).indices
    return [[names[i] for i in indices] for indices in nearest.tolist()]


def _generate_captions(captioner: Captioner, images: Sequence[Image.Image]) -> list[str]:
    """Return the model's text about each picture; the model is loaded for them."""
    model, processor = _load_model(captioner.repository)
    return [_generate_caption(model, processor, image, captioner.prompt) for image in images]


def _load_model(repository: str) -> tuple[Any, Any]:
    """Return (model, processor) in the session's precision.

    Raises OSError where it is neither cached nor reachable.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    with quiet():
        processor = AutoProcessor.from_pretrained(repository)
        model = AutoModelForImageTextToText.from_pretrained(
            repository, dtype=current().dtype, use_safetensors=True
        )
    return model.to(current().device).eval(), processor


@torch.no_grad()
def _generate_caption(model: Any, processor: Any, image: Image.Image, prompt: str | None) -> str:
    """Return a model's text about one picture.

    A model with a chat template gets the prompt as a turn of a chat.
    """
    if getattr(processor, "chat_template", None):
        messages = [
            {"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt}]}
        ]
        inputs = processor.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
    elif prompt:
        inputs = processor(images=image, text=prompt, return_tensors="pt")
    else:
        inputs = processor(images=image, return_tensors="pt")
    inputs = inputs.to(model.device, model.dtype)
    output_ids = model.generate(**inputs, max_new_tokens=80, do_sample=False)
    if getattr(processor, "chat_template", None):  # a chat model repeats the prompt before its answer
        output_ids = output_ids[:, inputs["input_ids"].shape[1] :]
    return processor.batch_decode(output_ids, skip_special_tokens=True)[0]


def strip_style(text: str) -> str:
    """Return a caption without an opening such as "a painting of", in one line, the full stop taken off."""
    line = " ".join(text.split())
    return _STYLE_OPENING.sub("", line).strip().rstrip(".")
