import dataclasses
import shutil
import subprocess
import sys

import huggingface_hub
import pytest
import torch

from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases, families, quantization
from lessons_lib.paths import POCKET
from lessons_lib.session import current


def test_an_unknown_base_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="pocket, sd15"):
        bases.find("dall-e")


def test_alpha_equals_rank_so_that_every_program_reads_the_same_strength():
    assert all(base.rank == base.alpha for base in bases.BASES.values())


def test_the_gated_model_says_so_and_is_not_the_default():
    assert bases.find("flux1-dev").gated and not bases.find("pocket").gated


def test_a_family_that_is_not_written_is_named():
    with pytest.raises(ValueError, match="'cascade'; expected one of flux"):
        families.find("cascade")


@pytest.mark.parametrize(
    "name", [line.split()[1] for line in (POCKET / bases.CHECKSUMS).read_text().splitlines()]
)
def test_a_weight_file_with_one_wrong_byte_is_refused_by_name(name, tmp_path):
    shutil.copytree(POCKET, tmp_path / "model")
    file = tmp_path / "model" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    broken = dataclasses.replace(bases.find("pocket"), repository=str(tmp_path / "model"))
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        Sampler(broken)


def test_a_missing_pocket_model_says_where_it_was_expected(tmp_path):
    base = dataclasses.replace(bases.find("pocket"), repository=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        Sampler(base, current())


def test_a_base_like_another_differs_only_where_its_table_says():
    pocket, schnell = bases.find("pocket"), bases.find("pocket-schnell")
    changed = {
        f.name for f in dataclasses.fields(pocket) if getattr(pocket, f.name) != getattr(schnell, f.name)
    }
    assert changed == {"name", "fused_adapter", "distilled", "trainable", "num_inference_steps", "note"}
    assert schnell.fused_adapter == str(POCKET.parent / "schnell")


def test_a_table_of_ones_own_is_like_one_of_the_course(tmp_path):
    """As in the file that LESSONS_BASES names."""
    path = tmp_path / "mine.toml"
    path.write_text(f'[mine]\nlike = "sd15"\nfolder = "{tmp_path}/model"\nside = 768\n')
    both = bases.load_table(bases.TABLE, path)
    assert set(both) == {*bases.BASES, "mine"} and both["mine"].repository == f"{tmp_path}/model"
    assert both["mine"].side == 768 and both["mine"].licence == both["sd15"].licence


def test_a_packed_repository_is_that_of_its_base_and_its_kind_alone(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[mine]\nlike = "flux1-dev"\nrepository = "me/mine"\n[long]\nlike = "flux1-dev"\nsteps = 9\n'
    )
    table = bases.load_table(bases.TABLE, path)
    in_nf4 = {name: dataclasses.replace(base, quantize="nf4") for name, base in table.items()}
    assert in_nf4["long"].source == in_nf4["flux1-dev"].source == "diffusers/FLUX.1-dev-bnb-4bit"
    assert in_nf4["mine"].source == "me/mine" and table["flux1-dev"].source == table["flux1-dev"].repository
    assert in_nf4["flux1-dev"].download_gb < table["flux1-dev"].download_gb / 2
    assert dataclasses.replace(in_nf4["flux1-dev"], repository=str(tmp_path)).source == str(tmp_path)


@pytest.mark.parametrize(("cached", "is_packed"), [("", True), ("whole", False), ("whole packed", True)])
def test_the_original_is_packed_here_where_the_cache_has_it_alone(cached, is_packed, monkeypatch, tmp_path):
    """So that who has fetched it before needs no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    flux = dataclasses.replace(bases.find("flux1-dev"), quantize="nf4")
    repositories = {"whole": flux.repository, "packed": flux.packed["nf4"].repository}
    for name in cached.split():
        folder = tmp_path / f"models--{repositories[name].replace('/', '--')}"
        for file in ("model_index.json", *(f"{network}/a.safetensors" for network in flux.parameters)):
            path = folder / "snapshots" / "0a" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("0a")
    assert flux.source == repositories["packed" if is_packed else "whole"]
    assert quantization.packed_in_files(flux).keys() == (
        flux.packed["nf4"].networks_gb.keys() if is_packed else set()
    )


def test_a_share_of_the_steps_is_at_least_one():
    assert [bases.find("pocket").share_of_steps(share) for share in (0.12, 0.3, 0.0001)] == [60, 150, 1]


@pytest.mark.parametrize("line", ["", "colour = 3"])
def test_a_table_with_a_missing_or_an_unknown_key_is_refused(line, tmp_path):
    (tmp_path / "bases.toml").write_text(f'[new]\nrepository = "a/b"\n{line}\n')
    with pytest.raises(ValueError, match=r"table \[.*(colour|missing)"):
        bases.load_table(tmp_path / "bases.toml")


def test_every_base_that_can_be_trained_has_a_name_for_other_programs():
    assert all(base.modelspec_architecture for base in bases.BASES.values() if base.trainable)


def test_a_licence_that_the_hub_does_not_know_has_a_name_and_a_link():
    for base in bases.BASES.values():
        assert (base.hub_licence == "other") == bool(base.hub_licence_name) == bool(base.hub_licence_link)


def test_the_card_names_tier_memory_and_base():
    text = bases.find("pocket").capability_card(current())
    assert "tier " in text and "memory: " in text and "base model pocket: 128 px" in text


def test_cards_of_two_machines_differ_only_in_the_memory_phrase():
    here, base = current(), bases.find("pocket")
    other = dataclasses.replace(here, cores=here.cores + 6, memory_gb=here.memory_gb + 40)
    cards = (base.capability_card(session).splitlines() for session in (here, other))
    assert [a for a, b in zip(*cards, strict=True) if a != b] == [f"memory: {here.memory_gb:.1f} GB"]


@pytest.mark.parametrize(
    ("name", "on_a_t4", "on_an_l4"),
    [
        ("pocket", torch.float32, torch.float32),  # too small to gain anything
        ("sd15", torch.float16, torch.bfloat16),
        ("z-image", torch.float32, torch.bfloat16),  # float16 gives NaN
    ],
)
def test_a_base_is_loaded_in_a_precision_that_it_can_be_used_in(name, on_a_t4, on_an_l4):
    t4, l4 = (dataclasses.replace(current(), dtype=dtype) for dtype in (torch.float16, torch.bfloat16))
    assert bases.find(name).precision(t4) == on_a_t4 and bases.find(name).precision(l4) == on_an_l4
    assert bases.find(name).precision(current()) == torch.float32


def test_the_table_is_read_without_loading_torch():
    program = "import sys; from lessons_lib.models import bases; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=POCKET.parents[1]).returncode == 0
