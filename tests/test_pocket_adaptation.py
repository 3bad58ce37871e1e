"""How much of the prompt is kept at equal style: read off between strengths, and a whole run in miniature."""

from dataclasses import replace

import numpy as np
import pytest

from lessons_lib.paths import POCKET
from pocket import adaptation


def row(styles, prompts):
    strengths = ("0", *(f"{s:g}" for s in adaptation.STRENGTHS))
    scores = (
        {"style": [s], "centre": [s], "prompt": [p], "layouts": 0.5}
        for s, p in zip(styles, prompts, strict=True)
    )
    return dict(zip(strengths, scores, strict=True))  # fmt: skip


def test_what_is_kept_is_read_off_between_two_strengths():
    scores = row((0.0, 0.2, 0.4, 0.6, 0.8), (0.8, 0.8, 0.4, 0.2, 0.0))
    assert adaptation.kept_at(scores, 0.3) == pytest.approx(0.6 / 0.8)
    assert adaptation.kept_at(scores, 0.6) == pytest.approx(0.2 / 0.8)


def test_a_style_that_is_never_reached_has_no_value():
    scores = row((0.0, 0.1, 0.1, 0.2, 0.2), (0.8,) * 5)
    assert adaptation.kept_at(scores, 0.3) is None
    assert "not reached" in adaptation.table({"pocket, details": scores})


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
