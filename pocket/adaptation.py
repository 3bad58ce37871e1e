"""How well a base takes up a style and keeps the thing: what adapters draw at rising strength.

`python -m pocket.adaptation WEIGHTS... --out FILE.json [--archive ARCHIVE] [--paintings FOLDER]`: every
folder of weights meets the practice details and pages, pictures from outside, and the held-out looks. A run
that is stopped goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset import dataset
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases
from lessons_lib.models.bases import Base
from lessons_lib.models.features import image_features
from lessons_lib.models.pixels import to_square
from lessons_lib.training.train import Trainer
from pocket import held_out, pack
from pocket.captions import SLOT
from pocket.comparison import STRENGTHS, Row, gains, table
from pocket.composer import Composer
from pocket.corpus import HERE
from pocket.drawings import Bank
from pocket.wording import Mix

THINGS = ("camel", "cat", "rabbit", "castle", "lion", "horse", "house", "boat")
TRIGGER = "thgh96"
SEEDS = (1, 2, 3)
LEARNED, JUDGED = 16, 6  # pictures of a held-out look
SAYS_LOOK = ("form", "style", "palette", "inks", "line", "shading", "manner", "border", "word")


def base_of(weights: Path) -> Base:
    """Return pocket with the weights of another folder."""
    return replace(bases.find("pocket"), repository=str(weights.resolve()))


def practice_sets(paintings: Path | None = None) -> dict[str, Dataset]:
    """Return the practice details and pages, and pictures from outside where a folder is given."""
    data = HERE.parent / "data"
    sets = {"details": dataset.read(data / "sample_details"), "pages": dataset.read(data / "sample_mughal")}
    return sets | ({paintings.name: _with_held_out(dataset.read(paintings))} if paintings else {})


def _with_held_out(pictures: Dataset) -> Dataset:
    """Return a set that holds out none with every fourth of its pictures held out."""
    if pictures.held_out:
        return pictures
    train = [picture for k, picture in enumerate(pictures.train) if k % 4 != 3]
    return replace(pictures, train=train, held_out=pictures.train[3::4])


def look_sets(
    archive: Path, folder: Path, names: Sequence[str] = tuple(held_out.FAMILIES)
) -> dict[str, Dataset]:
    """Return for each held-out look a dataset of composed scenes, which are written below the folder."""
    stored = pack.read(archive)
    composer = Composer(
        Bank(stored.pictures, stored.rows, torch.device("cpu")), pack.phrases_of(stored.names)
    )
    return {f"look {name}": _look_set(composer, name, folder / name.replace(" ", "_")) for name in names}


def _look_set(composer: Composer, name: str, folder: Path) -> Dataset:
    """Return scenes in one look as a learner's pictures are read; their captions do not say the look."""
    scenes = composer.scenes(
        LEARNED + JUDGED, held_out.seed_of(name), Mix(empty=0, strange=0), held_out.family(name)
    )
    scenes.rows[:, [SLOT[slot] for slot in SAYS_LOOK]] = 0
    pictures = (composer.paint(scenes).permute(0, 2, 3, 1).clamp(0, 1) * 255).byte().numpy()
    folder.mkdir(parents=True, exist_ok=True)
    rows = [("file_name", "split", "caption")]
    for k, (picture, row) in enumerate(zip(pictures, scenes.rows.tolist(), strict=True)):
        Image.fromarray(picture).save(folder / f"{k:02d}.png")
        rows.append((f"{k:02d}.png", "train" if k < LEARNED else "held_out", composer.phrases.text(row)))
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return dataset.read(folder)


class Judge:
    """Scores drawings beside a set: the base's are 0, the training pictures through the VAE 1."""

    def __init__(self, sampler: Sampler, pictures: Dataset) -> None:
        side = sampler.base.side
        self.held_out = self._features([p.image for p in pictures.held_out])
        squares = [to_square(p.image.convert("RGB"), side) for p in pictures.train]
        self.ceiling = self._features(_through_vae(sampler, squares))
        self.base = self._features(_drawn(sampler, 0.0, trigger=False))

    @staticmethod
    def _features(images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Return the features of pictures, whole and in centre crops."""
        return image_features(images), image_features(metrics.centre_crops(images))

    def score(self, images: Sequence[Image.Image]) -> Row:
        """Return shares of the style's ceiling, whole and in centres, and the things' ranks, 1 = first; a
        value a thing.
        """
        drawn = self._features(images)
        whole, centre = (_shares(drawn[k], self.base[k], self.ceiling[k], self.held_out[k]) for k in range(2))
        wanted = [thing for thing in THINGS for _ in SEEDS]
        ranks = np.reshape(metrics.prompt_ranks(drawn[0], wanted), (len(THINGS), -1)).mean(1)
        at_one_seed = drawn[0][:: len(SEEDS)]
        return {
            "style": whole,
            "centre": centre,
            "prompt": ranks.tolist(),
            "layouts": metrics.diversity(at_one_seed),
        }


def _shares(drawn: Tensor, base: Tensor, ceiling: Tensor, held_out_features: Tensor) -> list[float]:
    """Return for each thing where its likeness to the held-out pictures lies between base and ceiling."""
    floor, top = (metrics.style_match(rows, held_out_features) for rows in (base, ceiling))
    likeness = (drawn @ held_out_features.T).mean(1).view(len(THINGS), -1).mean(1)
    return [metrics.share_of_gap(float(value), floor, top) for value in likeness]


def _through_vae(sampler: Sampler, squares: Sequence[Image.Image]) -> list[Image.Image]:
    """Return pictures encoded and decoded: the most that an adapter can reach."""
    vae, processor = sampler.pipe.vae, sampler.pipe.image_processor
    with torch.no_grad():
        latents = vae.encode(processor.preprocess(list(squares)).to(vae.dtype)).latent_dist.mode()
        return processor.postprocess(vae.decode(latents).sample)


def _drawn(sampler: Sampler, strength: float, trigger: bool = True) -> list[Image.Image]:
    """Return the things, seed by seed."""
    plain = [f"a {thing}" for thing in THINGS]
    prompts = [with_trigger(prompt, TRIGGER) for prompt in plain] if trigger else plain
    return [image for row in sampler.sample(prompts, SEEDS, strength=strength) for image in row]


def adapt(weights: Path, pictures: Dataset, steps: int | None = None) -> Row:
    """Return scores of the base and of an adapter, trained with the base's settings, at every strength."""
    base = base_of(weights)
    settings = Settings(base="pocket", trigger=TRIGGER, steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        run = Trainer(base, pictures, settings).train(Path(folder, "run"))
        sampler = Sampler(base)
        judge = Judge(sampler, pictures)
        sampler.load(run.folder)
        scores = {f"{s:g}": judge.score(_drawn(sampler, s)) for s in STRENGTHS}
    untuned = judge.score(_drawn(sampler, 0.0, trigger=False))
    return {
        "0": untuned,
        **scores,
        "floor": _one_prompt(sampler),
        "ceiling": metrics.diversity(judge.ceiling[0]),
    }


def _one_prompt(sampler: Sampler) -> float:
    """Return the mean distance of one prompt's drawings under as many seeds as there are things."""
    seeds = range(1, len(THINGS) + 1)
    rows = sampler.sample([f"a {thing}" for thing in THINGS[:3]], seeds, strength=0.0)
    return float(np.mean([metrics.diversity(row) for row in rows]))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m pocket.adaptation", description=__doc__)
    parser.add_argument("weights", type=Path, nargs="+", help="folders laid out as pocket/model")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file; what it holds is not run again")
    parser.add_argument("--archive", type=Path, help="pocket.pack's archive: the held-out looks too")
    parser.add_argument("--paintings", type=Path, help="a folder of pictures from outside")
    parser.add_argument("--only", action="append", help="a set's name, such as details; repeatable")
    parser.add_argument("--steps", type=int)
    o = parser.parse_args(arguments)
    rows: dict[str, Row] = json.loads(o.out.read_text()) if o.out.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        sets = practice_sets(o.paintings) | (look_sets(o.archive, Path(folder)) if o.archive else {})
        for name, pictures in sets.items():
            for weights in o.weights:
                key = f"{weights}, {name}"
                if key in rows or (o.only and name not in o.only):
                    continue
                rows[key] = adapt(weights, pictures, o.steps)
                o.out.write_text(json.dumps(rows, indent=1))
                print(table({key: rows[key]}), flush=True)
    print(table(rows))
    if len(o.weights) == 2:
        print(gains(rows, *o.weights))


if __name__ == "__main__":
    main()
