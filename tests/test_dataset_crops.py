"""Three ways to a square, and the shapes of kohya's buckets."""

from pathlib import Path

import pytest
from PIL import Image

from lessons_lib.dataset import crops
from lessons_lib.dataset.dataset import scan
from lessons_lib.dataset.pictures import ImageFile, Picture

RED, BLUE, WHITE = (200, 30, 40), (30, 60, 190), (255, 255, 255)


def wide(shrunk=1, **more):
    """300 x 100 px: red, with the right third blue."""
    image = Image.new("RGB", (300 // shrunk, 100 // shrunk), RED)
    image.paste(BLUE, (200 // shrunk, 0, 300 // shrunk, 100 // shrunk))
    return Picture(Path("wide.png"), ImageFile.of(image, size=(300, 100)), more=more)


@pytest.mark.parametrize("shrunk", [1, 2])
def test_a_box_is_in_pixels_of_the_file(shrunk):
    cut = crops.crop_to_box(wide(shrunk), (200, 0, 300, 100), 64)
    assert cut.size == (64, 64) and cut.getpixel((2, 32)) == BLUE


def test_a_box_grows_to_a_square_inside_the_picture():
    cut = crops.crop_to_box(wide(), (260, 40, 300, 50), 64)
    assert {cut.getpixel((x, y)) for x in (1, 62) for y in (1, 62)} == {BLUE}


def test_a_box_longer_than_the_picture_is_high_gets_bars():
    cut = crops.crop_to_box(wide(), (0, 0, 300, 100), 60)
    assert cut.getpixel((5, 30)) == RED and cut.getpixel((30, 3)) == WHITE


def test_the_table_can_hold_the_box():
    picture = wide(crop="200, 0, 300, 100")
    assert crops.crop_square(picture, 64, "hand").getpixel((2, 2)) == BLUE
    assert crops.crop_square(picture, 64).getpixel((2, 2)) == RED
    assert crops.crop_square(wide(), 64, "hand").tobytes() == crops.crop_square(wide(), 64).tobytes()


@pytest.mark.parametrize("text", ["1 2 3", "a b c d", "0 0 400 100", "9 9 3 3"])
def test_a_box_that_cannot_be_is_named(text):
    with pytest.raises(ValueError, match="wide.png: .*expected"):
        crops.crop_square(wide(crop=text), 64, "hand")


def test_buckets_are_kohyas():
    """The list that sd-scripts' make_bucket_resolutions gives for 512 px, 256 to 1024, steps of 64."""
    tall = [(256, 832), (256, 896), (256, 960), (256, 1024), (320, 704), (320, 768), (384, 640), (448, 576)]
    assert crops.bucket_sizes(512) == tall + [(512, 512)] + sorted(b[::-1] for b in tall)


@pytest.mark.parametrize("side, step", [(128, 16), (256, 16), (768, 64), (1024, 64)])
def test_buckets_keep_their_area_and_their_steps(side, step):
    sizes = crops.bucket_sizes(side)
    assert (side, side) in sizes and all(w * h <= side * side for w, h in sizes)
    assert all(w % step == h % step == 0 and (h, w) in sizes for w, h in sizes)


def test_a_picture_goes_into_the_nearest_shape():
    among = crops.bucket_sizes(512)
    assert crops.nearest_bucket((3000, 3000), among) == (512, 512)
    assert crops.nearest_bucket((600, 800), among) == (448, 576)
    assert crops.nearest_bucket((5000, 100), among) == (1024, 256)
    assert crops.fit_to_bucket(wide().image, (1024, 256)).size == (1024, 256)
    assert crops.count_buckets([(10, 10), (600, 800), (9, 9)], 512)[0] == ((512, 512), 2)


def test_every_way_to_a_square_bears_its_name():
    ways = crops.all_crops(wide(crop="200 0 300 100"), 64)
    assert list(ways) == ["whole", "middle square", "letterbox", "by hand"] and ways["whole"].size == (64, 21)
    assert [ways[name].getpixel((2, 32)) for name in ("middle square", "letterbox", "by hand")] == [
        RED,
        RED,
        BLUE,
    ]


def test_pictures_are_grouped_by_bucket_fullest_first():
    tall = Picture(Path("tall.png"), ImageFile.of(Image.new("RGB", (100, 200), BLUE)))
    groups = crops.group_by_bucket([wide(), tall, tall], 128)
    assert {name: [image.size for image in images] for name, images in groups.items()} == {
        "80 x 176 px": [(80, 176)] * 2,
        "208 x 64 px": [(208, 64)],
    }


@pytest.mark.parametrize("more", [{}, {"crop": "10 0 110 90"}])
def test_a_picture_of_known_size_is_decoded_once_for_its_crop(tmp_path, monkeypatch, more):
    Image.new("RGB", (300, 100), RED).save(tmp_path / "a.png")
    (picture,) = scan(tmp_path, pixel_bytes=0).pictures
    picture.more.update(more)
    assert picture.size == (300, 100)
    real, decoded = ImageFile.decode, []
    monkeypatch.setattr(ImageFile, "decode", lambda self, data=None: decoded.append(1) or real(self, data))
    crops.crop_for_training(picture, 128, in_buckets=True)
    assert decoded == [1]
