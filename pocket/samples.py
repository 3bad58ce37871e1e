"""Sheets of what a model draws."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from pocket import stages
from pocket.captions import CLIP_LENGTH
from pocket.feed import Feed
from pocket.networks import Joint
from pocket.painting import Scenes
from pocket.tokenizer import LONGEST
from pocket.training import autocast

PROMPTS = (
    "an elephant",
    "a tiger",
    "a house",
    "a sailboat",
    "a palm tree",
    "a king",
    "a rabbit",
    "a horse",
    "a castle",
    "a rose",
    "a camel in the desert",
    "a fish",
    "a flat drawing of an owl on a blue background",
    "a glossy 3d drawing of a guitar on a white background",
    "an outline drawing of a cat on a yellow background",
    "a lion left of a tree",
    "a bird above a house",
    "a dog and a ball in a garden",
    "two cows on green hills",
    "a small boat on the left, by the sea",
    "a fox in a forest, watercolour",
    "a peacock, jewel colours, thick outline",
    "a castle at night, in a patterned border",
    "a tiger, mosaic",
)


def tiled(pictures: Tensor, columns: int) -> Image.Image:
    """Return (n, 3, h, w) pictures, 0 to 1, as one image."""
    side = pictures.shape[-1]
    sheet = Image.new("RGB", (columns * side, -(-len(pictures) // columns) * side), "white")
    for k, picture in enumerate((pictures.permute(0, 2, 3, 1).clamp(0, 1) * 255).byte().numpy()):
        sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (k % columns * side, k // columns * side))
    return sheet


@torch.no_grad()
def sheet(
    model: Joint,
    feed: Feed,
    tokenizers: tuple[CLIPTokenizer, PreTrainedTokenizerFast],
    shown: Scenes,
    count: int,
    steps: int,
) -> Image.Image:
    """Return composed scenes above what is drawn for PROMPTS, then some prompts with one seed for all."""
    clip, t5 = (
        t(list(PROMPTS[:count]), padding="max_length", max_length=most, truncation=True, return_tensors="pt")
        for t, most in zip(tokenizers, (CLIP_LENGTH, LONGEST), strict=True)
    )
    device, levels = feed.encoder.device, stages.sigmas(steps)
    with autocast(device), torch.compiler.set_stance("force_eager"):
        embeddings = model.encode(t5.input_ids.to(device), clip.input_ids.to(device))
        words = tuple(e.float() for e in embeddings)
        drawn = stages.draw(model, words, 1000, levels)[-1]
        few = tuple(e[: min(8, count)] for e in words)
        alike = torch.cat(
            [stages.draw(model, tuple(e[k : k + 1] for e in few), 7, levels)[-1] for k in range(len(few[0]))]
        )
        pictures = [feed.composer.paint(shown)[:count].cpu()]
    pictures += [feed.encoder.decode(x).cpu() for x in (drawn, alike)]
    return tiled(torch.cat(pictures), min(12, count))
