"""What the file of an adapter holds, and a run in a few lines."""

import json
import re

import pytest
import torch
from safetensors.torch import save_file

from lessons_lib.adapters import export, info
from lessons_lib.adapters.run import WEIGHTS_NAME


def test_a_summary_says_what_a_run_holds(run_folder):
    lines, problems = info.facts(run_folder)
    assert problems == []
    assert lines[0] == "adapter: 1 layers, rank 4, alpha 8" and "trigger: mugh4l" in lines
    assert lines[-1] == "loss: 1.000 at first, 0.500 at last, over 2 steps"


def test_a_folder_without_an_adapter_is_named(tmp_path):
    problem = info.facts(tmp_path)[1][0]
    assert "expected pytorch_lora_weights.safetensors" in problem


def test_settings_that_are_damaged_are_not_taken_for_missing_ones(run_folder):
    (run_folder / "settings.json").write_text('{"base": "pocket"')
    message = "settings.json: is damaged .* restore that file from a copy"
    with pytest.raises(ValueError, match=message):
        export.write_comfyui(run_folder)
    (problem,) = info.facts(run_folder)[1]
    assert re.search(message, problem)


def test_a_base_that_is_not_known_any_more_is_said(run_folder):
    settings = json.loads((run_folder / "settings.json").read_text())
    (run_folder / "settings.json").write_text(json.dumps(settings | {"base": "sd9"}))
    lines, problems = info.facts(run_folder)
    assert lines[0].startswith("adapter: 1 layers") and problems[0].startswith(
        "there is no base model called 'sd9'"
    )


def test_a_file_that_is_no_lora_is_refused(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / WEIGHTS_NAME)
    assert "holds no lora_A tensors" in info.facts(tmp_path)[1][0]
