"""Lesson 11: before a run is published, the test for copies, and what went wrong on its card."""

from __future__ import annotations

import re

from PIL import Image

from lessons_lib.adapters.run import CARD, Run
from lessons_lib.dataset import captions, crops
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation import copies
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import families

HEADING = "## What went wrong"


def from_own_captions(run: Run, dataset: Dataset) -> tuple[list[Image.Image], list[tuple[int, float]]]:
    """Return a picture of every training caption at full strength; and for each the place of the training
    picture whose layout it repeats most, and how closely, as `copies.nearest_layouts` does.
    """
    base, settings = run.base, run.settings
    tokenizer = families.find(base.family).load_tokenizer(base)
    of_each = captions.all_training_captions(
        dataset.train, settings.trigger, settings.mode, tokenizer, base.caption_tokens
    )
    sampler = Sampler(base)
    sampler.load(run.folder)
    images = [row[0] for row in sampler.sample([texts[0] for texts in of_each], [1], strength=1.0)]
    squares = [crops.crop_square(picture, images[0].width, "hand") for picture in dataset.train]
    return images, copies.nearest_layouts(images, squares)


def write_on_card(run: Run, text: str) -> None:
    """Write what went wrong onto the card of a run, in the place of what it said of that before."""
    path = run.folder / CARD
    head, *parts = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    others = [part for part in parts if not part.startswith(HEADING)]
    path.write_text("".join([head, f"{HEADING}\n\n{text}\n\n", *others]), encoding="utf-8")
