"""Seconds a step, memory and what was learned: ours, diffusers' own script, a bare loop, and the floor. Same base and pictures.

`python -m benchmarks.speed --script train_dreambooth_lora_flux.py` writes RESULTS.md. The script is in diffusers' repository,
under examples/dreambooth; it is not part of this course. Every competitor runs alone, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import diffusers
import peft
import torch
from torch import Tensor

from benchmarks import floor
from lessons_lib.adapters import lora
from lessons_lib.dataset import captions, export, pictures
from lessons_lib.dataset.pictures import Picture
from lessons_lib.models import bases, pixels
from lessons_lib.models.families import flux
from lessons_lib.session import current

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "data" / "sample_mughal"
BASE = bases.find("pocket")
FIRST = 10  # steps that are not timed: they make room that the others use again
BAR = re.compile(r"Steps:.*?(\d+)/\d+ \[.*loss=([\d.e+-]+|nan)")


@dataclass(frozen=True)
class Trace:
    """What one competitor did: when each step ended (s), its loss, the peak memory of its process (GB), its adapter."""

    ends: list[float]
    losses: list[float]
    memory: float
    adapter: Path

    @property
    def step(self) -> float:
        """The median of the seconds between two steps, the first ones left out."""
        gaps = [b - a for a, b in zip(self.ends, self.ends[1:], strict=False)]
        return statistics.median(gaps[FIRST:])


def watched(command: Sequence[str], on_line: Callable[[str], bool | None] | None = None) -> float:
    """Run a command, tell of every line it writes to stderr, and return the peak memory of its process in GB.

    It runs to its end, or until `on_line` returns True. Raises RuntimeError with the last of its words when it fails.
    """
    quiet = {"TQDM_MININTERVAL": "0", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ | quiet,
        cwd=HERE.parent,
    )
    said: list[str] = []
    enough = False
    assert process.stderr
    for line in process.stderr:  # universal newlines: a progress bar's returns end a line too
        said = [*said[-20:], line]
        if on_line and not enough and on_line(line):
            enough = True
            process.kill()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not enough:
        raise RuntimeError(f"{command[2]} ended with {process.returncode}:\n{''.join(said)}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def module(name: str, data: Path, out: Path, steps: int, seed: int) -> Trace:
    """Run benchmarks.ours or benchmarks.bare, which write a log."""
    memory = watched([sys.executable, "-m", f"benchmarks.{name}", "--data", str(data), "--out", str(out),
                      "--steps", str(steps), "--seed", str(seed)])  # fmt: skip
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return Trace([row["seconds"] for row in rows], [row["loss"] for row in rows], memory, out)


def script(path: Path, options: Sequence[str], out: Path, steps: int, seed: int) -> Trace:
    """Run diffusers' script with its public options; its progress bar tells of each step."""
    ends: dict[int, float] = {}
    losses: dict[int, float] = {}

    def note(line: str) -> None:
        if found := BAR.search(line):
            ends.setdefault(int(found[1]), time.monotonic())
            losses[int(found[1])] = float(found[2])

    memory = watched([
        sys.executable, "-m", "benchmarks.stand_in", str(path), "--pretrained_model_name_or_path", BASE.repository,
        "--instance_prompt", "a painting in the style of mugh4l",
        *options, "--output_dir", str(out), "--cache_latents", "--center_crop", "--resolution", str(BASE.side),
        "--lora_layers", ",".join(flux.TARGET_MODULES), "--train_batch_size", str(BASE.batch), "--rank", str(BASE.rank), "--lora_alpha", str(BASE.alpha),
        "--learning_rate", str(BASE.learning_rate), "--lr_scheduler", "cosine", "--lr_warmup_steps", "20",
        "--optimizer", "AdamW", "--weighting_scheme", "logit_normal", "--guidance_scale", "1",
        "--max_sequence_length", str(BASE.caption_tokens), "--mixed_precision", "no",
        "--max_train_steps", str(steps), "--checkpointing_steps", str(10 * steps), "--seed", str(seed),
    ], note)  # fmt: skip
    order = sorted(losses)
    return Trace([ends[n] for n in order], [losses[n] for n in order], memory, out)


def material(folder: Path) -> tuple[Path, list[Picture]]:
    """Write the practice paintings as squares with their captions; return the folder and the pictures read from it."""
    found = pictures.for_training(pictures.load(SAMPLE, side=BASE.side))
    texts = captions.captions(found, "mugh4l", "style")
    whole = [Picture(p.path.with_suffix(".png"), pixels.square(p.image, BASE.side)) for p in found]
    data = export.write(whole, folder / "pictures", texts) / "train"
    return data, pictures.load(data, side=BASE.side)


@torch.no_grad()
def fixed_loss(adapter: Path | None, known: Sequence[Picture]) -> float:
    """Return the loss on the pictures learned from, at eight noise levels and one fixed noise each, the same for all."""
    pipe = flux.load(BASE, current())
    if adapter:
        pipe.load_lora_weights(adapter)
    latents = flux.encode_images(pipe, pixels.to_pixels([p.image for p in known], BASE.side))
    embeddings = flux.encode_captions(pipe, [p.caption or "" for p in known], BASE)
    generator = torch.Generator().manual_seed(0)
    found: list[Tensor] = []
    for sigma in torch.linspace(0.1, 0.95, 8):
        noise = torch.randn(latents.shape, generator=generator)
        found.append(flux.loss(pipe.transformer, latents, embeddings, noise, sigma.expand(len(latents))))
    return float(torch.cat(found).mean())


def least(known: Sequence[Picture]) -> tuple[float, float]:
    """Return (seconds, operations) of a step's matrix products; see floor.py."""
    pipe = flux.load(BASE, current())
    some = list(known)[: BASE.batch]
    latents = flux.encode_images(pipe, pixels.to_pixels([p.image for p in some], BASE.side))
    embeddings = flux.encode_captions(pipe, [p.caption or "" for p in some], BASE)
    model = pipe.transformer
    lora.attach(model, BASE.rank, BASE.alpha, flux.TARGET_MODULES, 0)
    sigma = torch.full((len(some),), 0.5)
    seen = floor.products(
        model, lambda: flux.loss(model, latents, embeddings, torch.randn_like(latents), sigma)
    )
    return floor.floor(seen)


def processor() -> str:
    """Return the processor's name, and how many of its cores torch uses."""
    listed = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", listed.read_text()) if listed.exists() else []
    return f"{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads"


def page(traces: dict[str, Trace], losses: dict[str, float], least_time: float, operations: float) -> str:
    """Return RESULTS.md."""
    ours = next(iter(traces.values()))
    steps = len(ours.losses)
    rows = [
        f"| {name} | {t.step * 1000:.0f} | {t.step / ours.step:.2f} | {least_time / t.step:.0%} | {t.memory:.2f} "
        f"| {losses[name]:.4f} | {losses[name] / losses['ours'] - 1:+.1%} |"
        for name, t in traces.items()
    ]
    curve = [
        f"| {at + 1}-{at + steps // 4} | "
        + " | ".join(f"{statistics.mean(t.losses[at : at + steps // 4]):.3f}" for t in traces.values())
        + " |"
        for at in range(0, steps, steps // 4)
    ]
    return "\n".join([
        "# How fast the trainer is", "",
        f"Written by `python -m benchmarks.speed`; not edited by hand. {date.today().isoformat()}; {processor()}; "
        f"Python {platform.python_version()}, torch {torch.__version__}, diffusers {diffusers.__version__}, "
        f"peft {peft.__version__}.", "",
        f"All train pocket on the same {BASE.side} px squares and captions: rank {BASE.rank}, batch {BASE.batch}, rate "
        f"{BASE.learning_rate:g} falling as a cosine, {steps} steps, float32, the same layers. *ms a step* is the median, "
        f"the first {FIRST} left out. *Of the floor's rate* sets it beside {least_time * 1000:.0f} ms, the time of a step's "
        f"matrix products alone ({operations / 1e9:.1f} billion operations), each shape measured in this run. *Memory* is the "
        "process's peak. *Fixed loss* is the adapter's at the same noise for all, on the pictures it learned from; the "
        f"base's is {losses['base']:.4f}.", "",
        "| | ms a step | times ours | of the floor's rate | memory, GB | fixed loss | beside ours |",
        "|---|---|---|---|---|---|---|", *rows, "",
        "The mean loss of each quarter of the steps. Every program draws its own noise, so that curves agree in the mean and "
        "not step by step.", "",
        f"| steps | {' | '.join(traces)} |", "|---" * (len(traces) + 1) + "|", *curve, "",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--script", type=Path, help="diffusers' train_dreambooth_lora_flux.py")
    parser.add_argument("--steps", type=int, default=200, help="training steps of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data, known = material(folder)
        runs: dict[str, Callable[[Path, int, int], Trace]] = {"ours": partial(module, "ours", data)}
        if o.script:
            alone, told = (
                shutil.copytree(data, folder / name, ignore=shutil.ignore_patterns(*left_out))
                for name, left_out in (("alone", ("*.txt", "*.csv")), ("told", ("*.txt",)))
            )
            one = ["--instance_data_dir", str(alone)]
            each = ["--dataset_name", str(told), "--image_column", "image", "--caption_column", "caption"]
            runs |= {
                "diffusers' script, captions": partial(script, o.script.resolve(), each),
                "diffusers' script, one prompt": partial(script, o.script.resolve(), one),
            }
        runs["bare loop"] = partial(module, "bare", data)
        traces = {}
        for name, run in runs.items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            traces[name] = run(folder / re.sub(r"\W+", "_", name), o.steps, o.seed)
        losses = {name: fixed_loss(trace.adapter, known) for name, trace in traces.items()}
        losses["base"] = fixed_loss(None, known)
        text = page(traces, losses, *least(known))
    (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
