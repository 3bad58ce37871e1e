"""How much of the prompt is kept at equal style: read off between strengths, and a whole run in miniature."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lessons_lib.paths import POCKET
from pocket import adaptation, comparison


def row(styles, prompts):
    strengths = ("0", *(f"{s:g}" for s in comparison.STRENGTHS))
    scores = (
        {"style": [s], "centre": [s], "prompt": [p], "layouts": 0.5}
        for s, p in zip(styles, prompts, strict=True)
    )
    return dict(zip(strengths, scores, strict=True))  # fmt: skip


def test_what_is_kept_is_read_off_between_two_strengths():
    scores = row((0.0, 0.2, 0.4, 0.6, 0.8), (0.8, 0.8, 0.4, 0.2, 0.0))
    assert comparison.kept_at(scores, 0.3) == pytest.approx(0.6 / 0.8)
    assert comparison.kept_at(scores, 0.6) == pytest.approx(0.2 / 0.8)


def test_a_style_that_is_never_reached_has_no_value():
    scores = row((0.0, 0.1, 0.1, 0.2, 0.2), (0.8,) * 5)
    assert comparison.kept_at(scores, 0.3) is None
    assert "not reached" in comparison.table({"pocket, details": scores})


def test_a_gain_is_read_at_equal_style_and_at_one_that_both_reach():
    old = row((0.0, 0.2, 0.4, 0.6, 0.8), (0.8, 0.8, 0.4, 0.2, 0.0))
    new = row((0.0, 0.2, 0.4, 0.4, 0.4), (0.8, 0.8, 0.8, 0.8, 0.8))
    assert comparison.gain([(old, new)], 0.3)[::3] == pytest.approx((0.25, 0.3))
    mean, low, high, common = comparison.gain([(old, new)], 0.6)
    assert (mean, common) == pytest.approx((0.5, 0.4)) and low <= mean <= high


def test_a_gain_is_said_set_by_set_and_over_all_looks():
    old, new = row((0.0, 0.5, 0.6, 0.7, 0.8), (0.8,) * 5), row((0.0, 0.5, 0.6, 0.7, 0.8), (0.4,) * 5)
    names = ("details", "look neon", "look chalk")
    rows = {f"old, {n}": old for n in names} | {f"new, {n}": new for n in names}
    said = comparison.gains(rows, Path("old"), Path("new"))
    assert len(said.splitlines()) == 2 + 2 * 4 and "| held-out looks | style | 30% | 30% | +0.00 |" in said


def test_drawings_that_are_the_training_pictures_score_one_and_the_bases_own_zero(monkeypatch):
    monkeypatch.setattr(adaptation, "THINGS", ("cat", "house"))
    rng = np.random.default_rng(0)
    base, ceiling, judged = (
        adaptation.torch.from_numpy(rng.random((4, 8)) + k).float() for k in (0, 1, 2)
    )  # fmt: skip
    assert np.mean(adaptation._shares(ceiling, base, ceiling, judged)) == pytest.approx(1, abs=1e-5)
    assert np.mean(adaptation._shares(base, base, ceiling, judged)) == pytest.approx(0, abs=1e-5)


def test_a_base_meets_a_set_and_every_strength_has_its_scores(monkeypatch):
    for name, value in {"THINGS": ("cat", "house"), "SEEDS": (1, 2), "STRENGTHS": (1.0,)}.items():
        monkeypatch.setattr(adaptation, name, value)
    quick = replace(adaptation.base_of(POCKET), num_inference_steps=1)
    monkeypatch.setattr(adaptation, "base_of", lambda weights: quick)
    scores = adaptation.adapt(POCKET, adaptation.practice_sets()["details"], steps=1)
    assert set(scores) == {"0", "1", "floor", "ceiling"}
    assert scores["0"]["style"] != scores["1"]["style"] and len(scores["1"]["prompt"]) == 2


def test_of_pictures_from_outside_every_fourth_is_held_out(tmp_path):
    for k in range(8):
        Image.new("RGB", (130, 130), (30 * k, 90, 90)).save(tmp_path / f"{k}.png")
    pictures = adaptation.practice_sets(tmp_path)[tmp_path.name]
    assert [picture.path.name for picture in pictures.held_out] == ["3.png", "7.png"]
    assert len(pictures.train) == 6
