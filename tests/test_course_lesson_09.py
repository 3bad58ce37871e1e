"""Lesson 09's second style is outlines on blue, and its table counts what comes back."""

import numpy as np
import pytest
from course_fakes import marked
from PIL import Image, ImageDraw

from lessons_lib.adapters import combine, files
from lessons_lib.course import lesson_09


@pytest.fixture
def disc():
    image = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(image).ellipse((30, 30, 90, 90), fill="black")
    return image


def test_a_blueprint_is_white_outlines_on_blue(disc):
    values = np.asarray(lesson_09.blueprint(disc), int)
    assert values.shape == (128, 128, 3) and values[60, 60].tolist() == values[5, 5].tolist() == [24, 58, 128]
    assert values[28:34, 60].max() > 200  # the upper edge of the disc


def test_blueprints_have_captions_and_rights_and_two_are_held_out(disc):
    dataset = lesson_09.blueprints([disc] * len(lesson_09.THINGS))
    assert (len(dataset.train), len(dataset.held_out)) == (10, 2)
    assert all(p.rights["licence"] == "CC0-1.0" and p.caption for p in (*dataset.train, *dataset.held_out))


def test_prompts_have_every_trigger_word():
    first = lesson_09.prompts("aa1", "bb2")[0]
    assert "horse" in first and "aa1" in first and "bb2" in first


def test_every_layer_of_a_run_comes_back_from_each_file(short_run, sampler, tmp_path):
    rows = lesson_09.round_trips(short_run.folder, sampler)
    assert [row.program for row in rows] == ["diffusers", "ComfyUI", "sd-scripts (kohya)", "back here"]
    assert {(row.layers, row.expected) for row in rows} == {(40, 40)}
    assert max(row.difference for row in rows) < 1e-6 and "40 of 40 layers" in str(rows[0])
    assert sampler.adapter is None and not sampler.pipe.get_list_adapters()


def test_the_largest_difference_of_two_pictures_is_of_one_colour(disc):
    other = disc.copy()
    other.putpixel((0, 0), (255, 250, 255))
    assert lesson_09.largest_pixel_difference([disc, disc], [disc, other]) == 5


def test_a_chart_of_overlaps_has_a_stroke_for_each_layer_in_each_row(short_run, figures):
    adapter = files.read(short_run.folder)
    overlaps = combine.interference(adapter, adapter)
    by_chance = lesson_09.chance(adapter)
    assert all(0 < share < 1 for share in by_chance)
    lesson_09.overlap_chart(overlaps, by_chance)
    cosines = [x for x, row in marked(figures[0].axes[0], "|") if row == 0]
    assert cosines == [overlap.cosine for overlap in overlaps]
    assert len(marked(figures[0].axes[0], "|")) == 3 * len(overlaps)
