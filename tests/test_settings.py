"""Settings are the one source of the command's options, their help and the table in the documents."""

import dataclasses
import shutil

import pytest
from safetensors.torch import load_file

from lessons_lib import cli
from lessons_lib.adapters import settings
from lessons_lib.adapters.run import Outcome, Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.commands import arguments, train_inputs
from lessons_lib.dataset.dataset import read
from lessons_lib.models import bases
from lessons_lib.paths import ROOT, SAMPLE
from lessons_lib.training import train

OLD_RUN = ROOT / "tests" / "version_0_1_run"  # stopped at step 3 of 6 by version 0.1
OLD_SETTINGS = Settings(
    trigger="th0r cat", mode="concept", steps=6, rank=1, batch=1, checkpoint_every=2, name="old"
)


def options(words):
    return arguments.parser().parse_args(["train", *words])


def test_every_setting_can_be_given_on_the_command_line():
    given = options([])
    names = {field.name for field in dataclasses.fields(Settings)} - set(arguments.FROM_ARGUMENTS)
    assert {name: getattr(given, name) for name in names} == dict.fromkeys(names)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--lr", "2e-3"], "learning_rate", 2e-3),
        (["--accumulate", "4"], "gradient_accumulation_steps", 4),
        (["--sigma-shift", "3"], "sigma_shift", 3.0),
        (["--caption-dropout", "0"], "caption_dropout", 0.0),
        (["--prior-weight", "0.5"], "prior_weight", 0.5),
        (["--checkpoint-every", "20"], "checkpoint_every", 20),
        (["--compile"], "compile", True),
        (["--no-compile"], "compile", False),
        ([], "compile", None),
    ],
)
def test_an_option_becomes_a_setting(words, name, value):
    assert getattr(train_inputs.training_settings(options(["x", "--trigger", "v4se", *words])), name) == value


def test_the_help_of_an_option_is_that_of_its_setting(capsys):
    with pytest.raises(SystemExit):
        options(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(Settings):
        if field.name not in arguments.FROM_ARGUMENTS:
            assert " ".join(field.metadata["help"].split()) in text


def test_the_table_of_settings_is_the_one_in_the_documents():
    page = (ROOT / "notebooks" / "SETTINGS.md").read_text(encoding="utf-8")
    assert page.endswith(settings.table())


def repeat(tmp_path, monkeypatch, folder, *more):
    """Train twice, the second time from the first one's settings; return both adapters."""
    monkeypatch.setattr(cli, "_compare", lambda *_: None)
    first = ["train", str(folder), "--trigger", "v4se", "--steps", "2", "--rank", "2", "--seed", "3", *more]
    assert cli.main([*first, "--out", str(tmp_path / "one")]) == 0
    config = str(tmp_path / "one" / "settings.json")
    assert cli.main(["train", "--config", config, "--out", str(tmp_path / "two")]) == 0
    return [load_file(Run.load(tmp_path / name).adapter) for name in ("one", "two")]


def test_a_run_with_class_pictures_is_repeated_to_the_bit_from_its_settings(tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    shutil.copytree(SAMPLE / "train", folder, ignore=lambda _, names: [n for n in names if n[0] != "0"])
    one, two = repeat(tmp_path, monkeypatch, folder, "--prior", str(folder))
    assert one.keys() == two.keys() and all((one[name] == two[name]).all() for name in one)


def test_a_run_whose_table_holds_pictures_out_is_repeated_to_the_bit(tmp_path, monkeypatch):
    one, two = repeat(tmp_path, monkeypatch, SAMPLE)
    assert len(Run.load(tmp_path / "two").dataset["held_out"]) == 6
    assert one.keys() == two.keys() and all((one[name] == two[name]).all() for name in one)


@pytest.fixture
def changed(tmp_path):
    """Return the settings of a run at its base's own values, repeated with some options."""
    own = Settings(trigger="v4se", sample_prompts=("a boat, v4se",)).resolve(bases.find("pocket"))
    Run(tmp_path, own).save()
    words = ["--config", str(tmp_path / "settings.json"), "--out", str(tmp_path / "two")]
    return lambda *more: train_inputs.training_settings(options([*words, *more]))


@pytest.mark.parametrize(
    ("words", "alike"),
    [
        (["--rank", "2"], {"rank": 2}),
        (["--optimizer", "prodigy"], {"optimizer": "prodigy"}),
        (["--preset", "quick"], {"preset": "quick"}),
        (["--steps", "7"], {"steps": 7}),
        (["--steps", "70", "--sample-every", "9"], {"steps": 70, "sample_every": 9}),
        (["--rank", "2", "--alpha", "1"], {"rank": 2, "alpha": 1}),
        (["--trigger", "zq8x"], {"trigger": "zq8x"}),
        ([], {}),
    ],
)
def test_an_option_beside_config_means_what_it_does_alone(changed, words, alike):
    pocket = bases.find("pocket")
    repeated, alone = changed(*words).resolve(pocket), Settings(**{"trigger": "v4se"} | alike).resolve(pocket)
    assert dataclasses.replace(repeated, sample_prompts=(), name="run") == alone
    assert all(repeated.trigger in prompt for prompt in repeated.sample_prompts)


def test_what_was_given_for_a_run_stays_where_other_options_change():
    pocket = bases.find("pocket")
    given = {"rank": 2, "alpha": 1, "sample_every": 5, "learning_rate": 1e-4, "trigger": "v4se"}
    run = Settings(**given, steps=50).resolve(pocket)
    again = settings.repeated(run, {"steps": 90, "optimizer": "adamw8bit", "rank": 2, "base": "pocket"})
    assert again.resolve(pocket) == Settings(**given, steps=90, optimizer="adamw8bit").resolve(pocket)


def test_another_base_brings_its_own_values():
    pocket, other = bases.find("pocket"), bases.find("sd15")
    run = Settings(trigger="v4se", seed=3, quantize="nf4", gradient_checkpointing=True).resolve(pocket)
    assert settings.repeated(run, {"base": "sd15"}) == Settings(trigger="v4se", seed=3, base="sd15")
    assert settings.repeated(run, {"base": "sd15", "rank": 2}).resolve(other).alpha == 2


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--config", "x", "--prior", "x"], "--prior: name the folder of the pictures, too"),
        (["--config", "x", "--hold-out", "0", "--anyway"], "--hold-out and --anyway: name the folder"),
        (["photos", "--pictures", "x"], "--pictures is for a run's own, if moved: .* or photos"),
    ],
)
def test_an_option_for_pictures_that_would_not_be_read_is_refused(words, line):
    pocket = bases.find("pocket")
    with pytest.raises(ValueError, match=line):
        train_inputs.training_set(options(words), pocket, Settings(trigger="v4se"))


def test_repeating_a_run_needs_a_place_for_the_new_one(capsys, tmp_path):
    config = tmp_path / "settings.json"
    config.write_text("{}")
    assert cli.main(["train", "--config", str(config)]) == 1
    assert "--out" in capsys.readouterr().err


def test_damaged_settings_are_refused_by_name(tmp_path, capsys):
    (tmp_path / "settings.json").write_text('{"base": "pocket"}')
    words = ["train", "--config", str(tmp_path / "settings.json"), "--out", str(tmp_path / "run")]
    assert cli.main(words) == 1
    assert "settings.json is damaged" in capsys.readouterr().err


def test_a_run_of_version_0_1_is_read_as_before():
    run = Run.load(OLD_RUN)
    assert (run.settings.trigger, run.settings.steps, run.outcome) == ("th0r cat", 6, Outcome.STOPPED)
    assert len(run.log) == 3 and len(run.pictures) == 3 and run.resumed_from == 0


def test_a_stopped_run_of_version_0_1_goes_on(tmp_path, monkeypatch):
    """Its checkpoint has the earlier names, its fingerprint is that of the same pictures, captions and
    settings. What it would have learned was held to the bit until pocket had other weights.
    """
    shutil.copytree(OLD_RUN, tmp_path / "run")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path / "cache"))  # no latents that two threads encoded
    dataset = read(Run.load(OLD_RUN).pictures, side=128)
    run = train.train(dataset, OLD_SETTINGS, tmp_path / "run", resume=True)
    assert (run.resumed_from, run.log[-1]["step"], run.outcome) == (3, 6, Outcome.DONE)
    assert load_file(run.adapter).keys() == load_file(OLD_RUN / "pytorch_lora_weights.safetensors").keys()
