"""The practice character is what `data/character` draws."""

import csv
import platform
import sys

import numpy as np
import pytest
from PIL import Image

from lessons_lib.paths import SAMPLE

pytest.importorskip("skia", reason="skia-python needs the system's libGL and libEGL", exc_type=ImportError)

from data.character import __main__ as character
from data.character.scenes import SCENES, paint

FOLDER = SAMPLE.parent / "sample_character"
SAME_BYTES = sys.platform == "linux" and platform.machine() == "x86_64"


def test_drawn_again_the_pictures_are_the_committed_ones(tmp_path):
    for scene in SCENES:
        again, committed = character.save(scene, tmp_path), FOLDER / scene.file_name
        pixels = [np.asarray(Image.open(path), np.float32) for path in (again, committed)]
        assert np.abs(pixels[0] - pixels[1]).mean() < 1, scene.name
        assert not SAME_BYTES or again.read_bytes() == committed.read_bytes()


def test_metadata_and_files_are_those_of_the_list():
    with (FOLDER / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = [character.metadata(s, FOLDER / s.file_name, "data/character") for s in SCENES]
    assert rows == expected
    assert {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*.jpg")} == {s.file_name for s in SCENES}


def test_twelve_pictures_to_learn_and_four_to_judge_each_with_a_caption_of_its_own():
    assert [sum(s.split == split for s in SCENES) for split in ("train", "held_out")] == [12, 4]
    assert len({s.caption for s in SCENES}) == len(SCENES) and all("owl" in s.caption for s in SCENES)


def test_another_seed_gives_other_grain_and_the_same_seed_the_same_picture():
    first, again, other = (paint(SCENES[4], 64, seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
