"""The practice paintings are what `data/painter` draws: the same seed gives the committed files again."""

import csv
import platform
import sys

import numpy as np
import pytest
from PIL import Image

from lessons_lib.paths import SAMPLE

pytest.importorskip("skia", reason="skia-python needs the system's libGL and libEGL", exc_type=ImportError)

from data.painter import __main__ as painter
from data.painter.album import ALBUM, paint
from data.painter.details import DETAILS, paint_detail

DETAILS_FOLDER = SAMPLE.parent / "sample_details"
SAME_BYTES = (
    sys.platform == "linux" and platform.machine() == "x86_64"
)  # what the committed files were drawn on


@pytest.fixture(scope="module")
def drawn_album(tmp_path_factory):
    """Return a folder with all 22 pages and their metadata, drawn anew; some 8 seconds."""
    folder = tmp_path_factory.mktemp("album")
    painter.write_metadata([painter.metadata(p, painter.save(p, folder)) for p in ALBUM], folder)
    return folder


def pixels(path):
    return np.asarray(Image.open(path), np.float32)


@pytest.mark.skipif(not SAME_BYTES, reason="another processor may round single pixels differently")
def test_the_album_drawn_again_is_the_committed_one_byte_for_byte(drawn_album):
    names = ["metadata.csv", *(piece.file_name for piece in ALBUM)]
    assert [n for n in names if (drawn_album / n).read_bytes() != (SAMPLE / n).read_bytes()] == []


def test_on_any_machine_a_page_differs_by_less_than_one_level_of_255(drawn_album):
    for piece in ALBUM:
        drawn, committed = (pixels(folder / piece.file_name) for folder in (drawn_album, SAMPLE))
        assert drawn.shape == committed.shape
        assert np.abs(drawn - committed).mean() < 1, piece.name


def test_the_metadata_are_those_of_the_album(drawn_album):
    rows = []
    for folder in (drawn_album, SAMPLE):
        with (folder / "metadata.csv").open(encoding="utf-8") as file:
            rows.append([row | {"sha256": ""} for row in csv.DictReader(file)])
    assert rows[0] == rows[1]


@pytest.mark.parametrize("piece", ALBUM[:3], ids=lambda piece: piece.name)
def test_the_same_seed_draws_the_same_page_and_another_seed_another(piece):
    first, again, other = (paint(piece, scale=0.25, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_page_has_a_name_of_its_own_and_is_on_disk():
    names = [piece.file_name for piece in ALBUM]
    assert len(set(names)) == len(names)
    assert {p.relative_to(SAMPLE).as_posix() for p in SAMPLE.rglob("*.jpg")} == set(names)


@pytest.mark.parametrize("detail", DETAILS[2::9], ids=lambda detail: detail.name)
def test_a_detail_painted_again_is_the_committed_one(detail, tmp_path):
    again, committed = painter.save(detail, tmp_path), DETAILS_FOLDER / detail.file_name
    assert np.abs(pixels(again) - pixels(committed)).mean() < 1
    assert not SAME_BYTES or again.read_bytes() == committed.read_bytes()


def test_details_to_learn_from_and_to_judge_by_come_from_different_pages():
    pages = {split: {d.page for d in DETAILS if d.split == split} for split in ("train", "held_out")}
    assert not pages["train"] & pages["held_out"]
    assert [sum(d.split == split for d in DETAILS) for split in pages] == [20, 6]


def test_every_detail_shows_a_third_to_four_fifths_of_a_pages_width():
    assert all(0.34 <= detail.side / 592 <= 0.78 for detail in DETAILS)
    assert paint_detail(DETAILS[0], seed=7, side=64).shape == (64, 64, 3)


def test_the_details_metadata_and_files_are_those_of_the_list():
    with (DETAILS_FOLDER / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = [painter.metadata(d, DETAILS_FOLDER / d.file_name) for d in DETAILS]
    assert rows == expected
    on_disk = {p.relative_to(DETAILS_FOLDER).as_posix() for p in DETAILS_FOLDER.rglob("*.jpg")}
    assert on_disk == {d.file_name for d in DETAILS}
