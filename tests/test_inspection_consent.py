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
    for row in rows:
        discs(3).save(tmp_path / row.split(",")[0])
    (tmp_path / "metadata.csv").write_text(HEADER + "".join(rows))
    return [str(f.what) for f in consent.check(dataset.scan(tmp_path).pictures, TODAY)]


def test_a_whole_form_is_fine(tmp_path):
    assert checked(tmp_path, GOOD) == ["everybody who is shown agreed, and it is written down"]


@pytest.mark.parametrize(("row", "part"), [
    ("b.png,,training a model,2026-11-01\n", "without consent_by, who agreed: b.png"),
    ("b.png,Ada,,2026-11-01\n", "without consent_to, to what: b.png"),
    ("b.png,Ada,training a model,\n", "without consent_date, when: b.png"),
    ("b.png,Ada,training a model,last week\n", "no day such as"),
    ("b.png,Ada,training a model,2027-01-01\n", "still to come: b.png"),
    ("b.png,Ada,being photographed,2026-11-01\n", "does not speak of training"),
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
