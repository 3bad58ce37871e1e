"""`lessons merge` and `lessons publish` from a shell."""

import json

import pytest
import torch
from safetensors.torch import save_file

from lessons_lib import cli
from lessons_lib.adapters import combine, export, files, model_card
from lessons_lib.adapters.run import WEIGHTS_NAME
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.paths import POCKET

LAYER = "transformer.transformer_blocks.0.attn.to_q"


@pytest.fixture
def foreign_file(tmp_path):
    """A file of kohya's trainer for pocket, one fused layer at half its strength."""
    stem = "lora_unet_double_blocks_0_img_attn_qkv"
    tensors = {f"{stem}.lora_down.weight": torch.randn(2, 256), f"{stem}.lora_up.weight": torch.randn(768, 2)}
    save_file(tensors | {f"{stem}.alpha": torch.tensor(1.0)}, tmp_path / "other.safetensors")
    return tmp_path / "other.safetensors"


def test_a_run_and_a_foreign_file_become_one_adapter(
    run_folder, foreign_file, tmp_path, capsys, sampler: Sampler
):
    out = tmp_path / "both"
    assert cli.main(["merge", str(run_folder), str(foreign_file), "--weight", "1", "--weight", "0.5",
                     "--out", str(out), "--kohya"]) == 0  # fmt: skip
    text = capsys.readouterr().out
    assert "merged: 2 adapters for pocket, 3 layers, rank 2, 6" in text and "cosine" in text
    assert {p.name for p in (out / "other_formats").iterdir()} == {
        "both_comfyui.safetensors", "both_kohya.safetensors",
    }  # fmt: skip
    merged = files.read(out)
    change = merged.layers[LAYER].delta - files.read(run_folder).layers[LAYER].delta
    other = files.read(foreign_file).layers["lora_unet_double_blocks_0_img_attn_qkv"].delta[:256]
    assert torch.allclose(change, 0.5 * other, atol=1e-4)
    sampler.load(out)
    sampler.unload()
    assert cli.main(["info", str(out)]) == 0 and "3 of 3 layers" in capsys.readouterr().out


def test_a_merge_cut_to_a_rank_says_what_is_lost(run_folder, foreign_file, tmp_path, capsys):
    arguments = ["merge", str(run_folder), str(foreign_file), "--rank", "2", "--out", str(tmp_path / "small")]
    assert cli.main(arguments) == 0
    assert "of the change is lost" in capsys.readouterr().out and files.read(tmp_path / "small").ranks == [2]
    assert cli.main(arguments) == 1 and "already; name another folder" in capsys.readouterr().err


def test_a_merge_that_fails_writes_nothing_and_can_be_repeated(run_folder, tmp_path, monkeypatch, capsys):
    arguments = ["merge", str(run_folder), "--out", str(tmp_path / "own")]
    with monkeypatch.context() as patch:
        patch.setattr(export, "write_comfyui", lambda folder: (_ for _ in ()).throw(OSError("disk full")))
        assert cli.main(arguments) == 1 and not list((tmp_path / "own").iterdir())
    assert cli.main(arguments) == 0 and f"written: {tmp_path / 'own'}" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "own").iterdir()} == {
        "README.md", "merged.json", "other_formats", WEIGHTS_NAME,
    }  # fmt: skip


def test_a_merge_writes_over_no_card_of_the_users(run_folder, tmp_path, capsys):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "README.md").write_text("mine")
    assert cli.main(["merge", str(run_folder), "--out", str(out)]) == 1
    assert "holds README.md already; name another folder" in capsys.readouterr().err
    assert (out / "README.md").read_text() == "mine"


def test_a_foreign_file_alone_needs_its_base(foreign_file, tmp_path, capsys):
    arguments = ["merge", str(foreign_file), "--out", str(tmp_path / "own")]
    assert cli.main(arguments) == 1 and "name it with --base" in capsys.readouterr().err
    assert cli.main([*arguments, "--base", "pocket"]) == 0
    assert json.loads((tmp_path / "own" / "merged.json").read_text())["base"] == "pocket"
    assert len(files.read(tmp_path / "own" / WEIGHTS_NAME).layers) == 3
    assert combine.norm(files.read(tmp_path / "own")) > 0


@pytest.fixture
def lines(capsys):
    """Run a command with --json; return its code and its one line."""

    def run(*words):
        code = cli.main([*map(str, words), "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[0])

    return run


def test_a_merged_adapter_of_runs_is_published_with_the_rights_of_all_their_pictures(
    short_run, tmp_path, monkeypatch, lines
):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    out = tmp_path / "both"
    weights = ["--weight", "0.5", "--weight", "0.25"]
    code, merge = lines("merge", short_run.folder, short_run.folder, *weights, "--out", out)
    assert code == 0 and merge["meetings"][0]["cosine"] == pytest.approx(1) and merge["strength"] == 1
    code, publication = lines("publish", out, "ann/both")
    assert code == 0 and not publication["problems"] and "strength" not in publication
    assert set(publication["files"]) == {
        "README.md", "merged.json", WEIGHTS_NAME, "other_formats/both_comfyui.safetensors",
    }  # fmt: skip
    rows = model_card.rights_rows((out / "README.md").read_text(encoding="utf-8"))
    assert len(rows) == 2 * len(short_run.pictures) and {row["licence"] for row in rows} == {"CC0-1.0"}


def test_a_merged_adapter_with_a_part_of_unknown_pictures_is_kept_back(
    short_run, foreign_file, tmp_path, monkeypatch, lines
):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    out = tmp_path / "both"
    lines("merge", short_run.folder, foreign_file, "--out", out)
    code, publication = lines("publish", out, "ann/both")
    assert code == 1
    assert (
        "licence of 1 training pictures is not known: other.safetensors: its pic"
        in publication["problems"][0]
    )


def test_the_code_on_a_merged_adapters_card_draws_with_it(short_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli.main(["merge", str(short_run.folder), str(short_run.folder), "--rank", "2", "--out", "."])
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    code = card.split("```python")[1].split("```")[0].replace('"pocket/model"', repr(str(POCKET)))
    names: dict = {}
    exec(code.replace("steps=20", "steps=1"), names)
    assert names["image"].size == (128, 128) and "cut to rank 2" in card


def test_a_damaged_merged_json_is_one_line(tmp_path, capsys):
    (tmp_path / "merged.json").write_text("{}")
    assert cli.main(["publish", str(tmp_path), "ann/both"]) == 1
    assert "is damaged" in capsys.readouterr().err


def test_publish_without_a_token_lists_and_sends_nothing(short_run, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert cli.main(["publish", str(short_run.folder), "ann/short"]) == 0
    text = capsys.readouterr().out
    assert "files would go to ann/short" in text and "nothing was sent" in text
    assert "- checkpoints/ stays here" in text and "Replicate" in text
