"""The `lessons` command: what it understands, how it fails, and one short run from end to end."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from lessons_lib import cli
from lessons_lib.adapters.run import Outcome, Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.commands import arguments, train_inputs
from lessons_lib.models.bases import BASES
from lessons_lib.paths import ROOT, SAMPLE
from lessons_lib.training import train


def fail(problem):
    """Return a function that raises, whatever it is called with."""

    def raiser(*_, **__):
        raise problem

    return raiser


@pytest.fixture
def folder(tmp_path) -> Path:
    for i in range(4):
        Image.radial_gradient("L").rotate(30 * i).convert("RGB").save(tmp_path / f"{i}.png")
        (tmp_path / f"{i}.txt").write_text("a boat")
    return tmp_path


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["demo", "--help"]])
def test_help_explains_and_shows_examples(words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    shown = capsys.readouterr().out
    assert stop.value.code == 0 and ("examples:" in shown or "--steps" in shown)


@pytest.mark.parametrize(
    "words", [[], ["paint"], ["train", "x", "--steps", "0"], ["train", "x", "--rank", "high"]]
)
def test_a_wrong_call_ends_with_code_2(words):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["train", "nowhere", "--trigger", "v4se"],
        ["train", "nowhere", "--trigger", ""],
        ["check", "nowhere"],
        ["compare", "nowhere"],
        ["info", "nowhere"],
        ["check", ".", "--base", "nobody"],
    ],
)
def test_a_problem_is_one_line_and_code_1(words, capsys):
    assert cli.main(words) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("lessons: ") and shown.count("\n") == 1
    assert words[1] in shown or words[-1] in shown


def test_ctrl_c_ends_with_code_130(monkeypatch):
    monkeypatch.setitem(cli.COMMANDS, "bases", fail(KeyboardInterrupt()))
    assert cli.main(["bases"]) == cli.INTERRUPTED


def test_every_command_of_the_parser_has_a_function():
    actions = arguments.parser()._subparsers._group_actions
    assert set(actions[0].choices) == set(cli.COMMANDS)


def test_the_demo_is_an_ordinary_training_with_its_own_defaults():
    demo = vars(arguments.parser().parse_args(["demo"]))
    own = vars(arguments.parser().parse_args(["train", "x", "--trigger", "w"]))
    assert demo.keys() <= own.keys()
    assert demo["folder"].is_dir() and demo["trigger"] == "mugh4l"


def test_settings_that_are_not_given_are_left_to_the_base():
    args = arguments.parser().parse_args(
        ["train", "x", "--trigger", "th0r cat", "--mode", "concept", "--rank", "8", "--prompt", "a boat"]
    )
    settings = train_inputs.training_settings(args)
    assert settings == Settings(
        trigger="th0r cat", mode="concept", rank=8, sample_prompts=("th0r cat, a boat",), name="th0r"
    )


def test_bases_are_listed_with_licence_and_memory(capsys):
    assert cli.main(["bases"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown and base.licence in shown for name, base in BASES.items())


def test_check_speaks_of_pictures_and_of_the_word(folder, capsys):
    assert cli.main(["check", str(folder), "--trigger", "table", "--html", str(folder / "r.html")]) == 0
    shown = capsys.readouterr().out
    assert "4 pictures" in shown and "! 'table'" in shown
    assert "<h1>Pictures for pocket" in (folder / "r.html").read_text()


def test_check_ends_with_code_1_when_something_must_be_fixed(folder, capsys):
    (folder / "4.jpg").write_text("not a picture")
    assert cli.main(["check", str(folder)]) == 1
    assert "must fix: " in capsys.readouterr().out


def test_ctrl_c_in_training_says_where_the_learned_is(folder, monkeypatch, capsys):
    stopped = Run(folder / "run", Settings(trigger="v4se"), Outcome.STOPPED)
    monkeypatch.setattr(train, "train", lambda *_, **__: stopped)
    assert cli.main(["train", str(folder), "--trigger", "v4se"]) == cli.INTERRUPTED
    assert str(stopped.folder) in capsys.readouterr().out


def test_a_loss_that_is_no_number_is_one_line(folder, monkeypatch, capsys):
    monkeypatch.setattr(train, "train", fail(FloatingPointError("the loss became nan at step 3")))
    assert cli.main(["train", str(folder), "--trigger", "v4se"]) == 1
    assert "lessons: the loss became nan at step 3" in capsys.readouterr().err


def test_a_short_run_ends_with_picture_report_and_adapter(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "SEEDS", (1, 2))
    monkeypatch.setitem(BASES, "pocket", dataclasses.replace(BASES["pocket"], num_inference_steps=2))
    out = tmp_path / "runs" / "boats"
    words = [
        "train",
        str(folder),
        "--trigger",
        "v4se",
        "--steps",
        "2",
        "--out",
        str(out),
        "--prompt",
        "a boat",
    ]
    assert cli.main(words) == 0
    files = {path.name for path in out.iterdir()}
    assert {"before_after.jpg", "report.html", "pytorch_lora_weights.safetensors", "README.md"} <= files
    shown = capsys.readouterr().out
    assert str(out / "report.html") in shown and "at strength 0" in shown and "forecast " in shown


def test_outside_a_clone_the_command_says_what_to_do(tmp_path):
    """As after `pip install` of the package alone: the library is there, its models and pictures are not."""
    shutil.copytree(ROOT / "lessons_lib", tmp_path / "lessons_lib")
    for words in (["demo"], ["train", str(SAMPLE), "--trigger", "v4se"]):
        command = [sys.executable, "-m", "lessons_lib", *words]
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert run.returncode == 1 and run.stderr.splitlines()[-1].startswith("lessons: ")
        assert "LESSONS_HOME" in run.stderr and "Traceback" not in run.stderr
