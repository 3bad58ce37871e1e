"""Adapters of one base model, of this course or of other trainers, written as one into a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from lessons_lib.adapters import combine, export, files, fit
from lessons_lib.adapters.files import Adapter
from lessons_lib.adapters.run import MERGED, WEIGHTS_NAME, read_origin
from lessons_lib.dataset.messages import printable
from lessons_lib.models import bases
from lessons_lib.models.bases import Base
from lessons_lib.models.skeletons import skeletons


def merge(
    paths: Sequence[Path],
    out: Path,
    weights: Sequence[float] | None = None,
    rank: int | None = None,
    base_name: str | None = None,
    kohya: bool = False,
) -> list[str]:
    """Write the weighted sum of some adapters into a folder, and return what was done, a fact a line.

    `rank` and weights as in `combine.combine`; weights are 1 by default. A single adapter is written in this
    course's form. Raises FileNotFoundError and ValueError as `files.read` does, ValueError for an adapter
    that does not fit the base, where no base is named and none of them is a run, and for a folder that holds
    weights already.
    """
    base = _base_of(paths, base_name)
    weights = list(weights or [1.0] * len(paths))
    if (out / WEIGHTS_NAME).exists():
        raise ValueError(f"{out} holds {WEIGHTS_NAME} already; name another folder with --out")
    shapes = fit.layer_shapes(skeletons(base))
    adapters = [fit.fitted(files.read(path), base, shapes) for path in paths]
    merged = combine.combine(adapters, weights, rank)
    out.mkdir(parents=True, exist_ok=True)
    _write_origin(out, base, paths, weights, rank)
    export.write_diffusers(merged, out / WEIGHTS_NAME)
    written = [out / WEIGHTS_NAME, export.write_comfyui(out)] + ([export.write_kohya(out)] if kohya else [])
    return [
        f"merged: {len(paths)} adapters for {base.name}, {len(merged.layers)} layers, rank "
        f"{', '.join(map(str, merged.ranks))}",
        *_meeting_lines(paths, adapters),
        *_loss_lines(adapters, weights, merged, rank),
        *(f"written: {path}, {path.stat().st_size / 1e6:.1f} MB" for path in written),
    ]


def _write_origin(
    out: Path, base: Base, paths: Sequence[Path], weights: Sequence[float], rank: int | None
) -> None:
    """Write from what an adapter was merged, the folders above its parts left out."""
    triggers = [read_origin(path).get("trigger") for path in paths]
    origin = {
        "base": base.name,
        "name": out.resolve().name,
        "trigger": " ".join(filter(None, triggers)),
        "adapters": [path.resolve().name for path in paths],
        "weights": list(weights),
        "rank": rank,
    }
    (out / MERGED).write_text(json.dumps(origin, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _base_of(paths: Sequence[Path], name: str | None) -> Base:
    """Return the base model that is named, or that of the first run among some adapters."""
    names = [name] if name else [read_origin(path).get("base") for path in paths]
    if not (first := next(filter(None, names), None)):
        raise ValueError(f"{printable(paths[0])}: its file does not say its base model; name it with --base")
    return bases.find(first)


def _meeting_lines(paths: Sequence[Path], adapters: Sequence[Adapter]) -> list[str]:
    """Return how each two adapters meet: the cosine of their changes, and the layer where it is largest."""
    lines = []
    for (path, one), (other_path, other) in combinations(zip(paths, adapters, strict=True), 2):
        overlaps = combine.interference(one, other)
        if not overlaps:
            lines.append(f"{path} and {other_path}: they share no layer")
            continue
        most = max(overlaps, key=lambda overlap: abs(overlap.cosine))
        outputs = sum(overlap.outputs for overlap in overlaps) / len(overlaps)
        lines.append(
            f"{path} and {other_path}: cosine {combine.total_cosine(one, other):+.2f}, most in {most.name} "
            f"({most.cosine:+.2f}); they share {outputs:.0%} of what they write"
        )
    return lines


def _loss_lines(
    adapters: Sequence[Adapter], weights: Sequence[float], merged: Adapter, rank: int | None
) -> list[str]:
    """Return how much of the sum a cut to a rank has lost; none where nothing was cut."""
    if rank is None:
        return []
    whole = combine.combine(adapters, weights)
    difference = combine.norm(combine.combine([whole, merged], [1.0, -1.0]))
    length = combine.norm(whole)
    return [f"cut to rank {rank}: {difference / length if length else 0:.1%} of the change is lost"]
