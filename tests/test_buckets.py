"""Pictures that keep their shape: buckets in the trainer, and what SDXL takes of each picture."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image

from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset import crops
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.models import bases
from lessons_lib.models.families import flux
from lessons_lib.training import distributed, train
from lessons_lib.training.order import ShuffledRounds

SETTINGS = Settings(trigger="zq7x", steps=7, rank=1, batch=2, aspect_ratio_buckets="on")


def picture(width, height, **more):
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Picture(
        Path(f"{width}x{height}.png"), ImageFile.of(Image.fromarray(pixels)), caption="a page", more=more
    )


def order_of(buckets):
    return ShuffledRounds([Fraction(1)] * len(buckets), buckets)


@pytest.mark.parametrize("buckets", ["aaabbc", "abcdef", "aaaaa", "aabb" * 5])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_batch_holds_one_bucket_and_every_picture_still_comes_once_a_round(buckets, size):
    order, generator, numbers = order_of(buckets), torch.Generator().manual_seed(0), [0] * len(buckets)
    for _ in range(60):
        batch = order.next_batch(size, generator).tolist()
        assert len({buckets[index] for index in batch}) == 1 and 0 < len(batch) <= size
        for index in batch:
            numbers[index] += 1
            assert max(numbers) - min(numbers) <= 1


def test_a_training_has_batches_of_one_shape_as_the_report_counts_them(tmp_path, monkeypatch):
    sizes = [(200, 100), (210, 100), (100, 200), (128, 128), (131, 128)]
    shapes, real = [], flux.loss
    monkeypatch.setattr(flux, "loss", lambda *a: shapes.append(tuple(a[1].shape)) or real(*a))
    train.train(Dataset([picture(*size) for size in sizes]), SETTINGS, tmp_path / "run")
    cells = {(height * 8, width * 8) for _, _, width, height in shapes}
    assert cells == {bucket for bucket, _ in crops.count_buckets(sizes, 128)} and len(cells) == 3


def test_pocket_trains_on_squares_unless_it_is_told_not_to(practice, tmp_path, monkeypatch):
    shapes, real = set(), flux.loss
    monkeypatch.setattr(flux, "loss", lambda *a: shapes.add(tuple(a[1].shape[-2:])) or real(*a))
    train.train(practice, replace(SETTINGS, aspect_ratio_buckets=None, steps=2), tmp_path / "run")
    assert shapes == {(16, 16)} and bases.find("sdxl").aspect_ratio_buckets == "on"


def script_ids(size, side):
    """train_dreambooth_lora_sdxl.py with --center_crop: torchvision's Resize, then its corner."""
    width, height = size
    short = min(size)
    width_now, height_now = (side if v == short else int(side * v / short) for v in size)
    y1 = max(0, int(round((height_now - side) / 2.0)))
    x1 = max(0, int(round((width_now - side) / 2.0)))
    return height, width, y1, x1, side, side


@pytest.mark.parametrize("size", [(1500, 1000), (1000, 1500), (800, 800), (640, 2000), (333, 777)])
def test_the_size_ids_of_a_square_are_those_of_the_script(size):
    ours = crops.size_ids(picture(*size), 512)
    assert np.abs(np.subtract(ours, script_ids(size, 512))).max() <= 1  # half a pixel, rounded


def test_the_size_ids_of_a_box_and_of_a_bucket_say_where_it_lies():
    boxed = picture(400, 300, crop="100 50 200 150")
    assert crops.size_ids(boxed, 512) == (300, 400, 256, 512, 512, 512)  # 5.12 times as large
    bucket = crops.bucket_of(picture(400, 200), 128)
    assert crops.size_ids(picture(400, 200), 128, True)[4:] == bucket[::-1]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_the_mean_over_processes_is_the_mean_of_the_batch_however_it_is_shared(count, monkeypatch):
    losses, total = torch.arange(1.0, count + 1), 0.0
    for process in range(2):
        monkeypatch.setattr(Accelerator, "process_index", process)
        monkeypatch.setattr(Accelerator, "num_processes", 2)
        own, weight = distributed.own_part(Accelerator(cpu=True), count)
        total += float(weight * losses[own].mean()) / 2
    assert total == pytest.approx(float(losses.mean()))


def test_a_stopped_training_with_buckets_ends_the_same(tmp_path):
    def stop(step):
        if step.step == 2:
            raise KeyboardInterrupt

    dataset = Dataset(
        [picture(*size) for size in ((200, 100), (210, 100), (205, 100), (100, 200), (128, 128))]
    )
    settings = replace(SETTINGS, steps=4, latents="sample")
    whole = train.train(dataset, settings, tmp_path / "whole")
    train.train(dataset, settings, tmp_path / "run", stop)
    run = train.train(dataset, settings, tmp_path / "run")
    assert run.resumed_from == 2 and run.adapter.read_bytes() == whole.adapter.read_bytes()
