"""Long runs: tables of trials that resume, records with floor and ceiling, and the command line."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from course_fakes import BASE, FakeSampler, unit_rows

from lessons_lib.course import long_run, recorded
from lessons_lib.course.trials import TriggerSamples
from lessons_lib.dataset.dataset import Dataset

TRIALS = [("one", ("tom", 0)), ("two", ("lion", 1))]


def run_with(sampler):
    return long_run.LongRun(sampler, Dataset([]), torch.zeros(1, 1280), torch.zeros(1, 1280))


def test_a_stopped_table_resumes_where_it_was(tmp_path, capsys):
    done = []

    def trial(name, seed):
        if len(done) == 1 and not (tmp_path / "resumed").exists():
            raise KeyboardInterrupt
        done.append(name)
        return {"name": name, "seed": seed}

    path = tmp_path / "deep" / "table.json"
    with pytest.raises(KeyboardInterrupt):
        long_run.resume_trials(path, TRIALS, trial)
    (tmp_path / "resumed").touch()
    rows = long_run.resume_trials(path, TRIALS, trial)
    assert rows == [{"name": "tom", "seed": 0}, {"name": "lion", "seed": 1}]
    assert done == ["tom", "lion"]
    assert "one: done before" in capsys.readouterr().err


def test_a_damaged_table_is_named_and_left_alone(tmp_path):
    path = tmp_path / "table.json"
    path.write_text("{half")
    with pytest.raises(ValueError, match="remove it"):
        long_run.resume_trials(path, TRIALS, lambda name, seed: {})
    assert path.read_text() == "{half"


def test_rows_of_another_base_or_other_settings_are_made_again(monkeypatch, tmp_path):
    monkeypatch.setattr(long_run, "WORK_DIR", tmp_path)
    sampler, done = FakeSampler(), []
    sampler.pipe = SimpleNamespace(transformer=torch.nn.Linear(2, 2))

    def trial(name, seed):
        done.append((name, seed))
        return {"name": name}

    for _ in range(2):
        run_with(sampler).run_trials("words", ["tom", "lion"], trial)
    assert done == [("tom", 0), ("lion", 0), ("tom", 1), ("lion", 1)]
    sampler.base = replace(BASE, repository="/where/the/course/was/moved/to")
    run_with(sampler).run_trials("words", ["tom"], trial)
    assert len(done) == 4
    torch.nn.init.ones_(sampler.pipe.transformer.weight)
    run_with(sampler).run_trials("words", ["tom"], trial)
    assert len(done) == 6
    sampler.base = replace(BASE, learning_rate=2 * BASE.learning_rate)
    run_with(sampler).run_trials("words", ["tom"], trial)
    assert len(done) == 8


def test_a_record_holds_its_floor_and_ceiling(monkeypatch, held_out_features):
    results = {}
    monkeypatch.setattr(recorded, "save", lambda name, result: results.update({name: result}))
    far = unit_rows(torch.ones(2, 1280))
    run = long_run.LongRun(FakeSampler(), Dataset([]), held_out_features, held_out_features)
    run.record("words", [{"a": 1}], TriggerSamples([], [], far, far), triggers=["tom"])
    result = results["words"]
    assert result["floor"] < result["ceiling"]
    assert result["rows"] == [{"a": 1}] and result["triggers"] == ["tom"]
    assert result["steps"] == long_run.STEPS


def test_the_command_line_makes_what_it_names(capsys):
    made = []

    def record():
        """Make the long run."""
        made.append("record")

    long_run.command_line("lesson_02", {"record": record}, ["record"])
    assert made == ["record"]
    with pytest.raises(SystemExit):
        long_run.command_line("lesson_02", {"record": record}, [])
    assert "lesson_02" in capsys.readouterr().err


def test_the_help_of_the_command_line_says_what_each_word_makes(capsys):
    def record():
        """Make the long run."""

    with pytest.raises(SystemExit):
        long_run.command_line("lesson_02", {"record": record}, ["--help"])
    assert "record: Make the long run." in capsys.readouterr().out
