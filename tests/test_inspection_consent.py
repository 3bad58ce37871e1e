"""Consent is three columns of a table; what is missing is named, and that is a warning."""

from datetime import date

import pytest
from drawings import discs

from lessons_lib import cli
from lessons_lib.dataset import dataset
from lessons_lib.inspection import consent

TODAY = date(2026, 11, 26)
HEADER = "file_name,consent_by,consent_to,consent_date\n"
GOOD = "a.png,Ada Byron,training a LoRA and showing it in our club,2026-11-01\n"


def checked(tmp_path, *rows):
    tmp_path.mkdir(exist_ok=True)
    for row in rows:
        discs(3).save(tmp_path / row.split(",")[0])
    (tmp_path / "metadata.csv").write_text(HEADER + "".join(rows))
    return [str(f.what) for f in consent.check(dataset.scan(tmp_path).pictures, TODAY)]


def test_a_whole_form_is_fine(tmp_path):
    (text,) = checked(tmp_path, GOOD, GOOD.replace("a.png", "b.png"))
    assert text.startswith("every picture has consent_by, consent_to, consent_date; read consent_to yourself")
    assert text.endswith("'training a LoRA and showing it in our club' (2)") and "agreed" not in text


def test_a_set_without_pictures_says_nothing_of_consent():
    assert consent.check([]) == []


@pytest.mark.parametrize(
    "consent_to",
    ["showing in our club, not for training an AI", "no model may learn from it", "don’t train on it"],
)
def test_a_refusal_that_speaks_of_training_is_worth_a_look(tmp_path, consent_to):
    (text,) = checked(tmp_path, GOOD, f'b.png,Ada,"{consent_to}",2026-11-01\n')
    assert "1 picture whose consent_to reads like a refusal" in text and text.endswith("b.png")


def test_class_pictures_show_people_too(tmp_path, capsys):
    checked(tmp_path / "set", GOOD)
    checked(tmp_path / "class", "c.png,,training a model,2026-11-01\n")
    cli.main(["check", str(tmp_path / "set"), "--people", "--prior", str(tmp_path / "class")])
    assert "1 picture without consent_by, who agreed: c.png" in capsys.readouterr().out


@pytest.mark.parametrize(("row", "part"), [
    ("b.png,,training a model,2026-11-01\n", "without consent_by, who agreed: b.png"),
    ("b.png,Ada,,2026-11-01\n", "without consent_to, to what: b.png"),
    ("b.png,Ada,training a model,\n", "without consent_date, when: b.png"),
    ("b.png,Ada,training a model,last week\n", "no day such as"),
    ("b.png,Ada,training a model,2027-01-01\n", "still to come: b.png"),
    ("b.png,Ada,being photographed,2026-11-01\n", "does not speak of training"),
    ("b.png,Ada,using it as remodelled trainers,2026-11-01\n", "does not speak of training"),
])  # fmt: skip
def test_each_gap_is_named_with_its_picture_and_no_other(tmp_path, row, part):
    (text,) = checked(tmp_path, GOOD, row)
    assert part in text and "1 picture" in text and "a.png" not in text


def test_a_table_without_the_columns_lacks_all_three(tmp_path, capsys):
    for name in "abc":
        discs(3).save(tmp_path / f"{name}.png")
    assert cli.main(["check", str(tmp_path)]) == 0 and "consent" not in capsys.readouterr().out
    assert cli.main(["check", str(tmp_path), "--people"]) == 0
    assert capsys.readouterr().out.count("3 pictures without consent_") == 3
