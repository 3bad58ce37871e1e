"""What measures pictures, by one call: the course's own networks for pocket, CLIP and DINOv2 for others."""

from dataclasses import replace

import miniatures
import pytest
import torch
from drawings import discs, stripes

from lessons_lib.evaluation import metrics
from lessons_lib.models import bases, clip, features, judges

PICTURES = [discs(1), stripes(1), discs(2)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Return the judge of a base whose CLIP and DINOv2 are miniatures."""
    folders = miniatures.write_judges(tmp_path_factory.mktemp("judges"))
    return judges.find(replace(bases.find("sd15"), judges=folders))


@pytest.fixture(params=["pocket", "sd15"])
def judge(request, hub):
    return judges.find(bases.find("pocket")) if request.param == "pocket" else hub


def test_features_and_concepts_of_a_judge_have_unit_length_and_one_width(judge):
    rows, (names, concepts) = judge.image_features(PICTURES), judge.concepts()
    assert len(rows) == 3 and len(names) == len(concepts) and rows.shape[1] == concepts.shape[1]
    for one in (rows, concepts):
        assert torch.allclose(one.norm(dim=1), torch.ones(len(one)), atol=1e-5)


def test_every_measure_is_taken_with_either_judge(judge):
    rows = judge.image_features(PICTURES)
    assert judge.image_features(rows) is rows
    assert metrics.style_match(rows[:1], rows[:1]) == pytest.approx(1, abs=1e-5)
    ranks = metrics.prompt_ranks(PICTURES, ["lion", "boat", "house"], judge)
    assert len(set(ranks)) > 1 and all(-1 <= rank <= 1 for rank in ranks)
    assert ranks == metrics.prompt_ranks(rows, ["lion", "boat", "house"], judge)
    assert [len(labels) for labels in judge.tags(PICTURES, ["a disc", "a fence"], 1)] == [1] * 3


def test_the_cosine_is_the_mean_of_clips_and_dinos(hub):
    rows = hub.image_features(PICTURES)
    of_clip = clip.image_features(PICTURES, hub.clip)
    of_dino = judges._dino_features(PICTURES, hub.dino)
    assert torch.allclose(rows @ rows.T, (of_clip @ of_clip.T + of_dino @ of_dino.T) / 2, atol=1e-5)


def test_a_concept_is_ranked_by_what_clip_says_of_its_name(hub):
    names, rows = hub.concepts()
    by_judge = (hub.image_features(PICTURES[:1]) @ rows.T).argsort()
    texts = clip.label_features([name.replace("-", " ") for name in names], hub.clip)
    assert torch.equal(by_judge, (clip.image_features(PICTURES[:1], hub.clip) @ texts.T).argsort())


def test_pocket_is_measured_by_the_features_it_always_was(judge, hub):
    offline = judges.find(bases.find("pocket"))
    assert torch.equal(offline.image_features(PICTURES), features.image_features(PICTURES))


def test_networks_that_cannot_be_fetched_are_named_and_replaced(monkeypatch, capsys):
    def unreachable(repository):
        raise OSError("We couldn't connect")

    monkeypatch.setattr(clip, "load", unreachable)
    base = replace(bases.find("sd15"), judges=("one/clip", "one/dino"))
    assert judges.find(base) == judges.OfflineJudge(512) == judges.find(base)
    assert (
        capsys.readouterr().err.count("! one/clip and one/dino cannot be fetched (We couldn't connect)") == 1
    )


def test_no_pictures_is_an_error(judge):
    with pytest.raises(ValueError, match="no pictures to measure"):
        judge.image_features([])
