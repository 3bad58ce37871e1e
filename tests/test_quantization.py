"""Frozen weights in 4 and 8 bits, on a CPU: the same trainer, the same files, less memory."""

import gc
import json
import weakref
from dataclasses import replace
from types import SimpleNamespace

import IPython
import miniatures
import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from benchmarks import blank
from benchmarks.architectures import BLANKS
from lessons_lib.adapters import fit
from lessons_lib.adapters.settings import Settings
from lessons_lib.compat import storage_id
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases, families, quantization
from lessons_lib.models.sizes import loading_gb, weights_gb
from lessons_lib.models.skeletons import skeletons
from lessons_lib.session import current
from lessons_lib.training import forecast, train

SHORT = Settings(trigger="mugh4l", steps=2, rank=2, batch=2, sample_prompts=("a cat, mugh4l",))
packed = pytest.mark.skipif(
    not quantization.is_available(), reason="bitsandbytes is not installed; the extra `test` has it"
)


@pytest.fixture(scope="module", params=blank.NAMES)
def base(request, tmp_path_factory):
    base = miniatures.write(request.param, tmp_path_factory.mktemp("blank") / request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(bases.BASES, base.name, base)
        yield base


def denoiser_mb(base):
    pipe = families.find(base.family).load(base, current(), **dict.fromkeys([*base.text_encoders, "vae"]))
    denoiser = families.denoiser(families.find(base.family), pipe)
    return forecast.size_mb(dict(denoiser.named_parameters()))


@packed
def test_nf4_takes_an_eighth_of_the_memory_of_float32_and_int8_a_quarter():
    pocket = bases.find("pocket")
    whole, nf4, int8 = (denoiser_mb(replace(pocket, quantize=kind)) for kind in quantization.KINDS)
    assert whole / nf4 > 7.5 and whole / int8 > 3.9


@packed
def test_nf4_learns_and_the_adapter_reads_back(practice, tmp_path):
    settings = replace(SHORT, steps=60, rank=8, quantize="nf4", caption_dropout=0.0)
    run = train.train(practice, settings, tmp_path / "run")
    losses = [row["loss"] for row in run.log]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    sampler = Sampler(run.settings.adapt(bases.find("pocket")))
    before = sampler.sample(["a cat"], [1])[0][0]
    sampler.load(run.folder)
    assert sampler.sample(["a cat"], [1])[0][0].tobytes() != before.tobytes()


def header(path):
    with safe_open(path, "pt") as file:
        shapes = {
            key: (file.get_slice(key).get_shape(), file.get_slice(key).get_dtype()) for key in file.keys()
        }
        return shapes, file.metadata()


@packed
@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_the_file_has_the_form_of_one_from_whole_weights(practice, short_run, tmp_path, kind):
    settings = replace(SHORT, rank=4, quantize=kind)
    run = train.train(practice, settings, tmp_path / "run")
    assert header(run.adapter) == header(short_run.adapter)
    pipe = DiffusionPipeline.from_pretrained(bases.find("pocket").repository)
    pipe.load_lora_weights(run.folder)
    assert pipe.get_active_adapters()


@packed
@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_every_base_trains_with_packed_weights(base, kind, practice, tmp_path):
    settings = replace(SHORT, base=base.name, quantize=kind)
    if kind == "int8" and "float16" not in base.half_precisions:
        with pytest.raises(ValueError, match="expected nf4"):
            train.train(practice, settings, tmp_path / "run")
        return
    run = train.train(practice, settings, tmp_path / "run")
    with safe_open(run.adapter, "pt") as file:
        ups = [file.get_tensor(key) for key in file.keys() if ".lora_B." in key]
    assert ups and all(up.abs().max() > 0 and up.dtype == torch.float32 for up in ups)


def test_large_text_encoders_are_packed_and_small_ones_are_not():
    names = {
        name: quantization.quantized_components(replace(bases.find(name), quantize="nf4"), "denoiser")
        for name in ("pocket", "sdxl", "flux1-dev", "z-image")
    }
    assert names["pocket"] == names["sdxl"] == ("denoiser",)
    assert names["flux1-dev"] == ("denoiser", "text_encoder_2")
    assert names["z-image"] == ("denoiser", "text_encoder")


def test_int8_is_refused_where_float16_gives_nan():
    with pytest.raises(ValueError, match="float16, in which z-image gives NaN; expected nf4"):
        quantization.check(replace(bases.find("z-image"), quantize="int8"))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(quantization, "is_available", lambda: False)
    with pytest.raises(
        ValueError,
        match="nf4 weights need bitsandbytes.*: pip install bitsandbytes, then run the command again$",
    ):
        quantization.check(replace(bases.find("pocket"), quantize="nf4"))
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel="of a notebook"))
    with pytest.raises(
        ValueError, match="bitsandbytes in a cell .*, restart the kernel, and run the notebook again$"
    ):
        quantization.check(replace(bases.find("pocket"), quantize="nf4"))


@pytest.fixture(scope="module")
def packed_base(tmp_path_factory):
    """Return a miniature of FLUX.1-dev, and the same saved in nf4."""
    folder = tmp_path_factory.mktemp("packed")
    whole = miniatures.write("flux1-dev", folder / "whole")
    pipe = families.find("flux").load(replace(whole, quantize="nf4"), current())
    pipe.save_pretrained(folder / "nf4")
    return whole, replace(whole, repository=str(folder / "nf4"))


@packed
def test_a_base_whose_files_are_packed_trains_as_one_that_is_packed_while_it_is_loaded(
    packed_base, practice, tmp_path, monkeypatch
):
    """To the bit: what is saved is what was packed, and the layers that are not are saved as they were."""
    whole, saved = packed_base
    tensors = []
    for base, quantize in ((whole, "nf4"), (saved, "auto")):
        monkeypatch.setitem(bases.BASES, base.name, base)
        settings = replace(SHORT, base=base.name, quantize=quantize)
        run = train.train(practice, settings, tmp_path / quantize)
        assert run.settings.quantize == "nf4"
        tensors.append(load_file(run.adapter))
    assert tensors[0].keys() == tensors[1].keys()
    assert all(torch.equal(value, tensors[1][name]) for name, value in tensors[0].items())


@packed
def test_the_sizes_of_packed_files_are_those_of_their_bytes(packed_base):
    saved = replace(packed_base[1], quantize="nf4")
    pipe = families.find("flux").load(saved, current())
    sizes = weights_gb(saved, current())
    for name, gigabytes in sizes.items():
        tensors = {storage_id(t): t.nbytes for t in getattr(pipe, name).state_dict().values()}
        assert gigabytes == pytest.approx(sum(tensors.values()) / 1e9, rel=1e-3)
    assert loading_gb(saved, current())["transformer"] < 0.31


@packed
def test_packed_files_are_drawn_with_as_they_are(packed_base):
    sampler = Sampler(packed_base[1])
    assert sampler.base.quantize == "nf4" and sampler.sample(["a cat"], [1])


@packed
@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_packed_files_are_not_loaded_as_something_else(packed_base, practice, quantize):
    saved = packed_base[1]
    with pytest.raises(ValueError, match=f"are packed in nf4 and .*'{quantize}'; expected nf4 or auto"):
        train.Trainer(saved, practice, replace(SHORT, base=saved.name, quantize=quantize))


def test_files_that_are_packed_in_another_way_are_named(tmp_path):
    base = miniatures.write("sd15", tmp_path / "model")
    config = tmp_path / "model" / "unet" / "config.json"
    other = {"quantization_config": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"}}
    config.write_text(json.dumps(json.loads(config.read_text()) | other))
    with pytest.raises(ValueError, match="unet of sd15 is packed as fp4 in its files; expected whole"):
        quantization.check(base)


def test_a_config_that_is_damaged_is_named(tmp_path):
    base = miniatures.write("sd15", tmp_path / "model")
    for text in ("", "[]"):
        (tmp_path / "model" / "unet" / "config.json").write_text(text)
        with pytest.raises(ValueError, match=r"unet/config.json is damaged .* copy that file again"):
            quantization.check(base)


def test_the_layers_of_a_base_are_read_from_where_it_is_loaded_from(monkeypatch):
    def refuse(name):
        raise OSError(name)

    monkeypatch.setattr(DiffusionPipeline, "load_config", refuse)
    for kind, repository in (
        ("nf4", "diffusers/FLUX.1-dev-bnb-4bit"),
        ("none", "black-forest-labs/FLUX.1-dev"),
    ):
        with pytest.raises(OSError, match=repository):
            skeletons(replace(bases.find("flux1-dev"), quantize=kind))


@packed
def test_packed_files_have_the_layers_of_whole_ones(packed_base):
    whole, saved = (fit.layer_shapes(skeletons(base)) for base in packed_base)
    assert whole and whole == saved


@packed
def test_a_repository_that_is_packed_already_is_what_is_loaded(packed_base, monkeypatch):
    """And nothing is quantised again, in the precision of this machine; the base keeps its name."""
    whole, saved = packed_base
    names, load = [], DiffusionPipeline.from_pretrained.__func__

    def noted(cls, name, **options):
        names.append(name)
        assert "quantization_config" not in options
        return load(cls, saved.repository, **options)

    monkeypatch.setattr(DiffusionPipeline, "from_pretrained", classmethod(noted))
    base = replace(whole, repository=bases.find("flux1-dev").repository, quantize="nf4")
    pipe = families.find("flux").load(base, replace(current(), dtype=torch.float16))
    assert names == ["diffusers/FLUX.1-dev-bnb-4bit"]
    layer = pipe.transformer.transformer_blocks[0].attn.to_q
    assert layer.compute_dtype == torch.float16
    assert bases.weights_id(base) == "black-forest-labs/FLUX.1-dev"


def test_the_table_of_bases_has_the_sizes_of_the_networks():
    for name, parts in BLANKS.items():
        assert bases.find(name).parameters.keys() == parts.parts.keys()
        for place, part in parts.parts.items():
            with torch.device("meta"):
                model = blank.network(part)
            head = "lm_head"  # tied to the embeddings, and left whole
            linear = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear) and n != head}
            in_float32 = [n for n in linear if n.split(".")[-1] in (model._keep_in_fp32_modules or ())]
            kept = sum(linear.pop(n).weight.numel() for n in in_float32)
            packed = sum(m.weight.numel() for m in linear.values())
            sizes = [sum(p.numel() for p in model.parameters()), packed, *([kept] if kept else [])]
            assert [size / 1e9 for size in sizes] == pytest.approx(
                bases.find(name).parameters[place], abs=6e-4
            )


class Live:
    """The text encoders and denoisers that are in memory, counted by weak references."""

    def __init__(self):
        self.parts = {"encoders": weakref.WeakSet(), "denoisers": weakref.WeakSet()}
        self.moments = []

    def note(self):
        gc.collect()
        self.moments.append({name: len(parts) for name, parts in self.parts.items()})


@pytest.fixture
def live(monkeypatch):
    """Count what is in memory before and after every loading of a pipeline."""
    live, original = Live(), DiffusionPipeline.from_pretrained.__func__

    def noted(cls, *arguments, **options):
        live.note()
        pipe = original(cls, *arguments, **options)
        for name, part in pipe.components.items():
            if isinstance(part, nn.Module) and name != "vae":
                live.parts["encoders" if name.startswith("text_encoder") else "denoisers"].add(part)
        live.note()
        return pipe

    monkeypatch.setattr(DiffusionPipeline, "from_pretrained", classmethod(noted))
    return live


def test_text_encoders_and_denoiser_are_never_in_memory_together(base, live, practice, tmp_path):
    settings = replace(SHORT, base=base.name, sample_prompts=())
    train.train(practice, settings, tmp_path / "run", lambda step: live.note())
    together = [moment for moment in live.moments if moment["encoders"] and moment["denoisers"]]
    assert together == []
    assert {moment["encoders"] for moment in live.moments} == {0, len(base.text_encoders)}
    assert live.moments[-1] == {"encoders": 0, "denoisers": 1}
