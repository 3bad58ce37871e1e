"""Let a model write first captions, and say which one did: three that look and describe, one that works offline.

All are classes that transformers has itself: nothing is run that a model's page brings along.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from PIL import Image

from lessons_lib.models import features
from lessons_lib.session import Session, current, quiet

WITHOUT_STYLE = (
    "Say in one short sentence who and what is in this picture, what they do and where. Say nothing of its style, "
    "medium, painter, period or mood."
)
STYLE_OPENING = re.compile(
    r"^(?:(?:this|the) (?:image|picture|photo) (?:shows|is|depicts)\s+)?"
    r"(?:an?|the)\s+(?:[\w-]+\s+){0,3}(?:painting|drawing|illustration|miniature|picture|image|photo|photograph|artwork)"
    r"(?:\s+(?:of|showing|depicting|that shows)\s+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Captioner:
    """A model that describes pictures. `asked`: the words it is given with each picture; memory in GB, published."""

    repository: str
    licence: str
    memory_gb: float
    asked: str | None
    note: str


@dataclass(frozen=True)
class Described:
    """A caption and who wrote it."""

    text: str
    by: str


CAPTIONERS = {
    "florence-2": Captioner("florence-community/Florence-2-base", "MIT", 1, "<DETAILED_CAPTION>",
                            "small and quick; cannot be told to leave the style out, so its opening is cut"),
    "qwen3-vl": Captioner("Qwen/Qwen3-VL-2B-Instruct", "Apache-2.0", 6, WITHOUT_STYLE,
                          "does what it is told; wants a GPU and torchvision"),
    "blip": Captioner("Salesforce/blip-image-captioning-base", "BSD-3-Clause", 1, None, "the oldest; short captions"),
}  # fmt: skip
OFFLINE = "tags"


def describe(
    images: Sequence[Image.Image], by: str = OFFLINE, session: Session | None = None
) -> list[Described]:
    """Return a first caption for each picture, the style left out. Correct them: a model has not seen your subject.

    `by`: a name of CAPTIONERS, downloaded the first time, or "tags", which needs no download and only names the nearest
    things that pocket-flux knows. Raises ValueError for another name.
    """
    if by == OFFLINE:
        return [Described(" and ".join(tags), OFFLINE) for tags in nearest_concepts(images)]
    if by not in CAPTIONERS:
        raise ValueError(
            f"there is no captioner called {by!r}; choose one of {OFFLINE}, {', '.join(CAPTIONERS)}"
        )
    chosen = CAPTIONERS[by]
    model, processor = load(chosen.repository, session or current())
    return [
        Described(without_style(told(model, processor, image, chosen.asked)), chosen.repository)
        for image in images
    ]


def nearest_concepts(images: Sequence[Image.Image], count: int = 2) -> list[list[str]]:
    """Return for each picture the `count` names whose drawings its features are nearest to, nearest first.

    The mean picture's features are taken off first on both sides: paintings are like each other in a way that would
    give all of them the same tags. Crude, and offline.
    """
    names, rows = features.load_concepts()
    seen = features.image_features(images)
    spread = seen - seen.mean(0) if len(seen) > 2 else seen
    near = (spread @ (rows - rows.mean(0)).T).topk(count, dim=1).indices
    return [[names[i] for i in line] for line in near.tolist()]


@lru_cache(1)
def load(repository: str, session: Session) -> tuple[Any, Any]:
    """Return (model, processor) in the session's precision. Raises OSError where it is neither cached nor reachable."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    with quiet():
        processor = AutoProcessor.from_pretrained(repository)
        model = AutoModelForImageTextToText.from_pretrained(
            repository, dtype=session.dtype, use_safetensors=True
        )
    return model.to(session.device).eval(), processor


@torch.inference_mode()
def told(model: Any, processor: Any, image: Image.Image, asked: str | None) -> str:
    """Return what a model says of one picture. A model with a chat template is asked as in a chat."""
    if getattr(processor, "chat_template", None):
        turn = [
            {"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": asked}]}
        ]
        given = processor.apply_chat_template(
            turn, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
    elif asked:
        given = processor(images=image, text=asked, return_tensors="pt")
    else:
        given = processor(images=image, return_tensors="pt")
    given = given.to(model.device, model.dtype)
    made = model.generate(**given, max_new_tokens=80, do_sample=False)
    if getattr(processor, "chat_template", None):  # a chat model repeats the question before its answer
        made = made[:, given["input_ids"].shape[1] :]
    return processor.batch_decode(made, skip_special_tokens=True)[0]


def without_style(text: str) -> str:
    """Return a caption without an opening such as "a painting of", in one line, the full stop taken off."""
    line = " ".join(text.split())
    return STYLE_OPENING.sub("", line).strip().rstrip(".")
