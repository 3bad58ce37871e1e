"""A gated base without access says in one line what is missing; the Hub is a server on this machine."""

import dataclasses
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from lessons_lib.adapters.settings import Settings
from lessons_lib.models import access, bases
from lessons_lib.session import Session, current
from lessons_lib.training import capacity

PROGRAM = """
import os
from pathlib import Path
from lessons_lib.models import bases, families
from lessons_lib.session import current
base, family = bases.find("flux1-dev"), families.find("flux")
for token in ("", "hf_old", "hf_other", "login"):
    os.environ["HF_TOKEN"] = token
    if token == "login":  # `hf auth login` writes a file
        del os.environ["HF_TOKEN"]
        Path(os.environ["HF_HOME"], "token").write_text("hf_other")
    for fetch in (lambda: family.load_tokenizer(base), lambda: family.load(base, current())):
        try:
            fetch()
        except OSError as problem:
            print(problem)
"""


def free(monkeypatch, cache, gigabytes):
    """Give the disk of the Hub's cache so much room."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    usage = SimpleNamespace(free=gigabytes * 1e9)
    monkeypatch.setattr(access.shutil, "disk_usage", lambda folder: usage if folder.is_dir() else None)


def put(path, size):
    """Write a file of so many bytes, which takes no room."""
    with open(path, "wb") as file:
        file.truncate(size)


def test_a_disk_without_room_is_named_before_anything_is_fetched(monkeypatch, tmp_path):
    flux, cache = bases.find("flux1-dev"), tmp_path / "hub" / "of mine"
    free(monkeypatch, cache, 20)
    with pytest.raises(ValueError, match=f"34 GB of files to fetch, and the disk of {cache} has 20.0 GB"):
        access.check_disk(flux)
    settings, gpu = Settings(base="flux1-dev", trigger="v4se"), torch.device("cuda")
    machine = Session("80gb", gpu, torch.bfloat16, 8, 64.0, "a card", 84.0)
    with pytest.raises(ValueError, match="flux1-dev has 34 GB of files to fetch"):
        capacity.fit(settings, flux, machine)
    capacity.fit(dataclasses.replace(settings, quantize="nf4"), flux, machine)  # 13.4 GB


def test_a_disk_is_not_looked_at_for_what_is_not_fetched(monkeypatch, tmp_path):
    free(monkeypatch, tmp_path, 0.1)
    access.check_disk(bases.find("pocket"))
    sd15 = bases.find("sd15")
    access.check_disk(dataclasses.replace(sd15, size_gb=0))
    folder = tmp_path / f"models--{sd15.repository.replace('/', '--')}"
    for name in ("model_index.json", "unet/a.safetensors", "text_encoder/a.safetensors"):
        path = folder / "snapshots" / "0a" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0a")
    with pytest.raises(ValueError, match="sd15 has 4 GB"):
        access.check_disk(sd15)  # it has no VAE yet
    (folder / "snapshots" / "0a" / "vae").mkdir()
    (folder / "snapshots" / "0a" / "vae" / "a.safetensors").touch()
    access.check_disk(sd15)


def test_what_is_fetched_already_needs_no_room(monkeypatch, tmp_path):
    sd15 = bases.find("sd15")
    free(monkeypatch, tmp_path, 4.5)
    with pytest.raises(ValueError, match="sd15 has 4 GB"):
        access.check_disk(sd15)
    blobs = tmp_path / f"models--{sd15.repository.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    put(blobs / "0b.5c.incomplete", 10**9)  # the Hub begins it anew
    with pytest.raises(ValueError, match="sd15 has 4 GB"):
        access.check_disk(sd15)
    put(blobs / "0b", 10**9)
    access.check_disk(sd15)


@pytest.mark.parametrize("has_links", [False, True])
def test_a_file_in_a_snapshot_counts_where_it_is_no_link(has_links, monkeypatch, tmp_path):
    """On Windows without symlinks the Hub moves files from blobs/ into snapshots/."""
    sd15 = bases.find("sd15")
    free(monkeypatch, tmp_path, 4.5)
    folder = tmp_path / f"models--{sd15.repository.replace('/', '--')}"
    unet = folder / "snapshots" / "0a" / "unet"
    unet.mkdir(parents=True)
    (folder / "blobs").mkdir()
    if has_links:
        put(folder / "blobs" / "0b", 3 * 10**8)
        (unet / "a.safetensors").symlink_to(folder / "blobs" / "0b")
        with pytest.raises(ValueError, match="sd15 has 4 GB"):
            access.check_disk(sd15)
    else:
        put(unet / "a.safetensors", 6 * 10**8)
        access.check_disk(sd15)


def test_a_drive_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with monkeypatch.context() as patch:
        patch.setattr(access.Path, "is_dir", lambda path: False)
        with pytest.raises(
            ValueError, match=f"{tmp_path / 'hub'}, the folder .* is on a drive that is not there.* HF_HOME"
        ):
            access.check_disk(bases.find("sd15"))


class Hub(BaseHTTPRequestHandler):
    """Answers as the Hub does for a gated repository: 401 without a valid token, 403 without access."""

    def do_GET(self):
        token = self.headers.get("Authorization", "")
        status = 403 if token == "Bearer hf_other" else 401
        self.send_response(status)
        if token == "Bearer hf_old":
            self.send_header("X-Error-Message", "Invalid credentials in Authorization header")
        else:
            self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *given):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_what_is_missing_is_said_in_one_line(hub, tmp_path):
    env = {**os.environ, "HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    no_token, old, other, login = zip(*[iter(done.stdout.splitlines())] * 2, strict=True)
    assert all("asks for a login. Accept the licence (FLUX.1-dev non-commercial)" in s for s in no_token)
    assert all("secret HF_TOKEN" in line and "hf auth login" in line for line in no_token + old)
    assert all("does not accept the token" in line for line in old)
    assert all("its account has no access" in line and "FLUX.1-dev" in line for line in other + login)


@pytest.mark.parametrize("token", [None, "hf_x"])
def test_the_card_of_a_gated_base_says_what_it_asks_for(token, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: token)
    line = bases.find("flux1-dev").capability_card(current()).splitlines()[-1]
    assert "licence accepted at https://huggingface.co/black-forest-labs/FLUX.1-dev" in line
    assert ("no token is there" in line) == (token is None) and ("HF_TOKEN" in line) == (token is None)


def test_a_base_without_a_gate_asks_for_nothing(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "get_token", None)
    assert "login" not in bases.find("flux2-klein").capability_card(current())


def test_a_notebook_shows_it_without_a_traceback(capsys):
    InteractiveShell().run_cell(
        "from lessons_lib.models.access import BaseFetchError; raise BaseFetchError('no token')"
    )
    assert capsys.readouterr().out.strip() == "BaseFetchError: no token"
