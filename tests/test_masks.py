"""Masks as other trainers leave them: paired and cropped with their pictures, and weights of the loss."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawings import copied_paintings
from PIL import Image
from torch.nn import functional

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset import crops, layouts, records
from lessons_lib.dataset.dataset import scan
from lessons_lib.dataset.messages import PictureError
from lessons_lib.models import bases
from lessons_lib.models.families import flux
from lessons_lib.training import train
from lessons_lib.training.train import Trainer

SETTINGS = Settings(trigger="zq7x", steps=2, rank=1, batch=2)


@pytest.fixture
def folder(tmp_path):
    """Two pictures; the right half of the first one's mask is black."""
    folder = copied_paintings(tmp_path / "set", "ab")
    half_mask(Image.open(folder / "a.jpg").size).save(folder / "a-masklabel.png")
    return folder


def half_mask(size):
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[:, : size[0] // 2] = 255
    return Image.fromarray(mask)


@pytest.mark.parametrize(
    ("mask", "picture"),
    [
        ("a_mask.png", "a.jpg"),
        ("A-MaskLabel.PNG", "a.jpg"),
        ("mask_a.png", "a.jpg"),
        ("masks/a.png", "a.jpg"),
        ("masks/a.jpg.png", "a.jpg"),
        ("masks/a_mask.png", "a.jpg"),
        ("x/masks/a.png", "x/a.jpg"),
        ("1_x/a_mask.png", "1_x/a.jpg"),
        ("masks/c.png", "1_x/c.jpg"),
        ("a-condlabel.png", None),
        ("masks/d.png", None),
        ("masks/none.png", None),
    ],
)
def test_a_mask_finds_its_picture(mask, picture):
    pictures = ["a.jpg", "b.jpg", "x/a.jpg", "1_x/a.jpg", "1_x/c.jpg", "1_x/d.jpg", "x/d.jpg"]
    assert layouts.pair_masks([mask], pictures) == ({picture: mask} if picture else {})


def test_a_second_mask_and_one_without_a_picture_are_left_out_and_counted(folder):
    for name in ("a_mask.png", "gone-masklabel.png"):
        shutil.copy2(folder / "a-masklabel.png", folder / name)
    notes = scan(folder).notes
    assert any(note.startswith("1 mask used (a-masklabel.png)") for note in notes)
    assert any(note.startswith("2 masks left out (a_mask.png, gone-masklabel.png)") for note in notes)


def weights_of(trainer):
    """The loss weights of a training's pictures, as it encodes them."""
    pipe = trainer.family.load(trainer.base, train.session.current())
    return trainer._encode(pipe, pipe.device).loss_weights


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("buckets", ["on", "off"])
def test_loss_weights_are_kohyas_scaling_and_onetrainers_clamp(folder, normalised, buckets):
    dataset, pocket = scan(folder), bases.find("pocket")
    settings = replace(SETTINGS, normalize_masked_area_loss=normalised, aspect_ratio_buckets=buckets)
    (weights,) = weights_of(Trainer(pocket, dataset, settings)).values()
    image = crops.crop_for_training(crops.mask_of(dataset.train[0]), pocket.side, buckets == "on").convert(
        "L"
    )
    mask = torch.from_numpy(np.asarray(image, np.float32) / 255)[None, None]
    mask = functional.interpolate(mask, size=weights.shape[-2:], mode="area")  # kohya's apply_masked_loss
    expected = torch.clamp(mask, 0.1, 1)  # OneTrainer's masked_losses
    expected = expected / expected.mean(dim=(1, 2, 3), keepdim=True) if normalised else expected
    assert torch.allclose(weights, expected[0], atol=1e-6)
    columns = weights.shape[-1]
    assert weights[0, :, : columns // 2 - 1].min() > 9 * weights[0, :, columns // 2 + 1 :].max()


def test_a_mask_is_cropped_with_its_picture(folder):
    picture = scan(folder).train[0]
    width, height = picture.size
    boxed = replace(picture, more={"crop": f"{width // 2 + 8} 0 {width} {height // 3}"})
    assert np.asarray(crops.crop_for_training(crops.mask_of(boxed), 64, True)).max() < 10
    boxed = replace(picture, more={"crop": f"0 0 {width // 2 - 8} {height // 3}"})
    assert np.asarray(crops.crop_for_training(crops.mask_of(boxed), 64, True)).min() > 245


def test_what_a_mask_leaves_black_teaches_nothing_at_weight_zero(folder, tmp_path, monkeypatch):
    weights, real = [], flux.loss
    monkeypatch.setattr(flux, "loss", lambda *a: weights.append(a[2].get("loss_weights")) or real(*a))
    train.train(scan(folder), replace(SETTINGS, unmasked_weight=0.0, batch=1), tmp_path / "run")
    means = sorted(float(w.mean()) for w in weights)
    assert means == pytest.approx([0.5, 1.0], abs=0.05)
    weights.clear()
    train.train(scan(folder), replace(SETTINGS, unmasked_weight=1.0), tmp_path / "without")
    assert weights == [None, None]


def test_a_mask_is_part_of_the_fingerprint_where_it_is_used(folder):
    def fingerprint(**change):
        return Trainer(bases.find("pocket"), scan(folder), replace(SETTINGS, **change)).fingerprint

    masked, unused = fingerprint(), fingerprint(unmasked_weight=1.0)
    (folder / "a-masklabel.png").unlink()
    assert fingerprint() != masked and fingerprint(unmasked_weight=1.0) == unused


def test_a_run_is_repeated_with_its_masks_or_says_that_one_is_gone(folder, tmp_path):
    run = Run.load(train.train(scan(folder), replace(SETTINGS, steps=1), tmp_path / "run").folder)
    for source in (None, folder):
        dataset = records.recorded_dataset(run.dataset, run.folder, source)
        trainer = Trainer(bases.find("pocket"), dataset, replace(SETTINGS, steps=1))
        assert trainer.fingerprint == run.fingerprint
    half_mask((64, 64)).save(folder / "a-masklabel.png")
    with pytest.raises(PictureError, match="a-masklabel.png: the mask of a.jpg in this run is not there"):
        records.recorded_dataset(run.dataset, run.folder)


def test_a_mask_of_another_shape_is_refused(folder, tmp_path):
    half_mask((300, 100)).save(folder / "a-masklabel.png")
    with pytest.raises(PictureError, match="a-masklabel.png: is a mask of 300 x 100 px, and its picture is"):
        train.train(scan(folder), SETTINGS, tmp_path / "run")
    assert train.train(
        scan(folder), replace(SETTINGS, unmasked_weight=1.0), tmp_path / "run"
    ).adapter.is_file()
