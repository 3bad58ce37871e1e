"""Seconds a step and GPU memory of every base at its real size: ours beside diffusers' own script. Weights are random.

`python -m benchmarks.real_size --scripts FOLDER` writes REAL_SIZE.md, and real_size.json for lesson 05. FOLDER is diffusers'
examples/dreambooth.
Nothing is downloaded: what a step costs does not depend on what the weights are, so `blank.py` makes them up. Every competitor
runs alone, in a process of its own, on the same squares with the same rank, batch and precision, and is stopped after its steps.
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
from pathlib import Path
from typing import Any

import torch

from benchmarks import blank
from benchmarks.speed import BAR, HERE, SAMPLE, watched
from lessons_lib.course import recorded
from lessons_lib.dataset import captions, export, pictures
from lessons_lib.dataset.pictures import Picture
from lessons_lib.models import bases, families, pixels
from lessons_lib.paths import RECORDED

FIRST = 4  # steps that are not timed
SCRIPTS = {
    "sd15": ("train_dreambooth_lora.py", "--pre_compute_text_embeddings"),
    "sdxl": ("train_dreambooth_lora_sdxl.py",),
    "flux2-klein": ("train_dreambooth_lora_flux2_klein.py", "--cache_latents", "--max_sequence_length", "512"),
    "flux1-dev": ("train_dreambooth_lora_flux.py", "--cache_latents", "--max_sequence_length", "512", "--guidance_scale", "1",
                  "--lora_layers", ",".join(families.find("flux").TARGET_MODULES)),
    "z-image": ("train_dreambooth_lora_z_image.py", "--cache_latents", "--max_sequence_length", "512"),
}  # fmt: skip
LARGE = ("flux2-klein", "flux1-dev", "z-image")  # these keep a block's activations only while it is at work


@contextmanager
def most_memory(over: Callable[[], bool]) -> Iterator[Callable[[], float]]:
    """Give a function that returns the most GPU memory in use until it is over, in GB (1e9 bytes), less what was before; 0 on a CPU."""
    if not torch.cuda.is_available():
        yield lambda: 0.0
        return

    def used() -> int:
        free, total = torch.cuda.mem_get_info()
        return total - free

    before, most, done = used(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05) and not over():
            most[0] = max(most[0], used() - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: most[0] / 1e9
    finally:
        done.set()
        thread.join()


def timed(command: Sequence[str], log: Path | None, steps: int) -> dict[str, float]:
    """Run a competitor until it has made its steps; return `step` (s, the median, the first ones left out) and `memory` (GB).

    Its steps are read from its log where it keeps one, else from its progress bar.
    """
    ends: dict[int, float] = {}

    def note(line: str) -> bool:
        if found := BAR.search(line):
            ends.setdefault(int(found[1]), time.monotonic())
        return len(ends) >= steps

    def over() -> bool:
        made = len(log.read_text().splitlines()) if log and log.exists() else len(ends)
        return made >= steps

    with most_memory(over) as most:
        watched(command, None if log else note)
        memory = most()
    if log:
        ends = {row["step"]: row["seconds"] for row in map(json.loads, log.read_text().splitlines())}
    order = sorted(ends)
    gaps = [ends[b] - ends[a] for a, b in zip(order, order[1:], strict=False)][FIRST:]
    return {"step": statistics.median(gaps), "memory": memory}


def competitors(
    name: str, model: Path, data: Path, out: Path, scripts: Path, side: int, steps: int, compiled: bool
) -> dict[str, Callable[[], dict[str, float]]]:
    """Return what is to be timed on one base, by name."""
    frugal = ["--gradient_checkpointing"] if name in LARGE else []
    base = bases.find(name)

    def ours(place: str, *more: str) -> dict[str, float]:
        folder = out / place
        found = timed(
            [sys.executable, "-m", "benchmarks.ours", "--base", name, "--repository", str(model), "--side", str(side), "--data",
             str(data), "--out", str(folder), "--steps", str(steps), "--seed", "0", *frugal, *more], folder / "log.jsonl", steps
        )  # fmt: skip
        drawing = folder / "drawing.json"
        return found | ({"picture": json.loads(drawing.read_text())} if drawing.exists() else {})

    def theirs() -> dict[str, float]:
        file, *own = SCRIPTS[name]
        pictures_alone = out / "alone"
        pictures_alone.mkdir(exist_ok=True)
        for path in data.glob("*.png"):
            (pictures_alone / path.name).write_bytes(path.read_bytes())
        return timed(
            [sys.executable, "-m", "benchmarks.stand_in", str(scripts / file), "--pretrained_model_name_or_path", str(model),
             "--instance_data_dir", str(pictures_alone), "--instance_prompt", "a painting in the style of mugh4l", "--output_dir",
             str(out / "theirs"), "--resolution", str(side), "--train_batch_size", str(base.batch), "--rank", str(base.rank),
             "--learning_rate", str(base.learning_rate), "--mixed_precision", "bf16" if torch.cuda.is_available() else "no",
             "--max_train_steps", str(steps), "--checkpointing_steps", str(10 * steps), "--seed", "0", *frugal, *own], None, steps
        )  # fmt: skip

    runs = {"ours": lambda: ours("ours", "--draw"), "diffusers' script": theirs}
    return runs | ({"ours, compiled": lambda: ours("compiled", "--compile")} if compiled else {})


def material(folder: Path, side: int) -> Path:
    """Write four practice paintings as squares with captions; return their folder."""
    found = pictures.for_training(pictures.load(SAMPLE, side=side))[:4]
    texts = captions.captions(found, "mugh4l", "style")
    whole = [Picture(p.path.with_suffix(".png"), pixels.square(p.image, side)) for p in found]
    return export.write(whole, folder / "pictures", texts) / "train"


def page(told: dict[str, Any]) -> str:
    """Return REAL_SIZE.md of what was recorded."""
    rows = told["result"]["rows"]
    own = {row["base"]: row["step"] for row in rows if row["program"] == "ours" and "step" in row}
    lines = []
    for row in rows:
        start = f"| {row['base']} | {row['parameters'] / 1e9:.2f} | {row['side']} | {row['program']} |"
        if "step" not in row:
            lines.append(f"{start} {row['missing']} | | | | |")
            continue
        picture = f"{row['picture']:.1f}" if "picture" in row else ""
        beside = f"{row['step'] / own[row['base']]:.2f}" if row["base"] in own else ""
        lines.append(
            f"{start} {row['step']:.3f} | {beside} | {row['memory']:.1f} | {picture} | {row['attention']} |"
        )
    counts = sorted({str(row["steps"]) for row in rows if "step" in row})
    drawn = ", ".join(f"{name} {bases.find(name).num_inference_steps}" for name in own)
    return "\n".join([
        "# What a step costs at the real size", "",
        f"Written by `python -m benchmarks.real_size` from notebooks/recorded/real_size.json: {recorded.source(told)}.", "",
        "**The weights are random**: architectures, sizes and code are the real ones, the pictures they draw are noise. That tells "
        "what a step costs and nothing about what is learned.", "",
        f"Rank 16, batch 1, bfloat16, {' or '.join(counts)} steps, of which the first {FIRST} are not timed; *s a step* is the "
        f"median of the others. {', '.join(LARGE)}: with gradient checkpointing, in ours and in the script. *Memory* is the most that the GPU "
        "had in use from loading to the last step, encoding of captions and pictures included: what has to fit. diffusers' "
        "scripts for SD 1.5 and SDXL encode each picture anew at every step; the others, and ours, encode once. *s a picture*: "
        f"one, drawn with the base's own number of steps ({drawn}). *Compiled*: with `compile=True`, whose first step takes "
        "longer. *Attention*: which kernels of PyTorch's. cuDNN's ended the training of FLUX.1 with an illegal memory access, in "
        "ours and in the script, so neither uses them any more.", *(("", told["result"]["note"]) if "note" in told["result"] else ()), "",
        "| base | billion parameters | px | program | s a step | beside ours | memory, GB | s a picture | attention |",
        "|---|---|---|---|---|---|---|---|---|", *lines, "",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scripts", type=Path, required=True, help="diffusers' examples/dreambooth")
    parser.add_argument("--bases", nargs="+", default=list(SCRIPTS), choices=list(SCRIPTS))
    parser.add_argument(
        "--compiled", nargs="*", default=[], choices=list(SCRIPTS), help="bases to time compiled as well"
    )
    parser.add_argument("--steps", type=int, default=20, help="training steps of each (%(default)s)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the table (%(default)s)")
    parser.add_argument("--recorded", type=Path, default=RECORDED, help="folder for its rows (%(default)s)")
    parser.add_argument(
        "--small", action="store_true", help="miniatures of 64 px: whether it runs, not how fast"
    )
    o = parser.parse_args()
    if o.small and HERE in (o.out, o.recorded.parent / "benchmarks"):
        parser.error(
            "--small needs --out and --recorded: a miniature's figures have no place beside the real ones"
        )
    # A model is written and read several times: where there is a file system in memory it takes that.
    memory = Path("/dev/shm")
    os.environ["HF_HUB_OFFLINE"] = "1"
    rows: list[dict] = []
    for name in o.bases:
        side = 64 if o.small else bases.find(name).side
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
            folder = Path(scratch)
            os.environ["LESSONS_CACHE"] = str(folder / "cache")
            model = blank.write(name, folder / "model", small=o.small)
            data = material(folder, side)
            found = competitors(
                name, model, data, folder, o.scripts.resolve(), side, o.steps, name in o.compiled
            )
            for program, run in found.items():
                print(f"{name}, {program} ...", file=sys.stderr, flush=True)
                row = {
                    "base": name,
                    "side": side,
                    "program": program,
                    "parameters": blank.denoiser_size(name),
                    "steps": o.steps,
                    "attention": "flash",
                }
                try:
                    row |= run()
                except RuntimeError as problem:
                    row["missing"] = re.sub(r"\s+", " ", str(problem).strip().splitlines()[-1])[:200]
                    print(problem, file=sys.stderr)
                rows.append(row)
                recorded.keep("real_size", {"rows": rows}, o.recorded)
    text = page(recorded.find("real_size", o.recorded))
    (o.out / "REAL_SIZE.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
