"""Sample before and after with the same prompts and seeds, measure both, and save a picture and a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lessons_lib import storage
from lessons_lib.adapters.run import Run
from lessons_lib.dataset import crops
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.prompts import shorten
from lessons_lib.evaluation import copies, html, metrics, verdict
from lessons_lib.evaluation.comparison import STRENGTHS, Comparison, Measure
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases, families, judges
from lessons_lib.models.judges import Judge

Rows = list[list[Image.Image]]  # a row a prompt, a column a seed
_BATCH = 16  # pictures of a set that are in memory at once: all of three thousand would take 14 GB


def compare(
    sampler: Sampler,
    run: Run,
    dataset: Dataset,
    prompts: Sequence[str],
    seeds: Sequence[int],
    on_row: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Return base and tuned images for each prompt, images at rising strength, and measures.

    The adapter stays loaded.
    The trigger word is added to prompts that lack it. Both rows use the very same prompts and seeds,
    so that only the adapter differs. `on_row(done, total)` is called after each row.
    Raises ValueError without prompts, seeds or training pictures.
    """
    if not prompts or not seeds or not dataset.train:
        raise ValueError(
            f"{len(prompts)} prompts, {len(seeds)} seeds, {len(dataset.train)} training pictures: expected "
            "one or more of each"
        )
    prompts = shortened(prompts, run)
    triggered = [with_trigger(prompt, run.settings.trigger, run.settings.mode) for prompt in prompts]
    report, total = on_row or (lambda done, total: None), 2 * len(triggered) + 1
    base_images: Rows = []
    tuned_images: Rows = []
    sampler.unload()
    for prompt in triggered:
        base_images += sampler.sample([prompt], seeds)
        report(len(base_images), total)
    sampler.load(run.folder)
    for prompt in triggered:
        tuned_images += sampler.sample([prompt], seeds)
        report(len(base_images) + len(tuned_images), total)
    frames = strength_images(sampler, triggered[0], seeds[0], STRENGTHS)
    report(total, total)
    measures, nearest = _measure(judges.find(sampler.base), prompts, base_images, tuned_images, dataset)
    return Comparison(
        run, dataset, triggered, list(seeds), base_images, tuned_images, frames, measures, nearest,
        is_off_at_zero=frames[0].tobytes() == base_images[0][0].tobytes(),
    )  # fmt: skip


def shortened(prompts: Sequence[str], run: Run) -> list[str]:
    """Return prompts no longer than the run's base model reads together with the trigger word."""
    base, trigger, mode = bases.find(run.settings.base), run.settings.trigger, run.settings.mode
    tokenizer = families.find(base.family).load_tokenizer(base)
    return [shorten(prompt, trigger, mode, tokenizer, base.caption_tokens) for prompt in prompts]


def strength_images(
    sampler: Sampler, prompt: str, seed: int, strengths: Sequence[float]
) -> list[Image.Image]:
    """Return one picture at each strength of the loaded adapter; at 0 it is the base's own."""
    return [sampler.sample([prompt], [seed], strength=s)[0][0] for s in strengths]


def save(comparison: Comparison, folder: Path) -> None:
    """Write `report.html` and then `before_after.jpg` into a folder, which is created where it is missing.

    Where the second is there the first is, too.
    """
    sheet = comparison.sheet()
    page = html.render(comparison, sheet, verdict.lines(comparison))
    storage.write_bytes(Path(folder) / "report.html", page.encode())
    with storage.atomic(Path(folder) / "before_after.jpg") as partial:
        sheet.save(partial, "JPEG", quality=92, subsampling=0)


@dataclass(frozen=True)
class _Features:
    """Features of unit length of all pictures of a comparison, (n, width).

    `held_out` is None where there are none.
    """

    base: Tensor
    tuned: Tensor
    train: Tensor
    held_out: Tensor | None


def _measure(
    judge: Judge, prompts: Sequence[str], base_images: Rows, tuned_images: Rows, dataset: Dataset
) -> tuple[dict[str, Measure], list[tuple[int, float]]]:
    """Return the measures by name, and for each tuned image the training picture whose layout it repeats
    most.

    A measure that these prompts and seeds cannot give is left out.
    """
    side, seeds = base_images[0][0].width, len(base_images[0])
    base, tuned = ([image for row in rows for image in row] for rows in (base_images, tuned_images))
    train, held_out = ((p.image for p in part) for part in (dataset.train, dataset.held_out))
    of_groups = [_features(judge, group, side) for group in (base, tuned, train, held_out)]
    whole, centre = (_Features(*of_all) for of_all in zip(*of_groups, strict=True))
    # as they were trained on
    squares = copies.layout_features(crops.crop_square(p, side, "hand") for p in dataset.train)
    nearest = copies.nearest_layouts(tuned, squares)
    measures = [
        _style_match(whole),
        replace(_style_match(centre), name="style match, centre crops"),
        _prompt_match(judge, prompts, whole),
        _seeds_differ(seeds, whole),
        _layout_match(copies.nearest_layouts(base, squares), nearest),
    ]
    return {m.name: m for m in measures if m}, nearest


def _features(judge: Judge, images: Iterable[Image.Image], side: int) -> tuple[Tensor | None, Tensor | None]:
    """Return the features of pictures and of their centre crops at `side` px, or None twice for no pictures.

    A few pictures at a time are asked for.
    """
    images, whole, centre = iter(images), [], []
    while batch := list(islice(images, _BATCH)):
        whole.append(judge.image_features(batch))
        centre.append(judge.image_features(metrics.centre_crops(batch, side)))
    return (torch.cat(whole), torch.cat(centre)) if whole else (None, None)


def _style_match(groups: _Features) -> Measure:
    """Return the similarity to the held-out paintings, or to the training pictures where none were held
    out.
    """
    reference = groups.train if groups.held_out is None else groups.held_out
    values = metrics.style_scores(groups.tuned, reference).tolist()
    if groups.held_out is not None:
        ceiling, reference_name = metrics.style_match(groups.train, reference), "held-out pictures"
    else:
        reference_name = "training pictures, as none were held out"
        # a single picture has no other to be similar to: the ceiling is the picture itself
        is_single = len(groups.train) == 1
        ceiling = 1.0 if is_single else float(metrics.pairwise_similarity(groups.train).nanmean())
    floor = metrics.style_match(groups.base, reference)
    return Measure(
        "style match",
        floor,
        float(np.mean(values)),
        floor,
        ceiling,
        *metrics.bootstrap_interval(values),
        "the base",
        f"training pictures against {reference_name}",
    )


def _prompt_match(judge: Judge, prompts: Sequence[str], groups: _Features) -> Measure | None:
    """Return how well pictures show what their prompts name.

    None where no prompt names a concept of the list; `verdict.lines` then says that this was not measured.
    """
    base, tuned = (metrics.named_ranks(part, prompts, judge) for part in (groups.base, groups.tuned))
    if not tuned:
        return None
    return Measure(
        "prompt match",
        float(np.mean(base)),
        float(np.mean(tuned)),
        0.0,
        1.0,
        *metrics.bootstrap_interval(tuned),
        "chance",
        "the right concept always nearest",
    )


def _seeds_differ(seeds: int, groups: _Features) -> Measure | None:
    """Return how far pictures of one prompt lie apart.

    None for a single seed or a single training picture.
    """
    if seeds < 2 or len(groups.train) < 2:
        return None
    base, tuned = (
        [metrics.diversity(rows) for rows in part.split(seeds)] for part in (groups.base, groups.tuned)
    )
    return Measure(
        "seeds differ",
        float(np.mean(base)),
        float(np.mean(tuned)),
        0.0,
        metrics.diversity(groups.train),
        *metrics.bootstrap_interval(tuned),
        "all the same",
        "training pictures among themselves",
    )


def _layout_match(base: list[tuple[int, float]], tuned: list[tuple[int, float]]) -> Measure:
    """Return how closely pictures repeat the layout of some training picture; a copy is at 1."""
    base_values, tuned_values = ([similarity for _, similarity in nearest] for nearest in (base, tuned))
    floor = float(np.mean(base_values))
    return Measure("layout of a training picture", floor, float(np.mean(tuned_values)), floor, 1.0,
                   *metrics.bootstrap_interval(tuned_values), "the base", "a copy")  # fmt: skip
