"""The fingerprint of a run: a hash of all that decides what is learned. Each checkpoint stores it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lessons_lib.adapters.settings import Settings, learned_settings, without_earlier
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.models import bases
from lessons_lib.models.bases import Base
from lessons_lib.training.data import TrainingData

Captions = Mapping[str, Sequence[Sequence[str]]]  # of each picture, by the part of the dataset


def fingerprint(
    base: Base, settings: Settings, target_modules: Sequence[str], dataset: Dataset, captions: Captions
) -> str:
    """Return the hash of base, settings, layers, captions and pictures.

    Settings that only affect samples or logs are not part of it, and neither are held-out pictures.
    """
    parts = ("train", "prior")
    pictures = [_describe(getattr(dataset, name), settings) for name in parts]
    texts = [_texts(captions[name]) for name in parts]
    return _hash([bases.weights_id(base), learned_settings(settings), target_modules, texts, pictures])


def earlier_fingerprint(
    settings: Settings, target_modules: Sequence[str], data: TrainingData, captions: Captions
) -> str:
    """Return the hash that checkpoints of versions 0.1 and 0.2 have; it covers every setting."""
    parts = [part for part in (data, data.prior, data.validation) if part]
    files = [[path.name for path in getattr(part.latents, "files", ())] for part in parts]
    texts = [_texts(captions[name]) for name in ("train", "prior", "held_out")]
    return _hash([without_earlier(settings), target_modules, texts, files])


def _texts(captions: Sequence[Sequence[str]]) -> list[Any]:
    """Return the caption of each picture, or a list where it has several: what earlier versions hashed."""
    return [texts[0] if len(texts) == 1 else list(texts) for texts in captions]


def _describe(pictures: Sequence[Picture], settings: Settings) -> list[tuple[str, ...]]:
    """Return what of each picture decides what is learned: its file, its crop box, its weight where
    weights differ and are used, and its mask where it is used.
    """
    is_weighted = settings.picture_order == "shuffle" and len({picture.weight for picture in pictures}) > 1
    return [
        (
            p.file.sha256,
            p.more.get("crop", ""),
            *([str(p.weight)] if is_weighted else []),
            *([p.mask.sha256] if p.mask and settings.unmasked_weight < 1 else []),
        )
        for p in pictures
    ]


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
