"""The features that judge pictures, and the concepts that pocket-flux knows."""

import pytest
import torch
from drawings import discs

from lessons_lib.models import features


def test_features_have_unit_length_and_know_no_company():
    images = [discs(i) for i in range(18)]  # more than one batch
    together, alone = features.image_features(images), features.image_features(images[17:])
    assert together.shape == (18, 1280)
    assert torch.allclose(together.norm(dim=1), torch.ones(18), atol=1e-5)
    assert torch.allclose(together[17:], alone, atol=1e-5)


def test_features_print_nothing(capfd):
    features.load_efficientnet.cache_clear()
    features.image_features([discs(0)])
    assert capfd.readouterr() == ("", "")


def test_no_pictures_is_an_error():
    with pytest.raises(ValueError, match="no pictures to measure"):
        features.image_features([])


def test_missing_concept_features_say_where_they_belong(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "CONCEPTS", tmp_path / "concept_features.safetensors")
    features.load_concepts.cache_clear()
    with pytest.raises(FileNotFoundError, match="concept_features.safetensors is not in"):
        features.load_concepts()


@pytest.mark.parametrize(
    "prompt, concept",
    [
        ("a ball behind a fence, mugh4l", "ball"),
        ("two fences", "fence"),
        ("A Man in a boat with a ball", "man-in-a-boat"),
        ("a man-in-a-boat", "man-in-a-boat"),
        ("footballer", None),
    ],
)
def test_the_first_concept_of_a_prompt_is_returned(prompt, concept):
    assert features.named_concept(prompt, ["ball", "fence", "man-in-a-boat", "boat"]) == concept


def test_of_two_concepts_at_one_word_the_longer_is_meant():
    assert features.named_concept("a fire truck", ["fire", "fire-truck", "truck"]) == "fire-truck"
