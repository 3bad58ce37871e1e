"""`lessons prove`: the whole way on real weights, and a record that names neither a place nor a person."""

import getpass
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import miniatures
import pytest
import torch

from lessons_lib import cli
from lessons_lib.adapters import model_card
from lessons_lib.adapters.settings import EXAMPLE_TRIGGER, Settings
from lessons_lib.models import bases, quantization
from lessons_lib.paths import ROOT
from lessons_lib.proof import elsewhere, record, stages, table
from lessons_lib.session import Session, current

PACKED = bases.find("flux1-dev").packed["nf4"].repository
STAGES = ["download", "train", "read_back", "bare_diffusers", "card"]


def no_place_and_no_person(text):
    """Whether a record names no absolute path, user or host."""
    names = (getpass.getuser(), socket.gethostname(), str(Path.home()), str(ROOT), os.getcwd())
    words = set(re.findall(r"[\w.-]+", text))
    is_absolute = re.search(r'["\s](/|[A-Z]:\\)\w', text)
    return not is_absolute and not any(
        n in words if "/" not in n else n in text for n in names if n != "root"
    )


@pytest.mark.slow
def test_pocket_is_proved_whole_by_the_command(tmp_path, capsys):
    assert cli.main(["prove", "pocket", "--steps", "4", "--out", str(tmp_path)]) == 0
    text = (tmp_path / f"pocket-{current().tier}.json").read_text()
    proof = json.loads(text)
    assert list(proof["stages"]) == STAGES and proof["ok"] and proof["weights"] == "published"
    assert proof["stages"]["bare_diffusers"]["difference"] < 1 and proof["peak_memory_gb"] > 0.1
    assert no_place_and_no_person(text)
    assert "pocket at 128 px needs" in capsys.readouterr().out


@pytest.fixture
def same_process(monkeypatch):
    """In the place of new processes, which load torch anew, the picture that was drawn here is copied."""

    def copy(code, folder):
        compile(code, "elsewhere", "exec")
        target = re.search(r"\.save\('(.*)'\)", code)[1]
        shutil.copy(folder.parent / "here.png", target)

    monkeypatch.setattr(elsewhere, "_run", copy)


@pytest.mark.parametrize("name", ["sdxl", "flux1-dev"])
def test_a_miniature_is_proved_and_counts_as_other_weights(name, tmp_path, monkeypatch, same_process):
    base = miniatures.write(name, tmp_path / name)
    monkeypatch.setitem(bases.BASES, name, base)
    kind = "nf4" if quantization.is_available() else "none"
    settings = Settings(base=name, trigger=EXAMPLE_TRIGGER, steps=2, quantize=kind)
    proof = stages.prove(base, tmp_path / "out", settings, lambda stage: None)
    assert proof["ok"] and proof["weights"] != "published" and proof["settings"]["quantize"] == kind
    assert no_place_and_no_person(json.dumps(proof))


def test_a_stage_that_fails_says_why_and_the_record_is_written_all_the_same(tmp_path, monkeypatch):
    def fail(trainer, *arguments, **options):
        raise MemoryError(f"no room in {tmp_path}/deep/file.bin")

    monkeypatch.setattr(stages.Trainer, "train", fail)
    assert cli.main(["prove", "pocket", "--steps", "2", "--out", str(tmp_path)]) == 1
    proof = json.loads((tmp_path / f"pocket-{current().tier}.json").read_text())
    assert proof["stages"]["train"]["problem"] == "MemoryError: no room in file.bin"
    assert "there is no adapter" in proof["stages"]["card"]["problem"] and not proof["ok"]


def test_a_base_that_does_not_fit_is_refused_before_the_first_stage(tmp_path, monkeypatch):
    small = Session("t4", torch.device("cuda"), torch.float16, 2, 12.0, "a card", 4.0)
    monkeypatch.setattr(stages.sessions, "current", lambda: small)
    with pytest.raises(ValueError, match="this machine has 3.8 GB"):
        stages.prove(
            bases.find("flux1-dev"), tmp_path, Settings(base="flux1-dev", trigger="v4se"), pytest.fail
        )


def test_what_is_fetched_is_what_is_trained_on(tmp_path, monkeypatch):
    names = []
    pipeline = SimpleNamespace(download=lambda name, **_: names.append(name) or tmp_path)
    monkeypatch.setattr(stages, "DiffusionPipeline", pipeline)
    settings = Settings(base="flux1-dev", trigger="v4se", quantize="nf4")
    stages._Proof(bases.find("flux1-dev"), settings, tmp_path, current()).download()
    assert names == [PACKED]


@pytest.mark.parametrize(
    "path", ["/home/somebody/runs/x.bin", "C:\\Users\\somebody\\runs\\x.bin", "'/root/.cache/a/x.bin'"]
)
def test_a_path_in_a_message_keeps_its_last_part_alone(path):
    text = record.without_paths(f"OSError: no such file: {path}\n and more")
    assert "somebody" not in text and "root" not in text and "x.bin" in text and "\n" not in text


def test_the_lines_for_a_gpu_load_the_base_as_this_library_does(monkeypatch, tmp_path, short_run):
    codes = []
    monkeypatch.setattr(elsewhere, "_run", lambda code, folder: codes.append(code))
    t4 = Session("t4", torch.device("cuda"), torch.float16, 2, 12.0, "a card", 15.8)
    base = replace(bases.find("flux1-dev"), quantize="nf4", offload=True, packed={})
    elsewhere.draw_with_diffusers(short_run, base, t4, "a cat", tmp_path / "picture.png")
    sdxl = bases.find("sdxl")
    elsewhere.draw_with_diffusers(short_run, sdxl, t4, "a cat", tmp_path / "picture.png")
    assert "load_in_4bit=True" in codes[0] and "pipe.enable_model_cpu_offload(device='cuda')" in codes[0]
    assert "bnb_4bit_compute_dtype=torch.float16" in codes[0] and sdxl.float16_vae in codes[1]
    for code in codes:
        compile(code, "elsewhere", "exec")


def test_a_repository_that_is_packed_already_is_loaded_elsewhere_too(monkeypatch, tmp_path, short_run):
    codes = []
    monkeypatch.setattr(elsewhere, "_run", lambda code, folder: codes.append(code))
    base = replace(bases.find("flux1-dev"), quantize="nf4")
    gpu = Session("80gb", torch.device("cuda"), torch.bfloat16, 8, 64.0, "a card", 84.0)
    for session in (gpu, replace(gpu, device=torch.device("cpu"))):
        elsewhere.draw_with_diffusers(short_run, base, session, "a cat", tmp_path / "picture.png")
    assert PACKED in codes[0] and base.repository in codes[1]  # on a CPU whole weights are drawn with
    assert not any("quantization_config" in code for code in codes)


def code_of_the_card(base):
    settings = Settings(base=base.name, trigger="v4se", quantize="nf4").resolve(base)
    card = model_card.readme(settings, [], base)
    code = card.split("```python")[1].split("```")[0]
    compile(code, "card", "exec")
    assert "pipe.enable_model_cpu_offload()" in code and f"base_model: {base.repository}" in card
    return code


def test_the_card_of_a_quantised_run_quantises():
    assert "bnb_4bit_quant_type='nf4'" in code_of_the_card(replace(bases.find("flux1-dev"), packed={}))


def test_the_card_of_a_run_on_a_packed_repository_loads_that():
    code = code_of_the_card(bases.find("flux1-dev"))
    assert PACKED in code and "quantization_config" not in code


def test_the_table_of_proofs_in_the_readme_is_that_of_the_records():
    assert table.table() in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "`flux1-dev` | not yet run" in table.table()


def test_records_of_other_weights_are_not_in_the_table(tmp_path):
    proof = {
        "base": "sd15", "date": "2030-01-02", "weights": "published", "machine": {"tier": "t4"},
        "settings": {"quantize": "nf4", "resolution": 512}, "peak_memory_gb": 4.26,
        "stages": {"train": {"ok": True}, "read_back": {"ok": False}},
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(proof))
    (tmp_path / "b.json").write_text(json.dumps(proof | {"base": "sdxl", "weights": "others, in a folder"}))
    text = table.table(tmp_path)
    assert "2030-01-02: nf4, 512 px, 4.3 GB, not read back" in text
    assert text.count("2030") == 1


def test_every_record_that_was_sent_in_is_whole_and_names_nobody():
    for path in table.PROOFS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        proof = json.loads(text)
        assert (
            path.name == f"{proof['base']}-{proof['machine']['tier']}.json"
            and list(proof["stages"]) == STAGES
        )
        assert no_place_and_no_person(text)


def test_the_table_is_printed_by_its_module():
    done = subprocess.run(
        [sys.executable, "-m", "lessons_lib.proof.table"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == table.table(), done.stderr
