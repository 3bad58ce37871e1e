"""Masks, class pictures, a trainer's output and the course's own files are told from pictures to learn
from.
"""

from __future__ import annotations

import pytest

from lessons_lib.dataset import layouts


@pytest.mark.parametrize(
    "mask",
    ["a_mask.png", "a-mask.jpg", "a.mask.png", "a-masklabel.png", "a_Mask.PNG", "a.jpg_mask.png",
     "mask_a.png", "masks/a.png", "mask/a_mask.png", "masks/A.PNG", "a-condlabel.png"],
)  # fmt: skip
def test_a_mask_is_found_by_the_picture_that_it_belongs_to(mask):
    assert layouts.masks(["a.jpg", "b.jpg", mask]) == [mask]


def test_masks_lie_beside_the_folder_of_pictures_too():
    assert layouts.masks(["images/a.jpg", "images/b.jpg", "masks/a.png"]) == ["masks/a.png"]


def test_a_picture_of_a_mask_is_a_picture():
    assert layouts.masks(["carnival_mask.jpg", "b.jpg", "masks/x.jpg", "mask.jpg"]) == []


def test_a_mask_whose_picture_is_gone_is_a_mask_where_others_are_named_like_it():
    assert layouts.masks(["a.jpg", "a_mask.png", "gone_mask.png", "carnival_mask.jpg"]) == [
        "a_mask.png",
        "gone_mask.png",
    ]


@pytest.mark.parametrize("folder", ["reg", "Reg", "regularization_images", "regularisation", "class_images"])
def test_class_pictures_are_found_by_their_folder(folder):
    names = [f"set/{folder}/1_cat/a.jpg", "set/img/10_zq7 cat/a.jpg", "regal.jpg", "regatta/a.jpg"]
    assert layouts.regularisation(names) == names[:1]


def test_a_run_and_samples_are_the_courses_own_and_other_settings_are_not():
    run = ["x/runs/a/settings.json", "x/runs/a/log.jsonl", "x/runs/a/samples/00002_1.jpg", "x/runs/a/b/c.jpg"]
    others = ["x/settings.json", "x/a.jpg", "y/samples/a.jpg"]
    assert layouts.course_files([*run, *others, "before_after.jpg"]) == {*run, "before_after.jpg"}


def test_a_trainers_output_is_found_beside_its_img_folder_only():
    kohya = ["s/img/10_a/a.jpg", "s/model/sample/b.png"]
    assert layouts.trainer_output([*kohya, "model/c.jpg"]) == kohya[1:]
    assert layouts.trainer_output(["img/a.jpg", "model/b.png"]) == []


def test_splits_are_read_below_one_folder_that_holds_all():
    names = ["set/train/a.jpg", "set/Test/b.jpg"]
    assert layouts.splits_by_folder(names) == {names[0]: "train", names[1]: "test"}
    assert layouts.splits_by_folder(["one/a.jpg", "two/train/b.jpg"]) == {}
