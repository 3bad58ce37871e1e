import dataclasses
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lessons_lib.adapters import weights
from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.models import families, pixels
from lessons_lib.training import latent_cache, train
from lessons_lib.training.data import TrainingData, encode
from lessons_lib.training.loop import Loop

QUICK = Settings(trigger="mugh4l", steps=3, rank=2, batch=2)


def test_a_run_leaves_the_whole_adapter_folder(short_run):
    names = {p.name for p in short_run.folder.iterdir()}
    assert {"pytorch_lora_weights.safetensors", "settings.json", "log.jsonl", "samples", "README.md"} <= names
    assert [p.name for p in short_run.folder.glob("*.safetensors")] == ["pytorch_lora_weights.safetensors"]
    assert (short_run.folder / "other_formats" / "run_comfyui.safetensors").is_file()
    assert sorted(p.name for p in (short_run.folder / "samples").iterdir()) == ["00000_1.jpg", "00006_1.jpg"]


def test_the_log_has_a_row_a_step(short_run):
    assert [row["step"] for row in short_run.log] == [1, 2, 3, 4, 5, 6]
    assert set(short_run.log[0]) == {"step", "loss", "seconds", "learning_rate"}


def test_the_weights_header_keeps_rank_and_alpha(short_run):
    from safetensors import safe_open

    with safe_open(short_run.adapter, "pt") as file:
        kept = json.loads(file.metadata()["lora_adapter_metadata"])
    assert kept["transformer.r"] == 4 and kept["transformer.lora_alpha"] == 4


def test_the_same_seed_trains_the_same_adapter(practice, tmp_path):
    first, second = (train.train(practice, QUICK, tmp_path / name) for name in ("a", "b"))
    one, two = load_file(first.adapter), load_file(second.adapter)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_ctrl_c_keeps_what_was_learned_and_says_so(practice, tmp_path):
    def stop(step):
        if step.step == 2:
            raise KeyboardInterrupt

    run = train.train(practice, QUICK, tmp_path / "run", stop)
    assert run.stopped and Run.load(tmp_path / "run").stopped
    assert len(run.log) == 2 and load_file(run.adapter)


def test_a_failure_leaves_no_trace(practice, tmp_path):
    def fail(step):
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        train.train(practice, QUICK, tmp_path / "run", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_older_run_as_it_was(practice, paintings, told, tmp_path):
    before = train.train(practice, QUICK, tmp_path / "run").adapter.read_bytes()
    with pytest.raises(StopIteration):
        other = dataclasses.replace(QUICK, seed=1)
        train.train(practice, other, tmp_path / "run", lambda step: next(iter(())), replace=True)
    assert Run.load(tmp_path / "run").adapter.read_bytes() == before


def test_a_loss_that_is_no_number_ends_training(practice, tmp_path, monkeypatch):
    from lessons_lib.models.families import flux

    monkeypatch.setattr(flux, "loss", lambda *a: torch.full((2,), float("nan"), requires_grad=True))
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        train.train(practice, QUICK, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(practice, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="cannot write"):
        train.train(practice, QUICK, tmp_path / "run")


def test_a_file_in_the_way_is_refused_before_any_work(practice, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="cannot write"):
        train.train(practice, QUICK, tmp_path / "file" / "run")
    with pytest.raises(ValueError, match="not a run"):
        train.train(practice, QUICK, tmp_path / "file")


def test_a_dropped_caption_is_the_trigger_alone():
    lesson = TrainingData(torch.arange(3.0).view(3, 1), {"prompt_embeds": torch.arange(4.0).view(4, 1)})
    latents, embeddings = lesson.batch(400, 0.25, torch.Generator().manual_seed(0))
    dropped = embeddings["prompt_embeds"] == 3
    assert 60 < int(dropped.sum()) < 140
    assert torch.equal(embeddings["prompt_embeds"][~dropped], latents[~dropped])


@pytest.mark.parametrize(
    "wrong",
    [
        {"rank": -1},
        {"steps": -5},
        {"trigger": " "},
        {"caption_dropout": 1.0},
        {"mode": "both"},
        {"ema_decay": 1.0},
        {"preset": "endless"},
        {"optimizer": "sgd"},
        {"prior_weight": -1.0},
        {"gradient_accumulation_steps": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(practice, tmp_path, wrong):
    import dataclasses

    with pytest.raises(ValueError, match="expected|empty"):
        train.train(practice, dataclasses.replace(QUICK, **wrong), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_distilled_base_is_refused_with_its_reason(practice, tmp_path):
    with pytest.raises(ValueError, match="flux1-schnell cannot be trained: distilled"):
        train.train(practice, Settings(base="flux1-schnell", trigger="mugh4l"), tmp_path / "run")


def test_damaged_settings_are_named(tmp_path):
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        Run.load(tmp_path)


def test_pictures_and_captions_are_encoded_once_for_all_runs(paintings, told, sampler, tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path))
    model = sampler.family, sampler.pipe, sampler.base
    first, again = encode(*model, paintings[:3], told[:3]), encode(*model, paintings, told)
    assert (first.latents.encoded, again.latents.encoded) == (3, 1)
    assert {value.encoded for value in first.embeddings.values()} == {3}
    assert {value.encoded for value in again.embeddings.values()} == {1}
    embeddings = again.embeddings
    together = sampler.family.encode_captions(sampler.pipe, told, sampler.base)
    assert embeddings.keys() == together.keys()
    for name, value in embeddings.items():
        assert torch.allclose(value[torch.arange(len(told))], together[name], atol=1e-4)
    direct = sampler.family.encode_images(sampler.pipe, pixels.to_pixels([paintings[0].image], 128))
    assert torch.equal(again.latents[torch.tensor([0])], direct)


def test_a_picture_whose_latents_are_sampled_is_encoded_once_into_one_file(
    paintings, told, sampler, tmp_path, monkeypatch
):
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path))
    model, calls, vae = (sampler.family, sampler.pipe, sampler.base), [], sampler.pipe.vae
    own = vae.encode
    monkeypatch.setattr(vae, "encode", lambda pixels: calls.append(pixels) or own(pixels))
    settings = dataclasses.replace(QUICK, latents="sample").resolve(sampler.base)
    data = [encode(*model, paintings[:2], told[:2], None, settings) for _ in range(2)][1]
    assert len(calls) == 2 == len(list((tmp_path / "latents").iterdir()))
    mode, std = sampler.family.latent_distribution(sampler.pipe, calls[1])
    assert torch.equal(data.latents[torch.tensor([1])], mode)
    assert torch.equal(data.deviations[torch.tensor([1])], std)
    assert encode(*model, paintings[:2], told[:2]).latents.encoded == 2  # files without it are not misread


def test_the_weights_of_each_encoder_are_hashed_once_for_all_parts_of_a_dataset(
    paintings, sampler, monkeypatch
):
    hashed, own = [], latent_cache.weights_hash
    monkeypatch.setattr(latent_cache, "weights_hash", lambda model: hashed.append(model) or own(model))
    dataset = Dataset(paintings[:2], held_out=paintings[2:3], prior=paintings[3:])
    data = train.Trainer(sampler.base, dataset, QUICK)._encode(sampler.pipe, sampler.pipe.device)
    assert data.prior and data.validation
    pipe = sampler.pipe
    assert len(hashed) == 3 and {*map(id, hashed)} == {
        *map(id, (pipe.vae, pipe.text_encoder, pipe.text_encoder_2))
    }


def test_embeddings_that_were_kept_under_other_names_are_not_read(
    paintings, told, sampler, tmp_path, monkeypatch
):
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path))
    model = sampler.family, sampler.pipe, sampler.base
    encode(*model, paintings[:2], told[:2])
    monkeypatch.setattr(families, "EMBEDDINGS_VERSION", families.EMBEDDINGS_VERSION + 1)
    again = encode(*model, paintings[:2], told[:2])
    assert {value.encoded for value in again.embeddings.values()} == {2} and again.latents.encoded == 0


def test_equal_adapters_are_equal_files(tmp_path):
    from safetensors.torch import load_file, save_file

    told = {f"key {n}": f"value {n}" for n in range(12)}
    for number in range(6):
        save_file({"b": torch.ones(3), "a": torch.zeros(2, 2)}, tmp_path / f"{number}", metadata=told)
        weights.sort_header(tmp_path / f"{number}")
    assert len({(tmp_path / f"{number}").read_bytes() for number in range(6)}) == 1
    assert torch.equal(load_file(tmp_path / "0")["b"], torch.ones(3))


def test_a_box_chosen_by_hand_is_what_is_trained_on(paintings, told, sampler):
    from dataclasses import replace

    whole = replace(paintings[0], more={})
    width, height = whole.size
    boxed = replace(whole, more={"crop": f"0 0 {width // 2} {height // 2}"})
    middle, cut = (
        encode(sampler.family, sampler.pipe, sampler.base, [p], told[:1]).latents for p in (whole, boxed)
    )
    assert middle.files != cut.files


def test_training_makes_the_pictures_it_saw_more_likely(practice, paintings, told, tmp_path, sampler):
    settings = Settings(trigger="mugh4l", steps=25, rank=8, batch=4, learning_rate=3e-3, caption_dropout=0)
    run = train.train(practice, settings, tmp_path / "run")
    lesson = encode(sampler.family, sampler.pipe, sampler.base, paintings, told)
    latents, embeddings = lesson.rows(torch.arange(4), torch.arange(4))
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    sigma = torch.tensor([0.3, 0.5, 0.7, 0.9])

    def error() -> float:
        with torch.no_grad():
            return float(
                sampler.family.loss(sampler.pipe.transformer, latents, embeddings, noise, sigma).mean()
            )

    before = error()
    sampler.load(run.folder)
    after = error()
    sampler.unload()
    assert after < before


def test_ctrl_c_before_the_first_step_leaves_nothing(practice, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Loop, "step", stop)
    with pytest.raises(KeyboardInterrupt):
        train.train(practice, QUICK, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_the_file_for_other_programs_does_not_stop_diffusers_from_finding_the_right_one(short_run):
    from diffusers import FluxPipeline

    assert len(list(short_run.folder.rglob("*.safetensors"))) > 1
    found = FluxPipeline.lora_state_dict(str(short_run.folder))
    assert set(found) == set(load_file(short_run.adapter))


def test_a_place_that_cannot_be_written_is_refused_before_the_model_is_loaded(
    practice, tmp_path, monkeypatch
):
    from lessons_lib.models.families import flux

    def too_early(*_):
        raise AssertionError("the base was loaded although nothing can be written")

    mkdir = Path.mkdir

    def refuse(path, *given, **named):
        if path.is_relative_to(tmp_path):
            raise PermissionError(13, "Permission denied")
        mkdir(path, *given, **named)

    monkeypatch.setattr(flux, "load", too_early)
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OSError, match="cannot write to .*Permission denied.*another place"):
        train.train(practice, QUICK, tmp_path / "run")


def test_no_pictures_is_said_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="no pictures to learn from"):
        train.train(Dataset([]), QUICK, tmp_path / "run")


def test_a_finished_run_that_is_to_be_replaced_is_trained_anew_and_else_nothing_is(practice, tmp_path):
    steps = []
    for replace in (False, False, True):
        train.train(practice, QUICK, tmp_path / "run", lambda step: steps.append(step.step), replace=replace)
    assert steps == [1, 2, 3, 1, 2, 3]
