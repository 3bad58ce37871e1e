"""The command for programs: JSON lines and exit codes as on notebooks/PROGRAMS.md; what is forgotten."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lessons_lib import cli, storage
from lessons_lib.adapters.run import Outcome, Run
from lessons_lib.commands import arguments
from lessons_lib.models.bases import BASES
from lessons_lib.training import train

PAGE = (Path(__file__).parents[1] / "notebooks" / "PROGRAMS.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "set"
    out.mkdir()
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 255, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((128, 128), Image.Resampling.BICUBIC).save(out / f"{i}.png")
        (out / f"{i}.txt").write_text("a boat", encoding="utf-8")
    return out


@pytest.fixture
def lessons(capsys):
    """Run the command with --json; return its code and its lines by kind."""

    def run(*words):
        code = cli.main([*map(str, words), "--json"])
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return code, {row["kind"]: row for row in rows}, rows

    return run


@pytest.fixture
def one_step(monkeypatch):
    monkeypatch.setattr(cli, "_compare", lambda *_: None)
    monkeypatch.setitem(BASES, "pocket", dataclasses.replace(BASES["pocket"], num_inference_steps=1))
    return ("--trigger", "v4se", "--steps", "2", "--prompt", "a boat")


def test_the_page_lists_the_exit_codes_and_the_help_shows_them(capsys):
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {int(code): text for code, text in rows} == arguments.EXIT_CODES
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert all(text in capsys.readouterr().out for _, text in rows[:1])


def keys_of(kind):
    row = re.search(rf"^\| `{kind}` \| .+? \| (.+) \|$", PAGE, re.MULTILINE)[1]
    return set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", row)))


def test_check_prints_its_findings(folder, lessons):
    (folder / "bad.jpg").write_text("no picture", encoding="utf-8")
    code, kinds, rows = lessons("check", folder, "--trigger", "table")
    assert code == 1 and len(rows) == 1 and keys_of("check") == set(kinds["check"]) - {"kind"}
    assert kinds["check"]["pictures"] == {"train": 4, "held_out": 0, "unused": 0}
    assert "bad.jpg" in kinds["check"]["must_fix"][0] and kinds["check"]["trigger"]
    assert {row["level"] for row in kinds["check"]["findings"]} == {"must fix", "worth a look", "fine"}


@pytest.mark.parametrize("option", [["--people"], ["--html", "a.html"], ["--prior", "a"]])
def test_captions_are_printed_alone_or_refused(folder, lessons, option):
    code, kinds, _ = lessons("check", folder, "--trigger", "v4se", "--captions", *option)
    assert code == 1 and kinds["error"]["message"].endswith(f"leave out {option[0]}")


def test_check_prints_captions(folder, lessons):
    code, kinds, rows = lessons("check", folder, "--trigger", "v4se", "--captions")
    assert code == 0 and [row["caption"] for row in rows] == ["a boat, v4se"] * 4
    assert keys_of("caption") == set(kinds["caption"]) - {"kind"}


def test_a_caption_is_printed_whole(folder, lessons):
    (folder / "0.txt").write_text("a boat " * 100, encoding="utf-8")
    _, _, rows = lessons("check", folder, "--trigger", "v4se", "--captions")
    assert rows[0]["caption"].count("a boat") == 100 and rows[0]["caption"].endswith(", v4se")


def test_train_prints_each_step_and_where_the_run_is(folder, lessons, one_step, tmp_path):
    code, kinds, rows = lessons("train", folder, *one_step, "--out", tmp_path / "run")
    assert code == 0 and [row["step"] for row in rows if row["kind"] == "step"] == [1, 2]
    for kind in ("dataset", "forecast", "step", "run", "pictures"):
        assert keys_of(kind) == set(kinds[kind]) - {"kind"}, kind
    assert kinds["run"]["outcome"] == "done" and Path(kinds["run"]["adapter"]).is_file()
    code, kinds, _ = lessons("info", tmp_path / "run")
    assert (
        code == 0
        and kinds["info"]["facts"]["steps"] == "2"
        and keys_of("info") == set(kinds["info"]) - {"kind"}
    )


def test_bases_are_listed(lessons):
    code, _, rows = lessons("bases")
    assert code == 0 and [row["name"] for row in rows] == list(BASES)


@pytest.mark.parametrize(
    "words", [["info", "nowhere"], ["check", "nowhere"], ["train", "nowhere", "--trigger", "v"]]
)
def test_an_error_is_a_line_too(lessons, words):
    code, kinds, rows = lessons(*words)
    assert (
        code == 1
        and rows[-1]["kind"] == "error"
        and kinds["error"]["code"] == 1
        and "nowhere" in kinds["error"]["message"]
    )


def test_ctrl_c_has_its_own_code(folder, lessons, one_step, monkeypatch, tmp_path):
    monkeypatch.setattr(train, "train", lambda _, settings, out, *__: Run(out, settings, Outcome.STOPPED))
    code, kinds, _ = lessons("train", folder, *one_step, "--out", tmp_path / "run")
    assert code == 130 and kinds["run"]["outcome"] == "stopped"


@pytest.mark.parametrize("fault", ["broken", "flat", "few", "prior"])
def test_check_and_train_agree_on_what_stops_a_training_and_how_it_is_overruled(
    folder, lessons, one_step, monkeypatch, tmp_path, fault
):
    prior = shutil.copytree(folder, tmp_path / "prior")
    if fault == "few":
        (folder / "2.png").unlink()
        (folder / "3.png").unlink()
    elif fault == "flat":
        Image.new("RGB", (128, 128), "red").save(folder / "0.png")
    else:
        bad = folder if fault == "broken" else prior
        (bad / "bad.png").write_bytes(b"x")
    words = [folder, "--prior", prior] if fault == "prior" else [folder]
    monkeypatch.setattr(train, "train", lambda _, settings, out, *__: Run(out, settings, Outcome.STOPPED))
    code, kinds, _ = lessons("check", *words)
    (stop,) = kinds["check"]["must_fix"]
    training = ["train", *words, *one_step, "--out", tmp_path / "run"]
    refused, error, _ = lessons(*training)
    assert (
        code == refused == 1 and stop in error["error"]["message"] and "--anyway" in error["error"]["message"]
    )
    assert lessons(*training, "--anyway")[0] == 130


def test_every_process_of_a_stopped_training_ends_with_the_code_of_a_stop(
    folder, one_step, monkeypatch, tmp_path
):
    monkeypatch.setattr(cli, "_IS_MAIN_PROCESS", False)
    monkeypatch.setattr(train, "train", lambda _, settings, out, *__: Run(out, settings, Outcome.STOPPED))
    words = ["train", str(folder), *one_step, "--out", str(tmp_path / "run")]
    args = arguments.parser().parse_args(words)
    args.emit = lambda *_, **__: None
    assert cli.train(args) == cli.INTERRUPTED


def test_forget_removes_what_came_from_a_folder_and_no_more(
    folder, lessons, one_step, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path / "cache"))
    other = shutil.copytree(folder, tmp_path / "other")
    for path in other.glob("*.png"):
        Image.open(path).rotate(90).save(path)
    lessons("check", other)
    theirs = set(storage.cache_dir().rglob("*.safetensors"))
    assert len(theirs) == 4
    lessons("train", folder, *one_step, "--out", tmp_path / "run")
    own = set(storage.cache_dir().rglob("*.safetensors")) - theirs
    assert {path.parent.name for path in own} == {"image_stats", "latents", "embeddings"}
    shutil.rmtree(folder)
    assert cli.main(["forget", str(folder)]) == 0
    left = set(storage.cache_dir().rglob("*.safetensors"))
    assert left >= theirs and len(left - theirs) == 1  # the trigger word alone, which is no picture's caption
    assert re.search(r"removed 9 cached files of .*/set \(\d", capsys.readouterr().out)
    assert cli.main(["forget", str(folder)]) == 0 and "removed 0 cached" in capsys.readouterr().out
    assert cli.main(["forget"]) == 1
    assert cli.main(["forget", "--all"]) == 0 and not list(storage.cache_dir().iterdir())
    assert cli.main(["forget", "--all"]) == 0


def test_forget_all_says_what_it_could_not_remove(folder, lessons, monkeypatch, tmp_path, capsys):
    def refuse(path):
        raise PermissionError(f"cannot remove {path}")

    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path / "cache"))
    lessons("check", folder)
    monkeypatch.setattr(Path, "unlink", refuse)
    assert cli.main(["forget", "--all"]) == 1
    printed = capsys.readouterr()
    assert "removed" not in printed.out and "cannot remove" in printed.err


def test_a_list_for_forget_that_cannot_be_written_is_said(folder, lessons, monkeypatch, tmp_path):
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "folders").write_text("a file where the lists should be")
    _, kinds, _ = lessons("check", folder)
    assert any("lessons forget will not know" in row["what"] for row in kinds["check"]["findings"])
