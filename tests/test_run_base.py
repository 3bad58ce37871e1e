"""A run is drawn, carded and exported on its base as it was trained: at its size, with its weights packed."""

import json
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest
from safetensors import safe_open

from lessons_lib import cli
from lessons_lib.adapters import export, info, merging
from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import lesson_11, lesson_11_card
from lessons_lib.dataset import records
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation import sampler as samplers
from lessons_lib.models import bases
from lessons_lib.models.skeletons import skeletons
from lessons_lib.session import current
from lessons_lib.studio import takeaway, work

POCKET = bases.find("pocket")
TRAINED_ON = replace(POCKET, side=512, quantize="nf4")


@pytest.fixture
def run(run_folder):
    settings = Settings(trigger="mugh4l", name="album", resolution=512, quantize="nf4")
    run = Run(run_folder, settings.resolve(POCKET))
    run.save()
    return run


def compare_in_the_studio(run):
    """Compare where another base was chosen after the training."""
    other = SimpleNamespace(
        run=lambda: run, folder=run.folder, base=bases.find("sd15"), prompts=("a cat",), dataset=Dataset
    )
    work.compare(other).wait(60)


def test_a_run_knows_the_base_that_it_was_trained_on(run, short_run):
    assert run.base == TRAINED_ON and short_run.base == POCKET


@pytest.mark.parametrize("draw", [
    lambda run: lesson_11.compared(run, Dataset([]), lesson_11.GOAL),
    lambda run: lesson_11.without_trigger(run, lesson_11.GOAL),
    lambda run: lesson_11_card.from_own_captions(run, Dataset([])),
    lambda run: cli.main(["compare", str(run.folder)]),
    compare_in_the_studio,
])  # fmt: skip
def test_a_run_is_drawn_on_the_base_that_it_was_trained_on(run, draw, monkeypatch):
    drawn_on = []

    def sampler(base, session=None):
        drawn_on.append(base)
        raise ValueError("no need to draw")

    sides = []
    for module in (records, work):
        monkeypatch.setattr(
            module,
            "recorded_dataset",
            lambda parts, folder, source=None, side=None: sides.append(side) or Dataset([]),
        )
    for module in (samplers, lesson_11, lesson_11_card, work):
        monkeypatch.setattr(module, "Sampler", sampler)
    with suppress(ValueError, RuntimeError):
        draw(run)
    assert drawn_on == [TRAINED_ON] and set(sides) <= {TRAINED_ON.side}


def test_card_and_files_say_the_size_that_a_run_was_trained_at(run, monkeypatch):
    monkeypatch.setattr(takeaway, "recorded_dataset", lambda *given, **more: Dataset([]))
    takeaway.renew_card(run)
    assert "height=512" in (run.folder / "README.md").read_text(encoding="utf-8")
    for settings in (json.loads((run.folder / "settings.json").read_text()), {"base": "pocket"}):
        (run.folder / "settings.json").write_text(json.dumps(settings))
        with safe_open(export.write_comfyui(run.folder), "pt") as file:
            side = settings.get("resolution") or POCKET.side
            assert file.metadata()["modelspec.resolution"] == f"{side}x{side}"


def test_the_layers_of_a_runs_base_are_those_of_the_files_it_was_trained_on(run, monkeypatch, tmp_path):
    kinds = []
    for module in (export, info, merging):
        monkeypatch.setattr(module, "skeletons", lambda base: kinds.append(base.quantize) or skeletons(base))
    export.write_kohya(run.folder)
    assert info.facts(run.folder)[1] == []
    merging.merge([run.folder], tmp_path / "own", kohya=True)
    assert kinds == ["nf4"] * 4


def test_a_merge_is_packed_as_all_its_runs_are(run, short_run, tmp_path):
    folders = {"nf4": [run.folder, run.folder], "none": [run.folder, short_run.folder]}
    for kind, parts in folders.items():
        assert merging.merge(parts, tmp_path / kind).settings.quantize == kind


def test_a_preview_is_of_the_same_size_and_packing_on_the_same_machine(monkeypatch):
    here, made = replace(current(), tier="t4"), []
    sampler = object.__new__(samplers.Sampler)
    sampler.base, sampler.session = TRAINED_ON, here
    monkeypatch.setattr(samplers, "Sampler", lambda *given: made.append(given))
    sampler.preview()
    assert made == [(replace(bases.find("pocket-schnell"), side=512, quantize="nf4"), here)]
