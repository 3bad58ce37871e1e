"""What the sections of a lesson cost a processor, measured by running it.

Seconds of a processor's work rather than of a clock: a busy machine measures the same as a quiet one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbclient import NotebookClient

from lessons_lib.course import recorded
from lessons_lib.paths import ROOT

NAME = "lesson_seconds"
NOTEBOOKS = ROOT / "notebooks"


def sections(book: Any) -> list[str]:
    """Return the heading that each cell of a notebook stands under, "" above the first."""
    heading, headings = "", []
    for cell in book.cells:
        match = re.search(r"^## (.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        heading = match[1] if match else heading
        headings.append(heading)
    return headings


def headings(lesson: str) -> list[str]:
    """Return the headings of a lesson in their order, "" for what stands above the first."""
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    return list(dict.fromkeys(sections(nbformat.read(path, as_version=4))))


def measure(path: Path, last: str) -> dict[str, float]:
    """Return the processor seconds of each section of a notebook, run from the top to the end of one.

    The second cell, which loads the packages, is under "". What is written goes to the notebook's runs.
    """
    book = nbformat.read(path, as_version=4)
    titles, seconds = sections(book), dict[str, float]()
    client = NotebookClient(book, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    with client.setup_kernel():
        kernel = psutil.Process(client.km.provisioner.pid)
        before = 0.0
        end = len(titles) - titles[::-1].index(last)
        for index, cell in enumerate(book.cells[:end]):
            client.execute_cell(cell, index)
            after = sum(kernel.cpu_times()[:2])
            seconds[titles[index]] = round(seconds.get(titles[index], 0.0) + after - before, 1)
            before = after
    return {heading: value for heading, value in seconds.items() if value >= 0.1}


def record(lesson: str, last: str) -> float:
    """Measure a lesson to the end of a section, beside those that are recorded; return its seconds."""
    try:
        result = recorded.load(NAME)["result"]
    except ValueError:
        result = {}
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    result[path.stem] = measure(path, last)
    recorded.save(NAME, result)
    return sum(result[path.stem].values())
