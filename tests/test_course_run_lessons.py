"""Lessons are run as they are, and their seconds stand beside those of the others."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lessons_lib.course import recorded, run_lessons


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of one lesson with two sections, whose records lie beside it."""
    cells = [new_markdown_cell("# A"), new_code_cell("1 + 1"), new_markdown_cell("## B"), new_code_cell("2")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "00_a.ipynb")
    (tmp_path / "recorded").mkdir()
    monkeypatch.setattr(run_lessons, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(recorded, "save", lambda name, result: results.append(result))
    monkeypatch.setattr(recorded, "load", lambda name: {"result": results[-1]})
    results = [{"gone_lesson": {}}]
    return tmp_path


def test_a_lesson_is_run_and_its_seconds_recorded_by_section(course):
    costs = run_lessons.record(course / "00_a.ipynb")
    assert list(costs["seconds"]) == ["", "B"] and costs["seconds"][""] > 0
    assert list(run_lessons.load()) == ["00_a"]
    assert nbformat.read(course / "00_a.ipynb", as_version=4).cells[1].outputs == []


def test_outputs_are_kept_where_that_is_wanted(course):
    run_lessons.record(course / "00_a.ipynb", keep=True)
    (output,) = nbformat.read(course / "00_a.ipynb", as_version=4).cells[1].outputs
    assert output.data["text/plain"] == "2"


def test_a_lesson_that_fails_is_named_and_loses_nothing(course, capsys):
    text = (course / "00_a.ipynb").read_text()
    (course / "00_a.ipynb").write_text(text.replace("1 + 1", "1 / 0"))
    assert run_lessons.main(["00", "--keep"]) == 1
    assert "00_a: a cell failed" in capsys.readouterr().out
    assert "ZeroDivisionError" not in (course / "00_a.ipynb").read_text()


def test_a_lesson_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="no lesson begins with '77'; there are 00_start_here"):
        run_lessons.lessons("77")
