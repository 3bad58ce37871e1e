"""The practice characters are what `data/character` draws."""

import csv
import platform
import sys

import numpy as np
import pytest
from PIL import Image

from lessons_lib.dataset import dataset
from lessons_lib.paths import SAMPLE

pytest.importorskip("skia", reason="skia-python needs the system's libGL and libEGL", exc_type=ImportError)

from data.character import __main__ as character
from data.character.fox_scenes import FOX_SCENES
from data.character.scenes import SCENES
from data.character.stage import paint

FOLDER, SECOND = SAMPLE.parent / "sample_character", SAMPLE.parent / "sample_second_character"
SAME_BYTES = sys.platform == "linux" and platform.machine() == "x86_64"
both = pytest.mark.parametrize(("scenes", "folder"), [(SCENES, FOLDER), (FOX_SCENES, SECOND)])


@both
def test_drawn_again_the_pictures_are_the_committed_ones(tmp_path, scenes, folder):
    for scene in scenes:
        again, committed = character.save(scene, tmp_path), folder / scene.file_name
        pixels = [np.asarray(Image.open(path), np.float32) for path in (again, committed)]
        assert np.abs(pixels[0] - pixels[1]).mean() < 1, scene.name
        assert not SAME_BYTES or again.read_bytes() == committed.read_bytes()


@both
def test_metadata_and_files_are_those_of_the_list(scenes, folder):
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = [character.metadata(s, folder / s.file_name, "data/character") for s in scenes]
    assert rows == expected
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*.jpg")} == {s.file_name for s in scenes}


@pytest.mark.parametrize(
    ("scenes", "counts", "word"), [(SCENES, [12, 4], "owl"), (FOX_SCENES, [8, 2], "fox")]
)
def test_pictures_to_learn_and_to_judge_each_with_a_caption_of_its_own(scenes, counts, word):
    assert [sum(s.split == split for s in scenes) for split in ("train", "held_out")] == counts
    assert len({s.caption for s in scenes}) == len(scenes) and all(word in s.caption for s in scenes)


@both
def test_every_training_picture_has_a_mask_drawn_by_the_same_code(tmp_path, scenes, folder):
    pictures = dataset.scan(folder)
    assert all(picture.mask for picture in pictures.train)
    committed = folder / "masks" / f"{scenes[0].name}.png"
    assert np.array_equal(Image.open(character.save_mask(scenes[0], tmp_path)), Image.open(committed))


def test_a_mask_is_white_on_the_character_and_black_in_the_corners():
    mask = np.asarray(Image.open(FOLDER / "masks" / "01_meadow.png"))
    side = len(mask)
    assert mask[side * 2 // 3, side // 2] and not mask[:20, :20].any() and 0.1 < mask.mean() < 0.6


def test_another_seed_gives_other_grain_and_the_same_seed_the_same_picture():
    first, again, other = (paint(SCENES[4], 64, seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
