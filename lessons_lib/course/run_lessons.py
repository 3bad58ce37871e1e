"""Every lesson run from top to bottom and its seconds recorded.

`python -m lessons_lib.course.run_lessons [00 07 ...] [--keep]` runs all lessons, or those that are named. A
section is given in seconds of a processor's work: a busy machine measures nearly the same as a quiet one.
With `--keep` the new outputs replace those that the lessons have.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from lessons_lib.course import recorded
from lessons_lib.paths import NOTEBOOKS

NAME = "lesson_seconds"


def lessons(*names: str) -> list[Path]:
    """Return the notebooks of the course, or those whose names begin as said: "07", "studio".

    Raises ValueError for a name that no notebook has.
    """
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in paths):
            raise ValueError(f"no lesson begins with {name!r}; there are {', '.join(p.stem for p in paths)}")
    return [path for path in paths if not names or path.name.startswith(names)]


def sections(book: NotebookNode) -> list[str]:
    """Return the heading that each cell of a notebook stands under, "" above the first."""
    heading, titles = "", []
    for cell in book.cells:
        match = re.search(r"^## (.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        heading = match[1] if match else heading
        titles.append(heading)
    return titles


def headings(path: Path) -> list[str]:
    """Return the headings of a notebook in their order, "" for what stands above the first."""
    return list(dict.fromkeys(sections(nbformat.read(path, as_version=4))))


def execute(path: Path) -> tuple[NotebookNode, dict[str, Any]]:
    """Return a notebook with new outputs, and what it took: `clock`, seconds of the whole, and `seconds`,
    those of the processor by section; "" holds the kernel's start and the packages.

    The cache is empty at first, as a learner's is. Raises CellExecutionError where a cell fails.
    """
    book = nbformat.read(path, as_version=4)
    titles, start, before = sections(book), time.monotonic(), 0.0
    seconds = dict.fromkeys(titles, 0.0)
    client = NotebookClient(
        book, timeout=600, record_timing=False, resources={"metadata": {"path": str(path.parent)}}
    )
    with tempfile.TemporaryDirectory() as cache:
        with client.setup_kernel(env={**os.environ, "LESSONS_CACHE": cache}):
            kernel = psutil.Process(client.km.provisioner.pid)
            for index, (cell, title) in enumerate(zip(book.cells, titles, strict=True)):
                client.execute_cell(cell, index)
                after = sum(kernel.cpu_times()[:4])  # also that of programs which a cell has run
                seconds[title] += after - before
                before = after
    rounded = {title: round(value, 1) for title, value in seconds.items()}
    return book, {"clock": round(time.monotonic() - start), "seconds": rounded}


def record(path: Path, keep: bool = False) -> dict[str, Any]:
    """Run a notebook, record what it took beside the others, and return that."""
    book, costs = execute(path)
    if keep:
        nbformat.write(book, path)
        strip = Path(sys.executable).with_name("nbstripout")
        subprocess.run([str(strip), "--keep-output", "--keep-count", str(path)], check=True)
    present = {lesson.stem for lesson in lessons()}
    result = {name: row for name, row in load().items() if name in present}
    result[path.stem] = {"date": date.today().isoformat(), "base": recorded.base_fingerprint(), **costs}
    recorded.save(NAME, dict(sorted(result.items())))
    return result[path.stem]


def load() -> dict[str, dict[str, Any]]:
    """Return what is recorded of the lessons: date, base, clock, seconds, by the name of the file."""
    try:
        return recorded.load(NAME)["result"]
    except ValueError:
        return {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 where a lesson has failed; the others are run all the same."""
    parser = argparse.ArgumentParser(prog="python -m lessons_lib.course.run_lessons", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="how the lesson's file begins (default: all)")
    parser.add_argument("--keep", action="store_true", help="keep the outputs in the lessons")
    options = parser.parse_args(arguments)
    failures = 0
    for path in lessons(*options.names):
        try:
            costs = record(path, options.keep)
        except CellExecutionError as problem:
            failures += 1
            print(f"{path.stem}: a cell failed, and nothing of it was kept\n{problem}", flush=True)
        else:
            work = sum(costs["seconds"].values())
            print(f"{path.stem}: {work:.0f} s of the processor, {costs['clock']} s by the clock", flush=True)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
