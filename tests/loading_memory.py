"""Print as JSON, in GB, the RAM that a miniature of FLUX.1 takes while it is loaded, and what is calculated:
for the text encoders with the VAE, and for the denoiser. Its layers are so wide that its files have 0.5 GB.

    python loading_memory.py FOLDER

It is loaded on a CPU: weights that are not packed wait there for a GPU in the same way. Packed ones would be
on the GPU by then, so they are subtracted. Mapped files are not counted: the system takes their pages back.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import lessons_lib  # noqa: F401  (before PyTorch, so that threads wait as in a lesson)

# isort: split
import miniatures
import torch
from safetensors.torch import load_file, save_file

from benchmarks.architectures import BLANKS
from lessons_lib.models import families
from lessons_lib.models.bases import Base
from lessons_lib.models.sizes import loading_gb
from lessons_lib.session import Session, detect

WIDE = {
    "transformer": {
        "num_single_layers": 6, "attention_head_dim": 64, "num_attention_heads": 16,
        "joint_attention_dim": 1024, "axes_dims_rope": [16, 24, 24],
    },
    "text_encoder_2": {"d_model": 1024, "d_kv": 64, "d_ff": 4096, "num_layers": 6, "num_heads": 16},
}  # fmt: skip
ENCODERS = ("text_encoder", "text_encoder_2", "vae")


def write(folder: Path) -> Base:
    """Write the miniature in bfloat16, as large bases are published, and return its table."""
    for name, settings in WIDE.items():
        BLANKS["flux1-dev"].parts[name].small.update(settings)
    base = miniatures.write("flux1-dev", folder)
    for path in folder.glob("*/*.safetensors"):
        save_file({name: t.bfloat16() for name, t in load_file(path).items()}, path, {"format": "pt"})
    return base


def anonymous_gb() -> float:
    """Return the RAM of this process that is not of mapped files."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024e-9 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def measure(base: Base, machine: Session, names: tuple[str, ...]) -> tuple[float, float]:
    """Return the RAM that some components take at the most while they are loaded, and what is calculated."""
    calculated = loading_gb(base, machine)
    components: dict[str, Any] = dict.fromkeys(calculated.keys() - set(names))
    gc.collect()
    start, peaks, ended = anonymous_gb(), [0.0], threading.Event()

    def watch() -> None:
        while not ended.is_set():
            peaks.append(anonymous_gb() - start)
            time.sleep(0.001)

    thread = threading.Thread(target=watch)
    thread.start()
    pipe = families.find(base.family).load(base, machine, **components)
    ended.set()
    thread.join()
    on_gpu = 0.0 if base.quantize == "none" else anonymous_gb() - start
    del pipe
    return max(peaks) - on_gpu, sum(calculated[name] for name in names)


def main() -> None:
    folder, machine = Path(sys.argv[1]), replace(detect(), dtype=torch.float16)
    whole = write(folder / "whole")
    nf4 = replace(whole, quantize="nf4")
    families.find("flux").load(nf4, machine).save_pretrained(folder / "nf4")
    kinds = {"whole": whole, "nf4": nf4, "files": replace(nf4, repository=str(folder / "nf4"))}
    parts = (ENCODERS, ("transformer",))
    print(
        json.dumps({kind: [measure(base, machine, names) for names in parts] for kind, base in kinds.items()})
    )


if __name__ == "__main__":
    main()
