"""A run that is stopped, killed or fails goes on with the same call and ends with the adapter of an unbroken
run.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lessons_lib.adapters.run import Outcome, Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.paths import SAMPLE
from lessons_lib.training import checkpoints, train, workspace
from lessons_lib.training.workspace import exclusive

KILLS = int(os.environ.get("KILLS", "2"))  # KILLS=20 pytest tests/test_resume.py -s
SETTINGS = Settings(
    trigger="mugh4l", steps=9, rank=2, batch=2, checkpoint_every=2, sample_every=4, sample_prompts=("a cat",)
)
QUIET = replace(SETTINGS, sample_prompts=())  # draws nothing on the way
PROGRAM = """
import sys, torch
from pathlib import Path
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset import dataset
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.training import train
torch.set_num_threads(2)
found = dataset.read({sample!r}, side=128).train[:4]
settings = Settings(trigger="mugh4l", steps=9, rank=2, batch=2,
                    checkpoint_every=2, sample_every=4, sample_prompts=("a cat",))
train.train(Dataset(found), settings, Path({out!r}),
            lambda step: print(step.step, flush=True))
"""


class Cut(BaseException):
    """What no program catches."""


def at(wanted, what):
    def on_step(step):
        if step.step == wanted:
            what()

    return on_step


def fail():
    raise Cut


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def unbroken(practice, tmp_path_factory):
    return train.train(practice, SETTINGS, tmp_path_factory.mktemp("unbroken") / "run")


def same(one: Run, two: Run) -> bool:
    a, b = load_file(one.adapter), load_file(two.adapter)
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


def without_time(run):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in run.log]


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("step", [2, 5, 8])
def test_a_run_that_was_cut_off_goes_on_and_ends_the_same(practice, tmp_path, unbroken, step):
    with pytest.raises(Cut):
        train.train(practice, SETTINGS, tmp_path / "run", at(step, fail))
    kept = (step - 1) // 2 * 2  # the cut comes before this step's own checkpoint is written
    seen = []
    run = train.train(practice, SETTINGS, tmp_path / "run", lambda s: seen.append(s.step))
    assert seen == list(range(kept + 1, 10)) and run.resumed_from == kept
    assert same(run, unbroken) and without_time(run) == without_time(unbroken) and not run.stopped
    assert files(run.folder / "samples") == files(unbroken.folder / "samples")
    assert files(tmp_path) == ["run"] and files(run.folder / "checkpoints") == ["000009.safetensors"]


def test_ctrl_c_ends_after_a_step_and_the_same_call_goes_on(practice, tmp_path, unbroken):
    before = signal.getsignal(signal.SIGINT)
    run = train.train(practice, SETTINGS, tmp_path / "run", at(5, interrupt))
    assert run.stopped and len(run.log) == 5 and signal.getsignal(signal.SIGINT) is before
    assert "00005_1.jpg" in files(run.folder / "samples")  # what it had learned by then
    assert str(run).endswith("stopped at step 5 of 9 steps; the same call goes on from there")
    whole = train.train(practice, SETTINGS, tmp_path / "run")
    assert same(whole, unbroken) and whole.resumed_from == 5 and not whole.stopped


def test_a_stop_button_does_the_same(practice, tmp_path, unbroken):
    def stop():
        raise KeyboardInterrupt

    assert train.train(practice, SETTINGS, tmp_path / "run", at(3, stop)).stopped
    assert same(train.train(practice, SETTINGS, tmp_path / "run"), unbroken)


@pytest.fixture(scope="module")
def cut_off(practice, tmp_path_factory):
    """A folder with what a run leaves that was cut off at its fourth step."""
    folder = tmp_path_factory.mktemp("cut_off")
    with pytest.raises(Cut):
        train.train(practice, QUIET, folder / "run", at(4, fail))
    assert list(folder.glob(".run.unfinished/checkpoints/*"))
    return folder


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"learning_rate": 1e-3}, {"steps": 11}, {"trigger": "v4se"}],
    ids=lambda change: next(iter(change)),
)
def test_another_run_is_refused_and_starts_anew_where_it_may_replace(practice, tmp_path, cut_off, change):
    shutil.copytree(cut_off, tmp_path, dirs_exist_ok=True)
    other = replace(QUIET, **change)
    with pytest.raises(ValueError, match="keeps 2 steps of another training .*, now "):
        train.train(practice, other, tmp_path / "run")
    assert list(tmp_path.glob(".run.unfinished/checkpoints/000002.*"))
    run = train.train(practice, other, tmp_path / "run", at(2, interrupt), replace=True)
    assert run.resumed_from == 0 and len(run.log) == 2


def test_the_same_job_goes_on(practice, tmp_path, cut_off):
    shutil.copytree(cut_off, tmp_path, dirs_exist_ok=True)
    assert train.train(practice, QUIET, tmp_path / "run", at(4, interrupt)).resumed_from == 2


def test_other_pictures_and_other_captions_are_another_run(paintings, told, tmp_path, cut_off):
    shutil.copytree(cut_off, tmp_path, dirs_exist_ok=True)
    fewer = Dataset(paintings[:3])
    for dataset in (fewer, fewer.with_captions([f"{caption} twice" for caption in told[:3]])):
        with pytest.raises(ValueError, match="its pictures, captions or settings are others"):
            train.train(dataset, QUIET, tmp_path / "run")
        run = train.train(dataset, QUIET, tmp_path / "run", at(1, interrupt), replace=True)
        assert run.resumed_from == 0


def test_a_loss_that_is_no_number_keeps_the_last_good_state(practice, tmp_path, monkeypatch):
    from lessons_lib.models.families import flux

    real, calls = flux.loss, []

    def breaks(*args):
        calls.append(1)
        return real(*args) if len(calls) <= 7 else torch.full((2,), float("nan"), requires_grad=True)

    monkeypatch.setattr(flux, "loss", breaks)
    settings = replace(SETTINGS, sample_every=7, keep_adapters=True)
    with pytest.raises(FloatingPointError, match=r"nan at step 8; lower the learning rate.* step 6 is in"):
        train.train(practice, settings, tmp_path / "run")
    run = Run.load(tmp_path / "run")
    assert files(run.folder / "samples") == ["00000_1.jpg", "00006_1.jpg"]  # not those of step 7
    assert files(run.folder / "steps") == ["000006"]
    kept = checkpoints.latest(run.folder / "checkpoints", fingerprint_of(run))
    assert run.outcome is Outcome.DIVERGED and kept["step"] == 6
    name = next(iter(kept["adapter"]))
    saved = load_file(run.adapter)["transformer." + name.replace(".default", "")]
    assert torch.equal(saved, kept["adapter"][name])


def fingerprint_of(run):
    (path,) = checkpoints.files(run.folder / "checkpoints")
    length = int.from_bytes(path.read_bytes()[:8], "little")
    return json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]["fingerprint"]


def test_resume_insists_on_something_to_go_on_from(practice, tmp_path, unbroken):
    with pytest.raises(ValueError, match="no unfinished run"):
        train.train(practice, SETTINGS, tmp_path / "run", resume=True)
    with pytest.raises(Cut):
        train.train(practice, SETTINGS, tmp_path / "run", at(5, fail))
    with pytest.raises(ValueError, match="no unfinished run"):
        train.train(practice, replace(SETTINGS, seed=1), tmp_path / "run", resume=True)
    assert same(train.train(practice, SETTINGS, tmp_path / "run", resume=True), unbroken)


def test_two_programs_do_not_train_into_one_place(practice, tmp_path):
    with exclusive(tmp_path / "run"), pytest.raises(ValueError, match="another program is training into"):
        train.train(practice, SETTINGS, tmp_path / "run")
    assert files(tmp_path) == []


def test_a_lock_that_another_program_takes_at_once_stays_its_own(tmp_path, monkeypatch):
    class Followed(workspace.FileLock):
        def release(self, *given, **more):
            was_locked = self.is_locked
            super().release(*given, **more)
            if was_locked:
                Path(self.lock_file).touch()  # the next program's, which has waited for this

    monkeypatch.setattr(workspace, "FileLock", Followed)
    with exclusive(tmp_path / "run"):
        pass
    assert (tmp_path / f".run{workspace.LOCK}").is_file()


def test_a_killed_run_ends_the_same(practice, tmp_path, unbroken):
    """SIGKILL at random moments of the whole program, again and again until a try gets through."""
    dice, right = random.Random(), 0  # dice of its own: training seeds the common ones
    for number in range(KILLS):
        out = tmp_path / f"{number}" / "run"
        program = [sys.executable, "-c", PROGRAM.format(sample=str(SAMPLE), out=str(out))]
        wanted, patience = dice.randint(1, 8), dice.random() * 0.5
        child = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        for line in child.stdout:
            if int(line) == wanted:
                time.sleep(patience)
                child.kill()
                break
        child.wait()
        run = train.train(practice, SETTINGS, out)
        right += same(run, unbroken)
        print(f"killed {patience:.2f} s after step {wanted}, went on from {run.resumed_from}")
    assert right == KILLS
    print(f"{right} of {KILLS} killed runs ended with the adapter of the unbroken one")
