"""Does the cost grow as it should?

A step's time and memory against pictures, batch, picture tokens and steps.
`python -m benchmarks.growth` writes GROWTH.md and growth.jpg. Every case runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.speed import HERE, SAMPLE, processor
from lessons_lib.adapters import lora
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset import dataset
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.models import bases, families, pixels
from lessons_lib.session import current
from lessons_lib.training import distributed, forecast, latent_cache
from lessons_lib.training.data import TrainingData, release_text_encoders
from lessons_lib.training.loop import Loop
from lessons_lib.training.state import State

CASES = {
    "pictures": (4, 50, 500, 5000),
    "batch": (1, 2, 4, 8, 16),
    "side": (64, 96, 128, 192, 256),
    "steps": (25, 50, 100, 200),
}
USUAL = {"pictures": 16, "batch": 4, "side": 128, "steps": 40}
FIRST = 5  # steps that are not timed


@dataclass(frozen=True)
class Cost:
    """What a case took: the median step (ms), all steps together (s), the peak memory of its process (GB)."""

    step: float
    seconds: float
    memory: float


def crops(count: int, side: int) -> Iterator[Picture]:
    """Yield so many different crops of the practice paintings, one in memory at a time."""
    paintings = [p.image for p in dataset.read(SAMPLE, side=256).train]
    for number in range(count):
        rng = random.Random(number)
        image = rng.choice(paintings)
        x, y = rng.randint(0, image.width - 200), rng.randint(0, image.height - 200)
        crop = image.crop((x, y, x + 200, y + 200)).resize((side, side), Image.Resampling.LANCZOS)
        yield Picture(Path(f"{number}.png"), ImageFile.of(crop))


def case(count: int, batch: int, side: int, steps: int, folder: Path) -> Cost:
    """Return what so many steps cost with so many pictures of this side in batches of this size."""
    base = replace(bases.find("pocket"), side=side)
    plan = Settings(trigger="mugh4l", steps=steps + FIRST, batch=batch, caption_dropout=0.0).resolve(base)
    flux = families.find("flux")
    pipe = flux.load(base, current())
    latents = latent_cache.encode_images(
        folder / "latents",
        (p.image for p in crops(count, side)),
        {},
        lambda image: {"latents": flux.encode_images(pipe, pixels.to_pixels([image], side))[0]},
    )
    embeddings = latent_cache.encode_captions(
        folder / "embeddings",
        [*(f"picture {number}, mugh4l" for number in range(count)), "mugh4l"],
        {},
        lambda text: {n: v[0] for n, v in flux.encode_captions(pipe, [text], base).items()},
    )
    release_text_encoders(pipe, base)
    model = pipe.transformer
    lora.attach(model, plan.rank, plan.alpha, flux.TARGET_MODULES, 0)
    data = TrainingData(latents, embeddings)
    state = State.start(model, data, plan)
    loop, ends = Loop(flux, model, data, plan, distributed.accelerator()), []
    for _ in range(plan.steps):
        loop.step(state)
        ends.append(time.perf_counter())
    ends = ends[FIRST - 1 :]
    gaps = [b - a for a, b in zip(ends, ends[1:], strict=False)]
    return Cost(statistics.median(gaps) * 1000, ends[-1] - ends[0], forecast.peak_memory())


def measure(kind: str, folder: Path) -> list[Cost]:
    """Return the costs of one kind's cases, the other settings as usual, each from a process of its own."""
    costs = []
    for value in CASES[kind]:
        settings = json.dumps(USUAL | {kind: value})
        print(f"{kind} {value} ...", file=sys.stderr, flush=True)
        process = subprocess.run(
            [sys.executable, "-m", "benchmarks.growth", "--case", settings, "--folder", str(folder)],
            check=True,
            capture_output=True,
            text=True,
            cwd=HERE.parent,
        )
        costs.append(Cost(**json.loads(process.stdout.splitlines()[-1])))
    return costs


def plot(costs: dict[str, list[Cost]], path: Path) -> None:
    """Write a chart for each kind: the time, and beside it the memory."""
    figure = Figure(figsize=(10, 4.6), dpi=90, layout="constrained")
    axes = figure.subplots(2, len(costs), sharey="row")
    for column, (kind, of_kind) in enumerate(costs.items()):
        values = [v * v // 256 for v in CASES[kind]] if kind == "side" else CASES[kind]
        times = [c.seconds for c in of_kind] if kind == "steps" else [c.step / 1000 for c in of_kind]
        title = {"steps": "seconds of all steps", "side": "picture tokens"}.get(kind, kind)
        for row, numbers in ((0, times), (1, [c.memory for c in of_kind])):
            axes[row][column].plot(values, numbers, "o-", color="#8c2f1b")
            axes[row][column].set_xscale("log")
            axes[row][column].set_xticks(values, [f"{v:g}" for v in values])
            axes[row][column].minorticks_off()
        axes[0][column].set_yscale("log")
        axes[0][column].set_title(title)
        axes[1][column].set_xlabel("steps" if kind == "steps" else title)
    axes[0][0].set_ylabel("seconds (a step)")
    axes[1][0].set(
        ylim=(0, 1.05 * max(c.memory for of_kind in costs.values() for c in of_kind)),
        ylabel="peak memory, GB",
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(path, quality=85)


def page(costs: dict[str, list[Cost]]) -> str:
    """Return GROWTH.md."""
    usual = ", ".join(f"{name} {value}" for name, value in USUAL.items())
    lines = [
        "# How the cost grows",
        "",
        f"Written by `python -m benchmarks.growth`; not edited by hand. {date.today().isoformat()}; "
        f"{processor()}; Python {platform.python_version()}, torch {torch.__version__}.",
        "",
        f"One setting is changed at a time, the others stay at {usual}. *ms a step* is the median; the "
        f"first {FIRST} steps are left out. Memory is the peak of the whole process, in which pictures and "
        "captions were encoded too.",
        "",
        "![time and memory against each setting](growth.jpg)",
        "",
        "| | | ms a step | all steps, s | memory, GB |",
        "|---|---|---|---|---|",
    ]
    for kind, of_kind in costs.items():
        lines += [
            f"| {kind} | {value} | {cost.step:.0f} | {cost.seconds:.1f} | {cost.memory:.2f} |"
            for value, cost in zip(CASES[kind], of_kind, strict=True)
        ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", type=json.loads, help="one case, as JSON; for this program's own use")
    parser.add_argument("--folder", type=Path, help="where its encoded pictures are kept")
    o = parser.parse_args()
    if o.case:
        count, batch, side, steps = (o.case[name] for name in USUAL)
        print(json.dumps(vars(case(count, batch, side, steps, o.folder))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        costs = {kind: measure(kind, Path(scratch)) for kind in CASES}
    plot(costs, HERE / "growth.jpg")
    text = page(costs)
    (HERE / "GROWTH.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
