"""A folder with an adapter that was merged from others: of which, at what strength, for which base."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from lessons_lib import storage
from lessons_lib.adapters.run import MERGED, WEIGHTS_NAME
from lessons_lib.dataset.messages import one_line
from lessons_lib.dataset.records import Record


@dataclass(frozen=True)
class MergedSettings:
    """What merged.json says. `adapters`: the parts' names, without the folders above them. `rank`: what the
    sum was cut to, None where it is exact. `strength`: what it is drawn at. `base_weights`: as a Run's.
    `sample_prompts` stands for those of a training, of which a merge has none. `quantize`: as all its runs
    were trained, or "none".
    """

    base: str
    name: str
    trigger: str
    adapters: tuple[str, ...]
    weights: tuple[float, ...]
    rank: int | None
    strength: float = 1.0
    base_weights: str = ""
    sample_prompts: tuple[str, ...] = ()
    quantize: str = "none"


@dataclass(frozen=True)
class Merged:
    """The folder of a merged adapter, with the fields of a Run that publishing reads."""

    folder: Path
    settings: MergedSettings

    @property
    def adapter(self) -> Path:
        """The weights' file."""
        return self.folder / WEIGHTS_NAME

    @property
    def samples(self) -> list[Path]:
        """No samples: nothing was drawn."""
        return []

    @property
    def dataset(self) -> dict[str, list[Record]]:
        """No pictures: those of its parts stand in their cards."""
        return {}

    def save(self) -> None:
        """Write merged.json."""
        storage.write_json(self.folder / MERGED, dataclasses.asdict(self.settings))

    @classmethod
    def load(cls, folder: Path) -> Merged:
        """Return the merged adapter of a folder. ValueError where its merged.json is damaged."""
        path = folder / MERGED
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            lists = {name: tuple(values[name]) for name in ("adapters", "weights")}
            prompts = tuple(values.get("sample_prompts", ()))
            return cls(folder, MergedSettings(**values | lists | {"sample_prompts": prompts}))
        except (KeyError, TypeError, ValueError) as problem:
            raise ValueError(
                f"{path} is damaged ({one_line(problem)}); expected what `lessons merge` wrote. Merge again"
            ) from problem
