"""Lesson 06's changes of pictures deceive the measures that they should,
and its counts and charts are right.
"""

import numpy as np
import pytest
from course_fakes import BASE, JUDGE
from PIL import Image, ImageDraw

from lessons_lib.adapters.run import WEIGHTS_NAME, Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import lesson_06, trials
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation import copies, metrics
from lessons_lib.models import features, pixels
from lessons_lib.training import train


@pytest.fixture(scope="module")
def squares(paintings):
    return [pixels.to_square(p.image, 128) for p in paintings]


def drawings():
    images = [Image.new("RGB", (128, 128), (200, 200 - 30 * i, 255)) for i in range(4)]
    for i, image in enumerate(images):
        ImageDraw.Draw(image).ellipse((30, 30 + 5 * i, 90, 100), fill="red")
    return images


def pixels_of(image):
    return np.asarray(image).reshape(-1, 3).tolist()


def mean_colour(image):
    return np.asarray(image, float).mean((0, 1))


def test_the_highest_and_the_lowest_values_are_found_by_place():
    assert lesson_06.highest_and_lowest([0.3, 0.9, -1.0, 0.5], 2) == ([1, 3], [2, 0])


def test_subjects_are_counted_and_not_their_seeds():
    assert lesson_06.mean_per_subject([0.1, 0.3, -1.0, 0.0], 2) == pytest.approx([0.2, -0.5])


def test_changes_in_one_direction_are_compared_with_a_coin():
    three, eight = lesson_06.sign_test_lines([0.1] * 8, [3, 8])
    assert three.startswith("3 things: 3 went up, 0 down") and "25%" in three and "1%" in eight
    assert "0 went up, 8 down" in lesson_06.sign_test_lines([-0.1] * 8, [8])[0]


def test_grey_and_shuffled_pictures_keep_what_they_should(squares):
    grey, shuffled = lesson_06.greyscale(squares[0]), lesson_06.shuffled_tiles(squares[0])
    assert len({channel.tobytes() for channel in grey.split()}) == 1
    assert sorted(pixels_of(shuffled)) == sorted(pixels_of(squares[0]))
    assert shuffled.tobytes() != squares[0].tobytes()
    assert lesson_06.shuffled_tiles(squares[0], cells=1).tobytes() == squares[0].tobytes()


def test_matched_colours_have_the_mean_of_the_painting(squares):
    difference = mean_colour(lesson_06.match_colours(drawings()[0], squares[0])) - mean_colour(squares[0])
    assert abs(difference).max() < 12  # values are cut off at 0 and 255


def test_a_paste_leaves_the_edges_of_the_painting_and_borders_leave_the_drawing(squares):
    drawing, painting = drawings()[0], squares[0]
    pasted = lesson_06.paste_on_painting(drawing, painting)
    bordered = lesson_06.add_borders(drawing, painting)

    def same(first, second, *box):
        return first.crop(box).tobytes() == second.crop(box).tobytes()

    assert same(pasted, painting, 0, 0, 128, 20)
    assert same(bordered, painting, 0, 0, 18, 128) and same(bordered, painting, 110, 0, 128, 128)
    assert same(bordered, drawing, 18, 0, 110, 128)
    assert pasted.getpixel((64, 68)) == bordered.getpixel((64, 68)) == (255, 0, 0)


def test_the_centre_crop_of_a_paste_is_what_was_pasted(squares):
    pasted = lesson_06.paste_on_painting(Image.new("RGB", (128, 128), "red"), squares[0])
    (centre,) = metrics.centre_crops([pasted])
    assert {green for _, green, _ in pixels_of(centre)} <= {0, 1, 2}


@pytest.mark.parametrize("change", [lesson_06.paste_on_painting, lesson_06.add_borders])
def test_a_paste_deceives_the_measure_of_wholes_and_not_that_of_centres(change, squares):
    sets = drawings(), lesson_06.with_paintings(change, drawings(), squares[:3]), squares[:3], squares[3:]
    assert metrics.gap_closed(*sets) > 0.3
    assert metrics.gap_closed(*map(metrics.centre_crops, sets)) < 0.25


def test_the_best_that_this_base_could_draw_is_a_soft_copy(sampler, squares):
    matches = copies.nearest_layouts(sampler.through_vae(squares), squares)
    assert [place for place, _ in matches] == [0, 1, 2, 3]
    assert min(likeness for _, likeness in matches) > 0.9


def test_the_tradeoff_is_measured_at_each_strength(squares):
    held_out = features.image_features(squares[3:])
    samples = {0.0: [[drawings()[0]]], 1.0: [[squares[0]]]}
    ends = metrics.style_match(drawings(), held_out), metrics.style_match(squares[:3], held_out)
    tradeoff = lesson_06.strength_tradeoff(JUDGE, samples, ["an elephant"], *ends, held_out)
    assert tradeoff[1.0][0] > tradeoff[0.0][0] and all(-1 <= prompt <= 1 for _, prompt in tradeoff.values())


def test_the_best_strength_keeps_the_share_that_was_asked():
    tradeoff = {0.0: (0.0, 0.9), 0.5: (0.4, 0.8), 1.0: (0.7, 0.4)}
    assert [lesson_06.best_strength(tradeoff, keep) for keep in (0.95, 0.8, 0.4)] == [0.0, 0.5, 1.0]


def test_the_charts_are_single_jpegs():
    panels = {"x": {"a": [0.1], "b": [0.2, 0.3]}, "y": {"a": [0.4], "b": []}}
    for chart in (
        lesson_06.tradeoff_chart({0.0: (0.0, 0.9), 0.5: (0.4, 0.8)}),
        lesson_06.gap_chart({"a": 0.5, "b": -0.1}, "share"),
        lesson_06.strip_chart(panels, {"y": 0.8}),
    ):
        assert chart.format == "jpeg" and len(chart.data) > 2000


def test_the_run_of_lesson_00_is_judged_however_many_steps_it_has(practice, tmp_path, monkeypatch):
    monkeypatch.setattr(train.Trainer, "train", lambda self, out, replace: Run(out, self.settings))
    assert lesson_06.run_to_judge(BASE, practice, tmp_path).folder == tmp_path / "lesson_06"
    folder = tmp_path / "lesson_00"
    folder.mkdir()
    (folder / WEIGHTS_NAME).touch()
    for steps, trigger, judged in ((None, "mugh4l", "00"), (9, "mugh4l", "00"), (None, "0wl", "06")):
        trainer = train.Trainer(BASE, practice, Settings(base=BASE.name, trigger=trigger, steps=steps))
        Run(folder, trainer.settings, fingerprint=trainer.fingerprint).save()
        assert lesson_06.run_to_judge(BASE, practice, tmp_path).folder == tmp_path / f"lesson_{judged}"


def test_a_memorised_run_is_a_long_one_on_few_pictures(paintings, tmp_path, monkeypatch):
    calls = []

    def fake_train(dataset, settings, run_dir, replace):
        calls.append((dataset, settings))
        return Run(run_dir, settings)

    monkeypatch.setattr(train, "train", fake_train)
    _, texts = lesson_06.train_memorised(BASE, Dataset(paintings), tmp_path)
    ((few, settings),) = calls
    assert few.train == paintings[:2] and len(texts) == 2 and settings.steps == 200
    assert all(trials.TRIGGER in text for text in texts)
