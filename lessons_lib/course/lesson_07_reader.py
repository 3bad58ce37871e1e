"""Lesson 07's cards for a reader who has not seen them, and what the reader answered.

`python -m lessons_lib.course.lesson_07_reader sheets FOLDER` draws a healthy card and two thirds of the
recorded ones, numbered, in random order, so that none can be counted off. The key lies beside them.
`answers FOLDER "many few rate ..." --reader "who, and what they knew"` opens it and records the answers.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

from lessons_lib.course import lesson_07_cards, recorded
from lessons_lib.course.lesson_07_faults import FAULTS
from lessons_lib.course.lesson_07_measures import HEALTHY
from lessons_lib.course.lesson_07_record import SEEDS

NAME = "museum_reader"
_CARDS, _ON_A_SHEET = 24, 3
_KEY = "key.json"


def save_sheets(folder: Path) -> None:
    """Save the sheets 0.jpg, the healthy training, to 8.jpg, and the key."""
    record, cases = recorded.load("museum"), [(fault, seed) for fault in FAULTS for seed in SEEDS]
    cases = random.SystemRandom().sample(cases, _CARDS)
    folder.mkdir(parents=True, exist_ok=True)
    sheets = [([(HEALTHY, SEEDS[0])], 0)]
    sheets += [(cases[i : i + _ON_A_SHEET], i + 1) for i in range(0, _CARDS, _ON_A_SHEET)]
    for number, (group, first) in enumerate(sheets):
        cards = lesson_07_cards.numbered_cards(record, group, first)
        (folder / f"{number}.jpg").write_bytes(cards.data)
    (folder / _KEY).write_text(json.dumps(cases), encoding="utf-8")


def save_answers(folder: Path, answers: Sequence[str], reader: str) -> Path:
    """Record the fault, the seed and the answer of each card. ValueError unless each has one of the keys."""
    cases = json.loads((folder / _KEY).read_text(encoding="utf-8"))
    if len(answers) != len(cases) or set(answers) - set(FAULTS):
        raise ValueError(
            f"{len(answers)} answers for {len(cases)} cards, not in the list: "
            f"{sorted(set(answers) - set(FAULTS))}; expected one of {', '.join(FAULTS)} for each"
        )
    cards = [[*case, answer] for case, answer in zip(cases, answers, strict=True)]
    return recorded.save(NAME, {"reader": reader, "cards": cards})


def main() -> None:
    """Make the sheets, or record what a reader answered."""
    parser = argparse.ArgumentParser(prog="python -m lessons_lib.course.lesson_07_reader")
    parser.add_argument("what", choices=("sheets", "answers"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("answers", nargs="?", default="", help="a key for each card, in their order")
    parser.add_argument("--reader", default="", help="who read the cards, and what they knew")
    args = parser.parse_args()
    if args.what == "sheets":
        save_sheets(args.folder)
    else:
        print(save_answers(args.folder, args.answers.split(), args.reader))


if __name__ == "__main__":
    main()
