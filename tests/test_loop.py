"""What the loop can be asked to do besides its default: averages, accumulation, held-out and class pictures,
forecasts.
"""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.amp import GradScaler

from lessons_lib import session
from lessons_lib.adapters import lora
from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import PRESETS, Settings
from lessons_lib.dataset import dataset
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.models import bases
from lessons_lib.models.families import flux
from lessons_lib.paths import SAMPLE
from lessons_lib.training import forecast, log, loop, optimizers, samples, state, train
from lessons_lib.training.data import TrainingData, encode

SETTINGS = Settings(trigger="mugh4l", steps=4, rank=2, batch=4, learning_rate=0.01)
PROGRAM = """
import sys
from pathlib import Path
import torch
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset import dataset
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.training import distributed, train
torch.set_num_threads(1)
machine = distributed.accelerator()
# each in a file: what two print into one pipe may mix
says = Path({out!r} + f".{{machine.process_index}}").open("a")
print(f"one of {{machine.num_processes}} processes", file=says, flush=True)
shard = distributed.shard
def watched(model, trainable, machine):
    held = lambda: sum((p.to_local() if hasattr(p, "to_local") else p).numel() for p in model.parameters())
    before, own = held(), sum(p.numel() for p in trainable)
    shard(model, trainable, machine)
    print("part of the base:", (held() - own) / (before - own), file=says, flush=True)
distributed.shard = watched
found = dataset.read({sample!r}, side=128).train[:4]
settings = Settings(trigger="mugh4l", steps=4, rank=2, batch=4, learning_rate=0.01,
                    gradient_checkpointing={checkpointing}, sample_prompts=("a horse",))
train.train(Dataset(found), settings, Path({out!r}))
"""


def adapter(run):
    return load_file(run.adapter)


def losses(run, key="loss"):
    return [row[key] for row in run.log if key in row]


@pytest.fixture(scope="module")
def plain(practice, tmp_path_factory):
    return train.train(practice, SETTINGS, tmp_path_factory.mktemp("plain") / "run")


@pytest.fixture(scope="module")
def held_out():
    return dataset.read(SAMPLE, side=128).held_out[:2]


def gradient_sizes(monkeypatch):
    """Return a list that will hold the length of the gradient that every step was made with."""
    sizes, real = [], GradScaler.step

    def step(self, optimizer):
        every = [
            p.grad.norm() for group in optimizer.param_groups for p in group["params"] if p.grad is not None
        ]
        sizes.append(torch.stack(every).norm().item())
        return real(self, optimizer)

    monkeypatch.setattr(GradScaler, "step", step)
    return sizes


def test_a_gradient_that_is_too_long_is_shortened(practice, tmp_path, monkeypatch):
    real = flux.loss
    monkeypatch.setattr(flux, "loss", lambda *given: 1e6 * real(*given))
    sizes = gradient_sizes(monkeypatch)
    train.train(practice, replace(SETTINGS, steps=2), tmp_path / "run")
    assert sizes == pytest.approx([1.0, 1.0], abs=1e-3)


def test_two_batches_before_a_change_are_one_of_twice_the_size(paintings, tmp_path, monkeypatch):
    from lessons_lib.models.families import flux

    monkeypatch.setattr(
        flux, "sample_sigma", lambda count, *_: torch.full((count,), 0.5)
    )  # the noise still differs
    seen = []
    real = flux.loss

    def keeps(model, latents, embeddings, noise, sigma):
        seen.append(noise)
        return 1e-4 * real(
            model, latents, embeddings, torch.zeros_like(noise), sigma
        )  # too little to be clipped

    monkeypatch.setattr(flux, "loss", keeps)
    sizes = gradient_sizes(monkeypatch)
    one = Dataset(paintings[:1])
    settings = replace(SETTINGS, steps=2, caption_dropout=0)
    whole = train.train(one, settings, tmp_path / "whole")
    halves = train.train(one, replace(settings, batch=2, gradient_accumulation_steps=2), tmp_path / "halves")
    assert [len(n) for n in seen] == [4, 4, 2, 2, 2, 2]
    assert max(sizes) < 0.5 and sizes[:2] == pytest.approx(sizes[2:], rel=1e-2)
    assert losses(whole) == pytest.approx(
        losses(halves), rel=1e-5
    )  # the second step's depend on the first's change
    one, two = (torch.cat([v.flatten() for v in adapter(run).values()]) for run in (whole, halves))
    assert (one - two).norm() < 1e-2 * one.norm()  # Adam blows up the rounding of gradients near zero


def test_the_average_lies_between_the_steps(practice, tmp_path, plain):
    run = train.train(practice, replace(SETTINGS, ema_decay=0.9), tmp_path / "run")
    assert losses(run) == losses(plain)  # it watches and does not steer
    moved = [(a - b).abs().max() for a, b in zip(adapter(run).values(), adapter(plain).values(), strict=True)]
    ups = [name for name in adapter(run) if "lora_B" in name]
    assert max(moved) > 0
    assert sum(adapter(run)[n].norm() for n in ups) < sum(adapter(plain)[n].norm() for n in ups)


def test_pictures_on_the_way_are_the_averages_own(practice, tmp_path, monkeypatch):
    def norm(tensors):
        return torch.stack([t.norm() for t in tensors]).norm().item()

    seen = []
    monkeypatch.setattr(
        samples,
        "draw_samples",
        lambda family, pipe, *_: (
            seen.append(norm(lora.trainable_parameters(pipe.transformer).values())) or []
        ),
    )
    run = train.train(practice, replace(SETTINGS, ema_decay=0.9, sample_every=4), tmp_path / "run")
    assert len(seen) == 2 and seen[1] == pytest.approx(norm(adapter(run).values()), rel=1e-6)


def test_a_stopped_run_with_an_average_ends_the_same(practice, tmp_path):
    settings = replace(SETTINGS, ema_decay=0.9, checkpoint_every=1)
    whole = train.train(practice, settings, tmp_path / "whole")

    def stop(step):
        if step.step == 2:
            raise KeyboardInterrupt

    assert train.train(practice, settings, tmp_path / "run", stop).stopped
    again = train.train(practice, settings, tmp_path / "run")
    assert again.resumed_from == 2
    assert all(torch.equal(adapter(whole)[n], v) for n, v in adapter(again).items())


def test_held_out_pictures_are_measured_and_change_nothing(practice, tmp_path, plain, held_out):
    seen = []
    settings = replace(SETTINGS, validate_every=2)
    dataset = replace(practice, held_out=held_out)
    run = train.train(dataset, settings, tmp_path / "run", lambda step: seen.append(step.validation))
    assert losses(run) == losses(plain)
    measured = losses(run, "validation")
    assert len(measured) == 2 and seen == [None, measured[0], measured[0], measured[1]]
    assert all(torch.equal(adapter(plain)[n], v) for n, v in adapter(run).items())


def test_the_validation_loss_of_the_same_adapter_is_the_same(sampler, held_out):
    lesson = encode(sampler.family, sampler.pipe, sampler.base, held_out, ["a", "b"])
    first, second = (loop.validation_loss(sampler.family, sampler.pipe.transformer, lesson) for _ in range(2))
    assert first == second and 0.1 < first < 3


def test_pictures_of_the_class_pull_the_adapter_too(practice, paintings, tmp_path, plain):
    prior = [paintings[0].with_caption("a rabbit"), paintings[1].with_caption("a boat")]
    dataset = replace(practice, prior=prior)
    run = train.train(dataset, SETTINGS, tmp_path / "run")
    unpulled = train.train(dataset, replace(SETTINGS, prior_weight=0.0), tmp_path / "zero")
    assert any(not torch.equal(adapter(unpulled)[n], v) for n, v in adapter(run).items())


def test_a_forecast_leaves_no_trace_and_counts_what_it_says(practice, tmp_path, plain):
    seen = []
    run = train.train(practice, SETTINGS, tmp_path / "run", on_forecast=seen.append)
    assert all(torch.equal(adapter(plain)[n], v) for n, v in adapter(run).items())
    (costs,) = seen
    assert costs.file_mb == pytest.approx(run.adapter.stat().st_size / 1e6, rel=0.1)
    assert 0 < costs.seconds < 60 and 0.3 < costs.memory_gb < 20


@pytest.mark.parametrize("kind", ["cuda", "xpu", "mps"])
def test_the_highest_memory_is_that_of_the_gpu(monkeypatch, kind):
    here = replace(session.current(), device=torch.device(kind))
    monkeypatch.setattr(session, "current", lambda: here)
    name = "driver_allocated_memory" if kind == "mps" else "max_memory_allocated"
    monkeypatch.setattr(torch.get_device_module(kind), name, lambda: 3.5e9)
    assert forecast.peak_memory() == 3.5


def test_costs_are_a_line():
    costs = forecast.Costs(seconds=1800, memory_gb=0.91, file_mb=1.26)
    assert str(costs) == "30.0 min, 0.9 GB memory, a file of 1.3 MB"


def test_a_batch_that_does_not_fit_says_what_would(practice, tmp_path, monkeypatch):
    from lessons_lib.models.families import flux

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(flux, "loss", full)
    with pytest.raises(MemoryError, match="batch 4 does not fit.*batch 2 with 2 accumulation steps"):
        train.train(practice, SETTINGS, tmp_path / "run")
    with pytest.raises(MemoryError, match="try gradient checkpointing"):
        train.train(practice, replace(SETTINGS, batch=1), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_is_told_what_the_log_is(practice, tmp_path, plain):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = train.train(practice, replace(SETTINGS, tensorboard=True), tmp_path / "run")
    book = events.EventAccumulator(str(run.folder / "tensorboard")).Reload()
    assert [(e.step, pytest.approx(e.value, rel=1e-6)) for e in book.Scalars("loss")] == [
        (row["step"], row["loss"]) for row in run.log
    ]
    assert losses(run) == losses(plain)


def test_tensorboard_that_is_missing_is_told_before_the_first_step(practice, tmp_path, monkeypatch):
    monkeypatch.setattr(log, "is_tensorboard_available", lambda: False)
    with pytest.raises(ValueError, match="pip install tensorboard"):
        train.train(practice, replace(SETTINGS, tensorboard=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_blocks_are_compiled_when_asked_and_learn_the_same(practice, tmp_path, monkeypatch, plain):
    """With a compiler that changes nothing: the real one takes a minute on a processor and gave the same loss
    there.
    """
    seen = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **how: seen.append(type(self).__name__))
    run = train.train(practice, replace(SETTINGS, compile=True), tmp_path / "run")
    assert {"FluxTransformerBlock", "FluxSingleTransformerBlock"} == set(seen)
    assert losses(run) == losses(plain)


def test_gradient_checkpointing_learns_the_same(practice, tmp_path, plain):
    run = train.train(practice, replace(SETTINGS, gradient_checkpointing=True), tmp_path / "run")
    assert losses(run) == pytest.approx(losses(plain), rel=1e-5)


def test_a_preset_stretches_the_steps_and_no_more():
    base = bases.find("pocket")
    plans = {name: Settings(trigger="v4se", preset=name).resolve(base) for name in PRESETS}
    assert plans["quick"].steps < base.steps == plans["standard"].steps < plans["thorough"].steps
    assert {plan.rank for plan in plans.values()} == {base.rank}
    assert Settings(trigger="v4se", preset="quick", steps=7).resolve(base).steps == 7


def test_an_optimizer_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "prodigyopt", None)
    plan = Settings(trigger="v4se", optimizer="prodigy").resolve(bases.find("pocket"))
    assert plan.learning_rate == 1.0
    with pytest.raises(ValueError, match="needs prodigyopt: pip install prodigyopt"):
        optimizers.optimizer([torch.nn.Parameter(torch.zeros(2))], plan)


@pytest.mark.parametrize("name", ["cosine", "linear", "constant"])
def test_the_rate_takes_its_course(name):
    plan = Settings(trigger="v4se", lr_scheduler=name, steps=100).resolve(bases.find("pocket"))
    optimizer = optimizers.optimizer([torch.nn.Parameter(torch.zeros(2))], plan)
    rates = optimizers.lr_scheduler(optimizer, plan)
    seen = []
    for _ in range(100):
        seen.append(optimizer.param_groups[0]["lr"] / plan.learning_rate)
        optimizer.step()
        rates.step()
    assert seen[0] < 0.11 and max(seen) == pytest.approx(1)
    assert seen[-1] == pytest.approx(1 if name == "constant" else 0, abs=0.02)


def test_noisier_levels_are_trained_when_asked(practice, tmp_path, monkeypatch):
    from lessons_lib.models.families import flux

    seen, real = [], flux.loss

    def keeps(model, latents, embeddings, noise, sigma):
        seen.append(sigma)
        return real(model, latents, embeddings, noise, sigma)

    monkeypatch.setattr(flux, "loss", keeps)
    for shift in (1.0, 3.0):
        train.train(practice, replace(SETTINGS, steps=1, sigma_shift=shift), tmp_path / f"{shift}")
    low, high = seen
    assert torch.allclose(high, 3 * low / (1 + 2 * low)) and (high > low).all() and high.max() < 1


@pytest.mark.slow
@pytest.mark.parametrize("divided", [False, True])
def test_two_processes_learn_what_one_does(divided, tmp_path, plain):
    """Two CPU processes of `accelerate launch`, one global batch: the whole base in each, or half (FSDP)."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(sample=str(SAMPLE), out=str(tmp_path / "run"), checkpointing=divided))
    fsdp = ["--use_fsdp", "--fsdp_cpu_ram_efficient_loading=false", "--fsdp_sync_module_states=false"]
    how = [*(fsdp if divided else ["--multi_gpu"]), "--num_processes=2", "--num_machines=1"]
    launch = [sys.executable, "-m", "accelerate.commands.launch", *how, "--main_process_port=0", str(script)]
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HOME": str(tmp_path / "home"),
    }
    done = subprocess.run(launch, capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    said = [(tmp_path / f"run.{process}").read_text() for process in range(2)]
    assert all(text.startswith("one of 2 processes") for text in said)
    parts = [float(line.split(":")[1]) for text in said for line in text.splitlines()[1:]]
    assert parts == pytest.approx([0.5, 0.5] if divided else [], abs=0.01)
    run = Run.load(tmp_path / "run")
    assert losses(run) == pytest.approx(losses(plain), abs=1e-5)
    one, two = (torch.cat([v.flatten() for v in adapter(r).values()]) for r in (plain, run))
    assert (one - two).norm() < 1e-2 * one.norm()
    assert sorted(p.name for p in (run.folder / "samples").iterdir()) == ["00000_1.jpg", "00004_1.jpg"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["program.py", "run", "run.0", "run.1"]


def test_half_precision_learns_what_full_precision_does(practice, tmp_path, monkeypatch, plain):
    """Base in float16, adapter in float32: gradients are scaled so that small ones do not vanish."""
    monkeypatch.setattr(bases.Base, "precision", lambda base, session: torch.float16)
    seen = []
    real = GradScaler.scale
    monkeypatch.setattr(
        GradScaler, "scale", lambda self, loss: seen.append(self.get_scale()) or real(self, loss)
    )
    run = train.train(practice, replace(SETTINGS, steps=2), tmp_path / "run")
    assert seen == [2**16] * 2  # no step was skipped
    assert losses(run) == pytest.approx(losses(plain)[:2], rel=0.02)
    assert all(v.dtype == torch.float32 for v in adapter(run).values())


def test_a_dropped_caption_is_the_trigger_word_alone():
    pictures, trigger = 16, 16
    lesson = TrainingData(torch.arange(pictures), {"prompt_embeds": torch.arange(pictures + 1)})
    chosen, embeddings = lesson.batch(4000, 0.25, torch.Generator().manual_seed(0))
    dropped = embeddings["prompt_embeds"] == trigger
    assert dropped.float().mean() == pytest.approx(0.25, abs=0.03)
    assert (
        torch.equal(embeddings["prompt_embeds"][~dropped], chosen[~dropped])
        and len(chosen.unique()) == pictures
    )


def test_the_settings_say_how_often_captions_are_dropped(practice, paintings, tmp_path, monkeypatch):
    shares, real = [], TrainingData.batch

    def batch(self, size, dropout, generator, order):
        shares.append(dropout)
        return real(self, size, dropout, generator, order)

    monkeypatch.setattr(TrainingData, "batch", batch)
    dataset = replace(practice, prior=[paintings[0].with_caption("a page")])
    train.train(dataset, replace(SETTINGS, steps=1, caption_dropout=0.3), tmp_path / "run")
    assert shares == [0.3, 0.0]  # the caption of a class picture is never dropped


def test_gradients_are_scaled_also_where_the_first_frozen_weights_are_packed_in_whole_numbers():
    packed = nn.Module()
    packed.weight = nn.Parameter(torch.zeros(4, dtype=torch.uint8), requires_grad=False)
    for dtype, is_scaled in ((torch.float16, True), (torch.bfloat16, False), (torch.float32, False)):
        norm = nn.LayerNorm(4).to(dtype).requires_grad_(False)
        assert state._gradient_scaler(nn.Sequential(packed, norm)).is_enabled() == is_scaled
