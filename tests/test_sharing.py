"""`lessons merge` and `lessons publish` from a shell."""

import json

import pytest
import torch
from safetensors.torch import save_file

from lessons_lib import cli
from lessons_lib.adapters import combine, files
from lessons_lib.adapters.run import WEIGHTS_NAME
from lessons_lib.evaluation.sampler import Sampler

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


def test_a_foreign_file_alone_needs_its_base(foreign_file, tmp_path, capsys):
    arguments = ["merge", str(foreign_file), "--out", str(tmp_path / "own")]
    assert cli.main(arguments) == 1 and "name it with --base" in capsys.readouterr().err
    assert cli.main([*arguments, "--base", "pocket"]) == 0
    assert json.loads((tmp_path / "own" / "merged.json").read_text())["base"] == "pocket"
    assert len(files.read(tmp_path / "own" / WEIGHTS_NAME).layers) == 3
    assert combine.norm(files.read(tmp_path / "own")) > 0


def test_publish_without_a_token_lists_and_sends_nothing(short_run, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert cli.main(["publish", str(short_run.folder), "ann/short"]) == 0
    text = capsys.readouterr().out
    assert "files would go to ann/short" in text and "nothing was sent" in text
    assert "- checkpoints/ stays here" in text and "Replicate" in text
