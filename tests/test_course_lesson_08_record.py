"""Lesson 08's recorder: what is whole is saved, what is left out is said, a stopped run goes on."""

import json
from types import SimpleNamespace

import pytest
from course_fakes import FakeSampler

from lessons_lib.course import lesson_08_record, recorded
from lessons_lib.course.lesson_08 import PLACES, REMEDIES


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """What was given to be recorded, with the rows of the run in an own folder."""
    results = []
    monkeypatch.setattr(lesson_08_record.long_run, "WORK_DIR", tmp_path)
    monkeypatch.setattr(lesson_08_record.recorded, "save", lambda name, result: results.append(result))
    return results


def write_rows(rows):
    path = lesson_08_record._rows_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows), encoding="utf-8")


def test_a_seed_that_lacks_a_remedy_is_left_out_and_that_is_said(saved, capsys):
    trials = lesson_08_record._trials(tuple(REMEDIES))
    write_rows({name: {"remedy": remedy, "seed": seed} for name, (remedy, seed) in trials[:-1]})
    lesson_08_record.save_finished()
    assert {(row["remedy"], row["seed"]) for row in saved[0]["rows"]} == {(name, 0) for name in REMEDIES}
    said = capsys.readouterr().out
    assert "left out" in said and said.count("seed 1") == len(REMEDIES) - 1


def test_of_a_whole_run_nothing_is_left_out(saved, capsys):
    trials = lesson_08_record._trials(tuple(REMEDIES))
    write_rows({name: {"remedy": remedy, "seed": seed} for name, (remedy, seed) in trials})
    lesson_08_record.save_finished()
    assert len(saved[0]["rows"]) == len(trials) and capsys.readouterr().out == ""


def test_a_recording_that_was_stopped_goes_on(saved, monkeypatch):
    trained = []

    def trial(remedy, seed):
        trained.append((remedy, seed))
        if len(trained) == 2:
            raise KeyboardInterrupt
        return {"remedy": remedy, "seed": seed}

    monkeypatch.setattr(lesson_08_record.Bench, "prepare", lambda: SimpleNamespace(sampler=None))
    monkeypatch.setattr(lesson_08_record.lesson_08, "class_pictures", lambda sampler: [])
    monkeypatch.setattr(lesson_08_record, "_parts", lambda *_: {"rows": (tuple(REMEDIES), trial)})
    with pytest.raises(KeyboardInterrupt):
        lesson_08_record.record()
    lesson_08_record.record()
    assert len(trained) == 2 * len(REMEDIES) + 1 and len(set(trained)) == 2 * len(REMEDIES)
    assert len(saved[-1]["rows"]) == 2 * len(REMEDIES)


def test_a_confusion_table_counts_owl_fox_and_neither_of_each_subject():
    network = SimpleNamespace(shown=lambda images: [0] * (len(images) - 1) + [2])
    bench = SimpleNamespace(sampler=FakeSampler(), alone={"features": network})
    tables = lesson_08_record.confusion(bench, None)
    total = sum(tables["features"][0])
    assert tables == {"features": [[total - 1, 0, 1]] * 2} and total % len(PLACES) == 0


def test_the_recorded_run_has_every_remedy_with_every_training_seed():
    rows = recorded.load(lesson_08_record.NAME)["result"]["rows"]
    trials = {(remedy, seed) for remedy in REMEDIES for seed in lesson_08_record.TRAINING_SEEDS}
    assert {(row["remedy"], row["seed"]) for row in rows} == trials and len(rows) == len(trials)
