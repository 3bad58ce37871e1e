"""The gallery is made of what the lessons have drawn and printed, and says what is gone."""

from dataclasses import replace

import pytest

from lessons_lib.course import gallery
from lessons_lib.paths import NOTEBOOK_PICTURES


def test_every_exhibit_hangs_on_the_page_with_what_went_wrong():
    text = gallery.PAGE.read_text(encoding="utf-8")
    for number, exhibit in enumerate(gallery.EXHIBITS, 1):
        assert f"## {exhibit.title}\n" in text and exhibit.wrong in text
        assert (NOTEBOOK_PICTURES / gallery._picture_name(exhibit, number)).is_file()


def test_no_picture_of_an_exhibit_that_is_gone_is_left():
    names = {gallery._picture_name(exhibit, i) for i, exhibit in enumerate(gallery.EXHIBITS, 1)}
    assert {path.name for path in NOTEBOOK_PICTURES.glob("gallery_*")} <= names


@pytest.mark.parametrize(
    ("change", "message"),
    [({"source": "no_such_call("}, "lesson 09 draws no"), ({"printed": ("no such line",)}, "prints no")],
)
def test_an_exhibit_that_its_lesson_has_no_more_is_named(tmp_path, monkeypatch, change, message):
    exhibit = next(one for one in gallery.EXHIBITS if one.lesson == "09")
    monkeypatch.setattr(gallery, "EXHIBITS", (replace(exhibit, **change),))
    with pytest.raises(ValueError, match=message):
        gallery.write(tmp_path / "page.md", tmp_path)
