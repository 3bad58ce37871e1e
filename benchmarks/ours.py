"""This library's trainer on a folder of pictures whose captions hold the trigger already."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from PIL.Image import Image

from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset import pictures
from lessons_lib.models import bases
from lessons_lib.training import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("data", Path), ("out", Path), ("steps", int), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--base", default="pocket")
    parser.add_argument("--repository", help="a folder with weights in the place of the base's own")
    parser.add_argument("--side", type=int, help="px")
    parser.add_argument("--gradient_checkpointing", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--draw", action="store_true", help="time a picture too")
    o = parser.parse_args()
    base = bases.find(o.base)
    base = replace(base, repository=o.repository or base.repository, side=o.side or base.side)
    bases.BASES[o.base] = base
    known = pictures.for_training(pictures.load(o.data, side=base.side))
    calls, drawn, real = count(), [], train.sample

    def timed(*arguments: Any) -> list[Image]:
        """Leave out the picture before training; draw twice after it, for the first makes room that the second uses again."""
        made: list[Image] = []
        for _ in range(2 * min(next(calls), 1)):
            start = time.monotonic()
            made = real(*arguments)
            drawn.append(time.monotonic() - start)
        return made

    train.sample = timed
    # The others draw noise levels as they come, so this one does: no shift.
    settings = Settings(
        base=o.base,
        trigger="mugh4l",
        steps=o.steps,
        seed=o.seed,
        caption_dropout=0.0,
        sigma_shift=1.0,
        gradient_checkpointing=o.gradient_checkpointing,
        checkpoint_every=o.steps,
        compile=o.compile,
        sample_prompts=("a cat, mugh4l",) if o.draw else (),
    )
    train.train(known, [p.caption or "" for p in known], settings, o.out)
    if o.draw:
        (o.out / "drawing.json").write_text(json.dumps(drawn[-1]))


if __name__ == "__main__":
    main()
