import json
import os

import pytest
import torch
from safetensors.torch import load_file

from lessons_lib import train
from lessons_lib.runs import Run, Settings

QUICK = Settings(trigger="mugh4l", steps=3, rank=2, batch=2)


def test_a_run_leaves_the_whole_adapter_folder(short_run):
    names = {p.name for p in short_run.folder.iterdir()}
    assert {"pytorch_lora_weights.safetensors", "settings.json", "log.jsonl", "samples", "README.md"} <= names
    assert any(name.endswith("_comfyui.safetensors") for name in names)
    assert sorted(p.name for p in (short_run.folder / "samples").iterdir()) == ["00000_1.jpg", "00006_1.jpg"]


def test_the_log_has_a_row_a_step(short_run):
    assert [row["step"] for row in short_run.log] == [1, 2, 3, 4, 5, 6]
    assert set(short_run.log[0]) == {"step", "loss", "seconds", "learning_rate"}


def test_the_weights_header_keeps_rank_and_alpha(short_run):
    from safetensors import safe_open

    with safe_open(short_run.adapter, "pt") as file:
        kept = json.loads(file.metadata()["lora_adapter_metadata"])
    assert kept["transformer.r"] == 4 and kept["transformer.lora_alpha"] == 4


def test_the_same_seed_trains_the_same_adapter(paintings, told, tmp_path):
    first, second = (train.train(paintings, told, QUICK, tmp_path / name) for name in ("a", "b"))
    one, two = load_file(first.adapter), load_file(second.adapter)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_ctrl_c_keeps_what_was_learned_and_says_so(paintings, told, tmp_path):
    def stop(step):
        if step.step == 2:
            raise KeyboardInterrupt

    run = train.train(paintings, told, QUICK, tmp_path / "run", stop)
    assert run.stopped and Run.load(tmp_path / "run").stopped
    assert len(run.log) == 2 and load_file(run.adapter)


def test_a_failure_leaves_no_trace(paintings, told, tmp_path):
    def fail(step):
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        train.train(paintings, told, QUICK, tmp_path / "run", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_older_run_as_it_was(paintings, told, tmp_path):
    before = train.train(paintings, told, QUICK, tmp_path / "run").adapter.read_bytes()
    with pytest.raises(RuntimeError):
        train.train(paintings, told, QUICK, tmp_path / "run", lambda step: (_ for _ in ()).throw(RuntimeError()))
    assert Run.load(tmp_path / "run").adapter.read_bytes() == before


def test_a_loss_that_is_no_number_ends_training(paintings, told, tmp_path, monkeypatch):
    from lessons_lib.families import flux

    monkeypatch.setattr(flux, "loss", lambda *a: torch.full((2,), float("nan"), requires_grad=True))
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        train.train(paintings, told, QUICK, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(paintings, told, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="cannot write"):
        train.train(paintings, told, QUICK, tmp_path / "run")


def test_a_file_in_the_way_is_refused_before_any_work(paintings, told, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="cannot write"):
        train.train(paintings, told, QUICK, tmp_path / "file" / "run")
    with pytest.raises(ValueError, match="not a run"):
        train.train(paintings, told, QUICK, tmp_path / "file")


def test_a_dropped_caption_is_the_trigger_alone():
    lesson = train.Lesson(torch.arange(3.0).view(3, 1), {"states": torch.arange(4.0).view(4, 1)})
    latents, words = lesson.batch(400, 0.25, torch.Generator().manual_seed(0))
    dropped = words["states"] == 3
    assert 60 < int(dropped.sum()) < 140
    assert torch.equal(words["states"][~dropped], latents[~dropped])


@pytest.mark.parametrize("wrong", [{"rank": -1}, {"steps": -5}, {"trigger": " "}, {"caption_dropout": 1.0}, {"mode": "both"}])
def test_settings_that_make_no_sense_are_refused(paintings, told, tmp_path, wrong):
    import dataclasses

    with pytest.raises(ValueError, match="expected|empty"):
        train.train(paintings, told, dataclasses.replace(QUICK, **wrong), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_damaged_settings_are_named(tmp_path):
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        Run.load(tmp_path)
