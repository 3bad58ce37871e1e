"""Each measure stands where it must on pictures whose answer is known."""

import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from safetensors.torch import save_file

from lessons_lib.evaluation import copies, metrics
from lessons_lib.models import features, pixels


def discs(seed, colour="red", count=6):
    """A drawing of discs in one colour."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (128, 128), "white")
    for x, y in rng.integers(15, 113, (count, 2)).tolist():
        ImageDraw.Draw(image).ellipse((x - 12, y - 12, x + 12, y + 12), fill=colour)
    return image


def stripes(seed, colour="black"):
    """A drawing of stripes, another style."""
    image = Image.new("RGB", (128, 128), "white")
    for x in range(seed, 128, 9):
        ImageDraw.Draw(image).line((x, 0, x, 128), fill=colour, width=4)
    return image


@pytest.fixture
def concepts(tmp_path, monkeypatch):
    """Three concepts whose features are those of drawings."""
    path = tmp_path / "concept_features.safetensors"
    rows = features.image_features([discs(1), stripes(1), Image.new("RGB", (128, 128), "blue")])
    save_file({"features": rows}, path, {"names": json.dumps(["ball", "fence", "man-in-a-boat"])})
    monkeypatch.setattr(features, "CONCEPTS", path)
    forget = features.concepts.cache_clear
    forget()
    yield path
    forget()


def test_features_have_unit_length_and_know_no_company():
    images = [discs(i) for i in range(18)]  # more than one batch
    together, alone = features.image_features(images), features.image_features(images[17:])
    assert together.shape == (18, 1280)
    assert torch.allclose(together.norm(dim=1), torch.ones(18), atol=1e-5)
    assert torch.allclose(together[17:], alone, atol=1e-5)


def test_features_print_nothing(capfd):
    features.network.cache_clear()
    features.image_features([discs(0)])
    assert capfd.readouterr() == ("", "")


def test_the_size_of_a_painting_is_no_difference():
    small, large = stripes(2), stripes(2).resize((768, 768), Image.Resampling.BICUBIC)
    assert metrics.style_match([small], [large]) > 0.98


def test_no_pictures_is_an_error():
    with pytest.raises(ValueError, match="no pictures to measure"):
        features.image_features([])


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


def test_missing_concept_features_say_where_they_belong(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "CONCEPTS", tmp_path / "concept_features.safetensors")
    features.concepts.cache_clear()
    with pytest.raises(FileNotFoundError, match="concept_features.safetensors is not in"):
        features.concepts()


def test_prompt_match_is_one_when_right_and_below_chance_when_last(concepts):
    assert metrics.prompt_match([discs(1), stripes(1)], ["ball", "fence"]) == 1
    assert metrics.prompt_match([discs(1), stripes(1)], ["fence", "ball"]) <= 0


def test_prompt_match_of_random_answers_is_chance(monkeypatch):
    rows = torch.nn.functional.normalize(
        torch.randn(300, 1280, generator=torch.Generator().manual_seed(0)), dim=1
    )
    names = [f"c{i}" for i in range(300)]
    monkeypatch.setattr(features, "concepts", lambda: (names, rows))
    images = torch.nn.functional.normalize(
        torch.randn(300, 1280, generator=torch.Generator().manual_seed(1)), dim=1
    )
    assert abs(metrics.prompt_match(images, names)) < 0.1


def test_an_unknown_concept_is_named(concepts):
    with pytest.raises(ValueError, match="zeppelin"):
        metrics.prompt_match([discs(1)], ["zeppelin"])


def test_top_gives_the_nearest_first(concepts):
    assert features.top_concepts(features.image_features([stripes(1)]), 2)[0] == "fence"


@pytest.mark.parametrize(
    "prompt, found",
    [
        ("a ball behind a fence, mugh4l", "ball"),
        ("two fences", "fence"),
        ("A Man in a boat with a ball", "man-in-a-boat"),
        ("a man-in-a-boat", "man-in-a-boat"),
        ("footballer", None),
    ],
)
def test_the_first_concept_of_a_prompt_is_found(prompt, found):
    assert features.concept_in(prompt, ["ball", "fence", "man-in-a-boat", "boat"]) == found


def test_of_two_concepts_at_one_word_the_longer_is_meant():
    assert features.concept_in("a fire truck", ["fire", "fire-truck", "truck"]) == "fire-truck"


def test_diversity_is_nothing_for_copies():
    assert metrics.diversity([discs(1)] * 3) == pytest.approx(0, abs=1e-5)
    assert metrics.diversity([discs(1), stripes(1)]) > 0.1
    with pytest.raises(ValueError, match="at least two seeds"):
        metrics.diversity([discs(1)])


def test_a_copy_is_nearest_to_its_original():
    found = metrics.nearest([stripes(3), discs(2)], features.image_features([discs(2), stripes(3)]))
    assert [i for i, _ in found] == [1, 0] and all(v == pytest.approx(1, abs=1e-4) for _, v in found)


def test_a_soft_tinted_or_mirrored_copy_is_told_from_other_paintings(paintings):
    whole = [pixels.square(p.image, 128) for p in paintings]
    soft = [i.filter(ImageFilter.GaussianBlur(5)).point(lambda v: v * 0.8) for i in whole]
    for made in (whole, soft, [ImageOps.mirror(i) for i in soft]):
        found = copies.repeated_layouts(made, whole)
        assert [i for i, _ in found] == [0, 1, 2, 3] and all(v > 0.95 for _, v in found)
    for number, picture in enumerate(soft):
        ((_, likeness),) = copies.repeated_layouts([picture], whole[:number] + whole[number + 1 :])
        assert likeness < copies.COPY
    by_features = metrics.nearest(soft, features.image_features(whole))
    assert max(v for _, v in by_features) < 0.7  # which is why features are not asked
    with pytest.raises(ValueError, match="expected some of both"):
        copies.repeated_layouts([], whole)


def test_likeness_within_leaves_each_picture_itself_out():
    within = metrics.likeness_within([discs(1), discs(2), stripes(1)])
    assert within.isnan().sum() == 3 and within[0, 1] > within[0, 2]


def test_an_interval_holds_the_mean_and_narrows_with_more_values():
    few, many = np.random.default_rng(0).normal(5, 1, 8), np.random.default_rng(0).normal(5, 1, 400)
    low, high = metrics.interval(few)
    assert low < few.mean() < high and metrics.interval(few) == (low, high)
    assert np.diff(metrics.interval(many)) < high - low
    with pytest.raises(ValueError, match="no values"):
        metrics.interval([])
