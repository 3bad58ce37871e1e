"""The practice characters: captions, masks, grain."""

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
both = pytest.mark.parametrize(("scenes", "folder"), [(SCENES, FOLDER), (FOX_SCENES, SECOND)])


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
