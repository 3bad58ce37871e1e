"""Draw before and after with the same words and seeds, measure both, and say in five lines what changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from lessons_lib.adapters.run import Run
from lessons_lib.dataset import crops
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.pictures import Picture
from lessons_lib.evaluation import copies, html, metrics, verdict
from lessons_lib.evaluation.comparison import STRENGTHS, Comparison, Measure
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import features


def compare(
    sampler: Sampler,
    run: Run,
    prompts: Sequence[str],
    seeds: Sequence[int],
    held_out: Sequence[Picture],
    train_pictures: Sequence[Picture],
    on_row: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Return both rows for each prompt, the strength strip and the measures; the adapter stays loaded in the sampler.

    The trigger word is added to prompts that lack it, and both rows are drawn with the very same words, so that only
    the adapter differs. `on_row(done, total)` is called after each row. Raises ValueError without prompts or seeds.
    """
    if not prompts or not seeds or not train_pictures:
        raise ValueError(
            f"{len(prompts)} prompts, {len(seeds)} seeds, {len(train_pictures)} training pictures: expected one or more of each"
        )
    asked = [with_trigger(p, run.settings.trigger, run.settings.mode) for p in prompts]
    tell, total = on_row or (lambda done, total: None), 2 * len(asked) + 1
    base, tuned = [], []
    sampler.unload()
    for prompt in asked:
        base += sampler.sample([prompt], seeds)
        tell(len(base), total)
    sampler.load(run.folder)
    for prompt in asked:
        tuned += sampler.sample([prompt], seeds)
        tell(len(base) + len(tuned), total)
    frames = strip(sampler, asked[0], seeds[0], STRENGTHS)
    tell(total, total)
    measures, near = judge(prompts, base, tuned, train_pictures, held_out)
    return Comparison(
        run, asked, list(seeds), base, tuned, frames, measures, near, list(train_pictures), list(held_out),
        is_off_at_zero=frames[0].tobytes() == base[0][0].tobytes(),
    )  # fmt: skip


def strip(sampler: Sampler, prompt: str, seed: int, strengths: Sequence[float]) -> list[Image.Image]:
    """Return one picture at each strength of the adapter that is loaded; at 0 it is the base's own."""
    return [sampler.sample([prompt], [seed], strength=s)[0][0] for s in strengths]


def judge(
    prompts: Sequence[str],
    base: list[list[Image.Image]],
    tuned: list[list[Image.Image]],
    train_pictures: Sequence[Picture],
    held_out: Sequence[Picture],
) -> tuple[dict[str, Measure], list[tuple[int, float]]]:
    """Return the measures by name and for each tuned picture the training picture it repeats most. What cannot be told is left out."""
    side = base[0][0].width
    was, made = ([i for row in rows for i in row] for rows in (base, tuned))
    before, after = (features.image_features(some, side) for some in (was, made))
    taught = features.image_features([p.image for p in train_pictures], side)
    kept = features.image_features([p.image for p in held_out], side) if held_out else None
    inner = [features.image_features(metrics.centre_crops(some, side), side) if some else None
             for some in (was, made, [p.image for p in train_pictures], [p.image for p in held_out])]  # fmt: skip
    squares = [crops.cut(p, side, "hand") for p in train_pictures]  # as they were trained on
    near = copies.repeated_layouts(made, squares)
    found = [
        style(before, after, taught, kept),
        dataclasses.replace(style(*inner), name="style match, middles"),
        prompt_kept(prompts, len(base[0]), before, after),
        seeds_differ(len(base[0]), before, after, taught),
        copying(copies.repeated_layouts(was, squares), near),
    ]
    return {m.name: m for m in found if m}, near


def style(before: Tensor, after: Tensor, taught: Tensor, kept: Tensor | None) -> Measure:
    """Return the likeness to the held-out paintings, or to the training pictures where none were held out."""
    reference = taught if kept is None else kept
    values = (after @ reference.T).mean(1).tolist()
    alone = len(taught) == 1  # no other picture to be like: the ceiling is the picture itself
    within = 1.0 if alone else float(metrics.likeness_within(taught).nanmean())
    ceiling = within if kept is None else metrics.style_match(taught, kept)
    floor = metrics.style_match(before, reference)
    whose = "held-out pictures" if kept is not None else "training pictures, as none were held out"
    return Measure("style match", floor, float(np.mean(values)), floor, ceiling, *metrics.interval(values),
                   "the base", f"training pictures against {whose}")  # fmt: skip


def prompt_kept(prompts: Sequence[str], columns: int, before: Tensor, after: Tensor) -> Measure | None:
    """Return how well pictures show what was asked for; None where no prompt names a concept that can be recognised."""
    try:
        names = features.concepts()[0]
    except FileNotFoundError:
        return None  # a base without concept features: `lines` says that this was not measured
    wanted = [features.concept_in(p, names) for p in prompts for _ in range(columns)]
    chosen = [i for i, name in enumerate(wanted) if name]
    if not chosen:
        return None
    words = [name for name in wanted if name]
    ranks = metrics.prompt_ranks(after[chosen], words)
    return Measure("prompt match", metrics.prompt_match(before[chosen], words), float(np.mean(ranks)), 0.0, 1.0,
                   *metrics.interval(ranks), "chance", "the right thing always nearest")  # fmt: skip


def seeds_differ(columns: int, before: Tensor, after: Tensor, taught: Tensor) -> Measure | None:
    """Return how far pictures of one prompt lie apart; None for a single seed."""
    if columns < 2 or len(taught) < 2:
        return None
    values = [metrics.diversity(rows) for rows in after.split(columns)]
    was = float(np.mean([metrics.diversity(rows) for rows in before.split(columns)]))
    return Measure("seeds differ", was, float(np.mean(values)), 0.0, metrics.diversity(taught),
                   *metrics.interval(values), "all the same", "training pictures among themselves")  # fmt: skip


def copying(before: list[tuple[int, float]], near: list[tuple[int, float]]) -> Measure:
    """Return how closely a picture repeats the layout of some training picture; a copy would be at 1."""
    was, values = ([likeness for _, likeness in found] for found in (before, near))
    floor = float(np.mean(was))
    return Measure("layout of a training picture", floor, float(np.mean(values)), floor, 1.0, *metrics.interval(values),
                   "the base", "a copy")  # fmt: skip


def save(comparison: Comparison, folder: Path) -> None:
    """Write `before_after.jpg` and `report.html` into a folder, which is made where it is missing."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    whole = comparison.sheet()
    page = html.page(
        comparison, whole, verdict.lines(comparison)
    )  # before anything is written: an error leaves no half
    whole.save(folder / "before_after.jpg", quality=92, subsampling=0)
    (folder / "report.html").write_text(page, encoding="utf-8")
