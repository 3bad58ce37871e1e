"""Sentences of the lessons are bound to recorded figures: a change by hand shows, and what no longer holds
is named.
"""

import json

import nbformat
import pytest

from lessons_lib.course import record, recorded, sentences
from lessons_lib.paths import RECORDED


def result(four=0.4, sixteen=0.6):
    """Return a record of two numbers of pictures, two trainings each."""
    rows = [
        {"count": count, "seed": seed, "style": [mean, mean + 0.02], "nearest": [0.5, 0.6], "far": [0.1, 0.2]}
        for seed in (0, 1) for count, mean in ((4, four), (16, sixteen))
    ]  # fmt: skip
    return {"rows": rows, "floor": 0.2, "ceiling": 1.2, "steps": 100}


def values(**means):
    return {"counts": sentences.Figures(result(**means))}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("{counts[style][4]:.2f}", "0.41"), ("{counts[style][4 vs 16]}", "lower"),
        ("{counts[style][16 vs 4]}", "higher"), ("{counts[style][16 vs 16]}", "no difference"),
        ("{counts[style][4 by 16]:.2f}", "0.20"), ("{counts[style][4 to 16]}", "-0.200 to -0.200"),
        ("{counts[style][4 gap]:.0%}", "21%"), ("{counts[style][highest]}", "16"),
        ("{counts[nearest vs far][4]}", "higher"), ("{counts[steps]}", "100"), ("{counts[drawings]}", "4"),
        ("{counts[trainings]}", "2"), ("{counts[floor]:.1f}", "0.2"),
    ],
)  # fmt: skip
def test_a_field_gives_a_figure_or_a_word(field, text):
    assert sentences.render(field, values()) == text


def test_a_figure_that_is_not_recorded_is_an_error():
    with pytest.raises(KeyError):
        sentences.render("{counts[style][12]}", values())


@pytest.fixture
def lesson(tmp_path):
    """A notebook that prints a line and states a result below it."""
    cell = nbformat.v4.new_code_cell("print('up: True')")
    cell.outputs = [nbformat.v4.new_output("stream", text="up: True\n")]
    bound = {
        "template": "Four came to {counts[style][4]:.2f}, less than sixteen.",
        "holds": {"{counts[style][4 vs 16]}": "lower"},
        "printed": ["up: True"],
    }
    text = nbformat.v4.new_markdown_cell("Four came to 0.41, less than sixteen.", metadata={"bound": bound})
    path = tmp_path / "07_lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, text]), path)
    return path


def test_a_sentence_that_holds_is_left_as_it_is(lesson):
    before = lesson.read_bytes()
    assert sentences.problems(lesson, values()) == []
    assert not sentences.fill(lesson, values()) and lesson.read_bytes() == before


def test_a_figure_that_changed_is_named_and_filled_in(lesson):
    (line,) = sentences.problems(lesson, values(four=0.3))
    assert "says 'Four came to 0.41" in line and "recorded is 'Four came to 0.31" in line
    assert sentences.fill(lesson, values(four=0.3))
    assert sentences.problems(lesson, values(four=0.3)) == []


def test_a_direction_that_turned_asks_for_another_sentence(lesson):
    sentences.fill(lesson, values(four=0.8))
    (line,) = sentences.problems(lesson, values(four=0.8))
    assert "was 'lower' and is 'higher'" in line and line.endswith(sentences.ANEW)


def test_a_figure_that_is_no_longer_recorded_asks_for_another_sentence(lesson):
    lesson.write_text(lesson.read_text().replace("{counts[style][4]:.2f}", "{counts[style][12]:.2f}"))
    before = lesson.read_bytes()
    (line,) = sentences.problems(lesson, values())
    assert "'12' is not recorded" in line and line.endswith(sentences.ANEW)
    assert not sentences.fill(lesson, values()) and lesson.read_bytes() == before


def test_a_line_that_is_no_longer_printed_asks_for_another_sentence(lesson):
    lesson.write_text(lesson.read_text().replace("up: True\\n", "up: False\\n"))
    (line,) = sentences.problems(lesson, values())
    assert "no cell above prints 'up: True'" in line


@pytest.mark.parametrize("path", record.notebooks(), ids=lambda path: path.stem)
def test_every_bound_sentence_of_a_lesson_holds(path):
    assert sentences.problems(path, sentences.figures()) == []


def test_every_lesson_has_bound_sentences():
    books = {path.name[:2]: nbformat.read(path, as_version=4) for path in record.notebooks()}
    bound = {name for name, book in books.items() if any("bound" in cell.metadata for cell in book.cells)}
    assert set(books) >= bound >= {f"{number:02}" for number in range(12)}


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_figure_was_not_changed_by_hand(path):
    entry = json.loads(path.read_text(encoding="utf-8"))
    assert entry["digest"] == recorded.digest(entry["result"])


def test_sentences_alone_are_checked_without_a_run(monkeypatch, lesson, capsys):
    monkeypatch.setattr(record, "notebooks", lambda: [lesson])
    monkeypatch.setattr(sentences, "figures", lambda: values(four=0.8))
    assert record.main(["sentences"]) == 1
    assert "1 sentences to write anew" in capsys.readouterr().out
