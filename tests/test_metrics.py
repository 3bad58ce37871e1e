"""Each measure stands where it must on pictures whose answer is known."""

import numpy as np
import pytest
import torch
from drawings import discs, stripes
from PIL import Image

from lessons_lib.evaluation import metrics
from lessons_lib.models import features


def test_the_size_of_a_painting_is_no_difference():
    small, large = stripes(2), stripes(2).resize((768, 768), Image.Resampling.BICUBIC)
    assert metrics.style_match([small], [large]) > 0.98


def test_style_match_ranks_its_own_style_higher():
    held_out = [discs(i) for i in range(10, 14)]
    assert (
        metrics.style_match([discs(1), discs(2)], held_out)
        > metrics.style_match([stripes(1)], held_out) + 0.1
    )


def test_the_gap_is_open_at_the_base_and_closed_at_the_paintings():
    base, train = (
        features.image_features([stripes(1), stripes(4)]),
        features.image_features([discs(i) for i in range(4)]),
    )
    held_out = features.image_features([discs(i) for i in range(10, 14)])
    assert metrics.gap_closed(base, base, train, held_out) == pytest.approx(0)
    assert metrics.gap_closed(base, train, train, held_out) == pytest.approx(1)
    assert 0.2 < metrics.gap_closed(base, torch.stack([base[0], train[0]]), train, held_out) < 0.8


def test_no_gap_is_an_error_and_not_a_number():
    with pytest.raises(ValueError, match="no gap to close"):
        metrics.gap_closed([discs(1)], [discs(2)], [stripes(1)], [discs(3)])


def test_prompt_match_is_one_when_right_and_below_chance_when_last(concepts):
    assert metrics.prompt_match([discs(1), stripes(1)], ["ball", "fence"]) == 1
    assert metrics.prompt_match([discs(1), stripes(1)], ["fence", "ball"]) <= 0


def test_prompt_match_of_random_answers_is_chance(monkeypatch):
    rows = torch.nn.functional.normalize(
        torch.randn(300, 1280, generator=torch.Generator().manual_seed(0)), dim=1
    )
    names = [f"c{i}" for i in range(300)]
    monkeypatch.setattr(features, "load_concepts", lambda: (names, rows))
    images = torch.nn.functional.normalize(
        torch.randn(300, 1280, generator=torch.Generator().manual_seed(1)), dim=1
    )
    assert abs(metrics.prompt_match(images, names)) < 0.1


def test_an_unknown_concept_is_named(concepts):
    with pytest.raises(ValueError, match="zeppelin"):
        metrics.prompt_match([discs(1)], ["zeppelin"])


def test_diversity_of_copies_is_zero():
    assert metrics.diversity([discs(1)] * 3) == pytest.approx(0, abs=1e-5)
    assert metrics.diversity([discs(1), stripes(1)]) > 0.1
    with pytest.raises(ValueError, match="at least two seeds"):
        metrics.diversity([discs(1)])


def test_a_copy_is_nearest_to_its_original():
    neighbours = metrics.nearest_neighbours(
        [stripes(3), discs(2)], features.image_features([discs(2), stripes(3)])
    )
    assert [i for i, _ in neighbours] == [1, 0]
    assert all(v == pytest.approx(1, abs=1e-4) for _, v in neighbours)


def test_pairwise_similarity_leaves_each_picture_itself_out():
    within = metrics.pairwise_similarity([discs(1), discs(2), stripes(1)])
    assert within.isnan().sum() == 3 and within[0, 1] > within[0, 2]


def test_an_interval_holds_the_mean_and_narrows_with_more_values():
    few, many = np.random.default_rng(0).normal(5, 1, 8), np.random.default_rng(0).normal(5, 1, 400)
    low, high = metrics.bootstrap_interval(few)
    assert low < few.mean() < high and metrics.bootstrap_interval(few) == (low, high)
    assert np.diff(metrics.bootstrap_interval(many)) < high - low
    with pytest.raises(ValueError, match="no values"):
        metrics.bootstrap_interval([])


def test_noise_on_pictures_raises_no_style_match_beyond_its_interval():
    rng, held_out = np.random.default_rng(0), features.image_features([discs(i) for i in range(10, 14)])
    clean = [discs(i) for i in range(4)]
    noisy = [
        Image.fromarray((np.asarray(i) + rng.normal(0, 25, np.asarray(i).shape)).clip(0, 255).astype("uint8"))
        for i in clean
    ]
    scores, after = (
        (features.image_features(images) @ held_out.T).mean(1).tolist() for images in (clean, noisy)
    )
    assert np.mean(after) <= metrics.bootstrap_interval(scores)[1]
