"""Seconds a step and GPU memory of every base at its real size: ours beside diffusers' own script, random
weights.

`python -m benchmarks.real_size --scripts FOLDER` writes REAL_SIZE.md, and real_size.json for lesson 05.
FOLDER is diffusers' examples/dreambooth. Nothing is downloaded: what a step costs does not depend on what the
weights are, so `blank.py` makes them up. Every competitor runs alone, in a process of its own, on the same
squares with the same rank, batch and precision, and is stopped after its steps.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import blank
from benchmarks.speed import BAR, HERE, SAMPLE, run_watched
from lessons_lib.course import recorded
from lessons_lib.dataset import captions, dataset, export
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.models import bases, families, pixels
from lessons_lib.paths import RECORDED

FIRST = 4  # steps that are not timed
LONG_CAPTIONS = ("--cache_latents", "--max_sequence_length", "512")
SCRIPTS = {
    "sd15": ("train_dreambooth_lora.py", "--pre_compute_text_embeddings"),
    "sdxl": ("train_dreambooth_lora_sdxl.py",),
    "flux2-klein": ("train_dreambooth_lora_flux2_klein.py", *LONG_CAPTIONS),
    "flux1-dev": (
        "train_dreambooth_lora_flux.py",
        *LONG_CAPTIONS,
        *("--guidance_scale", "1", "--lora_layers", ",".join(families.find("flux").TARGET_MODULES)),
    ),
    "z-image": ("train_dreambooth_lora_z_image.py", *LONG_CAPTIONS),
}
LARGE = ("flux2-klein", "flux1-dev", "z-image")  # these train with gradient checkpointing


def used_memory() -> int:
    """Return the bytes of GPU memory that all programs use."""
    free, total = torch.cuda.mem_get_info()
    return total - free


@contextmanager
def peak_gpu_memory(is_over: Callable[[], bool]) -> Iterator[Callable[[], float]]:
    """Give a function that returns the most GPU memory used until `is_over`, in GB (1e9 bytes); 0 on a CPU.

    What was used before does not count.
    """
    if not torch.cuda.is_available():
        yield lambda: 0.0
        return
    before, most, done = used_memory(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05) and not is_over():
            most[0] = max(most[0], used_memory() - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: most[0] / 1e9
    finally:
        done.set()
        thread.join()


def timed(command: Sequence[str], log: Path | None, steps: int) -> dict[str, float]:
    """Run a competitor until it has trained `steps` steps.

    Returns `step` (s, the median, the first ones left out) and `memory` (GB). The steps are read from its log
    where it has one, else from its progress bar.
    """
    ends: dict[int, float] = {}

    def note(line: str) -> bool:
        if bar := BAR.search(line):
            ends.setdefault(int(bar[1]), time.monotonic())
        return len(ends) >= steps

    def is_over() -> bool:
        done = len(log.read_text().splitlines()) if log and log.exists() else len(ends)
        return done >= steps

    with peak_gpu_memory(is_over) as peak:
        run_watched(command, None if log else note)
        memory = peak()
    if log:
        ends = {row["step"]: row["seconds"] for row in map(json.loads, log.read_text().splitlines())}
    order = sorted(ends)
    gaps = [ends[b] - ends[a] for a, b in zip(order, order[1:], strict=False)][FIRST:]
    return {"step": statistics.median(gaps), "memory": memory}


@dataclass(frozen=True)
class Bench:
    """One base at one size: its weights, the pictures as squares of `side` px, the scratch folder, how long
    to train.
    """

    name: str
    model: Path
    data: Path
    folder: Path
    side: int
    steps: int

    @property
    def frugal(self) -> list[str]:
        return ["--gradient_checkpointing"] if self.name in LARGE else []

    def ours(self, place: str, *more: str) -> dict[str, Any]:
        """Return what our trainer costs, with `picture` (s) where it draws one."""
        out = self.folder / place
        command = [
            sys.executable, "-m", "benchmarks.ours", "--base", self.name, "--repository", str(self.model),
            "--side", str(self.side), "--data", str(self.data), "--out", str(out), "--steps", str(self.steps),
            "--seed", "0", *self.frugal, *more,
        ]  # fmt: skip
        costs: dict[str, Any] = timed(command, out / "log.jsonl", self.steps)
        drawing = out / "drawing.json"
        return costs | ({"picture": json.loads(drawing.read_text())} if drawing.exists() else {})

    def theirs(self, scripts: Path) -> dict[str, Any]:
        """Return what diffusers' script costs; it takes a folder of pictures without captions."""
        file, *own_options = SCRIPTS[self.name]
        base = bases.find(self.name)
        pictures_alone = self.folder / "alone"
        pictures_alone.mkdir(exist_ok=True)
        for path in self.data.glob("*.png"):
            (pictures_alone / path.name).write_bytes(path.read_bytes())
        command = [
            sys.executable, "-m", "benchmarks.stand_in", str(scripts / file),
            "--pretrained_model_name_or_path", str(self.model),
            "--instance_data_dir", str(pictures_alone),
            "--instance_prompt", "a painting in the style of mugh4l",
            "--output_dir", str(self.folder / "theirs"), "--resolution", str(self.side),
            "--train_batch_size", str(base.batch), "--rank", str(base.rank),
            "--learning_rate", str(base.learning_rate),
            "--mixed_precision", "bf16" if torch.cuda.is_available() else "no",
            "--max_train_steps", str(self.steps), "--checkpointing_steps", str(10 * self.steps),
            "--seed", "0", *self.frugal, *own_options,
        ]  # fmt: skip
        return timed(command, None, self.steps)


def competitors(bench: Bench, scripts: Path, with_compiled: bool) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return what is to be timed on one base, by name."""
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "ours": lambda: bench.ours("ours", "--draw"),
        "diffusers' script": lambda: bench.theirs(scripts),
    }
    if with_compiled:
        runs["ours, compiled"] = lambda: bench.ours("compiled", "--compile")
    return runs


def write_squares(folder: Path, side: int) -> Path:
    """Write four practice paintings as squares with captions; return their folder."""
    paintings = dataset.read(SAMPLE, side=side).train[:4]
    texts = captions.training_captions(paintings, "mugh4l", "style")
    squares = [
        Picture(p.path.with_suffix(".png"), ImageFile.of(pixels.to_square(p.image, side))) for p in paintings
    ]
    return export.write(squares, folder / "pictures", texts) / "train"


def cost_row(row: dict[str, Any], own_step: float | None) -> str:
    """Return a row of REAL_SIZE.md; `own_step` is ours on the same base, s."""
    start = f"| {row['base']} | {row['parameters'] / 1e9:.2f} | {row['side']} | {row['program']} |"
    if "step" not in row:
        return f"{start} {row['missing']} | | | | |"
    picture = f"{row['picture']:.1f}" if "picture" in row else ""
    beside = f"{row['step'] / own_step:.2f}" if own_step else ""
    return f"{start} {row['step']:.3f} | {beside} | {row['memory']:.1f} | {picture} | {row['attention']} |"


def page(record: dict[str, Any]) -> str:
    """Return REAL_SIZE.md of what was recorded."""
    rows = record["result"]["rows"]
    own_steps = {row["base"]: row["step"] for row in rows if row["program"] == "ours" and "step" in row}
    counts = sorted({str(row["steps"]) for row in rows if "step" in row})
    inference_steps = ", ".join(f"{name} {bases.find(name).num_inference_steps}" for name in own_steps)
    return "\n".join(
        [
            "# What a step costs at the real size",
            "",
            "Written by `python -m benchmarks.real_size` from notebooks/recorded/real_size.json: "
            f"{recorded.provenance(record)}.",
            "",
            "**The weights are random**: architectures, sizes and code are the real ones, the pictures they "
            "draw are noise. That tells what a step costs and nothing about what is learned.",
            "",
            f"Rank 16, batch 1, bfloat16, {' or '.join(counts)} steps, of which the first {FIRST} are not "
            f"timed; *s a step* is the median of the others. {', '.join(LARGE)}: with gradient "
            "checkpointing, in ours and in the script. *Memory* is the most that the GPU had in use from "
            "loading to the last step, encoding of captions and pictures included: what has to fit. "
            "diffusers' scripts for SD 1.5 and SDXL encode each picture anew at every step; the others, and "
            "ours, encode once. *s a picture*: one, drawn with the base's own number of steps "
            f"({inference_steps}). *Compiled*: with `compile=True`, whose first step takes longer. "
            "*Attention*: which kernels of PyTorch's. cuDNN's ended the training of FLUX.1 with an illegal "
            "memory access, in ours and in the script, so neither uses them any more.",
            *(("", record["result"]["note"]) if "note" in record["result"] else ()),
            "",
            "| base | billion parameters | px | program | s a step | beside ours | memory, GB | s a picture "
            "| attention |",
            "|---|---|---|---|---|---|---|---|---|",
            *(cost_row(row, own_steps.get(row["base"])) for row in rows),
            "",
        ]
    )


def measure(name: str, o: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for every competitor on one base; one that fails has the reason in `missing`."""
    side = 64 if o.small else bases.find(name).side
    # A model is written and read several times: where there is a file system in memory it takes that.
    in_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=in_memory if in_memory.is_dir() else None) as scratch:
        folder = Path(scratch)
        os.environ["LESSONS_CACHE"] = str(folder / "cache")
        model = blank.write(name, folder / "model", small=o.small)
        bench = Bench(name, model, write_squares(folder, side), folder, side, o.steps)
        for program, run in competitors(bench, o.scripts.resolve(), name in o.compiled).items():
            print(f"{name}, {program} ...", file=sys.stderr, flush=True)
            row = {"base": name, "side": side, "program": program, "parameters": blank.denoiser_size(name)}
            row |= {"steps": o.steps, "attention": "flash", "quantize": "none", "encoders_apart": True}
            row["gradient_checkpointing"] = name in LARGE
            try:
                row |= run()
            except RuntimeError as error:
                row["missing"] = re.sub(r"\s+", " ", str(error).strip().splitlines()[-1])[:200]
                print(error, file=sys.stderr)
            yield row


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = list(SCRIPTS)
    parser.add_argument("--scripts", type=Path, required=True, help="diffusers' examples/dreambooth")
    parser.add_argument("--bases", nargs="+", default=names, choices=names)
    parser.add_argument("--compiled", nargs="*", default=[], choices=names, help="bases to time compiled too")
    parser.add_argument("--steps", type=int, default=20, help="training steps of each (%(default)s)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the table (%(default)s)")
    parser.add_argument("--recorded", type=Path, default=RECORDED, help="folder for its rows (%(default)s)")
    parser.add_argument(
        "--small", action="store_true", help="miniatures of 64 px, only to see whether it runs"
    )
    o = parser.parse_args()
    if o.small and HERE in (o.out, o.recorded.parent / "benchmarks"):
        parser.error("--small needs --out and --recorded: its figures must not replace the real ones")
    return o


def main() -> None:
    o = parse_arguments()
    os.environ["HF_HUB_OFFLINE"] = "1"
    rows: list[dict[str, Any]] = []
    for name in o.bases:
        for row in measure(name, o):
            rows.append(row)
            recorded.save("real_size", {"rows": rows}, o.recorded, is_of_pocket=False)
    text = page(recorded.load("real_size", o.recorded))
    (o.out / "REAL_SIZE.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
