"""The table of what was run with published weights, and what nobody has run yet.

`python -m lessons_lib.proof.table` prints it for README; a test compares the two.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lessons_lib.models.bases import BASES
from lessons_lib.paths import PROOFS

_TIERS = {"pocket": "CPU", "t4": "T4, 15 GB", "24gb": "24 GB GPU", "80gb": "80 GB GPU"}


def table(folder: Path = PROOFS) -> str:
    """Return a Markdown table with a row for every base that can be trained and a column for every tier."""
    proofs = {(proof["base"], proof["machine"]["tier"]): proof for proof in _published(folder)}
    rows = [f"| base | {' | '.join(_TIERS.values())} |", "|---|" + "---|" * len(_TIERS)]
    for name, base in BASES.items():
        if base.trainable:
            cells = [_cell(proofs.get((name, tier))) for tier in _TIERS]
            rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _published(folder: Path) -> list[dict[str, Any]]:
    """Return the records of bases with the weights that their makers published."""
    proofs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return [proof for proof in proofs if proof["weights"] == "published"]


def _cell(proof: dict[str, Any] | None) -> str:
    if proof is None:
        return "not yet run"
    settings, memory = proof["settings"], f"{proof['peak_memory_gb']:.1f} GB"
    weights = "" if settings["quantize"] == "none" else f"{settings['quantize']}, "
    failed = [name.replace("_", " ") for name, stage in proof["stages"].items() if not stage["ok"]]
    end = f", not {' or '.join(failed)}" if failed else ""
    return f"{proof['date']}: {weights}{settings['resolution']} px, {memory}{end}"


if __name__ == "__main__":
    print(table(), end="")
