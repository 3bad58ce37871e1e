"""Lesson 07: what is measured on a training that may have failed, and which fault that points to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageStat

from lessons_lib.course.lesson_07 import CAPTIONS, Exhibit, Images
from lessons_lib.course.trials import concept_of
from lessons_lib.evaluation import copies, metrics
from lessons_lib.models.judges import Judge

Measures = Mapping[str, float]
HEALTHY = "healthy"


def measure(judge: Judge, exhibit: Exhibit, usual: Images) -> dict[str, float]:
    """Return the measures of a training, to four decimals; those of pictures are means of three.

    `usual`: what the base draws of the new subjects in the healthy training.

    `finite`: 1 where every loss is a number. `steps`: that were taken. `loss`: mean of the last fifth of the
    losses that are numbers, NaN where none is. `flat`: 1 where the held-out loss never moved. `turn`: how far
    its last value is above the lowest. `change`: 1 - cosine of before and after. `elsewhere`: the same of the
    trainer's pictures and another program's. `alike`: cosine of the pictures of different prompts;
    `base_alike`: without adapter. `base_shift`: how far the pictures without adapter are from the usual ones.
    `style`: similarity to held-out pictures; `caption_style`: of drawn training captions. `caption_prompt`:
    the rank of what these captions name, 1 = first. `copy`: similarity of their layouts to their own
    pictures. `contrast`, `sharpness`: after, as a share of before.
    """
    s, losses = exhibit.samples, [loss for loss in exhibit.losses if np.isfinite(loss)] or [np.nan]
    levels = [level for level in exhibit.validation.values() if np.isfinite(level)]
    groups = (s.base_images, usual, s.with_trigger, s.in_other_program, s.of_training_captions)
    base, usual_base, own, elsewhere, again = map(judge.image_features, groups)
    held_out = judge.image_features([p.image for p in exhibit.recipe.dataset.held_out])
    values = {
        "finite": float(np.isfinite(exhibit.losses).all()),
        "steps": float(len(exhibit.losses)),
        "loss": float(np.mean(losses[-max(1, len(losses) // 5) :])),
        "flat": float(len(set(levels)) == 1),
        "turn": levels[-1] - min(levels) if levels else 0.0,
        "change": float(1 - (base * own).sum(1).mean()),
        "elsewhere": float(1 - (own * elsewhere).sum(1).mean()),
        "alike": float(metrics.pairwise_similarity(own).nanmean()),
        "base_shift": float(1 - (base * usual_base).sum(1).mean()),
        "base_alike": float(metrics.pairwise_similarity(base).nanmean()),
        "style": metrics.style_match(own, held_out),
        "caption_style": metrics.style_match(again, held_out),
        "caption_prompt": metrics.prompt_match(again, [concept_of(text) for text in CAPTIONS], judge),
        "copy": float(
            np.mean([_layout(*pair) for pair in zip(s.of_training_captions, s.training_images, strict=True)])
        ),
        "contrast": _mean(_contrast, s.with_trigger) / max(1e-6, _mean(_contrast, s.base_images)),
        "sharpness": _mean(_sharpness, s.with_trigger) / max(1e-6, _mean(_sharpness, s.base_images)),
    }
    return {name: round(value, 4) for name, value in values.items()}


def _layout(sample: Image.Image, picture: Image.Image) -> float:
    return copies.nearest_layouts([sample], [picture])[0][1]


def _mean(value: Callable[[Image.Image], float], images: Sequence[Image.Image]) -> float:
    return float(np.mean([value(image) for image in images]))


def _contrast(image: Image.Image) -> float:
    return ImageStat.Stat(image.convert("L")).stddev[0]


def _sharpness(image: Image.Image) -> float:
    """Return the mean step from one pixel to the next, of 255."""
    grey = np.asarray(image.convert("L"), dtype=float)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()) / 2


def as_table(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], Measures]:
    """Return the measures of recorded rows by fault and seed; what was no number is NaN again."""
    return {
        (row["fault"], row["seed"]): {n: np.nan if v is None else v for n, v in row["measures"].items()}
        for row in rows
    }


def diagnose(measures: Measures, healthy: Measures) -> str:
    """Return the fault that the measures of a training point to, asked in the order of the lesson's list;
    `healthy`: those of a healthy training with the same seed.
    """

    def of(name: str) -> float:
        """As a share of the healthy training's."""
        return measures[name] / max(1e-6, healthy[name])

    checks = {
        "half": not measures["finite"] or measures["loss"] > 10,
        "zero": bool(measures["flat"]),
        "few": of("steps") < 0.5 and of("change") < 0.6,
        "rate": of("loss") > 1.15,
        "alpha": measures["elsewhere"] > 0.05,
        "word": measures["base_alike"] - healthy["base_alike"] > 0.1,
        "distilled": measures["base_shift"] > 0.02,
        "many": measures["turn"] > 0.05,
        "repeat": of("loss") < 0.9,
        "guidance": of("contrast") < 0.85,
        "style": of("change") < 0.8,
    }
    return next((fault for fault, is_so in checks.items() if is_so), "shuffle")


def confusion(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """Return how often `diagnose` gave a fault for a fault, by (the fault, the answer)."""
    table, counts = as_table(rows), dict[tuple[str, str], int]()
    for (fault, seed), measures in table.items():
        if fault != HEALTHY:
            key = fault, diagnose(measures, table[HEALTHY, seed])
            counts[key] = counts.get(key, 0) + 1
    return counts
