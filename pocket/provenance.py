"""Where the drawings come from: a row a drawing, and a row a package."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

OF_A_PACKAGE = ("package", "version", "maker", "licence")


def write(rows: Iterable[Mapping[str, object]], folder: Path) -> None:
    """Write `provenance.csv` and `packages.csv` below the folder: what is the same for all drawings of a
    package stands in the second only.

    Raises ValueError where two rows say different things of one package.
    """
    listed = [dict(row) for row in rows]
    packages = {tuple(row[key] for key in OF_A_PACKAGE) for row in listed}
    if len({package[0] for package in packages}) < len(packages):
        raise ValueError("A package has two versions, makers or licences.")
    own = [{k: v for k, v in row.items() if k not in OF_A_PACKAGE[1:]} for row in listed]
    _table(own, folder / "provenance.csv")
    _table([dict(zip(OF_A_PACKAGE, p, strict=True)) for p in sorted(packages)], folder / "packages.csv")


def _table(rows: list[dict[str, object]], path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
