"""Adapters of one base model, of this course or of other trainers, written as one into a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from lessons_lib.adapters import combine, export, files, fit, model_card
from lessons_lib.adapters.files import Adapter
from lessons_lib.adapters.merged import Merged, MergedSettings
from lessons_lib.adapters.model_card import Rights
from lessons_lib.adapters.run import CARD, MERGED, OTHER_FORMATS, WEIGHTS_NAME, read_origin
from lessons_lib.dataset.messages import printable
from lessons_lib.models import bases
from lessons_lib.models.bases import Base
from lessons_lib.models.skeletons import skeletons


@dataclass(frozen=True)
class Meeting:
    """How two adapters meet: the cosine of their changes as long vectors, the layer where it is largest, the
    mean share of what they write in common. `most` is empty where they share no layer.
    """

    adapters: tuple[str, str]
    cosine: float = 0.0
    most: str = ""
    most_cosine: float = 0.0
    outputs: float = 0.0

    def __str__(self) -> str:
        if not self.most:
            return f"{' and '.join(self.adapters)}: they share no layer"
        return (
            f"{' and '.join(self.adapters)}: cosine {self.cosine:+.2f}, most in {self.most} "
            f"({self.most_cosine:+.2f}); they share {self.outputs:.0%} of what they write"
        )


@dataclass(frozen=True)
class Merge:
    """What was merged and written. `lost`: the share of the change that a cut to a rank has lost, None where
    nothing was cut.
    """

    settings: MergedSettings
    layers: int
    ranks: list[int]
    meetings: list[Meeting]
    lost: float | None
    files: list[Path]

    def lines(self) -> list[str]:
        """Return it in words, a fact a line."""
        cut = (
            ""
            if self.lost is None
            else f"cut to rank {self.settings.rank}: {self.lost:.1%} of the change is lost"
        )
        return [
            f"merged: {len(self.settings.adapters)} adapters for {self.settings.base}, {self.layers} layers, "
            f"rank {', '.join(map(str, self.ranks))}",
            *map(str, self.meetings),
            *filter(None, [cut]),
            *(f"written: {path}, {path.stat().st_size / 1e6:.1f} MB" for path in self.files),
        ]


def merge(
    paths: Sequence[Path],
    out: Path,
    weights: Sequence[float] | None = None,
    rank: int | None = None,
    base_name: str | None = None,
    kohya: bool = False,
) -> Merge:
    """Write the weighted sum of some adapters into a folder, with a card, and return what was done.

    `rank` and weights as in `combine.combine`. Without weights each counts 1, and the sum is drawn at the
    base's usual strength; with them it is drawn at 1. A single adapter is written in this course's form.
    Raises FileNotFoundError and ValueError as `files.read` does, ValueError for an adapter that does not fit
    the base, where no base is named and none of them is a run, and for a folder that holds an adapter or a
    card already. Where it fails nothing is written.
    """
    base = _base_of(paths, base_name)
    strength, weights = 1.0 if weights else base.strength, list(weights or [1.0] * len(paths))
    for name in (WEIGHTS_NAME, MERGED, CARD, OTHER_FORMATS):
        if (out / name).exists():
            raise ValueError(f"{out} holds {name} already; name another folder with --out")
    shapes = fit.layer_shapes(skeletons(base))
    adapters = [fit.fitted(files.read(path), base, shapes) for path in paths]
    merged = combine.combine(adapters, weights, rank)
    lost, meetings = _lost(adapters, weights, merged) if rank else None, _meetings(paths, adapters)
    settings = _settings(out, base, paths, weights, rank, strength)
    rows = [row for path in paths for row in _rights(path)]
    written = _write(out, settings, merged, model_card.merged_readme(settings, base, rows), kohya)
    return Merge(settings, len(merged.layers), merged.ranks, meetings, lost, written)


def _write(out: Path, settings: MergedSettings, merged: Adapter, card: str, kohya: bool) -> list[Path]:
    """Write the files of a merged adapter into a folder, all or none; return those that hold weights."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".merging.", dir=out) as temporary:
        folder = Path(temporary)
        Merged(folder, settings).save()
        (folder / CARD).write_text(card, encoding="utf-8")
        export.write_diffusers(merged, folder / WEIGHTS_NAME)
        written = [folder / WEIGHTS_NAME, export.write_comfyui(folder)]
        written += [export.write_kohya(folder)] if kohya else []
        for path in sorted(folder.iterdir(), key=lambda path: path.name == WEIGHTS_NAME):  # the weights last
            os.replace(path, out / path.name)
    return [out / path.relative_to(folder) for path in written]


def _settings(
    out: Path, base: Base, paths: Sequence[Path], weights: Sequence[float], rank: int | None, strength: float
) -> MergedSettings:
    """Return from what an adapter was merged, the folders above its parts left out."""
    triggers = " ".join(filter(None, (read_origin(path).get("trigger") for path in paths)))
    names = tuple(path.resolve().name for path in paths)
    return MergedSettings(
        base.name, out.resolve().name, triggers, names, tuple(weights), rank, strength,
        bases.weights_id(base), quantize=base.quantize,
    )  # fmt: skip


def _rights(path: Path) -> list[Rights]:
    """Return the rights of the pictures that a part learned from, by its card; one row of unknown rights for
    a part whose card does not name them.
    """
    card = (path if path.is_dir() else path.parent) / CARD
    name = path.resolve().name
    try:
        rows = model_card.rights_rows(card.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        rows = []
    return [row | {"file": f"{name}/{row['file']}"} for row in rows] or [{"file": f"{name}: its pictures"}]


def _base_of(paths: Sequence[Path], name: str | None) -> Base:
    """Return the base model that is named, or that of the first run among some adapters; packed as all runs
    among them were trained, or whole.
    """
    origins = [read_origin(path) for path in paths]
    names = [name] if name else [origin.get("base") for origin in origins]
    if not (first := next(filter(None, names), None)):
        raise ValueError(f"{printable(paths[0])}: its file does not say its base model; name it with --base")
    kinds = {origin.get("quantize", "none") for origin in origins if origin.get("base")}
    return replace(bases.find(first), quantize=kinds.pop() if len(kinds) == 1 else "none")


def _meetings(paths: Sequence[Path], adapters: Sequence[Adapter]) -> list[Meeting]:
    """Return how each two adapters meet."""
    meetings = []
    for (path, one), (other_path, other) in combinations(zip(paths, adapters, strict=True), 2):
        names, overlaps = (str(path), str(other_path)), combine.interference(one, other)
        if not overlaps:
            meetings.append(Meeting(names))
            continue
        most = max(overlaps, key=lambda overlap: abs(overlap.cosine))
        outputs = sum(overlap.outputs for overlap in overlaps) / len(overlaps)
        meetings.append(Meeting(names, combine.total_cosine(one, other), most.name, most.cosine, outputs))
    return meetings


def _lost(adapters: Sequence[Adapter], weights: Sequence[float], merged: Adapter) -> float:
    """Return how much of the sum a cut to a rank has lost, 0 ... 1."""
    whole = combine.combine(adapters, weights)
    length = combine.norm(whole)
    return combine.norm(combine.combine([whole, merged], [1.0, -1.0])) / length if length else 0.0
