"""This library's trainer on a folder of pictures whose captions hold the trigger already."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image

from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset import dataset
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.models import bases
from lessons_lib.training import samples, train


def time_samples() -> list[float]:
    """Return a list that fills with the seconds of each sample that training draws from now on.

    The sample before training is left out. The one after it is drawn twice: the first makes room in memory
    that the second uses again.
    """
    calls, seconds, original = count(), [], samples.draw_samples

    def timed(*arguments: Any) -> list[Image]:
        images: list[Image] = []
        for _ in range(2 * min(next(calls), 1)):
            start = time.monotonic()
            images = original(*arguments)
            seconds.append(time.monotonic() - start)
        return images

    samples.draw_samples = timed
    return seconds


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("data", Path), ("out", Path), ("steps", int), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--base", default="pocket")
    parser.add_argument("--repository", help="a folder with weights that replace the base's own")
    parser.add_argument("--side", type=int, help="px")
    parser.add_argument("--gradient_checkpointing", action="store_true")
    parser.add_argument("--quantize", default="none")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--draw", action="store_true", help="time a picture too")
    parser.add_argument("--at_most", type=float, metavar="GB", help="GPU memory that PyTorch may hold")
    return parser.parse_args()


def main() -> None:
    o = parse_arguments()
    if o.at_most and torch.cuda.is_available():
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(o.at_most * 1e9 / whole)
    base = bases.find(o.base)
    base = replace(base, repository=o.repository or base.repository, side=o.side or base.side)
    bases.BASES[o.base] = base
    train_pictures = dataset.read(o.data, side=base.side).train
    seconds = time_samples()
    settings = Settings(
        base=o.base,
        trigger="mugh4l",
        steps=o.steps,
        seed=o.seed,
        caption_dropout=0.0,
        sigma_sampling="logit_normal",
        sigma_shift=1.0,  # no shift, as the other programs have none
        gradient_checkpointing=o.gradient_checkpointing,
        checkpoint_every=o.steps,
        compile=o.compile,
        quantize=o.quantize,
        sample_prompts=("a cat, mugh4l",) if o.draw else (),
    )
    train.train(Dataset(train_pictures), settings, o.out, replace=True)
    if o.draw:
        (o.out / "drawing.json").write_text(json.dumps(seconds[-1]))


if __name__ == "__main__":
    main()
