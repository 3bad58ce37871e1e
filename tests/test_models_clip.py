"""pocket-clip tells which words belong to which picture."""

import shutil

import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor

from lessons_lib.models import clip

THINGS = ("a lion", "a banana", "a house", "a robot", "a castle", "a key")


def test_features_are_of_unit_length(sampler):
    images = sampler.sample(["a cat"], [1, 2])[0]
    for rows in (clip.image_features(images), clip.text_features(["a cat", ""])):
        assert rows.shape == (2, 256)
        assert torch.allclose(rows.norm(dim=1), torch.ones(2), atol=1e-5)


def test_pictures_are_nearest_to_the_words_they_were_drawn_from(sampler):
    images = [row[0] for row in sampler.sample(THINGS, [1])]
    near = clip.image_features(images) @ clip.text_features(THINGS).T
    assert near.shape == (6, 6)
    assert (near.argmax(1) == torch.arange(6)).sum() >= 4
    assert sum(THINGS[i] in tags for i, tags in enumerate(clip.tags(images, THINGS))) >= 4
    assert [len(tags) for tags in clip.tags(images, THINGS[:1])] == [1] * 6


def test_it_reads_words_as_the_pipeline_does(sampler):
    model, processor = clip.load()
    assert processor.tokenizer.get_vocab() == sampler.pipe.tokenizer.get_vocab()
    theirs = {name.removeprefix("text_model.") for name in sampler.pipe.text_encoder.state_dict()}
    assert set(model.text_model.state_dict()) == theirs


def test_pictures_are_resized_by_pillow_where_torchvision_is_installed(monkeypatch):
    """With torchvision, as in Colab, the automatic choice is a processor that has no box filter."""

    def torchvision_processor(*given, **options):
        raise ValueError("BOX is not a valid interpolation")

    monkeypatch.setattr(AutoImageProcessor, "from_pretrained", torchvision_processor)
    clip.load.cache_clear()
    assert clip.image_features([Image.new("RGB", (96, 64), "red")]).shape == (1, 256)


def test_nothing_to_look_at_or_to_read_is_said():
    with pytest.raises(ValueError, match="no pictures"):
        clip.image_features([])
    with pytest.raises(ValueError, match="no captions"):
        clip.text_features([])


def test_a_damaged_file_is_named(tmp_path, monkeypatch):
    shutil.copytree(clip.POCKET_CLIP, tmp_path / "clip")
    file = tmp_path / "clip" / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    monkeypatch.setattr(clip, "POCKET_CLIP", tmp_path / "clip")
    clip.load.cache_clear()
    with pytest.raises(ValueError, match="model.safetensors is damaged"):
        clip.load()
    clip.load.cache_clear()
