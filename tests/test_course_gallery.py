"""The gallery is made of what the lessons have drawn and printed, and says what is gone."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lessons_lib.course import gallery
from lessons_lib.paths import NOTEBOOK_PICTURES


def test_the_page_and_its_pictures_are_what_the_lessons_give_today(tmp_path):
    gallery.write(tmp_path / "page.md", tmp_path)
    assert (tmp_path / "page.md").read_text("utf-8") == gallery.PAGE.read_text("utf-8")
    drawn, committed = ({p.name: p for p in d.glob("gallery_*")} for d in (tmp_path, NOTEBOOK_PICTURES))
    assert set(drawn) == set(committed)
    for name, path in drawn.items():
        images = [np.asarray(Image.open(one).convert("RGB"), float) for one in (path, committed[name])]
        assert np.abs(images[0] - images[1]).mean() < 2, f"{name}: python -m lessons_lib.course.gallery"


@pytest.mark.parametrize(
    ("change", "message"),
    [({"source": "no_such_call("}, "lesson 09 draws no"), ({"printed": ("no such line",)}, "prints no")],
)
def test_an_exhibit_that_its_lesson_has_no_more_is_named(tmp_path, monkeypatch, change, message):
    exhibit = next(one for one in gallery.EXHIBITS if one.lesson == "09")
    monkeypatch.setattr(gallery, "EXHIBITS", (replace(exhibit, **change),))
    with pytest.raises(ValueError, match=message):
        gallery.write(tmp_path / "page.md", tmp_path)
