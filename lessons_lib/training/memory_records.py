"""How much memory recorded trainings took: at real size (benchmarks/real_size.py, packed.py), and where
somebody ran `lessons prove`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from lessons_lib.paths import PROOFS, RECORDED


@dataclass(frozen=True)
class MemoryRecord:
    """One training that was measured: on a GPU the memory in use, on a CPU that of the process, in GB.

    `encoders_apart`: whether the text encoders had left before the denoiser came.
    """

    base: str
    quantize: str
    resolution: int
    gradient_checkpointing: bool
    gigabytes: float
    encoders_apart: bool = True
    on_gpu: bool = True


@cache
def records() -> tuple[MemoryRecord, ...]:
    """Return what was measured with this library's trainer, not compiled; () without a clone.

    A proof whose training failed, or whose weights are not the published ones, measured no training of that
    base, although its file has a peak.
    """
    paths = [path for path in (RECORDED / "real_size.json", RECORDED / "packed.json") if path.is_file()]
    rows = [row for path in paths for row in json.loads(path.read_text(encoding="utf-8"))["result"]["rows"]]
    measured = [_of_real_size(row) for row in rows if row["program"] == "ours" and "memory" in row]
    proofs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(PROOFS.glob("*.json"))]
    trained = [p for p in proofs if p["weights"] == "published" and p["stages"]["train"]["ok"]]
    return (*measured, *map(_of_proof, trained))


def _of_real_size(row: dict[str, Any]) -> MemoryRecord:
    settings = row["quantize"], row["side"], row["gradient_checkpointing"]
    return MemoryRecord(row["base"], *settings, row["memory"], row["encoders_apart"])


def _of_proof(proof: dict[str, Any]) -> MemoryRecord:
    settings = proof["settings"]
    return MemoryRecord(
        proof["base"], settings["quantize"], settings["resolution"], settings["gradient_checkpointing"],
        proof["peak_memory_gb"], on_gpu=proof["machine"]["device"] != "cpu",
    )  # fmt: skip
