"""A Dataset holds each picture where it belongs, and its captions can be replaced without touching it."""

import pytest
from PIL import Image

from lessons_lib.dataset import dataset
from lessons_lib.dataset.messages import PictureError
from lessons_lib.paths import SAMPLE


@pytest.fixture(scope="module")
def practice():
    return dataset.read(SAMPLE, side=128)


def test_the_practice_paintings_are_split_as_their_table_says(practice):
    assert (len(practice.train), len(practice.held_out), practice.prior) == (16, 6, [])


def test_other_captions_leave_the_set_that_was_read_alone(practice):
    before = [picture.caption for picture in practice.train]
    other = practice.with_captions(["a page"] * 16)
    assert {picture.caption for picture in other.train} == {"a page"}
    assert [picture.caption for picture in practice.train] == before
    assert other.train[0].image.tobytes() == practice.train[0].image.tobytes()


def test_a_caption_is_asked_for_each_picture(practice):
    with pytest.raises(ValueError, match="16 pictures and 2 captions"):
        practice.with_captions(["a", "b"])


@pytest.fixture
def folder(tmp_path):
    for i in range(4):
        Image.radial_gradient("L").rotate(30 * i).convert("RGB").save(tmp_path / f"{i}.png")
    return tmp_path


def test_a_run_finds_its_pictures_again(folder):
    data = dataset.of_run([folder / "0.png", folder / "1.png"])
    assert [p.path.name for p in data.train] == ["0.png", "1.png"]
    assert [p.path.name for p in data.held_out] == ["2.png", "3.png"]


def test_pictures_that_moved_are_asked_for(folder):
    with pytest.raises(ValueError, match="--pictures"):
        dataset.of_run([folder / "moved.png"], folder)


def test_pictures_keep_the_order_of_their_source_whatever_their_split(folder):
    (folder / "metadata.csv").write_text("file_name,split\n3.png,test\n0.png,train\n2.png,\n1.png,train\n")
    data = dataset.read(folder)
    assert [p.path.name for p in data.pictures] == ["3.png", "0.png", "2.png", "1.png"]
    assert [p.path.name for p in data.unused] == ["2.png"]


def test_a_set_with_nothing_to_train_on_is_refused(folder):
    (folder / "metadata.csv").write_text("file_name,split\n3.png,test\n")
    with pytest.raises(PictureError, match="has the splits test; expected some pictures in split train"):
        dataset.read(folder)
    assert len(dataset.read(folder, strict=False).held_out) == 1


def test_a_scan_reads_captions_and_decodes_nothing(folder):
    (folder / "0.txt").write_text("a boat")
    (folder / "1.png").write_bytes(b"no picture")
    data = dataset.scan(folder)
    assert [p.caption for p in data.train] == ["a boat", None, None, None] and data.problems == []
    (problem,) = dataset.decoded(data).problems
    assert "1.png: is not a picture" in problem[1]


def test_a_picture_with_another_caption_shares_its_pixels(folder):
    (picture, *_) = dataset.scan(folder).train
    assert picture.with_caption("a boat").image is picture.image


def test_a_run_finds_its_pictures_beside_others_that_cannot_be_read(folder):
    (folder / "9.png").write_bytes(b"no picture")
    data = dataset.of_run([folder / "0.png"])
    assert len(data.train) == 1 and len(data.held_out) == 3
    (folder / "0.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match="0.png"):
        dataset.of_run([folder / "0.png"])
