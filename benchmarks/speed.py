"""Seconds a step, memory and what was learned: ours, diffusers' own script, a bare loop, and the floor.

`python -m benchmarks.speed --script train_dreambooth_lora_flux.py` writes RESULTS.md. The script is in
diffusers' repository, under examples/dreambooth; it is not part of this course. All have the same base and
pictures, and every competitor runs alone, in a process of its own.
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
from lessons_lib.dataset import captions, dataset, export
from lessons_lib.dataset.pictures import ImageFile, Picture
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
    """What one competitor did: when each step ended (s), its loss, the peak memory of its process (GB), its
    adapter.
    """

    ends: list[float]
    losses: list[float]
    memory: float
    adapter: Path

    @property
    def step(self) -> float:
        """The median of the seconds between two steps, the first ones left out."""
        gaps = [b - a for a, b in zip(self.ends, self.ends[1:], strict=False)]
        return statistics.median(gaps[FIRST:])


def run_watched(command: Sequence[str], on_line: Callable[[str], bool | None] | None = None) -> float:
    """Run a command, pass on every line it writes to stderr, and return the peak memory of its process in GB.

    It runs to its end, or until `on_line` returns True. Raises RuntimeError with its last lines when it
    fails.
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
    last_lines: list[str] = []
    is_stopped = False
    assert process.stderr
    for line in process.stderr:  # universal newlines: a carriage return of a progress bar ends a line too
        last_lines = [*last_lines[-20:], line]
        if on_line and not is_stopped and on_line(line):
            is_stopped = True
            process.kill()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not is_stopped:
        raise RuntimeError(f"{command[2]} ended with {process.returncode}:\n{''.join(last_lines)}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def module(name: str, data: Path, out: Path, steps: int, seed: int) -> Trace:
    """Run benchmarks.ours or benchmarks.bare, which write a log."""
    memory = run_watched([sys.executable, "-m", f"benchmarks.{name}", "--data", str(data), "--out", str(out),
                      "--steps", str(steps), "--seed", str(seed)])  # fmt: skip
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return Trace([row["seconds"] for row in rows], [row["loss"] for row in rows], memory, out)


def script(path: Path, options: Sequence[str], out: Path, steps: int, seed: int) -> Trace:
    """Run diffusers' script with its public options; its progress bar tells of each step."""
    ends: dict[int, float] = {}
    losses: dict[int, float] = {}

    def note(line: str) -> None:
        if bar := BAR.search(line):
            ends.setdefault(int(bar[1]), time.monotonic())
            losses[int(bar[1])] = float(bar[2])

    command = script_command(path, options, out, steps, seed)
    memory = run_watched(command, note)
    order = sorted(losses)
    return Trace([ends[n] for n in order], [losses[n] for n in order], memory, out)


def script_command(path: Path, options: Sequence[str], out: Path, steps: int, seed: int) -> list[str]:
    """Return the command that trains with diffusers' script as we train."""
    return [
        sys.executable, "-m", "benchmarks.stand_in", str(path),
        "--pretrained_model_name_or_path", BASE.repository,
        "--instance_prompt", "a painting in the style of mugh4l",
        *options,
        "--output_dir", str(out), "--cache_latents", "--center_crop", "--resolution", str(BASE.side),
        "--lora_layers", ",".join(flux.TARGET_MODULES), "--train_batch_size", str(BASE.batch),
        "--rank", str(BASE.rank), "--lora_alpha", str(BASE.alpha),
        "--learning_rate", str(BASE.learning_rate), "--lr_scheduler", "cosine", "--lr_warmup_steps", "20",
        "--optimizer", "AdamW", "--weighting_scheme", "logit_normal", "--guidance_scale", "1",
        "--max_sequence_length", str(BASE.caption_tokens), "--mixed_precision", "no",
        "--max_train_steps", str(steps), "--checkpointing_steps", str(10 * steps), "--seed", str(seed),
    ]  # fmt: skip


def write_squares(folder: Path) -> tuple[Path, list[Picture]]:
    """Write the practice paintings as squares with their captions; return the folder and the pictures read
    from it.
    """
    paintings = dataset.read(SAMPLE, side=BASE.side).train
    texts = captions.training_captions(paintings, "mugh4l", "style")
    squares = [
        Picture(p.path.with_suffix(".png"), ImageFile.of(pixels.to_square(p.image, BASE.side)))
        for p in paintings
    ]
    data = export.write(squares, folder / "pictures", texts) / "train"
    return data, dataset.read(data, side=BASE.side).pictures


@torch.no_grad()
def fixed_loss(adapter: Path | None, train_pictures: Sequence[Picture]) -> float:
    """Return the loss on the training pictures at eight noise levels, with noise that is the same for every
    adapter.
    """
    pipe = flux.load(BASE, current())
    if adapter:
        pipe.load_lora_weights(adapter)
    latents = flux.encode_images(pipe, pixels.to_pixels([p.image for p in train_pictures], BASE.side))
    embeddings = flux.encode_captions(pipe, [p.caption or "" for p in train_pictures], BASE)
    generator = torch.Generator().manual_seed(0)
    losses: list[Tensor] = []
    for sigma in torch.linspace(0.1, 0.95, 8):
        noise = torch.randn(latents.shape, generator=generator)
        losses.append(flux.loss(pipe.transformer, latents, embeddings, noise, sigma.expand(len(latents))))
    return float(torch.cat(losses).mean())


def floor_of_a_step(train_pictures: Sequence[Picture]) -> tuple[float, float]:
    """Return (seconds, operations) of a step's matrix products; see floor.py."""
    pipe = flux.load(BASE, current())
    batch = list(train_pictures)[: BASE.batch]
    latents = flux.encode_images(pipe, pixels.to_pixels([p.image for p in batch], BASE.side))
    embeddings = flux.encode_captions(pipe, [p.caption or "" for p in batch], BASE)
    model = pipe.transformer
    lora.attach(model, BASE.rank, BASE.alpha, flux.TARGET_MODULES, 0)
    sigma = torch.full((len(batch),), 0.5)
    counts = floor.products(
        model, lambda: flux.loss(model, latents, embeddings, torch.randn_like(latents), sigma)
    )
    return floor.floor(counts)


def processor() -> str:
    """Return the processor's name, and how many of its cores torch uses."""
    listed = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", listed.read_text(encoding="utf-8")) if listed.exists() else []
    return f"{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads"


def trace_row(name: str, trace: Trace, ours: Trace, losses: dict[str, float], least_time: float) -> str:
    """Return one competitor's row of the table."""
    cells = [
        name,
        f"{trace.step * 1000:.0f}",
        f"{trace.step / ours.step:.2f}",
        f"{least_time / trace.step:.0%}",
        f"{trace.memory:.2f}",
        f"{losses[name]:.4f}",
        f"{losses[name] / losses['ours'] - 1:+.1%}",
    ]
    return f"| {' | '.join(cells)} |"


def curve_row(first: int, count: int, traces: Sequence[Trace]) -> str:
    """Return the mean losses of `count` steps from step `first` (0 is the first) as a row of the table."""
    means = [f"{statistics.mean(trace.losses[first : first + count]):.3f}" for trace in traces]
    return f"| {first + 1}-{first + count} | {' | '.join(means)} |"


def page(traces: dict[str, Trace], losses: dict[str, float], least_time: float, operations: float) -> str:
    """Return RESULTS.md."""
    ours = next(iter(traces.values()))
    steps = len(ours.losses)
    versions = (
        f"Python {platform.python_version()}, torch {torch.__version__}, diffusers {diffusers.__version__}, "
        f"peft {peft.__version__}"
    )
    return "\n".join(
        [
            "# How fast the trainer is",
            "",
            f"Written by `python -m benchmarks.speed`; not edited by hand. {date.today().isoformat()}; "
            f"{processor()}; {versions}.",
            "",
            f"All train pocket on the same {BASE.side} px squares and captions: rank {BASE.rank}, batch "
            f"{BASE.batch}, rate {BASE.learning_rate:g} falling as a cosine, {steps} steps, float32, the "
            f"same layers. *ms a step* is the median, the first {FIRST} left out. *Of the floor's rate* "
            f"sets it beside {least_time * 1000:.0f} ms, the time of a step's matrix products alone "
            f"({operations / 1e9:.1f} billion operations), each shape measured in this run. *Memory* is the "
            "process's peak. *Fixed loss* is the adapter's at the same noise for all, on the pictures it "
            f"learned from; the base's is {losses['base']:.4f}.",
            "",
            "| | ms a step | times ours | of the floor's rate | memory, GB | fixed loss | beside ours |",
            "|---|---|---|---|---|---|---|",
            *(trace_row(name, trace, ours, losses, least_time) for name, trace in traces.items()),
            "",
            "The mean loss of each quarter of the steps. Every program draws its own noise, so that curves "
            "agree in the mean and not step by step.",
            "",
            f"| steps | {' | '.join(traces)} |",
            "|---" * (len(traces) + 1) + "|",
            *(curve_row(first, steps // 4, list(traces.values())) for first in range(0, steps, steps // 4)),
            "",
        ]
    )


def competitors(
    script_path: Path | None, data: Path, folder: Path
) -> dict[str, Callable[[Path, int, int], Trace]]:
    """Return what is to be timed, by name; each takes its output folder, steps and seed."""
    runs: dict[str, Callable[[Path, int, int], Trace]] = {"ours": partial(module, "ours", data)}
    if script_path:
        path = script_path.resolve()
        without_captions = shutil.copytree(
            data, folder / "without_captions", ignore=shutil.ignore_patterns("*.txt", "*.csv")
        )
        with_captions = shutil.copytree(
            data, folder / "with_captions", ignore=shutil.ignore_patterns("*.txt")
        )
        one = ["--instance_data_dir", str(without_captions)]
        each = [
            "--dataset_name",
            str(with_captions),
            "--image_column",
            "image",
            "--caption_column",
            "caption",
        ]
        runs |= {
            "diffusers' script, captions": partial(script, path, each),
            "diffusers' script, one prompt": partial(script, path, one),
        }
    return runs | {"bare loop": partial(module, "bare", data)}


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
        data, train_pictures = write_squares(folder)
        traces = {}
        for name, run in competitors(o.script, data, folder).items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            traces[name] = run(folder / re.sub(r"\W+", "_", name), o.steps, o.seed)
        losses = {name: fixed_loss(trace.adapter, train_pictures) for name, trace in traces.items()}
        losses["base"] = fixed_loss(None, train_pictures)
        text = page(traces, losses, *floor_of_a_step(train_pictures))
    (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
