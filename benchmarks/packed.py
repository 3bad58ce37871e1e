"""What a training takes on a GPU with its frozen weights in 4 or 8 bits, at the real size, random weights.

`python -m benchmarks.packed flux1-dev --quantize nf4 --side 512 --under 9` writes packed.json beside the
other recorded runs, from where `lessons train` takes what that base needs, and ends with code 1 when the
memory was more than that many GB. On a large card PyTorch holds on to memory that it no longer needs;
`--at-most` makes it give that back, as a smaller card would. Nothing is downloaded; the folder in which the
weights are made up needs room for the whole model (flux1-dev: 34 GB).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import blank
from benchmarks.real_size import LARGE, Bench, write_squares
from lessons_lib.course import recorded
from lessons_lib.models import bases
from lessons_lib.models.quantization import KINDS
from lessons_lib.paths import RECORDED


def measure(o: argparse.Namespace) -> dict[str, Any]:
    """Return the row of one training: its settings, `step` and `picture` (s), `memory` (GB)."""
    side = 64 if o.small else o.side or bases.find(o.base).side
    in_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=in_memory if in_memory.is_dir() else None) as scratch:
        folder = Path(scratch)
        os.environ["LESSONS_CACHE"] = str(folder / "cache")
        model = blank.write(o.base, folder / "model", small=o.small)
        bench = Bench(o.base, model, write_squares(folder, side), folder, side, o.steps)
        limit = ["--at_most", str(o.at_most)] if o.at_most else []
        costs = bench.ours("packed", "--draw", "--quantize", o.quantize, *limit)
    return {
        "base": o.base, "side": side, "program": "ours", "quantize": o.quantize,
        "gradient_checkpointing": o.base in LARGE, "encoders_apart": True, "steps": o.steps,
        "parameters": blank.denoiser_size(o.base),
    } | costs  # fmt: skip


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", choices=blank.NAMES)
    parser.add_argument("--quantize", choices=KINDS, default="nf4")
    parser.add_argument("--side", type=int, metavar="PX", help="(default: the base's own)")
    parser.add_argument("--steps", type=int, default=12, help="training steps (%(default)s)")
    parser.add_argument(
        "--at-most",
        type=float,
        metavar="GB",
        help="GPU memory that PyTorch may hold: what it caches counts too",
    )
    parser.add_argument("--under", type=float, metavar="GB", help="end with code 1 when it took as much")
    parser.add_argument("--recorded", type=Path, default=RECORDED, help="folder for the row (%(default)s)")
    parser.add_argument("--small", action="store_true", help="a miniature, only to see whether it runs")
    o = parser.parse_args()
    if o.small and o.recorded == RECORDED:
        parser.error("--small needs --recorded: its figures must not replace the real ones")
    return o


def main() -> int:
    o = parse_arguments()
    os.environ["HF_HUB_OFFLINE"] = "1"
    row = measure(o)
    path = o.recorded / "packed.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["result"]["rows"] if path.is_file() else []
    same = ("base", "side", "quantize")
    others = [other for other in rows if any(other[key] != row[key] for key in same)]
    recorded.save("packed", {"rows": [*others, row]}, o.recorded, is_of_pocket=False)
    print(json.dumps(row, indent=1))
    return int(o.under is not None and row["memory"] >= o.under)


if __name__ == "__main__":
    sys.exit(main())
