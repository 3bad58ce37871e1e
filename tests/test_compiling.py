"""Whether blocks are compiled where the settings leave that open: with a compiler that changes only the
clock, and once with the real one.
"""

import copy
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from lessons_lib.adapters import lora
from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings, learned_settings, read_settings
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.models import bases
from lessons_lib.training import compiling, distributed, existing, forecast, train
from lessons_lib.training.data import encode
from lessons_lib.training.loop import Loop
from lessons_lib.training.state import State

SETTINGS = Settings(trigger="mugh4l", steps=4, rank=2, batch=2, learning_rate=0.01, checkpoint_every=1)


class Compiler:
    """In place of torch's: a step takes these seconds of a clock, and `fails` ends the work that it names."""

    def __init__(self):
        self.blocks, self.attempts, self.measured = set(), 0, 0
        self.plain, self.compiled, self.fails, self.now = 2.0, 1.0, None, 0.0
        self.a_block = 0.0

    def compile(self, block, disable=False):
        if disable:
            return self.blocks.discard(block)
        self.attempts += 1
        self.now += self.a_block
        self.fail("compile")
        return self.blocks.add(block)

    def fail(self, work):
        if self.fails == work:
            raise RuntimeError(f"no C compiler, while it should {work}")

    def run(self, work):
        if self.blocks:
            self.fail(work)

    def step(self):
        self.measured += 1
        self.now += self.compiled if self.blocks else self.plain
        self.run("step")


@pytest.fixture
def compiler(monkeypatch):
    """Put it in torch's place on a CPU that counts as a GPU, where five seconds and a step are worth it."""
    fake, batch_loss, step, validation = Compiler(), Loop.batch_loss, Loop.step, Loop.validation_loss
    monkeypatch.setattr(torch.nn.Module, "compile", lambda block, **how: fake.compile(block, **how))
    monkeypatch.setattr(Loop, "batch_loss", lambda *args: fake.run("batch") or batch_loss(*args))
    monkeypatch.setattr(Loop, "step", lambda *args: fake.step() or step(*args))
    monkeypatch.setattr(Loop, "validation_loss", lambda loop: fake.run("validate") or validation(loop))
    for module in (forecast, compiling):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: fake.now))
    monkeypatch.setattr(forecast, "STEPS", 2)
    for name, value in {"KINDS": ("cpu",), "WORTH_SECONDS": 5.0, "FEWEST_STEPS": 1}.items():
        monkeypatch.setattr(compiling, name, value)
    return fake


@pytest.fixture(scope="module")
def plain(practice, tmp_path_factory):
    return train.train(practice, replace(SETTINGS, compile=False), tmp_path_factory.mktemp("plain") / "run")


def is_same(one, two):
    first, second = load_file(one.adapter), load_file(two.adapter)
    return first.keys() == second.keys() and all(torch.equal(first[n], v) for n, v in second.items())


def stop_after_two(step):
    if step.step == 2:
        raise KeyboardInterrupt


def test_blocks_stay_compiled_where_steps_are_then_shorter(practice, tmp_path, compiler, plain):
    costs = []
    run = train.train(practice, SETTINGS, tmp_path / "run", on_forecast=costs.append)
    assert compiler.blocks and is_same(run, plain)
    assert costs[0].seconds == 4.0 and str(costs[0]).endswith("; compiled: 1.00 s a step, 2.00 s if not")
    values = json.loads((run.folder / "settings.json").read_text())
    assert values["compile"] is None and values["compiling"].startswith("compiled: 1.00 s")


def test_blocks_are_as_before_where_compiled_steps_are_no_shorter(practice, tmp_path, compiler, plain):
    compiler.compiled, costs = 2.0, []
    run = train.train(practice, SETTINGS, tmp_path / "run", on_forecast=costs.append)
    assert compiler.attempts and not compiler.blocks and is_same(run, plain)
    assert costs[0].seconds == 8.0 and "; not compiled: 2.00 s a step, 2.00 s if" in str(costs[0])
    assert run.compiling == Run.load(run.folder).compiling == costs[0].compiling


@pytest.mark.parametrize("work", ["compile", "batch", "step"])
def test_compiling_that_fails_ends_no_training_and_is_said(practice, tmp_path, compiler, plain, work):
    compiler.fails, costs = work, []
    run = train.train(practice, SETTINGS, tmp_path / "run", on_forecast=costs.append)
    assert compiler.attempts and not compiler.blocks and is_same(run, plain) and costs[0].seconds == 8.0
    line = f"not compiled, because that fails here: RuntimeError: no C compiler, while it should {work}"
    assert run.compiling == costs[0].compiling == line


def test_blocks_are_as_before_where_trying_took_longer_than_all_shorter_steps_save(
    practice, tmp_path, compiler, plain
):
    compiler.a_block = 3.0
    run = train.train(practice, SETTINGS, tmp_path / "run")
    took = 3 * compiler.attempts + 2
    line = f"not compiled: 2.00 s a step, 1.00 s if compiled, which took {took} s to try"
    assert not compiler.blocks and run.compiling == line and is_same(run, plain)


def test_held_out_pictures_are_measured_before_compiled_blocks_are_kept(practice, tmp_path, compiler):
    compiler.fails = "validate"
    dataset = Dataset(practice.train[1:], held_out=practice.train[:1])
    run = train.train(dataset, SETTINGS, tmp_path / "run")
    assert not compiler.blocks and "that fails here" in run.compiling


def test_nothing_is_tried_where_processes_share_the_weights(tmp_path, compiler, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    machine = SimpleNamespace(num_processes=2, device=torch.device("cpu"))
    loop = SimpleNamespace(settings=SETTINGS, accelerator=machine)
    assert compiling.earlier_choice(loop, tmp_path, ()) == compiling.Choice(False)


@pytest.mark.parametrize("limit", [("WORTH_SECONDS", 9.0), ("FEWEST_STEPS", 5), ("KINDS", ("cuda",))])
def test_nothing_is_tried_where_it_cannot_pay(practice, tmp_path, compiler, plain, monkeypatch, limit):
    monkeypatch.setattr(compiling, *limit)
    costs = []
    run = train.train(practice, SETTINGS, tmp_path / "run", on_forecast=costs.append)
    assert compiler.attempts == 0 and run.compiling == costs[0].compiling == "" and is_same(run, plain)


def test_it_is_measured_without_a_forecast_too_but_only_where_it_is_open(practice, tmp_path, compiler):
    assert train.train(practice, SETTINGS, tmp_path / "open").compiling.startswith("compiled: ")
    assert compiler.measured == 2 + 2 + 4
    compiler.blocks.clear()
    for value, line in ((False, ""), (True, "compiled, as the settings say")):
        compiler.measured = 0
        run = train.train(practice, replace(SETTINGS, compile=value), tmp_path / str(value))
        assert compiler.measured == 4 and bool(compiler.blocks) is value and run.compiling == line


@pytest.mark.parametrize("is_quicker", [True, False])
def test_a_resumed_run_goes_on_as_its_first_steps(practice, tmp_path, compiler, plain, is_quicker):
    compiler.compiled = 1.0 if is_quicker else 3.0
    assert train.train(practice, SETTINGS, tmp_path / "run", stop_after_two).stopped
    compiler.blocks.clear()
    compiler.measured, compiler.compiled = 0, 4.0 - compiler.compiled  # today the other way would be quicker
    run = train.train(practice, SETTINGS, tmp_path / "run")
    assert run.resumed_from == 2 and compiler.measured == 2 and bool(compiler.blocks) is is_quicker
    line = f"{'' if is_quicker else 'not '}compiled, as the steps so far"
    assert run.compiling == line and is_same(run, plain)


def test_a_compiled_run_goes_on_where_nothing_can_be_compiled(practice, tmp_path, compiler, plain):
    train.train(practice, SETTINGS, tmp_path / "run", stop_after_two)
    compiler.blocks.clear()
    compiler.fails = "batch"
    run = train.train(practice, SETTINGS, tmp_path / "run")
    assert run.resumed_from == 2 and "that fails here" in run.compiling and is_same(run, plain)


def test_a_run_is_no_other_where_compiling_is_left_open(tmp_path, practice):
    pocket = bases.find("pocket")
    left_open, plain = (replace(SETTINGS, compile=value).resolve(pocket) for value in (None, False))
    assert list(learned_settings(left_open).items()) == list(learned_settings(plain).items())
    both = [train.Trainer(pocket, practice, s).wanted for s in (left_open, plain)]
    assert both[0].fingerprint == both[1].fingerprint
    for value in (None, False, True):
        recorded = {**vars(plain), "compile": value}
        assert existing.Existing(tmp_path, 1, "", recorded).differences(left_open) == (
            "compile True, now False" if value else ""
        )


@pytest.mark.parametrize("value", [None, False, True])
def test_settings_keep_what_was_asked(tmp_path, value):
    own = replace(SETTINGS, compile=value).resolve(bases.find("pocket"))
    Run(tmp_path, own).save()
    assert read_settings(tmp_path / "settings.json")[0].compile is value


@pytest.mark.parametrize(("of_main", "of_other"), [(True, False), (False, True)])
def test_every_process_does_as_the_main_one(of_main, of_other):
    sent = []

    def says(is_main):
        own = of_main if is_main else of_other
        machine = SimpleNamespace(num_processes=2, is_main_process=is_main, device="cpu")
        machine.reduce = lambda value, how: sent.append(float(value)) or torch.tensor(float(of_main)) / 2
        return compiling._main_process_says(own, SimpleNamespace(accelerator=machine))

    assert says(True) is says(False) is of_main
    assert sent == [float(of_main), 0.0]


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler on a CPU")
@pytest.mark.slow
def test_the_real_compiler_gives_the_same_loss_and_is_undone(sampler, paintings):
    """With one block of one kind: the two of pocket take minutes to compile on two cores."""
    denoiser = copy.deepcopy(sampler.denoiser)
    denoiser.transformer_blocks = torch.nn.ModuleList()
    denoiser.single_transformer_blocks = denoiser.single_transformer_blocks[:1]
    settings = replace(SETTINGS, batch=1).resolve(sampler.base)
    lora.attach(denoiser, 2, 2, sampler.family.TARGET_MODULES, 0)
    data = encode(sampler.family, sampler.pipe, sampler.base, paintings[:1], ["a cat"] * 2)
    loop = Loop(sampler.family, denoiser, data, settings, distributed.accelerator())

    def loss():
        return loop.batch_loss(data, 0.0, torch.Generator().manual_seed(0)).item()

    plain = loss()
    assert compiling._compile(loop, State.start(denoiser, data, settings)) == ""
    assert all(p.grad is None for p in denoiser.parameters())
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert loss() == pytest.approx(plain, abs=1e-5)
    compiling._undo(denoiser)
    assert loss() == plain
