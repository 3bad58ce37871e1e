"""What several tests share: the pocket base, four painted pictures, and one short run on them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lessons_lib  # noqa: F401  (before PyTorch, so that threads wait as in a lesson)

# isort: split
import huggingface_hub
import miniatures
import pytest
import simulated_device
import torch
from course_fakes import FakeSampler, unit_rows, use_fake_features
from drawings import discs, stripes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from safetensors.torch import save_file

from lessons_lib.adapters.run import WEIGHTS_NAME, Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import long_run, recorded, trials
from lessons_lib.dataset import captions, dataset
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import features
from lessons_lib.paths import SAMPLE
from lessons_lib.training import train

simulated_device.device()  # before any backward pass: PyTorch's engine counts its devices once


# Two threads where the environment says nothing, in programs that a test starts, too: on a busy machine many
# only wait for one another.
THREADS = int(os.environ.setdefault("OMP_NUM_THREADS", "2"))
torch.set_num_threads(THREADS)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Give the next test as many threads as this one had: sums of another number end in other last digits."""
    yield
    torch.set_num_threads(THREADS)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the course stores in a folder of the tests, and hide what this machine has of the Hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
        patch.setenv("LESSONS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(params=["float32", "bfloat16"])
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """Make a second device the session's, in each precision: CUDA where there is one, or a simulated one."""
    with simulated_device.active(getattr(torch, request.param)) as here:
        yield here


@pytest.fixture(scope="session")
def paintings() -> list[Picture]:
    return dataset.read(SAMPLE, side=128).train[:4]


@pytest.fixture(scope="session")
def told(paintings: list[Picture]) -> list[str]:
    return captions.training_captions(paintings, "mugh4l", "style")


@pytest.fixture(scope="session")
def practice(paintings: list[Picture]) -> Dataset:
    return Dataset(paintings)


@pytest.fixture(scope="session")
def short_run(practice, tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = Settings(
        trigger="mugh4l", steps=6, rank=4, learning_rate=0.01, batch=2, sample_prompts=("a cat, mugh4l",)
    )
    return train.train(practice, settings, tmp_path_factory.mktemp("runs") / "short")


@pytest.fixture(scope="session")
def sampler() -> Sampler:
    return Sampler("pocket")


@pytest.fixture(scope="session")
def miniature(sampler: Sampler, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Sampler]:
    """Return a function that gives the sampler of a base in miniature, by the base's name, loaded once."""
    loaded = {"pocket": sampler}

    def get(name: str) -> Sampler:
        if name not in loaded:
            loaded[name] = Sampler(miniatures.write(name, tmp_path_factory.mktemp("miniature") / name))
        return loaded[name]

    return get


@pytest.fixture
def concepts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Three concepts whose features are those of drawings."""
    path = tmp_path / "concept_features.safetensors"
    rows = features.image_features([discs(1), stripes(1), Image.new("RGB", (128, 128), "blue")])
    save_file({"features": rows}, path, {"names": json.dumps(["ball", "fence", "man-in-a-boat"])})
    monkeypatch.setattr(features, "CONCEPTS", path)
    forget = features.load_concepts.cache_clear
    forget()
    yield path
    forget()


@pytest.fixture
def quick_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put random features in place of the network's in the modules of the lessons."""
    use_fake_features(monkeypatch)


@pytest.fixture(scope="session")
def held_out_features() -> torch.Tensor:
    """Return features of six paintings that do not exist, (6, 1280)."""
    return unit_rows(torch.randn(6, 1280, generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def small_long_run(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    paintings: list[Picture],
    held_out_features: torch.Tensor,
    quick_features: None,
) -> dict[str, Any]:
    """Put a fake sampler, four paintings and one subject in place of a long run's own.

    Return what it records by name.
    """
    run = long_run.LongRun(
        FakeSampler(), Dataset(paintings, paintings[:2]), held_out_features, held_out_features
    )
    results: dict[str, Any] = {}
    monkeypatch.setattr(long_run, "prepare", lambda: run)
    monkeypatch.setattr(long_run, "WORK_DIR", tmp_path)
    monkeypatch.setattr(recorded, "save", lambda name, result: results.update({name: result}))
    monkeypatch.setattr(trials, "SUBJECTS", ("a horse",))
    monkeypatch.setattr(trials, "SEEDS", (1,))
    return results


@pytest.fixture
def figures(monkeypatch):
    """The figures that charts were drawn from, so that a test can look at what is on their axes."""
    shown, draw = [], FigureCanvasAgg.draw
    monkeypatch.setattr(FigureCanvasAgg, "draw", lambda canvas: shown.append(canvas.figure) or draw(canvas))
    return shown


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run whose adapter has one layer, of rank 4 and alpha 8."""
    torch.manual_seed(0)
    layer = "transformer.transformer_blocks.0.attn.to_q"
    tensors = {f"{layer}.lora_A.weight": torch.randn(4, 256), f"{layer}.lora_B.weight": torch.randn(256, 4)}
    config = json.dumps({"transformer.r": 4, "transformer.lora_alpha": 8})
    save_file(tensors, tmp_path / WEIGHTS_NAME, {"format": "pt", "lora_adapter_metadata": config})
    settings = {
        "base": "pocket",
        "trigger": "mugh4l",
        "name": "album",
        "mode": "style",
        "steps": 3,
        "seed": 0,
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    rows = [json.dumps({"step": i, "loss": 1.0 / i}) for i in (1, 2)]
    (tmp_path / "log.jsonl").write_text("\n".join(rows))
    return tmp_path
