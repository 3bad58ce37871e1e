"""Measures of a single picture: sharp and blurred ones part, on every kind of picture the course has."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter

from lessons_lib.dataset.decode import decode_file
from lessons_lib.inspection import image_stats, rules
from lessons_lib.paths import SAMPLE


def flat_drawing():
    page = Image.new("L", (900, 900), 255)
    pen = ImageDraw.Draw(page)
    pen.ellipse((200, 150, 700, 650), fill=90)
    pen.rectangle((350, 450, 560, 800), fill=20)
    return page


@pytest.fixture(scope="module")
def greys():
    return [decode_file(path).image.convert("L") for path in sorted(SAMPLE.rglob("*.jpg"))] + [flat_drawing()]


def sharpness(grey, change=lambda image: image, side=128):
    return image_stats.sharpness(image_stats.to_array(change(image_stats.shrink(grey, side))))


@pytest.mark.parametrize("side", [128, 512])
def test_sharp_pictures_are_above_the_threshold_and_blurred_ones_below(greys, side):
    sharp = [sharpness(g, side=side) for g in greys]
    blurred = [sharpness(g, lambda i: i.filter(ImageFilter.GaussianBlur(1)), side) for g in greys]
    pale = [sharpness(g, lambda i: i.point(lambda v: 90 + 0.3 * v), side) for g in greys]
    assert max(blurred) < 0.3 < rules.BLURRED < 0.45 < min(sharp + pale)


def test_enlarged_and_shaken_pictures_read_as_blurred(greys):
    def doubled(image):
        return image.resize((image.width // 2, image.height // 2)).resize(
            image.size, Image.Resampling.BICUBIC
        )

    def shaken(image):
        rows = np.asarray(image, np.float32)
        return Image.fromarray(np.mean([np.roll(rows, n, 1) for n in range(9)], 0).astype(np.uint8))

    assert max(sharpness(g, change) for g in greys for change in (doubled, shaken)) < rules.BLURRED


def test_the_best_square_is_where_the_edges_are():
    page = Image.new("L", (200, 400), 200)
    page.paste(Image.effect_noise((200, 100), 90), (0, 300))
    middle, best, start = image_stats.square_edges(image_stats.to_array(page))
    assert middle < 0.05 and best > 0.95 and start > 0.95


def test_an_even_picture_loses_as_many_edges_as_pixels():
    middle, best, _ = image_stats.square_edges(image_stats.to_array(Image.effect_noise((300, 150), 60)))
    assert middle == pytest.approx(0.5, abs=0.03) and best - middle < 0.03
    assert image_stats.square_edges(np.zeros((8, 9), np.float32)) == (1, 1, 0.5)


def test_a_hash_forgives_size_and_brightness_and_nothing_else(greys):
    def bits(a, b):
        return (image_stats.difference_hash(a) ^ image_stats.difference_hash(b)).bit_count()

    assert max(bits(g, g.resize((150, 200)).point(lambda v: 40 + v // 2)) for g in greys[:-1]) <= 6
    assert min(bits(a, b) for i, a in enumerate(greys) for b in greys[:i]) > 6


def test_statistics_come_back_as_they_were_saved(tmp_path):
    stats = image_stats.ImageStats(
        (90, 80),
        ["a note"],
        "d1",
        0.9,
        100,
        80,
        0,
        0,
        0.7,
        0.8,
        0.5,
        2**64 - 1,
        3,
        b"thumb",
        np.arange(4, dtype=np.float16),
    )
    image_stats.save(stats, tmp_path / "a.safetensors")
    back = image_stats.load(tmp_path / "a.safetensors")
    assert back.features.tolist() == [0, 1, 2, 3] and back.thumbnail == b"thumb"
    back.features = stats.features = None
    assert back == stats
    assert image_stats.load(tmp_path / "b.safetensors") is None


def test_two_inspections_at_once_leave_torch_its_threads():
    before, first_in, second_in, first_out = torch.get_num_threads(), *(threading.Event() for _ in range(3))
    torch.set_num_threads(2)

    def first():
        with image_stats.feature_network() as load:
            load()
            first_in.set()
            second_in.wait(0.3)
        first_out.set()

    def second():
        first_in.wait(10)
        with image_stats.feature_network() as load:
            load()
            second_in.set()
            first_out.wait(10)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda work: work(), (first, second)))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 2
    torch.set_num_threads(before)
