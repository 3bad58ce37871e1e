"""The whole way with a base on this machine, stage by stage, each timed."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from diffusers import DiffusionPipeline
from PIL import Image
from safetensors import SafetensorError

from lessons_lib import session as sessions
from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import EXAMPLE_TRIGGER, Settings
from lessons_lib.dataset import dataset as datasets
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import access
from lessons_lib.models.bases import Base
from lessons_lib.models.pixels import is_one_colour
from lessons_lib.paths import SAMPLE, in_course
from lessons_lib.proof import elsewhere, record
from lessons_lib.training import capacity, forecast
from lessons_lib.training.train import Trainer

PROMPT = f"an elephant in the style of {EXAMPLE_TRIGGER}"
_ERRORS = (
    ValueError, OSError, RuntimeError, MemoryError, ArithmeticError, SafetensorError,
    subprocess.TimeoutExpired,
)  # fmt: skip


@dataclass
class _Proof:
    """The work of the stages: what is proved, and what the earlier ones made."""

    base: Base
    settings: Settings
    folder: Path
    session: sessions.Session
    run: Run | None = None
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)

    def download(self) -> dict[str, Any]:
        """Fetch the files that the training loads."""
        base = self.settings.adapt(self.base)
        if base.is_local:
            return {"gigabytes": 0.0, "note": "in a folder, nothing to fetch"}
        with sessions.quiet(), access.explain_fetch_errors(base):
            folder = DiffusionPipeline.download(base.source, use_safetensors=True)
        return {"gigabytes": _size_gb(Path(folder))}

    def train(self) -> dict[str, Any]:
        """Train an adapter on a few practice paintings."""
        trainer = Trainer(self.base, few_paintings(self.base.side), self.settings)
        self.run = trainer.train(self.folder / "run", replace=True)
        self.base = trainer.base
        losses, second = [row["loss"] for row in self.run.log], self.run.seconds_a_step
        part = max(1, len(losses) // 4)
        return {
            "steps": len(losses),
            "seconds_a_step": None if second is None else round(second, 4),
            "loss_of_the_first_quarter": round(statistics.mean(losses[:part]), 4),
            "loss_of_the_last_quarter": round(statistics.mean(losses[-part:]), 4),
            "file_mb": round(self.run.adapter.stat().st_size / 1e6, 2),
        }

    def read_back(self) -> dict[str, Any]:
        """Draw with the adapter here, and without it."""
        sampler = Sampler(self.base, self.session)
        self.base = sampler.base
        plain = sampler.sample([PROMPT], [1])[0][0]
        sampler.load(self._trained.folder)
        start = time.monotonic()
        tuned = sampler.sample([PROMPT], [1])[0][0]
        seconds = time.monotonic() - start
        tuned.save(self.folder / "here.png")
        _require(_difference(plain, tuned) > 0, "the adapter changes nothing")
        _require(not is_one_colour(tuned), "the picture is one colour")
        return {"seconds_a_picture": round(seconds, 2), "change": _difference(plain, tuned)}

    def bare_diffusers(self) -> dict[str, Any]:
        """Draw the same picture with diffusers alone, in a new process."""
        picture = self.folder / "elsewhere.png"
        elsewhere.draw_with_diffusers(self._trained, self.base, self.session, PROMPT, picture)
        if not elsewhere.is_quantised_elsewhere(self.base, self.session):
            return {"note": "drawn with whole weights: bare diffusers quantises on a GPU only"}
        difference = _difference(Image.open(self.folder / "here.png"), Image.open(picture))
        _require(difference < 2, f"its picture differs from ours by {difference} of 255")
        return {"difference": difference}

    def card(self) -> dict[str, Any]:
        """Run the code on the card, in a new process."""
        picture = self.folder / "card.png"
        elsewhere.run_card(self._trained, self.base, picture)
        _require(not is_one_colour(Image.open(picture)), "the picture is one colour")
        return {}

    @property
    def _trained(self) -> Run:
        if self.run is None:
            raise ValueError("skipped: there is no adapter")
        return self.run


def few_paintings(side: int) -> Dataset:
    """Return four of the practice paintings: enough to see whether a training works here."""
    return Dataset(datasets.read(in_course(SAMPLE), side=side).train[:4])


def prove(base: Base, out: Path, settings: Settings, on_stage: Callable[[str], None]) -> dict[str, Any]:
    """Return the record of the whole way with a base, made in the folder `out`; `on_stage` is called with the
    name of each stage as it begins.

    A stage that fails has ``"ok": false`` and the reason; those after it that need it do, too.
    Raises ValueError before any download where the base does not fit this machine.
    """
    session = sessions.current()
    fit = capacity.fit(settings, base, session)
    resolved = fit.settings.resolve(base)
    result = record.start(resolved.adapt(base), resolved, session) | {"fit": str(fit)}
    proof = _Proof(base, fit.settings, out, session)
    out.mkdir(parents=True, exist_ok=True)
    for stage in (proof.download, proof.train, proof.read_back, proof.bare_diffusers, proof.card):
        on_stage(stage.__name__)
        proof.stages[stage.__name__] = _timed(stage)
        if stage == proof.train:
            result |= {"peak_memory_gb": round(forecast.peak_memory(), 2), "peak_ram_gb": _peak_ram_gb()}
    is_whole = all(stage["ok"] for stage in proof.stages.values())
    return result | {"stages": proof.stages, "ok": is_whole}


def _timed(stage: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a stage found with its seconds; of one that failed, why."""
    start = time.monotonic()
    try:
        values = {"ok": True} | stage()
    except _ERRORS as problem:
        values = {"ok": False, "problem": record.without_paths(f"{type(problem).__name__}: {problem}")}
    return values | {"seconds": round(time.monotonic() - start, 1)}


def _require(is_so: bool, problem: str) -> None:
    if not is_so:
        raise ValueError(problem)


def _difference(first: Image.Image, second: Image.Image) -> float:
    """Return the mean difference of two pictures' values, 0 ... 255."""
    pair = [np.asarray(image.convert("RGB"), dtype=np.float32) for image in (first, second)]
    return round(float(np.abs(pair[0] - pair[1]).mean()), 3)


def _size_gb(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9, 2)


def _peak_ram_gb() -> float:
    """Return the most RAM that this process has held, files that are mapped included, in GB."""
    return round(sessions.peak_ram(), 2)
