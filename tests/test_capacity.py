"""What fits into a machine's memory is told before anything is downloaded."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import loading_memory
import pytest
import torch

from benchmarks import blank
from lessons_lib import cli
from lessons_lib import session as sessions
from lessons_lib.adapters.settings import Settings
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import access, bases, families, quantization
from lessons_lib.models.sizes import weights_gb
from lessons_lib.paths import PROOFS
from lessons_lib.proof import record
from lessons_lib.session import Session
from lessons_lib.training import capacity, memory_records
from lessons_lib.training.train import Trainer


def card(gigabytes, ram=64.0, dtype=torch.bfloat16):
    return Session("a tier", torch.device("cuda"), dtype, 8, ram, "a card", gigabytes)


T4 = card(15.8, 12.7, torch.float16)


@pytest.fixture(autouse=True)
def room(monkeypatch):
    """Give the disk of the Hub's cache room for every base."""
    monkeypatch.setattr(access, "check_disk", lambda base: None)


def fit(name, machine, **options):
    return capacity.fit(Settings(base=name, trigger="v4se", **options), bases.find(name), machine)


@pytest.mark.parametrize(
    ("name", "machine", "quantize", "resolution"),
    [
        ("sd15", T4, "none", None),
        ("sdxl", T4, "none", None),
        ("flux2-klein", T4, "none", None),
        ("flux1-dev", T4, "nf4", 512),
        ("flux1-dev", card(24.1), "nf4", None),
        ("flux1-dev", card(14), "nf4", 512),
        ("flux1-dev", card(84), "none", None),
        ("z-image", card(24.1), "none", None),
    ],
)
def test_what_is_left_open_is_filled_in_so_that_it_fits(name, machine, quantize, resolution):
    result = fit(name, machine)
    settings = result.settings.resolve(bases.find(name))
    assert (settings.quantize, settings.resolution) == (quantize, resolution)
    assert result.need.gigabytes <= result.available < machine.gpu_gb


@pytest.mark.parametrize(
    ("name", "quantize", "published"),
    [("flux1-dev", "none", 30), ("flux1-dev", "int8", 18), ("flux2-klein", "none", 12)],
)
def test_what_is_calculated_is_what_others_publish(name, quantize, published):
    """Figures of the models' own pages for 1024 px."""
    assert fit(name, card(80), quantize=quantize).need.gigabytes == pytest.approx(published, rel=0.06)


def test_the_line_says_whether_a_figure_was_recorded_or_calculated():
    assert "(calculated from a recorded run)" in str(fit("flux1-dev", card(84)))
    assert "(calculated)" in str(fit("z-image", card(84)))


def test_a_t4_in_colab_never_needs_more_than_11_gb_of_ram():
    trainable = [name for name, base in bases.BASES.items() if base.trainable]
    needs = {name: fit(name, T4).need.ram_gb for name in trainable}
    assert all(2 <= gigabytes < 11 for gigabytes in needs.values()) and needs["flux2-klein"] > 10


def test_weights_that_do_not_fit_into_ram_on_their_way_to_a_gpu_are_packed():
    assert fit("flux2-klein", card(15.8, 8)).settings.quantize == "nf4"
    assert fit("flux1-dev", card(84, 16)).settings.quantize == "nf4"
    assert capacity.adapted_for_drawing(bases.find("flux2-klein"), card(84, 16)).quantize == "nf4"


def test_a_refusal_names_the_memory_that_is_too_small():
    with pytest.raises(
        ValueError, match="flux1-dev at 512 px needs 26.0 GB of RAM while.* has 13.8 GB of RAM.*nf4"
    ):
        fit("flux1-dev", card(84, 16), quantize="none")
    with pytest.raises(
        ValueError, match="RAM while it is loaded, and this machine has 1.7 GB of RAM for it$"
    ):
        fit("flux1-dev", card(15.8, 2))
    assert str(fit("flux2-klein", T4)).endswith("loading takes 10.2 GB of RAM, of 10.9 GB")
    assert fit("flux1-dev", card(84, 0)).settings.quantize == "auto"  # the system does not say


def test_a_machine_without_a_gpu_has_one_memory():
    cpu = Session("pocket", torch.device("cpu"), torch.float32, 2, 16.0, "none", 0.0)
    result = fit("sd15", cpu)
    assert (result.need.ram_gb, result.ram_available) == (0, 0) and "RAM" not in str(result)


def test_what_is_packed_elsewhere_is_not_what_was_recorded():
    """The repository's weights are 0.56 GB more than those that are packed while they are loaded."""
    flux, machine = bases.find("flux1-dev"), card(24.1)
    settings = Settings(base="flux1-dev", trigger="v4se", quantize="nf4", resolution=512)
    ways = (replace(flux, packed={}), flux)
    recorded, other = (capacity.fit(settings, base, machine).need for base in ways)
    assert recorded.source == "recorded" and other.source == "calculated from a recorded run"
    assert 0.5 < other.gigabytes - recorded.gigabytes < 0.7


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="anonymous memory is read from Linux's /proc")
@pytest.mark.skipif(not quantization.is_available(), reason="bitsandbytes is not installed")
def test_loading_takes_no_more_ram_than_is_calculated(tmp_path):
    """Memory that is freed goes back to the system at once, as that of layers of the real size does."""
    env = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, loading_memory.__file__, tmp_path]
    done = subprocess.run(program, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])
    own = 0.02  # GB of Python itself, which is in the program's own share
    for parts in measured.values():
        assert all(gigabytes <= calculated + own for gigabytes, calculated in parts), measured
    for whole, nf4, files in zip(*measured.values(), strict=True):
        assert whole[0] > 0.9 * whole[1] and nf4[0] < whole[0] and files[0] < whole[0] / 10, measured


def test_what_a_proof_has_measured_is_what_pocket_needs():
    cpu = Session("pocket", torch.device("cpu"), torch.float32, 2, 16.0, "none", 0.0)
    need, batch_of_8 = fit("pocket", cpu).need, fit("pocket", cpu, batch=8).need
    assert need.source == "recorded" and 0.3 < need.gigabytes < 1 and batch_of_8.source == "calculated"


def test_weights_of_ones_own_are_not_the_published_ones_that_were_measured(tmp_path):
    pocket = bases.find("pocket")
    assert capacity.is_published(pocket)
    for other in (replace(pocket, name="mine"), replace(pocket, repository=str(tmp_path))):
        assert not capacity.is_published(other)
        settings = Settings(trigger="v4se").resolve(other)
        assert record.start(other, settings, sessions.current())["weights"] == "others, in a folder"


@pytest.mark.parametrize(
    ("weights", "ok", "count"),
    [("published", True, 1), ("published", False, 0), ("others, in a folder", True, 0)],
)
def test_a_proof_counts_where_the_published_weights_were_trained(weights, ok, count, tmp_path, monkeypatch):
    proof = json.loads((PROOFS / "pocket-pocket.json").read_text()) | {"weights": weights, "base": "z-image"}
    proof["stages"]["train"]["ok"] = ok
    (tmp_path / "z-image-t4.json").write_text(json.dumps(proof))
    monkeypatch.setattr(memory_records, "PROOFS", tmp_path)
    records = memory_records.records.__wrapped__()
    assert [record.base for record in records].count("z-image") == count


def test_a_recorded_training_is_taken_as_it_was(monkeypatch):
    record = capacity.MemoryRecord("z-image", "nf4", 1024, True, 9.9)
    monkeypatch.setattr(capacity, "records", lambda: (record,))
    result = fit("z-image", T4, quantize="nf4")
    assert (result.need.gigabytes, result.need.source) == (9.9, "recorded")
    assert result.settings.gradient_checkpointing


def test_what_does_not_fit_is_refused_with_the_options_that_do():
    with pytest.raises(ValueError, match="22.7 GB for it.*choose it with --quantize nf4$"):
        fit("flux1-dev", card(24.1), quantize="none")


def test_a_base_that_fits_in_no_way_is_refused_with_another_that_does():
    with pytest.raises(
        ValueError, match=r"flux1-dev in nf4 at 512 px needs 13.0.*this machine has 5.6.*--base z-image$"
    ):
        fit("flux1-dev", card(6))


def test_gpus_that_share_the_weights_are_refused_nothing(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert fit("flux1-dev", card(15)).settings.quantize == "auto"


@pytest.mark.parametrize("name", ["flux1-dev", "z-image"])
def test_a_refusal_comes_before_any_download(name, monkeypatch, practice):
    def fetch(*arguments, **options):
        raise AssertionError("something was fetched")

    monkeypatch.setattr(sessions, "current", lambda: card(4))
    family = families.find(bases.find(name).family)
    for function in ("load", "load_tokenizer"):
        monkeypatch.setattr(family, function, fetch)
    with pytest.raises(ValueError, match="this machine has 3.8 GB"):
        Trainer(bases.find(name), practice, Settings(base=name, trigger="v4se"))


def test_the_command_says_it_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sessions, "current", lambda: card(4))
    words = ["train", str(tmp_path), "--trigger", "v4se", "--base", "flux1-dev"]
    assert cli.main(words) == 1
    assert capsys.readouterr().err.startswith("lessons: flux1-dev in nf4 at 512 px needs")


def test_drawing_takes_turns_on_the_gpu_or_packs_the_weights():
    ways = {
        gigabytes: capacity.adapted_for_drawing(bases.find("flux1-dev"), card(gigabytes))
        for gigabytes in (84, 42, 24.1, 15.8)
    }
    assert [(way.quantize, way.offload) for way in ways.values()] == [
        ("none", False), ("none", True), ("nf4", False), ("nf4", True),
    ]  # fmt: skip


def test_a_base_in_a_folder_is_counted_there(tmp_path, sampler):
    pocket = bases.find("pocket")
    sizes = weights_gb(pocket, sessions.current())
    for name, gigabytes in sizes.items():
        numbers = sum(p.numel() for p in getattr(sampler.pipe, name).parameters())
        assert gigabytes == pytest.approx(4e-9 * numbers, rel=0.01)
    small = replace(pocket, repository=str(blank.write("sd15", tmp_path / "sd15", small=True)))
    assert weights_gb(small, sessions.current()).keys() == {"unet", "text_encoder", "vae"}


def test_offload_is_asked_of_the_pipeline_and_large_pictures_are_tiled(monkeypatch):
    calls = []
    pipeline = type(Sampler("pocket").pipe)
    monkeypatch.setattr(pipeline, "enable_model_cpu_offload", lambda pipe, device: calls.append(device.type))
    base = replace(bases.find("pocket"), offload=True, half_precisions=("bfloat16",))
    pipe = families.find("flux").load(base, card(8))
    assert calls == ["cuda"] and pipe.vae.use_tiling and pipe.vae.device.type == "cpu"
