"""What the tests of several lessons share: a sampler and features that cost nothing."""

from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from lessons_lib.models import bases, families, features, judges

BASE = bases.find("pocket")
JUDGE = judges.find(BASE)


class FakeSampler:
    """Noise that is the same for the same prompt and seed; notes what it is asked to draw and to load."""

    base, family = BASE, families.find(BASE.family)
    pipe = SimpleNamespace(transformer=torch.nn.Linear(2, 2))

    def __init__(self):
        self.requests = []
        self.loaded = []

    def sample(self, prompts, seeds, strength=None, steps=None):
        self.requests += [(prompt, seed, steps) for prompt in prompts for seed in seeds]
        return [[noise([seed, *prompt.encode()]) for seed in seeds] for prompt in prompts]

    def load(self, folder):
        self.loaded.append(folder)


def noise(seed):
    values = np.random.default_rng(seed).integers(0, 256, (16, 16, 3))
    return Image.fromarray(values.astype("uint8"))


def fake_features(images, side=128):
    """Return random features, alike for the same picture; features that come in go out as they are."""
    if isinstance(images, torch.Tensor):
        return images
    rows = [np.random.default_rng([*image.tobytes()[:8]]).standard_normal(1280) for image in images]
    return torch.nn.functional.normalize(torch.from_numpy(np.array(rows)).float(), dim=1)


def use_fake_features(monkeypatch):
    monkeypatch.setattr(features, "image_features", fake_features)


def marked(axes, marker="o"):
    """Return the (x, y) of the points on some axes that have a marker."""
    return [
        point for line in axes.lines if line.get_marker() == marker for point in line.get_xydata().tolist()
    ]


def unit_rows(rows):
    return torch.nn.functional.normalize(rows, dim=1)


def concept_features(*names):
    """Return the saved features of concepts, one row a name."""
    known, rows = features.load_concepts()
    return torch.stack([rows[known.index(name)] for name in names])
