"""`lessons check` says what a set shows too often and what it never shows, by captions or by tags."""

import pytest
from drawings import discs
from PIL import Image

from lessons_lib import cli
from lessons_lib.commands import picture_sets
from lessons_lib.dataset.dataset import scan
from lessons_lib.inspection import coverage
from lessons_lib.inspection.report import inspect
from lessons_lib.models import bases
from lessons_lib.paths import SAMPLE

SIX = [Image.new("RGB", (8, 8))] * 6


def test_a_word_in_most_captions_is_named_with_its_count():
    captions = [f"a brown horse by a {place}" for place in ("tree", "house", "river", "wall", "lake")]
    first, _ = coverage.lines([*captions, "two horses at night"])
    assert "'horse' (6 of 6)" in first and "'brown' (5 of 6)" in first and "'tree'" not in first


def test_the_trigger_and_small_words_are_no_pattern():
    assert not [line for line in coverage.lines(["a red, v4se"] * 6, "v4se") if "often" in line]


def test_attributes_that_no_caption_names_are_listed():
    (line,) = [text for text in coverage.lines(["a king by a pond at night"] * 6) if "never" in text]
    assert "buildings" in line and "food" in line
    assert not [name for name in ("people", "water", "night") if name in line]


FRENCH = ["une femme à cheval dans la forêt", "un éléphant près du palais", "deux hommes dans une maison",
          "une forêt la nuit", "la forêt et le lac", "un cheval dans la forêt"]  # fmt: skip
GERMAN = ["eine Frau auf einem Pferd im Wald", "ein Elefant vor dem Palast", "zwei Männer in einem Haus",
          "ein Wald bei Nacht", "der Wald und der See", "ein Pferd im Wald"]  # fmt: skip
HINDI = ["जंगल में घोड़े पर एक औरत", "महल के पास हाथी", "घर में दो आदमी", "रात में जंगल", "जंगल और झील", "जंगल में घोड़ा"]
KOREAN = ["숲 속 말 탄 여자", "궁 앞 큰 뱀", "집 안 두 남자", "밤 숲", "숲 과 강", "숲 속 말"]
CHINESE = ["森林里骑马的女人", "宫殿旁的大象", "屋里的两个男人", "夜晚的森林", "森林和湖", "森林里的马"]
CHINESE_TAGS = ["女人, 马, 森林", "大象, 宫殿", "男人, 屋里", "夜晚, 森林", "森林, 湖", "马, 森林"]


@pytest.mark.parametrize("captions", [FRENCH, GERMAN, HINDI, KOREAN, CHINESE, CHINESE_TAGS])
def test_of_captions_in_another_language_it_is_not_said_that_they_show_nothing(captions):
    (line,) = coverage.lines(captions)
    assert "not looked for" in line and "not in English" in line


def test_the_trigger_alone_is_in_no_language():
    assert not [line for line in coverage.lines(["v4se"] * 6, "v4se") if "English" in line]


@pytest.mark.parametrize("captions", [[], [None] * 9, ["a cat"] * 5])
def test_of_few_captions_nothing_is_said(captions):
    assert coverage.lines(captions) == []


def test_pictures_without_captions_are_judged_by_tags():
    often, never = coverage.tag_lines(SIX, lambda images, labels, count: [["people", "night"]] * len(images))
    assert "'people' (6 of 6)" in often and "'night' (6 of 6)" in often
    assert "no tag names animals" in never


def test_tags_of_the_first_pictures_are_said_to_be_of_those(monkeypatch, tmp_path):
    monkeypatch.setattr(picture_sets, "_TAGGED", 6)
    for number in range(8):
        discs(number).save(tmp_path / f"{number}.png")
    report = inspect(scan(tmp_path), bases.find("pocket"))
    lines = picture_sets._coverage_lines(report, report.base, "v4se")
    assert lines and all(line.startswith("of the first 6 pictures, ") for line in lines)


def test_lessons_check_prints_what_the_practice_paintings_never_show(capsys):
    cli.main(["check", str(SAMPLE)])
    assert "never shown: no caption names" in capsys.readouterr().out
