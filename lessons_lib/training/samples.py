"""Samples drawn during a training, at fixed seeds, to monitor it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from PIL.Image import Image
from torch import Tensor

from lessons_lib.adapters import lora
from lessons_lib.adapters.run import STEPS, WEIGHTS_NAME, sample_files
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset.prompts import shorten_overlong
from lessons_lib.models import families
from lessons_lib.models.bases import Base
from lessons_lib.models.families import Family
from lessons_lib.training import checkpoints


def fit_prompts(family: Family, base: Base, settings: Settings) -> tuple[str, ...]:
    """Return the sample prompts; one that the base does not read whole is shortened and keeps the trigger."""
    tokenizer, prompts = family.load_tokenizer(base), settings.sample_prompts
    return shorten_overlong(prompts, settings.trigger, settings.mode, tokenizer, base.caption_tokens)


def encode_prompts(
    family: Family, pipe: DiffusionPipeline, base: Base, prompts: Sequence[str], device: torch.device | str
) -> dict[str, Tensor]:
    """Return the embeddings of the sample prompts, and last of the empty prompt, on a device."""
    encoded = family.encode_captions(pipe, [*prompts, ""], base)
    return {name: value.to(device) for name, value in encoded.items()}


@torch.no_grad()
def draw_samples(
    family: Family, pipe: DiffusionPipeline, base: Base, embeddings: dict[str, Tensor]
) -> list[Image]:
    """Return a picture for each sample prompt, prompt 1 at seed 1 and so on,
    the adapter at the base's own strength.

    `embeddings`: those of the prompts, and last of the empty prompt.
    """
    denoiser = families.denoiser(family, pipe)
    lora.set_strength(denoiser, base.strength)
    negative = {name: value[-1:] for name, value in embeddings.items()}
    images = []
    try:
        for index in range(len(next(iter(embeddings.values()))) - 1):
            prompt = {name: value[index : index + 1] for name, value in embeddings.items()}
            images.append(family.sample_image(pipe, prompt, negative, base, index + 1))
    finally:
        lora.set_strength(denoiser, 1)
    return images


def save_samples(images: Sequence[Image], folder: Path, step: int) -> None:
    """Write what was drawn at a step; step 0 is the base's own."""
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images, 1):
        image.save(folder / f"{step:05d}_{number}.jpg", quality=92)


def remove_after(run_dir: Path, step: int) -> None:
    """Remove the samples and the adapters kept on the way of steps after one: what a training that went back
    to a checkpoint, or stopped before its next one, does not hold.
    """
    for (drawn_at, _), path in sample_files(run_dir).items():
        if drawn_at > step:
            path.unlink()
    for adapter in (run_dir / STEPS).glob(f"[0-9]*/{WEIGHTS_NAME}"):
        if int(adapter.parent.name) > step:
            adapter.unlink()
            with suppress(OSError):  # something else lies beside it
                adapter.parent.rmdir()


def set_aside(folder: Path) -> None:
    """Rename a folder of samples that belong to other prompts, to the first free one of samples_1,
    samples_2 ...
    """
    if not folder.is_dir():
        return
    number = 1
    while (target := folder.with_name(f"{folder.name}_{number}")).exists():
        number += 1
    folder.rename(target)


def are_of_others(folder: Path, prompts: Sequence[str]) -> bool:
    """Return whether the samples in a run's folder are of other prompts, by what its checkpoint says."""
    header = checkpoints.newest_header(folder / "checkpoints")
    recorded = header.settings.get("sample_prompts") if header else None
    return recorded is not None and recorded != list(prompts)
