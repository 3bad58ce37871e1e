"""Lesson 02: how many pictures are enough, in small; the folder of bad pictures; what its exercises show."""

import json
from dataclasses import replace

import numpy as np
import pytest
from course_fakes import BASE, marked
from PIL import Image

from lessons_lib.adapters.run import Run
from lessons_lib.course import lesson_02, lesson_02_exercises, long_run
from lessons_lib.dataset import dataset, museum
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import ImageFile
from lessons_lib.inspection import split
from lessons_lib.inspection.report import inspect
from lessons_lib.models import features
from lessons_lib.paths import SAMPLE
from lessons_lib.training import train


@pytest.fixture(scope="module")
def sample():
    return dataset.read(SAMPLE)


def result(style):
    """Return a long run's result with the given mean style for each number of pictures."""
    rows = [
        {"count": count, "seed": seed, "style": [mean, mean + 0.02], "prompt_rank": [0.5, 0.6],
         "base_nearest": [0.4, 0.42], "nearest": [0.5, 0.53]}
        for seed in (0, 1) for count, mean in style.items()
    ]  # fmt: skip
    return {"rows": rows, "counts": list(style), "floor": 0.3, "ceiling": 0.9}


# How many pictures


def test_a_smaller_subset_is_part_of_every_larger_one_and_a_seed_gives_another(sample):
    subsets = [[p.path for p in lesson_02.random_subset(sample, count).train] for count in lesson_02.COUNTS]
    assert [len(set(subset)) for subset in subsets] == list(lesson_02.COUNTS)
    assert all(set(small) < set(large) for small, large in zip(subsets, subsets[1:], strict=False))
    assert [p.path for p in lesson_02.random_subset(sample, 4, seed=1).train] != subsets[0]


@pytest.mark.parametrize("count", [0, 17])
def test_more_pictures_than_there_are_or_none_is_an_error(sample, count):
    with pytest.raises(ValueError, match=f"{count} of 16"):
        lesson_02.random_subset(sample, count)


def test_the_pictures_are_the_only_difference_between_two_trainings(paintings, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(train, "train", lambda *arguments, **_: calls.append(arguments))
    for count in (2, 4):
        lesson_02.train_subset(BASE, Dataset(paintings[:count]), 5, 0, tmp_path)
    (few, settings, _), (more, other, _) = calls
    assert few.train == more.train[:2]
    assert replace(settings, name="of_4") == other and settings.steps == 5


def test_a_training_on_a_subset_leaves_an_adapter(paintings, tmp_path):
    run = lesson_02.train_subset(BASE, Dataset(paintings[:1]), 1, 0, tmp_path / "run")
    assert run.adapter.exists() and run.settings.trigger == lesson_02.TRIGGER and run.settings.name == "of_1"


def test_each_smaller_number_is_compared_with_the_largest_and_each_with_the_base():
    sentences = lesson_02.verdicts(result({4: 0.4, 8: 0.6, 16: 0.6}))
    assert len(sentences) == 2 * 2 + 3
    assert sentences[0].startswith("style: 4 is lower than 16 by 0.200")
    assert "4 drawings show no difference between 8 and 16" in sentences[1]
    assert sentences[-1].startswith("nearest training painting: trained on 16 is higher than the base")
    assert lesson_02.verdicts(result({4: 0.7, 16: 0.6}))[0].startswith("style: 4 is higher than 16")


def test_the_recorded_result_becomes_a_chart(figures):
    chart = lesson_02.style_chart(result({4: 0.4, 16: 0.6}))
    heights = [y for axes in figures[0].axes for _, y in marked(axes)]
    assert heights == pytest.approx([0.4, 0.6], abs=0.05) and len(chart.data) < 60_000


def test_a_long_run_is_recorded_and_its_sentences_can_be_read(monkeypatch, small_long_run):
    trainings = []

    def train_subset(base, subset, steps, seed, run_dir, replace):
        trainings.append((len(subset.train), steps, seed))
        return Run(run_dir, None)

    monkeypatch.setattr(lesson_02, "COUNTS", (2, 4))
    monkeypatch.setattr(lesson_02, "train_subset", train_subset)
    lesson_02.record()
    lesson_02.record()  # resumes where it was: at the end
    expected = [(count, long_run.STEPS, seed) for seed in long_run.TRAINING_SEEDS for count in (2, 4)]
    assert trainings == expected
    recorded = json.loads(json.dumps(small_long_run["how_many_pictures"]))
    assert recorded["counts"] == [2, 4] and len(lesson_02.verdicts(recorded)) == 4


# The folder of bad pictures


def test_the_report_finds_every_planted_fault_and_spares_the_good_ones(tmp_path):
    report = inspect(dataset.scan(lesson_02.write_bad_folder(tmp_path / "bad")), BASE)
    lines = "\n".join(report.lines())
    for part in ("boat.jpg: is 48 x 67 px", "notes.jpg: is not a picture", "blurred: falcon.jpg",
                 "a copy of another: tiger_2.jpg (of tiger.jpg)"):  # fmt: skip
        assert part in lines
    assert {one.name for one in report.pictures if one.level != "fine"} == {"falcon.jpg", "tiger_2.jpg"}
    for seed in range(4):
        held_out = {one.picture.path.stem for one in split.propose(report.pictures, 3, seed)}
        assert held_out and len(held_out & {"tiger", "tiger_2"}) != 1


def test_the_folder_can_be_written_twice_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for _ in range(2):
        lesson_02.write_bad_folder(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(lesson_02.BAD_FOLDER_FILES) + 2


def test_a_random_split_tears_books_apart_that_whole_groups_keep():
    rows = museum.read_csv(museum.LIST)
    books = [row["book"] for row in rows]
    held_out = set(split.choose_groups([row["id"] for row in rows], [books.index(book) for book in books]))
    rest = {books[i] for i in range(len(rows)) if i not in held_out}
    assert held_out and not {books[i] for i in held_out} & rest


def test_a_detail_is_a_picture_of_its_own(sample):
    detail = lesson_02.crop_detail(sample.train[0], (10, 20, 110, 70))
    assert detail.size == detail.image.size == (100, 50) and sample.train[0].size == (592, 832)


def test_the_opening_picture_can_be_drawn_again(tmp_path):
    lesson_02.save_opening_picture(tmp_path / "02.jpg")
    drawn, committed = Image.open(tmp_path / "02.jpg"), Image.open(lesson_02.OPENING_PICTURE)
    assert drawn.size == committed.size and drawn.format == committed.format == "JPEG"
    assert lesson_02.OPENING_PICTURE.stat().st_size < 60_000


# What the exercises show


def test_the_lesson_shows_the_painting_that_the_checker_knows(sample):
    assert sample.train[8].path.name == "09_king_at_window.jpg"


def test_the_ruler_keeps_the_size_of_the_file(sample):
    window = sample.train[8]
    small = replace(window, file=ImageFile.of(window.image.resize((148, 208)), window.size))
    assert lesson_02_exercises.with_ruler(small).size == (592, 832)


def test_a_box_is_shown_beside_the_centre_square_when_it_fits(sample):
    window, preview = sample.train[8], lesson_02_exercises.box_preview
    assert preview((60, 272, 535, 758), window).data[:2] == b"\xff\xd8"
    assert preview(None, window) is None is preview((9, 9, 9, 9), window)


def test_half_of_all_random_eights_pass(sample):
    rows = features.image_features([picture.image for picture in sample.train])
    values = lesson_02_exercises.random_diversities(rows)
    assert len(values) == lesson_02_exercises.DRAWS
    assert 0 < min(values) < np.median(values) < max(values) < 1
