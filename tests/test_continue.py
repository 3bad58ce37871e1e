"""A finished run goes on to more steps: to the bit where the learning rates allow it, else it says so."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from lessons_lib.adapters import info
from lessons_lib.adapters.run import Outcome, Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.training import existing, train

SHORT = Settings(trigger="mugh4l", steps=3, rank=2, batch=2, lr_scheduler="constant", ema_decay=0.9)
LONG = replace(SHORT, steps=6)


def same(one: Run, two: Run) -> bool:
    a, b = load_file(one.adapter), load_file(two.adapter)
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


def losses(run: Run) -> list[float]:
    return [row["loss"] for row in run.log]


@pytest.fixture(scope="module")
def in_one_go(practice, tmp_path_factory):
    return train.train(practice, LONG, tmp_path_factory.mktemp("long") / "run")


@pytest.fixture
def finished(practice, tmp_path):
    run = train.train(practice, SHORT, tmp_path / "run")
    (run.folder / "before_after.jpg").write_bytes(b"of three steps")
    return run


def test_more_steps_give_the_adapter_of_a_training_in_one_go(practice, finished, in_one_go):
    run = train.train(practice, LONG, finished.folder, resume=True)
    assert run.resumed_from == 3 and run.outcome is Outcome.DONE and run.earlier_schedules == ()
    assert (
        same(run, in_one_go) and losses(run) == losses(in_one_go) and run.fingerprint == in_one_go.fingerprint
    )
    assert not (run.folder / "before_after.jpg").exists()


def test_a_schedule_that_ended_is_said_and_the_rates_are_the_longer_ones(practice, tmp_path):
    short = replace(SHORT, lr_scheduler="cosine")
    train.train(practice, short, tmp_path / "run")
    trainer = train.Trainer(train.bases.find("pocket"), practice, replace(short, steps=6))
    line = existing.continuation_line(tmp_path / "run", trainer.wanted)
    assert "followed the cosine schedule of 3 steps" in line and "not the same as after 6 steps" in line
    run = trainer.train(tmp_path / "run", resume=True)
    assert run.earlier_schedules == (3,) and "begun with the schedule of 3 steps" in str(run)
    assert "begun with the schedule of 3 steps" in info.facts(run.folder)[0]
    one_go = train.train(practice, replace(short, steps=6), tmp_path / "one")
    assert [row["learning_rate"] for row in run.log[3:]] == [row["learning_rate"] for row in one_go.log[3:]]


def test_it_is_refused_without_resume_and_the_line_names_the_option(practice, finished):
    before = finished.adapter.read_bytes()
    with pytest.raises(
        ValueError, match=r"finished after 3 steps \(steps 3, now 6\).*go on to step 6 with --resume"
    ):
        train.train(practice, LONG, finished.folder)
    assert finished.adapter.read_bytes() == before


@pytest.mark.parametrize("change", [{"seed": 1}, {"steps": 2}, {"rank": 4}], ids=str)
def test_other_settings_and_fewer_steps_are_refused(practice, finished, change):
    with pytest.raises(ValueError, match="there is no unfinished run with these"):
        train.train(practice, replace(LONG, **change), finished.folder, resume=True)
    assert Run.load(finished.folder).settings.steps == 3


def test_a_state_that_was_removed_is_named(practice, finished):
    (path,) = (finished.folder / "checkpoints").iterdir()
    path.unlink()
    with pytest.raises(ValueError, match="finished after 3 steps, and the state to go on from.*is gone"):
        train.train(practice, LONG, finished.folder, resume=True)


@pytest.mark.parametrize("how", ["ctrl-c", "error"])
def test_a_continuation_that_is_stopped_goes_on_as_well(practice, finished, in_one_go, how):
    def stop(step):
        if step.step == 5:
            if how == "error":
                raise RuntimeError
            os.kill(os.getpid(), signal.SIGINT)

    try:
        train.train(practice, LONG, finished.folder, stop, resume=True)
    except RuntimeError:
        assert Run.load(finished.folder).settings.steps == 3  # the finished run is still there
    run = train.train(practice, LONG, finished.folder, resume=True)
    assert same(run, in_one_go) and not run.stopped


def test_the_same_call_on_a_finished_run_trains_nothing_again(practice, finished):
    steps = []
    run = train.train(practice, SHORT, finished.folder, lambda step: steps.append(step.step))
    assert steps == [] and same(run, finished)


def test_resume_names_the_unfinished_runs_that_lie_beside(practice, tmp_path):
    def cut(step):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        train.train(
            practice, replace(SHORT, checkpoint_every=1), tmp_path / "other", lambda s: s.step == 2 and cut(s)
        )
    with pytest.raises(ValueError, match=r"no unfinished run.*; beside it: other with 1 steps"):
        train.train(practice, SHORT, tmp_path / "mine", resume=True)
