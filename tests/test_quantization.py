"""Frozen weights in 4 and 8 bits, on a CPU: the same trainer, the same files, less memory."""

import gc
import weakref
from dataclasses import replace

import miniatures
import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors import safe_open
from torch import nn

from benchmarks import blank
from benchmarks.architectures import BLANKS
from lessons_lib.adapters.settings import Settings
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases, families, quantization
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
    with pytest.raises(ValueError, match="nf4 weights need bitsandbytes.*pip install bitsandbytes"):
        quantization.check(replace(bases.find("pocket"), quantize="nf4"))


def test_the_table_of_bases_has_the_sizes_of_the_networks():
    for name, parts in BLANKS.items():
        assert bases.find(name).parameters.keys() == parts.parts.keys()
        for place, part in parts.parts.items():
            with torch.device("meta"):
                model = blank.network(part)
            head = "lm_head"  # tied to the embeddings, and left whole
            linear = [m for n, m in model.named_modules() if isinstance(m, nn.Linear) and n != head]
            sizes = sum(p.numel() for p in model.parameters()), sum(m.weight.numel() for m in linear)
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
