"""Lesson 06's frauds deceive where they should, and its checks tell a good answer from a bad one."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lessons_lib.adapters.run import Run
from lessons_lib.course import lesson_06
from lessons_lib.evaluation import copies, metrics
from lessons_lib.models import features, pixels

PLAIN = [Image.new("RGB", (128, 128), (200, 200 - 30 * i, 255)) for i in range(4)]


@pytest.fixture(scope="module")
def squares(paintings):
    return [pixels.square(p.image, 128) for p in paintings]


def drawings():
    made = [picture.copy() for picture in PLAIN]
    for i, picture in enumerate(made):
        ImageDraw.Draw(picture).ellipse((30, 30 + 5 * i, 90, 100), fill="red")
    return made


def test_the_ends_are_the_highest_and_the_lowest():
    assert lesson_06.ends([0.3, 0.9, -1.0, 0.5], 2) == ([1, 3], [2, 0])


def test_things_are_counted_and_not_their_seeds():
    assert lesson_06.per_thing([0.1, 0.3, -1.0, 0.0], 2) == pytest.approx([0.2, -0.5])
    lines = lesson_06.so_many([0.1] * 8, [3, 8])
    assert lines[0].startswith("3 things: 3 went up, 0 down") and "25%" in lines[0] and "1%" in lines[1]
    assert "0 went up, 8 down" in lesson_06.so_many([-0.1] * 8, [8])[0]


def test_grey_and_pieces_keep_what_they_should(squares):
    grey, mixed = lesson_06.in_grey(squares[0]), lesson_06.in_pieces(squares[0])
    assert len({channel.tobytes() for channel in grey.split()}) == 1
    assert sorted(np.asarray(mixed).reshape(-1, 3).tolist()) == sorted(
        np.asarray(squares[0]).reshape(-1, 3).tolist()
    )
    assert mixed.tobytes() != squares[0].tobytes() == lesson_06.in_pieces(squares[0], cells=1).tobytes()


def test_a_tint_brings_a_paintings_colours_and_a_frame_its_border(squares):
    made = np.asarray(lesson_06.tinted(drawings()[0], squares[0]), float)
    assert (
        abs(made.mean((0, 1)) - np.asarray(squares[0], float).mean((0, 1))).max() < 12
    )  # what is cut off at 0 and 255
    pasted = lesson_06.pasted(drawings()[0], squares[0])
    assert pasted.crop((0, 0, 128, 20)).tobytes() == squares[0].crop((0, 0, 128, 20)).tobytes()
    bordered = lesson_06.bordered(drawings()[0], squares[0])
    for left, right in ((0, 18), (110, 128)):
        assert (
            bordered.crop((left, 0, right, 128)).tobytes() == squares[0].crop((left, 0, right, 128)).tobytes()
        )
    assert bordered.crop((18, 0, 110, 128)).tobytes() == drawings()[0].crop((18, 0, 110, 128)).tobytes()
    assert pasted.getpixel((64, 68)) == bordered.getpixel((64, 68)) == (255, 0, 0)


def test_what_is_pasted_deceives_the_whole_and_not_the_middles(squares):
    for change in (lesson_06.pasted, lesson_06.bordered):
        made = lesson_06.with_each(change, drawings(), squares[:3])
        whole = metrics.gap_closed(drawings(), made, squares[:3], squares[3:])
        middle = metrics.gap_closed(*map(metrics.centre_crops, (drawings(), made, squares[:3], squares[3:])))
        assert whole > 0.3 and middle < 0.25


def test_the_best_this_base_can_draw_is_a_soft_copy(sampler, squares):
    made = lesson_06.as_drawn(sampler, squares)
    found = copies.nearest_layouts(made, squares)
    assert [i for i, _ in found] == [0, 1, 2, 3] and min(v for _, v in found) > 0.9


def test_the_bargain_is_measured_at_each_strength(squares):
    held_out = features.image_features(squares[3:])
    drawn = {0.0: [[drawings()[0]]], 1.0: [[squares[0]]]}
    ends = metrics.style_match(drawings(), held_out), metrics.style_match(squares[:3], held_out)
    found = lesson_06.trade(drawn, ["an elephant"], *ends, held_out)
    assert found[1.0][0] > found[0.0][0] and all(-1 <= prompt <= 1 for _, prompt in found.values())
    bargain = {0.0: (0.0, 0.9), 0.5: (0.4, 0.8), 1.0: (0.7, 0.4)}
    assert [lesson_06.strongest(bargain, keep) for keep in (0.95, 0.8, 0.4)] == [0.0, 0.5, 1.0]
    for shown in (
        lesson_06.path(bargain),
        lesson_06.bars({"a": 0.5, "b": -0.1}, "share"),
        lesson_06.rungs({"x": {"a": [0.1], "b": [0.2, 0.3]}, "y": {"a": [0.4], "b": []}}, {"y": 0.8}),
    ):
        assert shown.format == "jpeg" and len(shown.data) > 2000


def test_a_parrot_is_a_run_on_few_pictures(paintings, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        lesson_06.train, "train", lambda *given: seen.append(given) or Run(tmp_path, given[2], False, ())
    )
    _, said = lesson_06.parrot(paintings, tmp_path)
    learned, told, settings, _ = seen[0]
    assert learned == paintings[:2] and told == said and all(lesson_06.WORD in text for text in said)
    assert settings.steps == 200


def test_the_checks_of_the_exercises(squares):
    held_out = [squares[3]]
    check = lambda fraud: lesson_06.check_fraud(fraud, drawings(), squares[:3], held_out)  # noqa: E731
    assert check(lambda d, p: None) == "not attempted yet"
    assert "not deceived" in check(lambda d, p: d) and check(lambda d, p: p).endswith("deceived")
    assert lesson_06.check_needed(None) == lesson_06.check_claims(None) == "not attempted yet"
    assert lesson_06.check_needed(10) == lesson_06.check_claims("da") == "right"
    assert "15%" in lesson_06.check_needed(9) and "other side" in lesson_06.check_needed(2)
    assert "so would fewer" in lesson_06.check_needed(11)
    assert "expected a picture, found str" in check(lambda d, p: "a fraud")
    assert "who chose" in lesson_06.check_claims("ab") and "missing" in lesson_06.check_claims("a")
    assert "no such claim" in lesson_06.check_claims("adz")


def test_the_middle_of_a_picture_is_what_is_pasted(squares):
    marked = lesson_06.pasted(Image.new("RGB", (128, 128), "red"), squares[0])
    assert set(np.asarray(metrics.centre_crops([marked])[0]).reshape(-1, 3)[:, 1].tolist()) <= {0, 1, 2}
