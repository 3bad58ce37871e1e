"""An adapter is put on a base model with all of its layers, or refused in one line; the base is as it was."""

import itertools
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks import blank
from lessons_lib.adapters import export, files, fit, merging
from lessons_lib.adapters.files import Adapter, Factors
from lessons_lib.adapters.run import MERGED, SETTINGS, WEIGHTS_NAME
from lessons_lib.models import bases, families

BASES = ("pocket", *blank.NAMES)
PAIRS = list(itertools.permutations(BASES, 2))


def adapter_for(sampler, rank=2):
    """Return an adapter with random factors for every layer that a training on this base changes."""
    family, generator = sampler.family, torch.Generator().manual_seed(0)
    shapes = fit.layer_shapes({family.DENOISER: families.denoiser(family, sampler.pipe)})
    ends = tuple(f".{target}" for target in family.TARGET_MODULES)
    layers = {
        name: Factors(torch.randn(rank, shape[1], generator=generator),
                      torch.randn(shape[0], rank, generator=generator), float(rank))
        for name, shape in shapes.items() if name.endswith(ends)
    }  # fmt: skip
    return Adapter(layers)


@pytest.fixture(scope="module")
def file_for(miniature, tmp_path_factory):
    """Return a function that gives the file of an adapter for a base, written as diffusers reads it."""
    folder = tmp_path_factory.mktemp("adapters")

    def file(name):
        path = folder / name / WEIGHTS_NAME
        if not path.exists():
            path.parent.mkdir()
            export.write_diffusers(adapter_for(miniature(name)), path)
        return path

    return file


def refusal(sampler, path):
    """Return the one line in which an adapter is refused."""
    with pytest.raises(ValueError) as error:
        sampler.load(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert not any(
        hasattr(module, "lora_A") for module in families.denoiser(sampler.family, sampler.pipe).modules()
    )
    return str(error.value)


def test_there_are_thirty_wrong_pairs():
    assert len(PAIRS) == 30


@pytest.mark.parametrize(("base", "other"), PAIRS)
def test_an_adapter_of_another_base_is_refused_in_one_line(miniature, file_for, base, other):
    assert f"does not fit {base}" in refusal(miniature(base), file_for(other))


@pytest.mark.parametrize("name", BASES)
def test_an_adapter_of_this_base_is_loaded_whole(miniature, file_for, name):
    sampler = miniature(name)
    sampler.load(file_for(name))
    denoiser = families.denoiser(sampler.family, sampler.pipe)
    attached = sum("tuned" in getattr(module, "lora_A", ()) for module in denoiser.modules())
    sampler.unload()
    assert attached == len(files.read(file_for(name)).layers)


def misnamed(tensors):
    """A third of the layers has another name, as in a file of a newer model."""
    return {k.replace(".attn.", ".attention.") if ".to_k." in k else k: t for k, t in tensors.items()}


def cut(tensors):
    key = next(iter(tensors))
    return tensors | {key: tensors[key][:, :-1].contiguous()}


def ranks_differ(tensors):
    key = next(key for key in tensors if ".lora_B." in key)
    return tensors | {key: torch.cat([tensors[key]] * 2, 1)}


DAMAGED = {
    "a third of the layers misnamed": (misnamed, "layers are not in"),
    "one factor missing": (lambda t: dict(list(t.items())[1:]), "expected both factors"),
    "another width": (cut, "made for another base model"),
    "two ranks in one layer": (ranks_differ, "have ranks"),
    "a number that is not finite": (lambda t: {k: v.log() for k, v in t.items()}, "not finite"),
    "a vector for a matrix": (lambda t: {k: v[0].clone() for k, v in t.items()}, "dimensions"),
    "other tensors beside it": (lambda t: t | {"extra.bias": torch.zeros(3)}, "belong to no LoRA layer"),
    "a magnitude, as DoRA has": (lambda t: t | {"x.lora_magnitude_vector": torch.zeros(3)}, "a DoRA adapter"),
    "a layer twice": (lambda t: t | {f"diffusion_model.{k[12:]}": v.clone() for k, v in t.items()},
                      "has two changes for"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_adapter_is_refused_in_one_line(sampler, file_for, tmp_path, what):
    change, words = DAMAGED[what]
    save_file(change(load_file(file_for("pocket"))), tmp_path / WEIGHTS_NAME)
    assert words in refusal(sampler, tmp_path / WEIGHTS_NAME)


def test_a_refused_adapter_leaves_the_one_that_is_loaded(sampler, file_for):
    sampler.load(file_for("pocket"))
    with pytest.raises(ValueError):
        sampler.load(file_for("sd15"))
    assert sampler.adapter == "tuned" and sampler.pipe.get_active_adapters() == ["tuned"]
    sampler.unload()


def test_a_failure_inside_diffusers_is_one_line_too(sampler, file_for, monkeypatch):
    def fail(*_, **__):
        raise KeyError("adapter_name")

    monkeypatch.setattr(type(sampler.pipe.transformer), "load_lora_adapter", fail)
    assert "does not fit pocket: 'adapter_name'" in refusal(sampler, file_for("pocket"))


@pytest.mark.parametrize(
    ("problem", "error"), [(KeyError("x"), ValueError), (torch.OutOfMemoryError("CUDA"), MemoryError)]
)
def test_where_an_adapter_cannot_be_attached_the_base_is_drawn(
    sampler, file_for, monkeypatch, problem, error
):
    sampler.load(file_for("pocket"))

    def fail(*_, **__):
        raise problem

    monkeypatch.setattr(type(sampler.pipe.transformer), "load_lora_adapter", fail)
    with pytest.raises(error, match="pocket"):
        sampler.load(file_for("pocket"))
    assert sampler.adapter is None and sampler.sample(["a cat"], [1], steps=1)


def test_a_layer_that_diffusers_leaves_out_is_counted(sampler, file_for, monkeypatch):
    whole = type(sampler.pipe.transformer).load_lora_adapter

    def load_some(self, tensors, **options):
        whole(self, dict(list(tensors.items())[4:]), **options)

    monkeypatch.setattr(type(sampler.pipe.transformer), "load_lora_adapter", load_some)
    count = len(files.read(file_for("pocket")).layers)
    assert f"{count - 2} of {count} layers took it" in refusal(sampler, file_for("pocket"))


def test_a_run_on_other_weights_of_the_base_is_refused_and_one_that_does_not_say_is_not(
    sampler, file_for, tmp_path
):
    shutil.copy(file_for("pocket"), tmp_path)
    origin = {"base": "pocket", "base_weights": "others"}
    (tmp_path / SETTINGS).write_text(json.dumps(origin), encoding="utf-8")
    assert "was trained on other weights of pocket" in refusal(sampler, tmp_path)
    (tmp_path / SETTINGS).write_text('{"base": "pocket"}', encoding="utf-8")
    sampler.load(tmp_path)
    sampler.unload()


def test_a_run_and_a_merge_of_it_say_on_which_weights_they_draw(sampler, short_run, tmp_path):
    merging.merge([short_run.folder, short_run.folder], tmp_path / "both", weights=[0.5, 0.5])
    for folder, name in ((short_run.folder, SETTINGS), (tmp_path / "both", MERGED)):
        told = json.loads((folder / name).read_text(encoding="utf-8"))
        assert told["base_weights"] == bases.weights_id(sampler.base)
        sampler.load(folder)
    sampler.unload()
