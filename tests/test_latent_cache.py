"""Encoded pictures are cached by content and settings, checked, and encoded again when damaged."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from lessons_lib import storage
from lessons_lib.training import latent_cache

SETTINGS = {"base": "pocket", "side": 8, "crop": "centre", "vae": "1"}


class Encoder:
    """Counts its calls; latents are the picture's mean colour in bfloat16."""

    def __init__(self):
        self.calls = 0

    def __call__(self, image):
        self.calls += 1
        mean = torch.tensor(list(image.tobytes()), dtype=torch.float32).mean()
        return {"latents": torch.full((4, 2, 2), float(mean), dtype=torch.bfloat16)}


def images(*colours):
    return (Image.new("RGB", (8, 8), colour) for colour in colours)


@pytest.fixture
def encode():
    return Encoder()


def test_a_second_run_encodes_nothing(tmp_path, encode):
    first = latent_cache.encode_images(tmp_path, images("red", "blue", "teal"), SETTINGS, encode)
    second = latent_cache.encode_images(tmp_path, images("red", "blue", "teal"), SETTINGS, encode)
    assert (first.encoded, second.encoded, encode.calls) == (3, 0, 3) and first.files == second.files


def test_a_changed_picture_and_changed_settings_are_encoded_and_nothing_else(tmp_path, encode):
    latent_cache.encode_images(tmp_path, images("red", "blue"), SETTINGS, encode)
    assert latent_cache.encode_images(tmp_path, images("red", "navy"), SETTINGS, encode).encoded == 1
    for name in SETTINGS:
        assert (
            latent_cache.encode_images(tmp_path, images("red"), SETTINGS | {name: "other"}, encode).encoded
            == 1
        )
    assert (
        latent_cache.encode_images(
            tmp_path, (i.resize((4, 16)) for i in images("red")), SETTINGS, encode
        ).encoded
        == 1
    )


def test_latents_are_indexed_like_a_tensor_and_keep_their_type(tmp_path, encode):
    latents = latent_cache.encode_images(tmp_path, images("black", "white", "red"), SETTINGS, encode)
    rows = latents[torch.tensor([1, 0, 1])]
    assert len(latents) == 3 and rows.shape == (3, 4, 2, 2) and rows.dtype == torch.bfloat16
    assert rows[:, 0, 0, 0].tolist() == [255, 0, 255]


def test_only_a_few_pictures_are_in_memory(tmp_path, encode):
    alive, most = set(), []

    class Watched:
        mode, size = "L", (1, 1)

        def __init__(self, number):
            self.number = number
            alive.add(number)

        def tobytes(self):
            most.append(len(alive))
            return str(self.number).encode()

        def __del__(self):
            alive.discard(self.number)

    latent_cache.encode_images(tmp_path, (Watched(n) for n in range(50)), SETTINGS, encode)
    assert encode.calls == 50 and max(most) <= 2


@pytest.mark.parametrize("harm", [
    lambda data: b"", lambda data: data[:20], lambda data: data[:-1], lambda data: data[:-3] + b"\0\0\1",
    lambda data: b"\xff" * len(data), lambda data: data.replace(b'"BF16"', b'"F16" '),
])  # fmt: skip
def test_a_damaged_file_is_noticed_and_made_again(tmp_path, encode, harm):
    (path,) = latent_cache.encode_images(tmp_path, images("red"), SETTINGS, encode).files
    whole = path.read_bytes()
    path.write_bytes(harm(whole))
    if b'"F16" ' not in path.read_bytes():
        assert storage.read(path) is None
        assert latent_cache.encode_images(tmp_path, images("red"), SETTINGS, encode).encoded == 1
        assert path.read_bytes() == whole


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_a_file_that_breaks_in_between_is_named(tmp_path, encode, harm):
    latents = latent_cache.encode_images(tmp_path, images("red"), SETTINGS, encode)
    harm(latents.files[0])
    with pytest.raises(OSError, match="start again"):
        latents[torch.tensor([0])]


def test_a_step_reads_the_one_tensor_it_takes_and_checks_no_file_anew(tmp_path, monkeypatch):
    def embed(caption):
        return {"prompt_embeds": torch.full((512, 64), 7.0), "pooled_prompt_embeds": torch.ones(64)}

    embeddings = latent_cache.encode_captions(tmp_path, ["a cat"], {}, embed)
    monkeypatch.setattr(storage, "read", lambda path: pytest.fail("the whole file is read"))
    assert embeddings["prompt_embeds"][torch.tensor([0, 0])].shape == (2, 512, 64)
    assert embeddings["pooled_prompt_embeds"][torch.tensor([0])].tolist() == [[1.0] * 64]


def test_what_was_encoded_stays_when_it_is_stopped_and_nothing_half_written(tmp_path, encode):
    def stops(image):
        if encode.calls == 2:
            raise KeyboardInterrupt
        return encode(image)

    with pytest.raises(KeyboardInterrupt):
        latent_cache.encode_images(tmp_path, images("red", "blue", "teal"), SETTINGS, stops)
    assert all(storage.read(path) for path in tmp_path.iterdir()) and len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_is_named_and_leaves_no_part(tmp_path, encode, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left on device.*LESSONS_CACHE"):
        latent_cache.encode_images(tmp_path / "new", images("red"), SETTINGS, encode)
    assert list((tmp_path / "new").iterdir()) == []


def test_other_weights_have_another_fingerprint():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).to(torch.bfloat16)
    before = latent_cache.weights_hash(model)
    assert before == latent_cache.weights_hash(model) != latent_cache.weights_hash(model.float())
    with torch.no_grad():
        model[0].weight[0, 0] += 1
    assert latent_cache.weights_hash(model.to(torch.bfloat16)) != before


def test_the_place_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path))
    assert storage.cache_dir() == tmp_path
    monkeypatch.delenv("LESSONS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert storage.cache_dir() == tmp_path / "lora-lessons"
