"""`lessons forget` removes what this course cached, and no other file of the user."""

import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from lessons_lib import cli, origins, storage

LIBRARY = Path(__file__).resolve().parents[1] / "lessons_lib"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A folder of the user's that LESSONS_CACHE names."""
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path / "shared"))
    return tmp_path / "shared"


def cached(cache, text, kind="latents"):
    path = storage.path_for(cache / kind, text, {})
    storage.write(path, {"x": np.zeros(2)}, {}, save)
    return path


def listed(cache, *lines, folder=None):
    """Write a list as version 0.3 did: the folder, which may be another than the first line, and names."""
    digest = hashlib.sha256(os.fsencode(folder or lines[0])).hexdigest()[:32]
    storage.write_bytes(cache / "folders" / f"{digest}.txt", ("\n".join(lines) + "\n").encode())


def test_all_leaves_what_others_keep_in_the_folder_of_the_cache(cache, capsys):
    mine = [cached(cache, "a"), cached(cache, "b", "embeddings")]
    origins.record([(Path("photos/a.png"), mine[0])])
    theirs = [
        cache / "thesis.txt",
        cache / "latents" / "x.safetensors",
        cache / "folders" / f"{'0' * 32}.txt",
        cache / "embeddings" / f"{'0' * 64}.safetensors",
        cache / "mine" / "latents" / "a",
    ]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"x": np.zeros(2)}, path)
    assert cli.main(["forget", "--all"]) == 0
    assert {path for path in cache.rglob("*") if path.is_file()} == set(theirs)
    assert re.search(r"2 files.*\n! 2 files .* stay", capsys.readouterr().out)


def test_all_removes_what_a_killed_process_left_of_a_cached_file(cache):
    left = cached(cache, "a").rename(cache / "latents" / f".{'0' * 32}.part")
    assert origins.forget_all() == (1, 0) and not left.exists()


@pytest.mark.parametrize("name", ["{victim}", "../victim", "latents/../../victim", "victim\nlatents/x"])
def test_a_list_that_names_a_file_of_the_users_removes_nothing(cache, tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder, name = tmp_path / "photos", name.format(victim=victim)
    data = json.dumps({"folder": str(folder), "files": [name]}).encode()
    storage.write_bytes(cache / "folders" / origins._name(folder, data), data)
    listed(cache, str(folder), *name.split("\n"))
    assert origins.forget(folder) == (0, 0) and victim.read_text() == "mine"
    assert not any((cache / "folders").iterdir())


@pytest.mark.parametrize("is_earlier", [False, True])
def test_a_folder_with_a_line_break_in_its_name_is_forgotten_and_no_file_that_the_name_spells(
    cache, tmp_path, is_earlier
):
    victim, file = tmp_path / "victim", cached(cache, "a")
    victim.write_text("mine")
    folder = Path(f"{tmp_path}/photos.zip/x\n{victim}\n")
    if is_earlier:
        name = f"latents/{file.name}"
        listed(cache, *str(folder).split("\n"), name, folder=folder)
    else:
        assert origins.record([(folder / "a.png", file)]) == []
    assert origins.forget(tmp_path / "photos.zip")[0] == 1
    assert victim.exists() and not file.exists()


def test_a_link_that_leads_out_of_the_cache_is_said_and_not_followed(cache, tmp_path):
    file = cached(cache, "a")
    origins.record([(tmp_path / "a.png", file)])
    (cache / "latents").rename(tmp_path / "elsewhere")
    (cache / "latents").symlink_to(tmp_path / "elsewhere")
    for forget in (lambda: origins.forget(tmp_path), origins.forget_all):
        with pytest.raises(OSError, match="by a link; remove that file and the link yourself"):
            forget()
    assert (tmp_path / "elsewhere" / file.name).exists() and any((cache / "folders").iterdir())


def test_two_trainings_on_one_folder_lose_none_of_each_others_names(cache, tmp_path, monkeypatch):
    first, second = cached(cache, "a"), cached(cache, "b")
    with monkeypatch.context() as patch:
        patch.setattr(origins, "_read", lambda path: (None, []))  # neither has seen the other's list
        origins.record([(tmp_path / "a.png", first)])
        origins.record([(tmp_path / "b.png", second)])
    assert origins.forget(tmp_path)[0] == 2 and not first.exists() and not second.exists()


def test_every_folder_of_the_cache_is_one_that_is_forgotten():
    text = "".join(path.read_text(encoding="utf-8") for path in LIBRARY.rglob("*.py"))
    assert set(re.findall(r'cache_dir\(\) / "(\w+)"', text)) == set(storage.FOLDERS)


def test_a_cache_that_is_named_needs_no_home(cache, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: 1 / 0)  # as of a user without one
    assert storage.cache_dir() == cache
