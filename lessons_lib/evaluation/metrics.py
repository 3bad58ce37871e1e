"""Numbers beside the pictures: similarity to paintings, prompt, diversity. Each has a floor and a ceiling.

All compare features, which the judge of a base makes of pictures (`lessons_lib.models.judges`). Pictures that
come in without one are measured by EfficientNet-lite0 (Tan and Le 2019, arXiv 1905.11946), whose weights come
from a package. Features rank pictures by what is in them and how it is painted; they are no absolute scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lessons_lib.dataset.pictures import Picture
from lessons_lib.models import features
from lessons_lib.models.judges import Judge, OfflineJudge
from lessons_lib.models.pixels import to_square

_OFFLINE = OfflineJudge(128)
EDGE = 0.19  # share of a side that is cut from each edge: a border and what lies along it


def centre_crops(images: Sequence[Image.Image], side: int = 128) -> list[Image.Image]:
    """Return the centre of every picture's square, (1 - 2 EDGE) of it across, enlarged to `side` px again.

    Features see the edges: to them a drawing of the base between a painting's borders is half a painting
    (lesson 06).
    """
    edge = round(EDGE * side)
    box = (edge, edge, side - edge, side - edge)
    squares = [to_square(image.convert("RGB"), side).crop(box) for image in images]
    return [crop.resize((side, side), Image.Resampling.LANCZOS) for crop in squares]


def style_match(images: features.Images, held_out: features.Images) -> float:
    """Return the mean cosine between pictures and held-out paintings, at most 1; only the order of two values
    means much.
    """
    return float((features.image_features(images) @ features.image_features(held_out).T).mean())


def style_scores(images: features.Images, held_out: features.Images) -> Tensor:
    """Return each picture's mean cosine to held-out paintings, (n,)."""
    return (features.image_features(images) @ features.image_features(held_out).T).mean(1)


def gap_closed(
    base: features.Images, tuned: features.Images, train: features.Images, held_out: features.Images
) -> float:
    """Return the share of the style gap that is closed: base = 0, training paintings against held-out ones =
    1.

    Raises ValueError when the base is already as similar to the held-out paintings as the training paintings
    are.
    """
    floor, value, ceiling = (style_match(images, held_out) for images in (base, tuned, train))
    return share_of_gap(value, floor, ceiling)


def share_of_gap(value: float, floor: float, ceiling: float) -> float:
    """Return where a value lies between its floor (0) and its ceiling (1).

    Raises ValueError when there is no gap.
    """
    if ceiling <= floor:
        raise ValueError(
            f"no gap to close: the base is at {floor:.3f}, the training pictures at {ceiling:.3f}; "
            "expected the training pictures to be more similar. Choose held-out pictures of the same style"
        )
    return (value - floor) / (ceiling - floor)


def concept_places(images: features.Images, wanted: Sequence[str], judge: Judge = _OFFLINE) -> Tensor:
    """Return how many concepts are nearer to each picture than its own, (n,) whole numbers; 0 = its own is
    the nearest.

    Raises ValueError for a concept that is not in the list.
    """
    names, rows = judge.concepts()
    unknown = sorted(set(wanted) - set(names))
    if unknown or len(wanted) != len(images):
        raise ValueError(
            f"{len(images)} pictures, {len(wanted)} concepts, unknown: {unknown}; "
            f"expected one of the {len(names)} concepts for each picture"
        )
    scores = judge.image_features(images) @ rows.T
    own = scores.gather(1, torch.tensor([[names.index(concept)] for concept in wanted]))
    return (scores > own).sum(1)


def prompt_ranks(images: features.Images, wanted: Sequence[str], judge: Judge = _OFFLINE) -> list[float]:
    """Return the rank of each picture's concept among all concepts: 1 = first, 0 = half-way, -1 = last.

    Raises ValueError for a concept that is not in the list.
    """
    last = max(1, len(judge.concepts()[0]) - 1)
    return (1 - 2 * concept_places(images, wanted, judge).float() / last).tolist()


def named_ranks(images: Tensor, prompts: Sequence[str], judge: Judge) -> list[float]:
    """Return the prompt rank of each sample whose prompt names a concept; samples follow one another prompt
    by prompt, (n, width).

    [] where no prompt names one, and for a base without features of concepts.
    """
    try:
        names = judge.concepts()[0]
    except FileNotFoundError:
        return []
    concepts = [features.named_concept(prompt, names) for prompt in prompts]
    wanted = [concept for concept in concepts for _ in range(len(images) // len(prompts))]
    indices = [i for i, concept in enumerate(wanted) if concept]
    return prompt_ranks(images[indices], [c for c in wanted if c], judge) if indices else []


def prompt_match(images: features.Images, wanted: Sequence[str], judge: Judge = _OFFLINE) -> float:
    """Return how well pictures show their concepts: 0 = chance, 1 = the right concept always nearest."""
    return float(np.mean(prompt_ranks(images, wanted, judge)))


def diversity(images: features.Images) -> float:
    """Return the mean distance (1 - cosine) between pairs of pictures; 0 = all the same.

    Needs two or more.
    """
    if len(images) < 2:
        raise ValueError(f"{len(images)} picture has no pair: expected pictures of at least two seeds")
    return 1 - float(pairwise_similarity(images).nanmean())


def nearest_neighbours(
    images: features.Images, pictures: Sequence[Picture] | Tensor
) -> list[tuple[int, float]]:
    """Return for each image the index of the nearest training picture and their cosine;
    1 = that very picture.
    """
    rows = pictures if isinstance(pictures, Tensor) else features.image_features([p.image for p in pictures])
    best = (features.image_features(images) @ rows.T).max(1)
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))


def pairwise_similarity(images: features.Images) -> Tensor:
    """Return (n, n) cosines of pictures with one another, the diagonal (each with itself) set to NaN."""
    rows = features.image_features(images)
    return (rows @ rows.T).fill_diagonal_(float("nan"))


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of some values (2,000 resamples). Efron 1979."""
    if not len(values):
        raise ValueError("no values: expected at least one to draw an interval from")
    rows = np.asarray(values, dtype=np.float64)
    resamples = np.random.default_rng(0).integers(0, len(rows), (2000, len(rows)))
    low, high = np.quantile(rows[resamples].mean(1), (0.025, 0.975))
    return float(low), float(high)
