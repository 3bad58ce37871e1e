"""Lesson 02: how many pictures are enough?

The same training with fewer and fewer of them; and a folder of bad pictures.
`python -m lessons_lib.course.lesson_02 record` makes the long run that the lesson shows,
`picture` its opening picture.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from IPython.display import Image as NotebookImage
from PIL import Image, ImageFilter, ImageOps

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import charts, long_run, trials
from lessons_lib.course.trials import TRIGGER
from lessons_lib.dataset import dataset as datasets
from lessons_lib.dataset.crops import Box
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.display import notebook
from lessons_lib.models.bases import Base
from lessons_lib.paths import NOTEBOOK_PICTURES, SAMPLE
from lessons_lib.training import train

COUNTS = (4, 8, 12, 16)
OPENING_PICTURE = NOTEBOOK_PICTURES / "02_choose.jpg"


def _unchanged(image: Image.Image) -> Image.Image:
    return image


# Name in the folder: the painting it is made from, and what is done to it.
BAD_FOLDER_FILES: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "birds": ("14_tree_with_birds", _unchanged),
    "boat": ("05_boat", lambda image: image.resize((48, 67))),
    "deer": ("12_deer_hunt", _unchanged),
    "falcon": ("02_prince_with_falcon", lambda image: image.filter(ImageFilter.GaussianBlur(8))),
    "garden": ("08_garden", _unchanged),
    "peacock": ("03_peacock", _unchanged),
    "tiger": ("04_tiger", _unchanged),
    "tiger_2": ("04_tiger", lambda image: ImageOps.mirror(image).point(lambda value: value * 9 // 10)),
}
NOT_A_PICTURE = "notes.jpg"


def write_bad_folder(folder: str | Path) -> Path:
    """Fill a folder with eight pictures, three of them bad, and a text file that is named .jpg.

    Return the folder.
    Files of the same names are written over, others left alone. Raises OSError when it cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (painting, change) in BAD_FOLDER_FILES.items():
        with Image.open(SAMPLE / "train" / f"{painting}.jpg") as image:
            change(image.convert("RGB")).save(folder / f"{name}.jpg", quality=92)
    (folder / NOT_A_PICTURE).write_text("remember: ask for the large scans\n", encoding="utf-8")
    return folder


def crop_detail(picture: Picture, box: Box) -> Picture:
    """Return a part of a picture as a picture of its own.

    The box is left, top, right, bottom in px of `image`.
    """
    return replace(picture, file=ImageFile.of(picture.image.crop(box)))


def random_subset(dataset: Dataset, count: int, seed: int = 0) -> Dataset:
    """Return a set with `count` of the training pictures, all of them in their own order.

    A smaller one is part of every larger one of the same seed.
    Raises ValueError when there are fewer.
    """
    total = len(dataset.train)
    if not 0 < count <= total:
        raise ValueError(f"{count} of {total} pictures; expected at least 1 and at most all")
    if count == total:
        return dataset
    shuffled = random.Random(seed).sample(dataset.train, total)
    return replace(dataset, train=shuffled[:count])


def train_subset(
    base: Base, dataset: Dataset, steps: int, seed: int, run_dir: Path, replace: bool = True
) -> Run:
    """Return a run on the training pictures of a set, which are all that differs between two of these
    runs. Without `replace` an equal run that lies there is taken.
    """
    settings = Settings(
        base=base.name, trigger=TRIGGER, steps=steps, seed=seed, name=f"of_{len(dataset.train)}"
    )
    return train.train(Dataset(dataset.train), settings, run_dir, replace=replace)


def style_chart(result: Mapping[str, Any]) -> NotebookImage:
    """Return the recorded run as a JPEG: style match by the number of pictures."""
    groups = {
        f"{count} pictures": {"mean of the drawings": trials.values(result["rows"], "style", count=count)}
        for count in result["counts"]
    }
    return charts.interval_chart(groups, result["floor"], result["ceiling"], "style match")


def verdicts(result: Mapping[str, Any]) -> list[str]:
    """Return what the recorded run shows of each smaller number beside the largest, and of copying,
    in sentences.
    """
    rows, counts = result["rows"], result["counts"]

    def against_largest(measure: str, key: str, count: int) -> str:
        scores = [trials.column(rows, key, count=n) for n in (count, counts[-1])]
        return trials.verdict(measure, str(count), str(counts[-1]), *scores)

    def against_base(count: int) -> str:
        scores = [trials.column(rows, key, count=count) for key in ("nearest", "base_nearest")]
        return trials.verdict("nearest training painting", f"trained on {count}", "the base", *scores)

    measures = {"style": "style", "prompt kept": "prompt_rank"}
    smaller = [against_largest(measure, key, n) for measure, key in measures.items() for n in counts[:-1]]
    return smaller + [against_base(count) for count in counts]


def record() -> None:
    """Train on every number of pictures with every training seed, score the samples, and save the result."""
    run = long_run.prepare()
    base = trials.trigger_samples(run.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)

    def trial(variant: str, seed: int) -> long_run.Row:
        subset = random_subset(run.dataset, int(variant), seed)
        train_features = run.judge.image_features([picture.image for picture in subset.train])
        is_whole = len(subset.train) == len(run.dataset.train)
        run_dir = run.run_dir(long_run.STANDARD if is_whole else f"of {variant}", seed)
        one = train_subset(run.sampler.base, subset, long_run.STEPS, seed, run_dir, replace=False)
        run.sampler.load(one.folder)
        images = trials.quick_samples(run.sampler, trials.trigger_prompts(trials.SUBJECTS), trials.SEEDS)
        scores = trials.sample_scores(
            run.judge, images, trials.SUBJECTS, train_features, run.held_out_features
        )
        base_nearest = trials.nearest_scores(base.features_with, train_features)
        return {"count": int(variant), "seed": seed, "base_nearest": base_nearest} | asdict(scores)

    rows = run.run_trials("how_many_pictures", [str(count) for count in COUNTS], trial)
    run.record("how_many_pictures", rows, base, counts=list(COUNTS))


def save_opening_picture(path: Path = OPENING_PICTURE) -> None:
    """Draw the pictures of the bad folder, numbered."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = datasets.read(write_bad_folder(folder), min_side=1, strict=False)
        images = [picture.image for picture in dataset.pictures]
    labels = [str(number) for number in range(1, len(images) + 1)]
    path.write_bytes(notebook.image_grid(images, labels, side=112).data)


if __name__ == "__main__":
    long_run.command_line("lesson_02", {"record": record, "picture": save_opening_picture})
