"""The lane of `make bases` in its smallest part: two lessons on a miniature of one family."""

import ast
import re
import tomllib
from types import SimpleNamespace

import lessons_on_bases as lane
import miniatures
import pytest
from IPython.core import interactiveshell

from lessons_lib.models import bases, families


def test_every_family_has_a_miniature():
    assert {bases.find(name).family for name in lane.NAMES} == set(families.FAMILIES)


@pytest.mark.slow
def test_every_cell_of_two_lessons_runs_on_a_base_of_another_family(tmp_path):
    miniatures.write_table(tmp_path / "miniatures", ["flux2-klein"])
    outcomes = lane.run_apart("flux2-klein", "bfloat16", ["00", "07"], tmp_path)
    assert [(outcome["cells"], outcome["failures"]) for outcome in outcomes] == [(27, {}), (19, {})]
    settings = (tmp_path / "flux2-klein_bfloat16_00" / "runs" / "lesson_00" / "settings.json").read_text()
    assert '"base": "small-flux2-klein"' in settings


@pytest.mark.parametrize("lesson", lane.LESSONS)
def test_no_cell_asks_which_base_it_runs_on(lesson):
    """A base is printed and passed on; its names stand in no comparison and no branch.

    A `pipe` of its own, without this course, is of one architecture, and so is the run that it is held to.
    """
    cells = lane.code_cells(lesson, "pocket")
    assert not re.search(
        r'Sampler\("|(?<![\s(]pipe)\.transformer\b|\.unet\b|\bSettings\((?!base=BASE|base="pocket")',
        "\n".join(cells),
    )
    for node in (node for cell in cells for node in ast.walk(ast.parse(cell))):
        test = node if isinstance(node, ast.Compare) else getattr(node, "test", None)
        words = {n.attr for n in ast.walk(test) if isinstance(n, ast.Attribute)} if test else set()
        assert not words & {"name", "family", "repository"}


def test_every_cell_that_is_not_run_is_a_cell_and_has_a_reason():
    for row in tomllib.loads(lane.SKIPS.read_text())["cell"]:
        first_lines = [cell.splitlines()[0] for cell in lane.code_cells(row["lesson"], "pocket")]
        assert first_lines.count(row["first_line"]) == 1 and row["reason"]
        assert set(row.get("modes", ())) <= set(lane.MODES) and set(row.get("bases", ())) <= set(lane.NAMES)


def test_a_failure_and_a_skip_are_in_the_table():
    outcome = {"lesson": "01", "base": "sd15", "mode": "float32", "cells": 20}
    text = lane.table([outcome | {"failures": {"3": "ValueError: no"}, "skips": {"4": "no text"}}])
    assert "| 01 | sd15 | 20 run, 1 failed, 1 skipped |" in text and "cell 3: ValueError: no" in text
    assert "cell 4: no text" in text and text.endswith("20 cells run, 1 failed, 1 skipped")


def test_a_lesson_counts_as_ended_until_its_last_cell_has_run(monkeypatch):
    errors = iter([None, ZeroDivisionError("no")])
    shell = SimpleNamespace(
        reset=lambda new_session: None,
        run_cell=lambda source: SimpleNamespace(error_before_exec=None, error_in_exec=next(errors)),
    )
    monkeypatch.setattr(interactiveshell, "InteractiveShell", SimpleNamespace(instance=lambda: shell))
    monkeypatch.setattr(lane, "code_cells", lambda lesson, base: ["1", "1 / 0"])
    first, _, last = lane.run_cells("01", "sd15", "float32")
    assert (first["cells"], list(first["failures"])) == (1, ["0"])
    assert (last["cells"], last["failures"]) == (2, {"2": "ZeroDivisionError: no"})
