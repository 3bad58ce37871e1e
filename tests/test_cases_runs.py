"""Runs and adapters in places and states that people really have: folders of tests/cases with their
commands.
"""

from __future__ import annotations

import dataclasses
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lessons_lib import cli
from lessons_lib.adapters import files, info
from lessons_lib.adapters.run import WEIGHTS_NAME, Outcome, Run
from lessons_lib.dataset import dataset as datasets
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases
from lessons_lib.models.bases import BASES
from lessons_lib.models.families import flux
from lessons_lib.training import divergence, forecast, optimizers, workspace
from lessons_lib.training.loop import Loop

CASES = Path(__file__).parent / "cases"


class Killed(BaseException):
    """What no program catches."""


class Shell:
    """Runs `lessons` in a case's folder, with few steps of sampling."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]):
        self.folder, self.capsys = folder, capsys
        self.out = self.err = ""

    def __call__(self, line: str, *more: str, cwd: str = ".") -> int:
        os.chdir(self.folder / cwd)
        try:
            code = cli.main([*line.split(), *more])
        finally:
            self.out, self.err = self.capsys.readouterr()
            os.chdir(self.folder)
        assert "Traceback" not in self.out + self.err
        return code

    def refuses(self, line: str, *more: str, cwd: str = ".") -> str:
        """Run a command that ends with code 1 and return its one line."""
        assert self(line, *more, cwd=cwd) == 1
        message = [text for text in self.err.splitlines() if text.startswith("lessons: ")]
        assert len(message) == 1, self.err
        return message[0]

    def file(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture
def shell(request, tmp_path, monkeypatch, capsys):
    """The case that a test is named after, copied, with its folder as the working directory."""
    (case,) = CASES.glob(f"{re.search('case_([0-9]+)', request.function.__name__)[1]}_*")
    shutil.copytree(case, tmp_path / "case")
    monkeypatch.chdir(tmp_path / "case")
    monkeypatch.setattr(cli, "SEEDS", (1,))
    monkeypatch.setattr(forecast, "STEPS", 2)
    quick = {"num_inference_steps": 1, "batch": 1, "rank": 2, "alpha": 2}
    monkeypatch.setitem(BASES, "pocket", dataclasses.replace(BASES["pocket"], **quick))
    return Shell(tmp_path / "case", capsys)


@pytest.fixture
def at_step(monkeypatch):
    """Return a function that lets something happen after a step of the loop was counted."""

    def happen(step, what):
        def record(self, state, *rest):
            real(self, state, *rest)
            if state.step == step:
                what()

        monkeypatch.setattr(Loop, "_record", record)

    real = Loop._record
    yield happen
    monkeypatch.setattr(Loop, "_record", real)


def kill():
    raise Killed


def run_at(folder: Path) -> Run:
    run = Run.load(folder)
    assert load_file(run.adapter)
    return run


def test_case_01_a_run_into_the_working_directory_is_there_at_the_end(shell):
    (shell.folder / "empty").mkdir()
    inode = shell.file("empty").stat().st_ino
    line = "train ../pictures --trigger zq7x --steps 3 --prompt horse --out ."
    assert shell(line, cwd="empty") == 0
    assert run_at(shell.file("empty")).outcome is Outcome.DONE and shell.file("empty").stat().st_ino == inode
    assert not [p.name for p in shell.file("empty").iterdir() if p.name.startswith(".")]


def test_case_01_another_finished_run_is_refused_before_the_first_step(shell):
    before = {p: p.read_bytes() for p in shell.file("runs").rglob("*") if p.is_file()}
    line = "train pictures --trigger zq7x --steps 12 --prompt horse --out runs/mine"
    message = shell.refuses(line)
    assert "holds another run, finished after 20 steps" in message and "--replace" in message
    assert {p: p.read_bytes() for p in shell.file("runs").rglob("*") if p.is_file()} == before
    assert "forecast" not in shell.out


def test_case_01_a_link_stays_a_link_and_a_disk_with_its_own_folder_is_empty(shell, tmp_path):
    disk = tmp_path / "disk"
    (disk / "lost+found").mkdir(parents=True)
    shell.file("runs/link").symlink_to(disk)
    assert shell("train pictures --trigger zq7x --steps 2 --prompt horse --out runs/link") == 0
    assert shell.file("runs/link").is_symlink() and run_at(disk).outcome is Outcome.DONE
    assert (disk / "lost+found").is_dir()


def test_case_01_what_was_learned_stays_when_it_cannot_be_put_in_its_place(shell, monkeypatch):
    def fail(*_):
        raise OSError(16, "Device or resource busy")

    line = "train pictures --trigger zq7x --steps 2 --prompt horse --out new"
    shell.file("new").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(workspace, "_move", fail)
        message = shell.refuses(line)
    assert "is kept in" in message and list(shell.file("new/.unfinished/checkpoints").iterdir())
    assert shell(line) == 0 and "resumed from step 2" in shell.out
    assert run_at(shell.file("new")).outcome is Outcome.DONE and not shell.file("new/.unfinished").exists()


def test_case_02_another_run_of_the_same_name_gets_a_number(shell):
    words = "--mode concept --steps 2 --prompt garden"
    assert shell(f"train cat {words}", "--trigger", "zq7 cat") == 0
    shell.file("runs/zq7/notes.txt").write_text("keep me")
    first = shell.file("runs/zq7/pytorch_lora_weights.safetensors").read_bytes()
    assert shell(f"train dog {words}", "--trigger", "zq7 dog") == 0
    assert "another run lies in runs/zq7, so this one is runs/zq7-2" in shell.out
    assert shell.file("runs/zq7/notes.txt").read_text() == "keep me"
    assert shell.file("runs/zq7/pytorch_lora_weights.safetensors").read_bytes() == first
    made = shell.file("runs/zq7-2/settings.json").stat().st_mtime_ns
    assert shell(f"train dog {words}", "--trigger", "zq7 dog") == 0
    assert "runs/zq7-2 holds this run already, finished after 2 steps" in shell.out
    assert shell.file("runs/zq7-2/settings.json").stat().st_mtime_ns == made
    assert sorted(os.listdir("runs")) == ["zq7", "zq7-2"]


def test_case_02_a_folder_that_was_named_is_refused_unless_replaced(shell):
    words = ("--mode concept --steps 2 --prompt garden --out runs/pet", "--trigger", "zq7 cat")
    assert shell(f"train cat {words[0]}", *words[1:]) == 0
    shell.file("runs/pet/notes.txt").write_text("keep me")
    assert "its pictures, captions or settings are others" in shell.refuses(
        f"train dog {words[0]}", *words[1:]
    )
    assert "steps 2, now 3" in shell.refuses(f"train cat {words[0]} --steps 3", *words[1:])
    assert shell(f"train dog {words[0]} --replace", *words[1:]) == 0
    assert shell.file("runs/pet/notes.txt").read_text() == "keep me"
    assert Run.load("runs/pet").pictures[0] == shell.file("dog/a.jpg")


LINE_03 = "train pictures --trigger zq7x --steps 6 --out runs/s --checkpoint-every 2"


@pytest.fixture
def stopped(shell, at_step):
    with pytest.raises(Killed):
        at_step(5, kill)
        shell(LINE_03, "--prompt", "a horse")
    at_step(-1, kill)
    assert shell.file("runs/.s.unfinished/checkpoints/000004.safetensors").is_file()


@pytest.mark.parametrize(
    "more", [["--prompt", "a tiger"], ["--prompt", "a horse", "--sample-every", "3", "--validate-every", "1"]]
)
def test_case_03_options_that_change_nothing_learned_go_on(shell, stopped, more):
    assert shell(LINE_03, *more) == 0
    assert "resumed from step 4" in shell.out and Run.load("runs/s").outcome is Outcome.DONE
    samples = {p.name for p in shell.file("runs/s/samples").iterdir()}
    assert {"00000_1.jpg", "00006_1.jpg"} <= samples
    assert shell.file("runs/s/samples_1").exists() == ("a tiger" in more)


def test_case_03_another_number_of_steps_is_refused_and_keeps_what_there_is(shell, stopped):
    message = shell.refuses(LINE_03.replace("--steps 6", "--steps 8"), "--prompt", "a horse")
    assert "keeps 4 steps of another training (steps 6, now 8). They stay" in message
    assert "For this training go on to step 8 with --resume" in message
    insisting = shell.refuses(LINE_03.replace("--steps 6", "--steps 5"), "--prompt", "a horse", "--resume")
    assert "no unfinished run" in insisting and "4 steps" in insisting
    assert shell(LINE_03, "--prompt", "a horse") == 0 and "resumed from step 4" in shell.out


def test_case_03_more_steps_go_on_where_that_is_insisted_on(shell, stopped):
    assert shell(LINE_03.replace("--steps 6", "--steps 8"), "--prompt", "a horse", "--resume") == 0
    assert "going on from step 4 of runs/s to step 8. Its steps so far followed the cosine" in shell.out
    assert "resumed from step 4" in shell.out and len(Run.load("runs/s").log) == 8


def test_case_03_replace_starts_anew(shell, stopped):
    assert shell(LINE_03.replace("--steps 6", "--steps 3"), "--prompt", "a horse", "--replace") == 0
    assert "resumed" not in shell.out and Run.load("runs/s").settings.steps == 3


@pytest.mark.parametrize("out", ["runs/t", "runs/.s.unfinished"])
def test_case_03_an_unfinished_folder_that_was_renamed_or_is_named_goes_on(shell, stopped, out):
    if out == "runs/t":
        os.rename("runs/.s.unfinished", out)
    assert shell(LINE_03.replace("--out runs/s", f"--out {out}"), "--prompt", "a horse") == 0
    assert "resumed from step 4" in shell.out
    assert Run.load("runs/t" if out == "runs/t" else "runs/s").outcome is Outcome.DONE


def test_case_03_a_stopped_run_that_was_renamed_goes_on(shell, at_step):
    at_step(3, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert shell(LINE_03, "--prompt", "a horse") == cli.INTERRUPTED
    at_step(-1, kill)
    os.rename("runs/s", "runs/t")
    assert shell(LINE_03.replace("runs/s", "runs/t"), "--prompt", "a horse") == 0
    assert "resumed from step 3" in shell.out and len(run_at(Path("runs/t")).log) == 6


def test_case_14_a_prompt_that_is_too_long_keeps_the_trigger(shell, monkeypatch):
    prompt, drawn, real = shell.file("prompt.txt").read_text().strip(), [], Sampler.sample

    def sample(self, prompts, *rest, **more):
        drawn.extend(prompts)
        return real(self, prompts, *rest, **more)

    monkeypatch.setattr(Sampler, "sample", sample)
    assert shell("train pictures --trigger zq7x --steps 2", "--prompt", prompt) == 0
    assert "! prompt longer than 48 tokens; not read:" in shell.out and "mill" in shell.out
    assert shell("compare runs/zq7x --seed 1", "--prompt", prompt) == 0
    assert "not read:" in shell.out and "the mill" in shell.out
    assert {text.endswith(", zq7x") for text in drawn} == {True}
    assert Run.load("runs/zq7x").settings.sample_prompts[0].endswith(", zq7x")


@pytest.fixture
def compared(monkeypatch):
    """Return the datasets that comparisons were made with; nothing is drawn."""
    given = []
    monkeypatch.setattr(cli, "_compare", lambda *args: given.append(args[3]))
    return given


def test_case_15_the_pictures_are_found_from_anywhere_and_no_others(shell, compared):
    line = "train pictures --trigger zq7x --steps 2 --prompt horse"
    assert shell(line) == 0
    (shell.folder / "empty").mkdir()
    for place in ("empty", "elsewhere"):
        assert shell("compare ../runs/zq7x --prompt horse", cwd=place) == 0
        assert [p.path.name for p in compared[-1].train] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
        assert {p.path.parent for p in compared[-1].train} == {shell.file("pictures")}
    shutil.rmtree(shell.file("pictures"))
    message = shell.refuses("compare ../runs/zq7x --prompt horse", cwd="elsewhere")
    assert "settings.json" in message and "--pictures" in message
    assert "--pictures" in shell.refuses("compare runs/zq7x --prompt horse --pictures elsewhere/pictures")


def test_case_15_albums_with_equal_names_are_held_out_as_they_were(shell, compared):
    assert shell("train albums --trigger zq8x --steps 2 --prompt horse") == 0
    assert shell("compare runs/zq8x --prompt horse") == 0
    os.rename("albums", "moved")
    assert shell("compare runs/zq8x --prompt horse --pictures moved") == 0
    first, second, third = (
        [{p.file.sha256 for p in part} for part in (d.train, d.held_out)] for d in compared
    )
    assert first == second == third and [len(part) for part in first] == [10, 2]
    shell.refuses("train --config runs/zq8x/settings.json --out runs/again --prompt horse")
    line = "train --config runs/zq8x/settings.json --pictures moved --out runs/again --prompt horse"
    assert shell(line) == 0
    assert Run.load("runs/again").fingerprint == Run.load("runs/zq8x").fingerprint


def test_case_15_a_run_moved_with_its_pictures_and_one_in_a_zip_are_found(shell, compared):
    shutil.make_archive("photos", "zip", "pictures")
    assert shell("train photos.zip --trigger zq9x --steps 2 --prompt horse") == 0
    moved = shell.folder.with_name("moved")
    shell.folder.rename(moved)
    shell.folder = moved
    assert shell("compare runs/zq9x --prompt horse") == 0
    assert len(compared[1].train) == 4
    card = (moved / "runs/zq9x/README.md").read_text()
    assert (
        str(moved.parent) not in card
        and str(moved.parent) not in (moved / "runs/zq9x/settings.json").read_text()
    )


@pytest.mark.parametrize("trigger", ["zq/7", "../zq7", "nl\n7x", "con", "zq:7?", "..", "zq7" * 100])
def test_case_17_a_trigger_that_is_no_file_name(shell, compared, trigger):
    assert shell("train pictures --steps 2 --prompt horse", "--trigger", trigger) == 0
    (folder,) = Path("runs").iterdir()
    assert folder.is_dir() and re.fullmatch(r"[\w-]{2,80}", folder.name) and folder.name.lower() != "con"
    assert sorted(os.listdir()) == ["expected.md", "pictures", "runs"]
    line = next(line for line in (folder / "README.md").read_text().splitlines() if "Trigger word:" in line)
    assert line.endswith(f"`{' '.join(trigger.split())}`.")
    assert len(list(folder.glob("other_formats/*_comfyui.safetensors"))) == 1


@pytest.mark.parametrize("name", ["my/style", "a:b", "nul", "", "x.", " x", "a\nb"])
def test_case_17_a_name_that_is_no_file_name_is_refused_before_training(shell, name):
    from lessons_lib.adapters.settings import Settings
    from lessons_lib.training import train

    with pytest.raises(ValueError, match=r"^name is .*expected one such as .*$"):
        train.train(
            datasets.read("pictures"), Settings(trigger="zq7", name=name, steps=2), Path("runs/named")
        )
    assert not Path("runs").exists()


DAMAGED = {
    "runs/cut": "is damaged, it has 9,352 of 18,704 bytes",
    "runs/empty": "is empty (0 bytes)",
    "runs/text": "is a text",
    "runs/settings": "settings.json: is damaged",
    "runs/log": "log.jsonl: is damaged at line 2",
    "others/pickle": "adapter.bin: is a pickle, which can run code",
}


@pytest.mark.parametrize("path", DAMAGED)
def test_case_18_what_is_damaged_or_of_others_is_named_in_one_line(shell, path):
    message = shell.refuses(f"info {path}")
    assert DAMAGED[path] in message and "train again" not in message and "missing" not in message
    if path in ("runs/settings", "runs/log"):
        assert "adapter: 5 layers, rank 1, alpha 1" in shell.out
    if path != "runs/log":
        message = shell.refuses(f"compare {path} --prompt horse --seed 1")
        assert DAMAGED[path].replace(": is", " is") in message or DAMAGED[path] in message


OTHERS = {"others/kohya": "kohya", "others/kohya/style.safetensors": "kohya", "others/peft": "PEFT"}


@pytest.mark.parametrize("path", OTHERS)
def test_case_18_what_another_trainer_wrote_is_told_and_nobody_is_sent_to_train_again(shell, path):
    assert shell(f"info {path}") == 0
    assert f"file: in {OTHERS[path]}'s format" in shell.out and "train" not in shell.out
    message = shell.refuses(f"compare {path} --prompt horse --seed 1")
    assert f"is an adapter in {OTHERS[path]}'s format, not a run" in message and "missing" not in message


def test_case_18_a_run_whose_log_is_damaged_is_still_drawn(shell):
    assert shell("compare runs/log --prompt horse --seed 1") == 0
    assert "! runs/log/log.jsonl: is damaged at line 2" in shell.out


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.STOPPED])
def test_case_18_a_run_whose_log_is_missing_is_still_drawn(shell, outcome):
    run = dataclasses.replace(Run.load(Path("runs/log")), outcome=outcome, step=1)
    run.save()
    (run.folder / "log.jsonl").unlink()
    assert shell("compare runs/log --prompt horse --seed 1") == 0
    assert "stopped at step 1 of" in str(dataclasses.replace(run, outcome=Outcome.STOPPED))


BROTHERS = {
    "page.safetensors": (b"<!DOCTYPE html><html>", "is a web page"),
    "pointer.safetensors": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", "Git LFS"),
    "torch.pt": (b"\x80\x02}q\x00.", "is a pickle"),
    "huge.safetensors": ((2**62).to_bytes(8, "little") + b"{}", "no safetensors file"),
    "list.safetensors": ((8).to_bytes(8, "little") + b'{"a": 1}', "its header cannot be read"),
}


@pytest.mark.parametrize("name", BROTHERS)
def test_case_18_brothers(shell, name):
    data, words = BROTHERS[name]
    shell.file(name).write_bytes(data)
    assert words in shell.refuses(f"info {name}") and name in shell.err


def changed_file(data: bytes, rng: random.Random) -> bytes:
    """Return a safetensors file with some bytes of its header replaced, taken out or put in, or cut short."""
    header, changed = 8 + int.from_bytes(data[:8], "little"), bytearray(data)
    for _ in range(rng.randint(1, 3)):
        place, byte = rng.randrange(header), bytes([rng.randrange(256)])
        end, piece = rng.choice([(place + 1, byte), (place + 1, b""), (place, byte)])
        changed[place:end] = piece
    return bytes(changed[: rng.randrange(len(data))] if rng.random() < 0.2 else changed)


def test_case_18_a_hundred_random_changes_of_a_file_are_named_and_never_a_traceback(shell):
    whole, rng = shell.file("runs/log/pytorch_lora_weights.safetensors"), random.Random(0)
    path, refused = shell.file("runs/empty/pytorch_lora_weights.safetensors"), 0
    layers = files.read(whole).layers
    for _ in range(100):
        path.write_bytes(changed_file(whole.read_bytes(), rng))
        _, problems = info.facts(path.parent)
        assert all(str(path.parent) in problem and "\n" not in problem for problem in problems)
        try:
            read = files.read(path.parent).layers
        except ValueError as problem:
            assert str(path.parent) in str(problem)
            refused += 1
        else:  # a change of what is only said there, or of a layer's name, which the base model then lacks
            assert read.keys() != layers.keys() or all(torch.equal(read[k].up, layers[k].up) for k in layers)
    print(f"{refused} of 100 changed files were refused by name, the others hold the same tensors")
    assert refused > 90


def test_case_18_a_checkpoint_and_an_unfinished_run_are_named(shell, at_step):
    with pytest.raises(Killed):
        at_step(2, kill)
        shell("train pictures --trigger zq7x --steps 4 --prompt horse --out runs/u")
    assert "1 steps of a training that was interrupted" in shell.refuses("info runs/.u.unfinished")
    (path,) = shell.file("runs/.u.unfinished/checkpoints").iterdir()
    assert "is the checkpoint of a training" in shell.refuses(f"info {path}")


NOTHING = {
    "no_number": "holds numbers that are not finite",
    "other_keys": "none of its 5 layers is in pocket",
    "one_lost": "5 of its 10 layers are not in pocket",
    "no_down": "proj_mlp has lora_B and no lora_A",
    "no_up": "proj_mlp has lora_A and no lora_B",
}


@pytest.mark.parametrize("run", NOTHING)
def test_case_19_an_adapter_that_is_not_whole_or_fits_nothing_is_refused(shell, run):
    assert NOTHING[run] in shell.refuses(f"info runs/{run}")
    assert NOTHING[run] in shell.refuses(f"compare runs/{run} --prompt horse --seed 1")
    assert not shell.file(f"runs/{run}/before_after.jpg").exists() and shell.err.count("\n") <= 2


def test_case_19_an_adapter_that_changes_nothing_says_so(shell):
    assert shell("info runs/zero") == 0 and "it changes nothing" in shell.out
    assert shell("compare runs/zero --prompt horse --seed 1") == 0
    assert "! this adapter changes nothing" in shell.out and "Warning" not in shell.err


@pytest.mark.parametrize("rate", ["inf", "nan", "-inf"])
def test_case_20_a_rate_that_is_no_number_is_refused_before_a_model_is_loaded(shell, monkeypatch, rate):
    monkeypatch.setattr(flux, "load", lambda *_: pytest.fail("the base was loaded"))
    line = f"train pictures --trigger zq7x --steps 12 --lr={rate} --prompt horse --out runs/at"
    assert f"learning_rate is {rate}; expected a finite number" in shell.refuses(line)
    assert not shell.file("runs").exists()


@pytest.mark.parametrize("rate", ["1e9", "100"])
def test_case_20_a_loss_that_runs_away_names_the_rate_and_keeps_what_was_before(shell, rate):
    line = f"train pictures --trigger zq7x --steps 12 --lr {rate} --prompt horse --out runs/at"
    message = shell.refuses(line)
    assert f"lower the learning rate ({float(rate):g})" in message and "the loss" in message
    run = Run.load("runs/at")
    assert run.outcome is Outcome.DIVERGED and run.step < 3
    assert all(bool(torch.isfinite(v).all()) and v.abs().max() < 10 for v in load_file(run.adapter).values())
    assert shell("info runs/at") == 0 and "diverged: the loss" in shell.out
    assert shell("compare runs/at --prompt horse") == 0 and f"({float(rate):g})" in shell.out


def test_case_20_a_loss_in_its_usual_range_is_stable():
    easy = {"start_loss": 0.002}  # low noise, at the first step
    assert not divergence.is_diverged(0.9, easy) and divergence.is_stable(0.9, easy)
    assert divergence.is_diverged(float("nan"), {}) and divergence.is_diverged(float("inf"), {})
    assert divergence.is_diverged(150.0, {"start_loss": 1.2}) and not divergence.is_diverged(
        9.0, {"start_loss": 1.2}
    )


def test_case_20_prodigys_own_estimate_is_in_the_rate(monkeypatch):
    from lessons_lib.training.state import State

    state = State({}, torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.5), None, None, None, None)
    assert state.learning_rate == 0.5
    state.optimizer.param_groups[0]["d"] = 0.01
    assert state.learning_rate == 0.005
    assert optimizers.PACKAGES["prodigy"] == "prodigyopt"


def test_case_20_a_rank_that_no_layer_has_is_refused(shell):
    message = shell.refuses("train pictures --trigger zq7x --steps 2 --rank 5000 --prompt horse")
    assert "rank is 5000" in message and "expected at most" in message


def test_case_24_after_two_ctrl_c_it_says_what_is_kept_and_the_same_command_goes_on(shell, at_step):
    line = "train pictures --trigger zq7x --steps 8 --checkpoint-every 2 --prompt horse --out runs/t"

    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    at_step(5, twice)
    assert shell(line) == cli.INTERRUPTED
    assert "4 of 8 steps are kept in" in shell.err and "the same command goes on" in shell.err
    at_step(-1, twice)
    assert shell(line) == 0 and "resumed from step 4" in shell.out


def test_case_24_before_the_first_checkpoint_it_says_that_nothing_is_kept(shell, at_step):
    at_step(1, lambda: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)])
    line = "train pictures --trigger zq7x --steps 8 --checkpoint-every 4 --prompt horse --out runs/t"
    assert shell(line) == cli.INTERRUPTED
    assert "Nothing of this training is kept" in shell.err and os.listdir("runs") == []


def test_case_24_ctrl_c_while_before_and_after_are_drawn(shell, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    line = "train pictures --trigger zq7x --steps 2 --prompt horse --out runs/t"
    with monkeypatch.context() as patch:
        patch.setattr(cli, "_compare", stop)
        assert shell(line) == cli.INTERRUPTED
    assert "lessons compare runs/t" in shell.out and "same command" not in shell.out
    assert shell(line) == 0 and "nothing is trained again" in shell.out
    assert shell.file("runs/t/before_after.jpg").is_file()


def can_mount(folder: Path) -> bool:
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mount"):
        return False
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=13m", "tmpfs", str(folder)], capture_output=True
    )
    return done.returncode == 0


def test_case_24_a_full_disk_is_one_line_and_the_same_command_ends_well_after(shell, monkeypatch):
    disk = shell.file("disk")
    if not can_mount(disk):
        pytest.skip("a small disk can be mounted by root on Linux only")
    monkeypatch.setitem(BASES, "pocket", bases.load_table()["pocket"])
    monkeypatch.setitem(BASES, "pocket", dataclasses.replace(BASES["pocket"], num_inference_steps=1))
    try:
        line = "train pictures --trigger zq7x --steps 1 --prompt horse --out disk/r"
        message = shell.refuses(line)
        assert "No space left" in message or "is full" in message
        assert "free some space" in message
        subprocess.run(["mount", "-o", "remount,size=60m", str(disk)], check=True)
        assert shell(line) == 0 and run_at(disk / "r").outcome is Outcome.DONE
    finally:
        os.chdir("/")
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_case_01_an_empty_mounted_disk_takes_the_run(tmp_path, shell):
    disk = shell.file("disk")
    if not can_mount(disk):
        pytest.skip("a small disk can be mounted by root on Linux only")
    subprocess.run(["mount", "-o", "remount,size=60m", str(disk)], check=True)
    try:
        assert shell("train pictures --trigger zq7x --steps 2 --prompt horse --out disk") == 0
        assert os.path.ismount(disk) and run_at(disk).outcome is Outcome.DONE
    finally:
        os.chdir("/")
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_case_25_a_run_says_how_many_pictures_were_never_seen(shell, compared, monkeypatch):
    drawn, loss = set(), flux.loss

    def counting(denoiser, latents, *rest):
        drawn.add(float(latents.sum()))
        return loss(denoiser, latents, *rest)

    forecasts = Loop.run
    monkeypatch.setattr(flux, "loss", counting)
    monkeypatch.setattr(Loop, "run", lambda *args: drawn.clear() or forecasts(*args))
    assert shell("train pictures --trigger zq7x --steps 5 --prompt horse --hold-out 0") == 0
    run = Run.load("runs/zq7x")
    assert 0 < run.unseen == 24 - len(drawn)
    assert f"! {run.unseen} of 24 pictures were in no batch" in shell.out
    assert shell("info runs/zq7x") == 0 and f"never seen: {run.unseen} of 24" in shell.out


SAME = """
import sys, torch
from lessons_lib import cli
from lessons_lib.training import forecast
torch.set_num_threads(1)
forecast.STEPS = 2
cli._compare = lambda *_: None
sys.exit(cli.main(["train", "pictures", "--trigger", "zq7x", "--steps", "2", "--batch", "2", "--prompt",
                   "horse", "--out", sys.argv[1], "--hold-out", "0"]))
"""


def test_case_25_two_processes_write_the_same_file(shell):
    for out, seed in (("runs/one", "1"), ("two/one", "2")):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", SAME, out], check=True, env=environment, capture_output=True)
    for name in (WEIGHTS_NAME, "other_formats/one_comfyui.safetensors"):
        assert shell.file(f"runs/one/{name}").read_bytes() == shell.file(f"two/one/{name}").read_bytes()


def test_case_25_pictures_drawn_before_a_stop_count_after_it(shell, compared, at_step):
    line = "train pictures --trigger zq7x --prompt horse --hold-out 0 --steps 5 --out"
    assert shell(f"{line} runs/whole") == 0
    at_step(2, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert shell(f"{line} runs/part") == cli.INTERRUPTED
    at_step(-1, kill)
    assert shell(f"{line} runs/part") == 0
    assert Run.load("runs/part").unseen == Run.load("runs/whole").unseen > 0
