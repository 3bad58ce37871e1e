"""Where the drawings come from: a row a thing and package with the names of its drawings, and a row
a package.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

OF_A_PACKAGE = ("package", "version", "maker", "licence")
OF_DRAWINGS = ("thing", "package")
Row = Mapping[str, str]


def write(rows: Iterable[Row], folder: Path) -> None:
    """Write `provenance.csv` and `packages.csv` below the folder, of drawings' rows: thing, name, and
    what is the same for all drawings of a package.

    Raises ValueError where two rows say different things of one package.
    """
    packages: set[tuple[str, ...]] = set()
    names: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        packages.add(tuple(row[key] for key in OF_A_PACKAGE))
        known = names.setdefault(tuple(row[key] for key in OF_DRAWINGS), [])
        if row["name"] not in known:
            known.append(row["name"])
    if len({package[0] for package in packages}) < len(packages):
        raise ValueError("A package has two versions, makers or licences.")
    drawings = [(*key, " ".join(known)) for key, known in names.items()]
    _table((*OF_DRAWINGS, "names"), drawings, folder / "provenance.csv")
    _table(OF_A_PACKAGE, sorted(packages), folder / "packages.csv")


def read(folder: Path) -> list[dict[str, str]]:
    """Return the rows that `write` was given, a row a drawing."""
    with (folder / "packages.csv").open(encoding="utf-8", newline="") as file:
        packages = {row["package"]: row for row in csv.DictReader(file)}
    with (folder / "provenance.csv").open(encoding="utf-8", newline="") as file:
        tables = list(csv.DictReader(file))
    return [
        {key: row[key] for key in OF_DRAWINGS} | packages[row["package"]] | {"name": name}
        for row in tables
        for name in row["names"].split(" ")
    ]


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]], path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
