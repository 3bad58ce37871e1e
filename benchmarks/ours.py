"""This library's trainer on a folder of pictures whose captions hold the trigger already."""

from __future__ import annotations

import argparse
from pathlib import Path

from lessons_lib import bases, pictures, train
from lessons_lib.runs import Settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("data", Path), ("out", Path), ("steps", int), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    o = parser.parse_args()
    known = pictures.for_training(pictures.load(o.data, side=bases.find("pocket").side))
    # The others draw noise levels as they come, so this one does: no shift.
    settings = Settings(trigger="mugh4l", steps=o.steps, seed=o.seed, caption_dropout=0.0, sigma_shift=1.0)
    train.train(known, [p.caption or "" for p in known], settings, o.out)


if __name__ == "__main__":
    main()
