"""How many pictures are enough? The same training with fewer and fewer of them. Lesson 02.

`python -m lessons_lib.course.how_many_pictures` makes the long run that the lesson shows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from IPython.display import Image as Shown
from PIL import Image
from torch import Tensor

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import charts, long_run, trials
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.evaluation import metrics
from lessons_lib.models import features as features_
from lessons_lib.training import train

TRIGGER = "thgh96"
COUNTS = (4, 8, 12, 16)
ALL = COUNTS[-1]


@dataclass(frozen=True)
class Found:
    """One value a picture: likeness to the held-out paintings, how far up the list the asked thing stands (1 = first,
    -1 = last), likeness to the nearest painting that was learned from (1 = a copy)."""

    style: list[float]
    prompt: list[float]
    nearest: list[float]


def some(learn: Sequence[Picture], count: int, seed: int = 0) -> list[Picture]:
    """Return the first `count` of a shuffle, so that a smaller choice is part of every larger one of the same seed.

    Raises ValueError when there are fewer.
    """
    if not 0 < count <= len(learn):
        raise ValueError(f"{count} of {len(learn)} pictures; expected at least 1 and at most all")
    return random.Random(seed).sample(list(learn), len(learn))[:count]


def teach(learn: Sequence[Picture], steps: int, seed: int, folder: Path) -> Run:
    """Return a run on these pictures. The pictures are the only thing that differs between two of them."""
    settings = Settings(trigger=TRIGGER, steps=steps, seed=seed, name=f"of_{len(learn)}")
    return train.train(Dataset(list(learn)), settings, folder)


def prompts(subjects: Sequence[str]) -> list[str]:
    """Return what is asked for: each subject with the trigger."""
    return [with_trigger(subject, TRIGGER) for subject in subjects]


def measured(
    drawn: Sequence[Image.Image], subjects: Sequence[str], learned: Tensor, held_out: Tensor
) -> Found:
    """Return the numbers of pictures of some subjects, prompt by prompt; the others are features of paintings, (n, 1280)."""
    features = features_.image_features(list(drawn))
    wanted = [trials.known(subject) for subject in subjects for _ in range(len(drawn) // len(subjects))]
    return Found(
        trials.style(features, held_out),
        metrics.prompt_ranks(features, wanted),
        trials.rounded((features @ learned.T).amax(1)),
    )


def figure(result: dict[str, Any]) -> Shown:
    """Return the recorded run's picture: style match by the number of pictures."""
    groups = {
        f"{count} pictures": {
            "mean of the drawings": sum(trials.column(result["rows"], "style", count=count), [])
        }
        for count in result["counts"]
    }
    return charts.levels(groups, result["floor"], result["ceiling"], "style match")


def verdicts(result: dict[str, Any]) -> list[str]:
    """Return what the recorded run shows of each smaller number beside the largest, and of copying, in sentences."""
    table, most = result["rows"], result["counts"][-1]

    def beside(what: str, key: str, count: int) -> str:
        pair = trials.column(table, key, count=count), trials.column(table, key, count=most)
        return trials.verdict(what, str(count), str(most), *pair)

    claims = {"style": "style", "prompt kept": "prompt"}
    said = [beside(what, key, count) for what, key in claims.items() for count in result["counts"][:-1]]
    for count in result["counts"]:
        near, before = (
            trials.column(table, "nearest", count=count),
            trials.column(table, "before", count=count),
        )
        said.append(trials.verdict("nearest learned painting", f"taught {count}", "the base", near, before))
    return said


def main() -> None:
    """Train and measure every number of pictures with every seed, and record the result."""
    here = long_run.bench()
    asked = prompts(trials.SUBJECTS)
    plain = trials.answers(here.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)

    def one(name: str, seed: int) -> long_run.Row:
        chosen = some(here.learn, int(name), seed)
        learned = features_.image_features([picture.image for picture in chosen])
        here.sampler.load(teach(chosen, long_run.STEPS, seed, long_run.WORK / f"of_{name}_{seed}").folder)
        drawn = trials.drawn(here.sampler, asked, trials.SEEDS)
        before = measured(plain.said, trials.SUBJECTS, learned, here.held_out).nearest
        found = measured(drawn, trials.SUBJECTS, learned, here.held_out)
        return {"count": int(name), "seed": seed, "before": before} | asdict(found)

    table = here.table("how_many_pictures", [str(count) for count in COUNTS], one)
    here.record("how_many_pictures", table, plain, counts=list(COUNTS))


if __name__ == "__main__":
    main()
