"""Captions as rows of phrase numbers, and as token ids: put together by tensor operations, thousands a
second on any device.

Both tokenizers split at spaces and commas, so a caption's tokens are its phrases' tokens one after another
(tested).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from pocket.phrases import Phrases
from pocket.tokenizer import LONGEST, REGISTERS

CLIP_LENGTH = 64  # tokens; pieces of words, so a caption takes more of them than of T5's
# In the order of a caption; the second number says who stays when a caption is too long, 0 first.
SLOTS = {
    "form": 9,
    "size": 0,
    "first": 0,
    "place": 7,
    "link": 1,
    "second": 1,
    "there": 6,
    "link 2": 2,
    "third": 2,
    "link 3": 2,
    "fourth": 2,
    "facing": 8,
    "tilted": 8,
    "clutter": 8,
    "ground": 4,
    "style": 5,
    "palette": 5,
    "inks": 9,
    "line": 6,
    "shading": 7,
    "manner": 4,
    "border": 5,
    "word": 3,
}
SLOT = {name: index for index, name in enumerate(SLOTS)}


@dataclass
class Tokens:
    """The phrases' token ids, and what every caption begins and ends with."""

    t5: Tensor  # (phrases, most), -1 where none
    clip: Tensor
    t5_end: Tensor  # end mark and registers
    clip_begin: int
    clip_end: int
    sizes: Tensor  # (phrases,) how many of T5's tokens a phrase has; stays on the CPU

    def to(self, device: torch.device | str) -> Tokens:
        return replace(self, t5=self.t5.to(device), clip=self.clip.to(device), t5_end=self.t5_end.to(device))


def phrase_ids(tokenizer: PreTrainedTokenizerFast | CLIPTokenizer, texts: list[str]) -> Tensor:
    """Return (texts, most) int16 token ids of phrases as they stand inside a caption, -1 where none."""
    before = [("a" if t.startswith(",") else "") for t in texts]
    whole = tokenizer([b + t for b, t in zip(before, texts, strict=True)], add_special_tokens=False).input_ids
    lead = len(tokenizer("a", add_special_tokens=False).input_ids)
    rows = [ids[lead:] if b else ids for b, ids in zip(before, whole, strict=True)]
    out = torch.full((len(texts), max(map(len, rows))), -1, dtype=torch.int16)
    for k, row in enumerate(rows):
        out[k, : len(row)] = torch.tensor(row, dtype=torch.int16)
    return out


def tokenized(phrases: Phrases, clip: CLIPTokenizer, t5: PreTrainedTokenizerFast) -> Tokens:
    end = torch.tensor(t5("").input_ids)
    ids = phrase_ids(t5, phrases.texts)
    of_clip = phrase_ids(clip, phrases.texts)
    return Tokens(ids, of_clip, end, clip.bos_token_id, clip.eos_token_id, (ids >= 0).sum(1))


def shortened(rows: Tensor, tokens: Tokens) -> Tensor:
    """Return captions whose least needed phrases are left out where T5 would have to cut them."""
    order = torch.tensor(sorted(range(len(SLOTS)), key=lambda k: list(SLOTS.values())[k]))
    sizes = tokens.sizes[rows]
    fits = sizes[:, order].cumsum(1) <= LONGEST - 1 - REGISTERS
    keep = torch.zeros_like(fits).index_copy(1, order, fits)
    return rows * keep


def _packed(ids: Tensor, room: int) -> tuple[Tensor, Tensor]:
    """Return (n, room + 1) ids moved to the front, the last column to be dropped, and how many there are."""
    has = ids >= 0
    at = torch.where(has, has.cumsum(1) - 1, room).clamp(max=room)
    return torch.zeros(len(ids), room + 1, dtype=torch.long, device=ids.device).scatter(
        1, at, ids.clamp(min=0)
    ), has.sum(1).clamp(max=room)


def token_ids(rows: Tensor, tokens: Tokens) -> tuple[Tensor, Tensor]:
    """Return T5's (n, LONGEST) and CLIP's (n, CLIP_LENGTH) ids of (n, slots) phrase numbers, as the
    tokenizers would.
    """
    rows = rows.to(tokens.t5.device)
    ids, count = _packed(tokens.t5[rows].long().flatten(1), LONGEST - 1 - REGISTERS)
    t5 = torch.zeros(len(rows), LONGEST, dtype=torch.long, device=rows.device)
    t5[:, : ids.shape[1] - 1] = ids[:, :-1]
    t5.scatter_(
        1,
        count[:, None] + torch.arange(len(tokens.t5_end), device=rows.device),
        tokens.t5_end.expand(len(rows), -1),
    )
    ids, count = _packed(tokens.clip[rows].long().flatten(1), CLIP_LENGTH - 2)
    clip = torch.full((len(rows), CLIP_LENGTH), tokens.clip_end, device=rows.device)
    clip[:, 0] = tokens.clip_begin
    inside = torch.arange(CLIP_LENGTH - 2, device=rows.device) < count[:, None]
    clip[:, 1:-1] = torch.where(inside, ids[:, :-1], tokens.clip_end)
    return t5, clip
