"""What goes to the Hub is a list of files that may; what must not is named: no training picture, no folder of
this machine, no picture whose licence is unknown.
"""

import json
import shutil
from dataclasses import replace

import pytest
import yaml
from hub_site import HubSite
from huggingface_hub import constants

from lessons_lib.adapters import hub
from lessons_lib.adapters.run import WEIGHTS_NAME, Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset import dataset as datasets
from lessons_lib.evaluation import compare
from lessons_lib.paths import SAMPLE
from lessons_lib.training import train

REPOSITORY = "ann/mughal"


@pytest.fixture(scope="module")
def published_run(sampler, tmp_path_factory):
    """A run made from absolute paths, with training pictures in its report."""
    folder = tmp_path_factory.mktemp("ann")
    dataset = datasets.read(SAMPLE.resolve(), side=128)
    dataset = replace(dataset, train=dataset.train[:3], held_out=dataset.held_out[:2])
    settings = Settings(
        trigger="mugh4l", steps=2, rank=2, batch=2, sample_prompts=("a cat, mugh4l",), name="album"
    )
    run = train.train(dataset, settings, folder / "album")
    compare.save(compare.compare(sampler, run, dataset, ["a cat"], [1]), run.folder)
    sampler.unload()  # the other tests' base is without an adapter
    return run


@pytest.fixture
def run(published_run, tmp_path):
    shutil.copytree(published_run.folder, tmp_path / "album")
    return Run.load(tmp_path / "album")


@pytest.fixture
def no_token(monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)


def test_a_dry_run_lists_each_file_that_would_go_and_none_that_must_not(published_run, no_token):
    publication = hub.publish(published_run.folder, REPOSITORY)
    assert not publication.problems and not publication.url
    assert sorted(publication.files) == [
        "README.md", "other_formats/album_comfyui.safetensors", "pytorch_lora_weights.safetensors",
        "samples/00002_1.jpg", "settings.json",
    ]  # fmt: skip
    assert {"report.html", "before_after.jpg", "log.jsonl"} <= set(publication.left_out)
    assert any("  - report.html stays here" == line for line in publication.lines())


def test_nothing_that_goes_names_a_folder_of_this_machine(published_run, no_token):
    assert "sample_mughal" in (published_run.folder / "settings.json").read_text()
    files = hub.publish(published_run.folder, REPOSITORY).files
    assert not [name for name, data in files.items() if b"sample_mughal" in data or b"/ann0" in data]
    settings = json.loads(files["settings.json"])
    assert settings["trigger"] == "mugh4l" and "dataset" not in settings


def test_the_card_on_the_hub_has_a_gallery_and_loads_from_there(published_run, no_token):
    card = hub.publish(published_run.folder, REPOSITORY).files["README.md"].decode()
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["pipeline_tag"] == "text-to-image" and head["license"] == "apache-2.0"
    assert head["widget"] == [{"text": "a cat, mugh4l", "output": {"url": "samples/00002_1.jpg"}}]
    assert "<Gallery />" in card and 'load_lora_weights("ann/mughal", weight_name=' in card


def test_a_picture_without_a_licence_stops_it(run, no_token):
    card = run.folder / "README.md"
    card.write_text(card.read_text().replace("CC0-1.0", "unknown"))
    (problem,) = hub.publish(run.folder, REPOSITORY).problems
    assert "licence of 3 training pictures is not known" in problem and str(card) in problem
    with pytest.raises(ValueError, match="is not published: the licence of 3"):
        hub.publish(run.folder, REPOSITORY, dry_run=False)


def test_a_card_without_a_table_of_rights_stops_it(run, no_token):
    (run.folder / "README.md").unlink()
    assert "no table of the training pictures" in hub.publish(run.folder, REPOSITORY).problems[0]


def test_a_path_written_into_the_card_and_a_training_picture_stop_it(run, no_token):
    card = run.folder / "README.md"
    card.write_text(card.read_text() + f"\nfrom {run.folder.parent}/pictures\n")
    sample = next((run.folder / "samples").glob("00002_*"))
    sample.write_bytes(run.pictures[0].read_bytes())
    problems = hub.publish(run.folder, REPOSITORY).problems
    assert any("README.md names a folder of this machine" in problem for problem in problems)
    assert any("00002_1.jpg is a training picture" in problem for problem in problems)


@pytest.mark.parametrize("name", ["mughal", "ann/", "a b/c", "ann/x/y", "../x"])
def test_a_name_that_is_no_repository_stops_it(published_run, no_token, name):
    assert any(
        "expected OWNER/NAME" in problem for problem in hub.publish(published_run.folder, name).problems
    )


def test_addresses_for_other_programs_name_one_file_each(published_run, no_token):
    lines = hub.publish(published_run.folder, REPOSITORY).addresses
    page = f"{constants.ENDPOINT}/{REPOSITORY}/resolve/main"
    assert f"ComfyUI    {page}/other_formats/album_comfyui.safetensors" in lines[1]
    assert f'fal        loras: [{{"path": "{page}/{WEIGHTS_NAME}", "scale": 0.5}}]' in lines
    assert any(
        line.startswith("Replicate") and line.endswith("ann/mughal, lora_scale: 0.5") for line in lines
    )


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_x")
    site = HubSite()
    monkeypatch.setattr(constants, "ENDPOINT", site.address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield site
    site.server.shutdown()
    site.server.server_close()


def test_with_a_token_the_files_are_in_the_repository(published_run, site):
    publication = hub.publish(published_run.folder, REPOSITORY)
    assert publication.url == f"{site.address}/{REPOSITORY}"
    assert site.repositories == {REPOSITORY: publication.files} and site.private == {REPOSITORY: True}
    assert "5 files sent to ann/mughal" in publication.lines()[0]


def test_a_repository_with_other_weights_is_refused(published_run, site):
    site.repositories[REPOSITORY] = {"other.safetensors": b""}
    with pytest.raises(ValueError, match="holds other.safetensors already"):
        hub.publish(published_run.folder, REPOSITORY)
    assert site.repositories[REPOSITORY] == {"other.safetensors": b""}


@pytest.mark.parametrize("is_down", [False, True])
def test_a_hub_that_refuses_or_is_away_is_one_line(published_run, site, is_down, monkeypatch):
    site.refused = True
    if is_down:
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(OSError, match="cannot be published at http.*the same call tries again") as error:
        hub.publish(published_run.folder, REPOSITORY)
    assert "\n" not in str(error.value)
