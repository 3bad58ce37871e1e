"""Every architecture in miniature: random weights of the real classes, in the place of a large base and under
its name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
)

from benchmarks import blank
from lessons_lib.models import bases
from lessons_lib.models.bases import Base
from lessons_lib.paths import POCKET_CLIP

NAMES = blank.NAMES
_CHANGED = ("side", "num_inference_steps", "caption_tokens", "learning_rate", "rank", "alpha", "float16_vae")
_TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def write(name: str, folder: Path) -> Base:
    """Write the miniature of a base into a folder, which is made for it, and return its table."""
    if not folder.is_dir():
        blank.write(name, folder, small=True)
    base = bases.find(name)
    # A UNet makes three halves of its 8 px cells: at 64 px one cell is left,
    # and attention to oneself teaches nothing.
    side = 128 if base.family == "unet" else 64
    return replace(
        base,
        repository=str(folder),
        float16_vae="",
        side=side,
        num_inference_steps=2,
        caption_tokens=77,
        learning_rate=1e-2,
        rank=4,
        alpha=8,
        batch=2,
    )


def write_table(folder: Path, names: Sequence[str]) -> Path:
    """Return the file that LESSONS_BASES names, with the miniatures small-NAME.

    16 steps are a whole training, and their judges are miniatures, too.
    """
    judges, lines = write_judges(folder), []
    for name in names:
        base = write(name, folder / name)
        # Networks of random weights take klein's smooth pictures for paintings: no gap is left to measure.
        own = () if name == "flux2-klein" else judges
        row = {"like": name, "folder": base.repository, "steps": 16, "judges": own}
        row |= {key: getattr(base, key) for key in _CHANGED}
        lines += [f"[small-{name}]", *(f"{key} = {json.dumps(value)}" for key, value in row.items())]
    path = folder / "bases.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_judges(folder: Path) -> tuple[str, str]:
    """Return the folders of a CLIP and a DINOv2, which are written where they are missing."""
    if (folder / "dino").is_dir():
        return str(folder / "clip"), str(folder / "dino")
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(POCKET_CLIP)
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text, vision = {"vocab_size": len(tokenizer)} | ends, {"image_size": 64, "patch_size": 16}
    config = CLIPConfig(text_config=_TOWER | text, vision_config=_TOWER | vision, projection_dim=16)
    for part in (CLIPModel(config), tokenizer, CLIPImageProcessorPil.from_pretrained(POCKET_CLIP)):
        part.save_pretrained(folder / "clip")
    small = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}
    Dinov2Model(Dinov2Config(image_size=28, patch_size=14, **small)).save_pretrained(folder / "dino")
    return str(folder / "clip"), str(folder / "dino")
