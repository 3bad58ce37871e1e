"""What must run on a GPU: on CUDA where there is one, and else on the simulated device, where a tensor of the
CPU beside one of the device raises.

Pocket in float32 and a miniature of every family in bfloat16, on a GPU of every base. SKIPPED is what the
simulated device cannot do.
"""

import dataclasses

import miniatures
import pytest
import simulated_device
import torch
from course_fakes import use_fake_features

from lessons_lib.adapters import lora, spectrum
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import (
    lesson_02,
    lesson_03_trigger,
    lesson_04,
    lesson_05,
    lesson_05_memory,
    trials,
)
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation import compare, trigger_probe
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases
from lessons_lib.session import current
from lessons_lib.training import data, forecast, latent_cache, train

PROMPT = "a cat, mugh4l"
NAMES = miniatures.NAMES if torch.cuda.is_available() else ("sdxl", "flux2-klein", "z-image")
SKIPPED = {
    "compile": "torch.compile makes no code for a device that is not there",
    "quantize": "bitsandbytes has no kernel for a device that is not there",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("miniatures")


@pytest.fixture(params=["pocket", *NAMES])
def base(request, folder, monkeypatch):
    """Return a base while the device is the session's."""
    name = request.param
    small = bases.find(name) if name == "pocket" else miniatures.write(name, folder / name)
    small = dataclasses.replace(small, num_inference_steps=2, judges=())
    monkeypatch.setitem(bases.BASES, name, small)
    with simulated_device.active(torch.float32 if name == "pocket" else torch.bfloat16):
        yield small


two_bases = pytest.mark.parametrize("base", ["pocket", "flux2-klein"], indirect=True)


@pytest.fixture
def sampler(base):
    return Sampler(base)


@pytest.fixture(scope="module")
def runs():
    return {}


@pytest.fixture
def run(base, practice, folder, runs, monkeypatch):
    """Train two of three steps, stop, and go on: with held-out and class pictures, samples, an average of the
    adapter, a forecast.
    """
    if base.name in runs:
        return runs[base.name]
    monkeypatch.setattr(forecast, "STEPS", 2)
    out = folder / "runs" / base.name
    dataset = Dataset(practice.train[:2], practice.train[2:3], practice.train[3:])
    settings = Settings(
        base.name, "mugh4l", steps=3, batch=1, sample_prompts=(PROMPT,), validate_every=1, ema_decay=0.9
    )
    trainer = train.Trainer(base, dataset, settings)
    assert trainer.train(out, stop_after_two).stopped
    costs = []
    runs[base.name] = trainer.train(out, on_forecast=costs.append)
    assert costs[0].seconds > 0
    return runs[base.name]


def stop_after_two(step):
    if step.step == 2:
        raise KeyboardInterrupt


def latents_of_the_cpu(sampler):
    shape = sampler.family.latent_shape(sampler.pipe, sampler.base)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_a_base_lies_on_the_device_in_its_own_precision(base, sampler):
    parts = [value for value in sampler.pipe.components.values() if isinstance(value, torch.nn.Module)]
    assert {part.device.type for part in parts} == {current().device.type}
    assert {part.dtype for part in parts} == {base.precision(current())}


def test_samples_and_each_step_to_them_are_drawn(sampler):
    sample = sampler.sample([PROMPT], [3])[0][0]
    assert sampler.sample_steps(PROMPT, 3)[-1].tobytes() == sample.tobytes()


def test_the_clean_picture_is_predicted_from_latents_of_the_cpu_and_drawn(base, sampler):
    latents, device = latents_of_the_cpu(sampler), current().device
    predictions = [sampler.predict_original(z, 0.5, PROMPT) for z in (latents, latents.to(device))]
    assert torch.equal(*predictions) and predictions[0].device.type == device.type
    images = [sampler.family.decode_latents(sampler.pipe, z)[0] for z in (predictions[0], latents)]
    assert [image.size for image in images] == [(base.side, base.side)] * 2


def test_a_base_whose_networks_come_to_the_device_only_when_they_are_needed_draws_the_same(base, sampler):
    away = Sampler(dataclasses.replace(base, offload=True))
    expected = sampler.sample([PROMPT], [3])[0][0]
    assert away.sample_steps(PROMPT, 3)[-1].tobytes() == expected.tobytes()
    latents = latents_of_the_cpu(away)
    assert torch.equal(*(one.predict_original(latents, 0.5, PROMPT) for one in (away, sampler)))
    assert away.through_vae([expected])[0].size == expected.size


def test_a_run_that_was_stopped_goes_on_and_its_adapter_is_drawn_at_any_strength(sampler, run):
    assert run.resumed_from == 2 and [row["step"] for row in run.log] == [1, 2, 3]
    assert "validation" in run.log[-1]
    plain = sampler.sample([PROMPT], [3])[0][0].tobytes()
    sampler.load(run.folder)
    tuned, off = (sampler.sample([PROMPT], [3], strength=s)[0][0].tobytes() for s in (1, 0))
    sampler.unload()
    assert off == plain == sampler.sample([PROMPT], [3])[0][0].tobytes()
    assert tuned != plain


@two_bases
def test_an_adapter_is_measured_reduced_merged_and_unmerged(sampler, run):
    sampler.load(run.folder)
    assert all(change.frozen_norm > 0 for change in spectrum.layer_changes(sampler.denoiser))
    spectrum.truncate(sampler.denoiser, 1)
    assert max(change.rank_for(1) for change in spectrum.layer_changes(sampler.denoiser)) <= 1
    lora.merge(sampler.denoiser)
    lora.unmerge(sampler.denoiser)
    linear = next(m for m in sampler.denoiser.modules() if type(m) is torch.nn.Linear)
    x = torch.ones(1, linear.in_features).to(linear.weight)
    assert torch.equal(lora.LoraLinear(linear, 2, 2)(x), linear(x))


@two_bases
def test_a_comparison_is_made_and_saved(base, sampler, run, practice, tmp_path, monkeypatch):
    use_fake_features(monkeypatch)
    comparison = compare.compare(sampler, run, practice, ["a cat"], [1, 2])
    compare.save(comparison, tmp_path)
    assert comparison.is_off_at_zero and (tmp_path / "report.html").is_file()


@two_bases
def test_what_a_training_holds_in_memory_is_counted(base, sampler, paintings):
    encoded = data.encode(sampler.family, sampler.pipe, base, paintings[:2], ["a cat"] * 3)
    latents, embeddings = encoded.rows(torch.tensor([0]), torch.tensor([1]))
    assert {value.device.type for value in (latents, *embeddings.values())} == {current().device.type}
    assert min(lesson_05_memory.memory_by_part(sampler, encoded).values()) > 0
    assert lesson_05_memory.relative_step_cost(sampler.denoiser, base) > 0
    assert len(latent_cache.weights_hash(sampler.denoiser)) == 64


@two_bases
def test_the_experiments_of_the_lessons_run(base, sampler, practice, paintings, tmp_path, monkeypatch):
    use_fake_features(monkeypatch)
    image = sampler.through_vae([paintings[0].image])[0]
    assert lesson_04.low_rank(lesson_04.image_to_matrix(image, 32), 2).shape == (32, 96)
    samples = lesson_03_trigger.samples_by_trigger(sampler, ["a cat"], ["mugh4l", "tom"], [1])
    assert all(one.features_with.shape == (1, 1280) for one in samples.values())
    assert 0 <= trigger_probe.word_effect(sampler, "tom", [1]) <= 2
    runs = lesson_05.train_sweep(base, Dataset(practice.train, practice.train[:1]), (1, 2), 0, tmp_path)
    sampler.load(runs[2].folder)
    assert len(trials.quick_samples(sampler, ["a cat"], [1])) == 1
    assert lesson_02.train_subset(base, practice, 1, 0, tmp_path / "subset").step == 1


@pytest.mark.parametrize("what", SKIPPED)
def test_what_needs_a_real_device(base, practice, tmp_path, what):
    if current().device.type == simulated_device.NAME:
        pytest.skip(SKIPPED[what])
    choice = {"compile": True} if what == "compile" else {"quantize": "nf4"}
    settings = Settings(base.name, "mugh4l", steps=2, **choice)
    assert train.Trainer(base, practice, settings).train(tmp_path / "run").step == 2
