"""`lessons preflight` and `lessons bundle`: what is not ready is said, an archive holds all of the course."""

import dataclasses
import subprocess
import webbrowser
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lessons_lib import cli
from lessons_lib.course import bootstrap, bundle, offline_setup, preflight, recorded
from lessons_lib.models.bases import BASES
from lessons_lib.paths import ROOT
from lessons_lib.session import Session

POCKET = dataclasses.replace(BASES["pocket"], num_inference_steps=2)


def ready(name):
    return lambda *_: preflight.Check(name, preflight.Level.READY, "quick")


@pytest.fixture
def no_computing(monkeypatch):
    """Nothing is trained, and JupyterLab is there."""
    for name in ("training", "picture", "notebooks"):
        monkeypatch.setattr(preflight, f"_{name}", ready(name))


def by_name(base=POCKET):
    return {check.name: check for check in preflight.checks(base)}


def test_this_machine_trains_and_draws():
    checks = {check.name: check for check in preflight.checks(POCKET, steps=2)}
    assert " s a step: 500 steps in " in checks["training"].what and "128 px" in checks["picture"].what
    assert checks["packages"].level is preflight.Level.READY


def test_a_long_training_is_slow_and_the_quick_preset_is_named(monkeypatch):
    monkeypatch.setattr(preflight, "_LONG_TRAINING", 0.0)
    check = preflight._training(POCKET, 2)
    assert check.level is preflight.Level.SLOW and 'preset="quick"' in str(check)


def test_a_training_that_fails_is_a_line_and_the_rest_is_tried(no_computing, monkeypatch):
    def fail(*_):
        raise MemoryError("does not fit\ninto the memory")

    monkeypatch.setattr(preflight, "_training", fail)
    checks = by_name()
    assert str(checks["training"]) == "must fix  training  does not fit into the memory"
    assert checks["picture"].level is preflight.Level.READY and "browser" in checks


def test_a_package_that_is_old_and_one_that_is_missing_are_named(no_computing, monkeypatch):
    old, missing = bootstrap.Requirement("torch", "2.6", "2.5.1"), bootstrap.Requirement("peft", "0.18", "")
    monkeypatch.setattr(bootstrap, "requirements", lambda: [old, missing])
    line = str(by_name()["packages"])
    assert "torch is 2.5.1, and the course needs 2.6 or newer; peft is missing" in line


def test_a_machine_that_is_not_ready_ends_with_code_1(no_computing, monkeypatch, capsys):
    low = SimpleNamespace(available=1e8)
    monkeypatch.setattr(preflight.psutil, "virtual_memory", lambda: low)
    assert cli.main(["preflight"]) == 1
    shown = capsys.readouterr()
    assert "must fix  memory" in shown.out and "1 to fix before this machine is ready" in shown.err


@pytest.mark.parametrize(("gpu_gb", "level"), [(4.0, "must fix"), (24.1, "ready")])
def test_a_gpu_is_ready_where_the_base_fits_into_it(monkeypatch, gpu_gb, level):
    gpu = Session("t4", torch.device("cuda"), torch.float16, 2, 16.0, "a card", gpu_gb)
    monkeypatch.setattr(preflight.session, "current", lambda: gpu)
    line = str(preflight._memory(BASES["flux1-dev"]))
    assert line.startswith(level) and f"a card with {gpu_gb:.1f} GB" in line
    assert ("flux1-dev in nf4 at 512 px needs" in line) == (level == "must fix")


def test_without_a_browser_the_machine_is_ready_all_the_same(no_computing, monkeypatch, capsys):
    def none():
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", none)
    assert cli.main(["preflight", "--json"]) == 0
    assert '"name": "browser", "level": "slow"' in capsys.readouterr().out


def fetch_one(folder, machine=None):
    folder.mkdir()
    (folder / "torch-2.6-py3-none-any.whl").write_text("a wheel")


def test_a_bundle_holds_the_course_its_wheels_and_the_installer(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "fetch_wheels", fetch_one)
    few = ["README.md", "pocket/model/model_index.json", "notebooks/00_start_here.ipynb"]
    monkeypatch.setattr(bundle, "course_files", lambda: [ROOT / name for name in few])
    bundle.write(tmp_path / "course.zip")
    names = {
        name.removeprefix("lora-lessons/") for name in zipfile.ZipFile(tmp_path / "course.zip").namelist()
    }
    assert names == {*few, "wheels/torch-2.6-py3-none-any.whl", "install.py"}
    assert [path.name for path in tmp_path.iterdir()] == ["course.zip"]


@pytest.fixture
def archive(monkeypatch, tmp_path):
    """A whole archive with one wheel in it, and what is run to set it up."""
    monkeypatch.setattr(bundle, "fetch_wheels", fetch_one)
    monkeypatch.setattr(bundle, "course_files", lambda: [ROOT / "README.md"])
    monkeypatch.setenv("PIP_FIND_LINKS", "elsewhere")
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "course.zip"


def test_a_bundle_is_tried_without_network_and_its_seconds_are_written(archive, monkeypatch, capsys):
    commands = []

    def run(command, env, **_):
        commands.append([Path(command[0]).name, *map(str, command[1:])])
        assert "PIP_FIND_LINKS" not in env and env["HF_HUB_OFFLINE"] == "1"
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(bundle.subprocess, "run", run)
    assert cli.main(["bundle", "--try", "--out", str(archive)]) == 0
    assert [command[-1].rpartition("/")[2] for command in commands][1:] == ["install.py", "preflight"]
    assert "tried    unpack 0 s, install 0 s, preflight 0 s" in capsys.readouterr().out
    result = recorded.load("set_up", archive.parent)["result"]
    assert list(result["seconds"]) == ["fetch", "pack", "unpack", "install", "preflight"]


def test_a_bundle_for_another_system_has_what_that_system_needs(monkeypatch, tmp_path):
    commands = []

    def run(command, input="", **_):
        commands.append(command[1:])
        return SimpleNamespace(returncode=0, stdout="torch==2.6\npywinpty==3.0\n")

    monkeypatch.setattr(bundle.importlib.util, "find_spec", lambda _: True)
    monkeypatch.setattr(bundle.subprocess, "run", run)
    bundle.fetch_wheels(tmp_path / "wheels", bundle.Machine("windows", "3.12"))
    resolve, fetch = commands
    assert (
        resolve[:4] == ["-m", "uv", "pip", "compile"]
        and "--python-platform=x86_64-pc-windows-msvc" in resolve
    )
    assert fetch[-2:] == ["torch==2.6", "pywinpty==3.0"]
    assert {"--no-deps", "--platform=win_amd64", "--python-version=3.12"} <= set(fetch)


def test_uv_looks_where_pip_is_set_to_look(monkeypatch, tmp_path):
    seen = []

    def run(command, env, **_):
        seen.append(env)
        return SimpleNamespace(returncode=0, stdout="torch==2.6\n")

    monkeypatch.setattr(bundle.importlib.util, "find_spec", lambda _: True)
    monkeypatch.setattr(bundle.subprocess, "run", run)
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_INDEX_STRATEGY", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a/whl https://b/whl")
    monkeypatch.setenv("PIP_FIND_LINKS", "here there")
    bundle.fetch_wheels(tmp_path / "wheels", bundle.Machine("windows", "3.12"))
    assert seen[0]["UV_INDEX"] == "https://a/whl https://b/whl" and seen[0]["UV_FIND_LINKS"] == "here,there"
    assert seen[0]["UV_INDEX_STRATEGY"] == "unsafe-best-match" and "UV_DEFAULT_INDEX" not in seen[0]
    monkeypatch.setenv("UV_INDEX", "https://own/whl")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror/simple")
    bundle.fetch_wheels(tmp_path / "wheels", bundle.Machine("windows", "3.12"))
    assert seen[2]["UV_INDEX"] == "https://own/whl"
    assert seen[2]["UV_DEFAULT_INDEX"] == "https://mirror/simple"


@pytest.mark.parametrize(
    ("machine", "line"),
    [
        (None, "pip could not fetch the wheels .no such version."),
        (bundle.Machine("mac", "3.12"), "uv could not find out what is needed .no such version."),
    ],
)
def test_the_program_that_fails_says_what_it_was_for(machine, line, monkeypatch, tmp_path):
    failed = SimpleNamespace(returncode=1, stdout="", stderr="no such version")
    monkeypatch.setattr(bundle.importlib.util, "find_spec", lambda _: True)
    monkeypatch.setattr(bundle.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(OSError, match=line):
        bundle.fetch_wheels(tmp_path / "wheels", machine)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--for", "mac", "--try"], "goes without --for"),
        (["--python", "3.12"], "--python goes with --for"),
        (["--for", "mac"], "pip install uv"),
    ],
)
def test_a_bundle_that_cannot_be_made_says_why(words, line, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bundle.importlib.util, "find_spec", lambda _: None)
    assert cli.main(["bundle", "--out", str(tmp_path / "course.zip"), *words]) == 1
    assert line in capsys.readouterr().err


def test_a_step_of_a_set_up_that_fails_is_named_and_the_archive_stays(archive, monkeypatch, capsys):
    failed = SimpleNamespace(returncode=1, stdout="", stderr="pip could not install from wheels/")
    monkeypatch.setattr(bundle.subprocess, "run", lambda *_, **__: failed)
    assert cli.main(["bundle", "--try", "--out", str(archive)]) == 1
    assert "unpack of it fails: pip could not install" in capsys.readouterr().err
    assert [path.name for path in archive.parent.iterdir()] == ["course.zip"]


def test_the_files_of_the_course_are_those_that_git_tracks(monkeypatch):
    with_git = set(bundle.course_files())
    assert ROOT / "pocket" / "model" / "model_index.json" in with_git
    assert not [path for path in with_git if path.relative_to(ROOT).parts[0] in {".venv", "runs", ".git"}]
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError("git")))
    assert {ROOT / "pyproject.toml", ROOT / ".github" / "workflows" / "tests.yml"} <= {*bundle.course_files()}


def clone(folder):
    """A clone of a course with a file that is tracked and a photograph that is not."""
    for command in (["init", "-q"], ["add", "README.md"]):
        (folder / "README.md").write_text("the course")
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    (folder / "me.jpg").write_bytes(b"a photograph")


def test_what_is_not_tracked_stays_out_of_a_bundle(monkeypatch, tmp_path):
    clone(tmp_path)
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    assert bundle.course_files() == [tmp_path / "README.md"]


def test_in_a_folder_that_is_no_clone_everything_goes_in_and_that_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bundle, "ROOT", tmp_path / "course")
    monkeypatch.setattr(bundle, "fetch_wheels", fetch_one)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "me.jpg").write_bytes(b"a photograph")
    assert cli.main(["bundle", "--out", str(tmp_path / "course.zip")]) == 0
    said = capsys.readouterr().out
    assert "with 1 files of the course" in said and "this is no clone: every file" in said


def test_a_git_that_refuses_is_an_error_and_not_everything(monkeypatch):
    refusal = SimpleNamespace(returncode=128, stdout="", stderr="fatal: detected dubious ownership in\n more")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refusal)
    with pytest.raises(OSError, match="which files are the course's: fatal: detected dubious ownership in"):
        bundle.course_files()


def test_a_wheel_that_cannot_be_had_is_one_line(monkeypatch, tmp_path, capsys):
    failed = SimpleNamespace(
        returncode=1, stderr="looking\nERROR: No matching distribution found for torch\n"
    )
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    assert cli.main(["bundle", "--out", str(tmp_path / "course.zip")]) == 1
    assert "No matching distribution found for torch" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_wheels_of_another_machine_are_refused_with_what_fits(monkeypatch, tmp_path):
    monkeypatch.setattr(offline_setup.venv, "create", lambda *_, **__: None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=1))
    with pytest.raises(SystemExit, match="fit one system and one Python"):
        offline_setup.install(tmp_path)
