"""Every code cell of every lesson on a miniature of every family: `make bases`.

A miniature is a base of random weights in a folder, named in a table that LESSONS_BASES points to. The value
of `BASE` is all that is changed in a lesson. Each lesson runs in a folder of its own, on the CPU in float32
and in bfloat16, and on the simulated device of simulated_device.py.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted(path.name.split("_")[0] for path in (ROOT / "notebooks").glob("[0-9a]*_*.ipynb"))
WORK = ROOT / "runs" / "bases"
SKIPS = Path(__file__).with_name("cells_not_run.toml")
NAMES = ("sd15", "sdxl", "flux2-klein", "flux1-dev", "z-image")
MODES = ("float32", "bfloat16", "simulated")
_ENDED = {"0": "the process ended; see output.txt"}  # what has failed until a lesson's last cell has run


def code_cells(lesson: str, base: str) -> list[str]:
    """Return the source of a lesson's code cells with another value of BASE."""
    (path,) = (ROOT / "notebooks").glob(f"{lesson}_*.ipynb")
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    word = 'BASE = bases.find("pocket")'
    if sum(word in cell for cell in cells) != 1:
        raise ValueError(f"{path.name}: expected one line {word}")
    return [cell.replace(word, f'BASE = bases.find("{base}")') for cell in cells]


def skipped(lesson: str, base: str, mode: str) -> dict[str, str]:
    """Return the reasons of cells that are not run, by the cells' first line of code."""
    return {
        row["first_line"]: row["reason"]
        for row in tomllib.loads(SKIPS.read_text(encoding="utf-8"))["cell"]
        if row["lesson"] == lesson and base in row.get("bases", [base]) and mode in row.get("modes", [mode])
    }


def run_here(base: str, mode: str, lessons: Sequence[str], work: Path) -> None:
    """Run lessons one after another in this process, and write what came of each into its folder."""
    use(mode)
    for lesson in lessons:
        place = folder_of(lesson, base, mode, work)
        os.chdir(place / "notebooks")
        with (
            open(place / "output.txt", "w", encoding="utf-8") as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
        ):
            for outcome in run_cells(lesson, base, mode):
                (place / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


def folder_of(lesson: str, base: str, mode: str, work: Path) -> Path:
    """Return the folder of a lesson, in which notebooks/ and data/ stand for the course's."""
    place = work / f"{base}_{mode}_{lesson}"
    (place / "notebooks").mkdir(parents=True, exist_ok=True)
    if not (place / "data").exists():
        (place / "data").symlink_to(ROOT / "data")
    return place


def run_cells(lesson: str, base: str, mode: str) -> Iterator[dict]:
    """Yield what has come of a lesson so far, after each cell; a cell that fails does not end it."""
    from IPython.core.interactiveshell import InteractiveShell

    shell, reasons = InteractiveShell.instance(), skipped(lesson, base, mode)
    shell.reset(new_session=False)
    start, failures, skips = time.monotonic(), dict[str, str](), dict[str, str]()
    outcome = blank_outcome(lesson, base, mode) | {"skips": skips}
    for number, source in enumerate(code_cells(lesson, f"small-{base}"), 1):
        first_line = source.splitlines()[0]
        if first_line in reasons:
            skips[str(number)] = reasons[first_line]
            continue
        print(f"--- cell {number} at {time.monotonic() - start:.1f} s", flush=True)
        result = shell.run_cell(source)
        if problem := result.error_before_exec or result.error_in_exec:
            failures[str(number)] = f"{type(problem).__name__}: {problem}"
        outcome |= {"cells": outcome["cells"] + 1, "seconds": round(time.monotonic() - start)}
        yield outcome | {"failures": failures | _ENDED}
    yield outcome | {"failures": failures}


def blank_outcome(lesson: str, base: str, mode: str) -> dict:
    """Return the outcome of a lesson whose process ended before its first cell."""
    outcome = {"lesson": lesson, "base": base, "mode": mode, "cells": 0, "seconds": 0}
    return outcome | {"failures": _ENDED, "skips": {}}


def use(mode: str) -> None:
    """Let this process compute on the CPU in a precision, or for "simulated" in bfloat16 on the simulated
    device, which is a GPU where there is one.
    """
    import dataclasses

    import simulated_device
    import torch

    from lessons_lib import session

    if mode == "simulated":
        simulated_device.activate(torch.bfloat16)
        return
    here = dataclasses.replace(session.detect(), device=torch.device("cpu"), dtype=getattr(torch, mode))
    session.detect = lambda: here
    session.current.cache_clear()


def run_apart(base: str, mode: str, lessons: Sequence[str], work: Path) -> list[dict]:
    """Return what came of lessons in a process of its own; a lesson that ended the process has failed."""
    paths = {lesson: folder_of(lesson, base, mode, work) / "outcome.json" for lesson in lessons}
    for lesson, path in paths.items():
        path.write_text(json.dumps(blank_outcome(lesson, base, mode)), encoding="utf-8")
    environment = {
        **os.environ, "LESSONS_BASES": str(work / "miniatures" / "bases.toml"), "MPLBACKEND": "agg",
        "LESSONS_CACHE": str(work / "cache"), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(work / "ipython"),
    }  # fmt: skip
    options = ["--here", "--bases", base, "--modes", mode, "--work", str(work), "--lessons", *lessons]
    subprocess.run([sys.executable, __file__, *options], env=environment)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths.values()]


def table(outcomes: list[dict]) -> str:
    """Return outcomes as Markdown, a row a lesson and base, then failures and skips in words."""
    modes = sorted({outcome["mode"] for outcome in outcomes})
    rows = [f"| lesson | base | {' | '.join(modes)} |", "|---|---|" + "---|" * len(modes)]
    by_place = {(o["lesson"], o["base"], o["mode"]): o for o in outcomes}
    for lesson, base in sorted({place[:2] for place in by_place}):
        found = [by_place.get((lesson, base, mode)) for mode in modes]
        row = [_counts(o) if o else "not run" for o in found]
        rows.append(f"| {lesson} | {base} | {' | '.join(row)} |")
    for kind in ("failures", "skips"):
        for o in outcomes:
            for number, reason in o[kind].items():
                rows.append(
                    f"{kind}: lesson {o['lesson']} on {o['base']}, {o['mode']}, cell {number}: {reason}"
                )
    totals = [sum(len(o[kind]) for o in outcomes) for kind in ("failures", "skips")]
    rows.append(f"{sum(o['cells'] for o in outcomes)} cells run, {totals[0]} failed, {totals[1]} skipped")
    return "\n".join(rows)


def _counts(outcome: dict) -> str:
    skips = f", {len(outcome['skips'])} skipped" if outcome["skips"] else ""
    return f"{outcome['cells']} run, {len(outcome['failures'])} failed{skips}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lessons", nargs="+", default=LESSONS)
    parser.add_argument("--bases", nargs="+", default=NAMES)
    parser.add_argument("--modes", nargs="+", default=MODES)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--table", action="store_true", help="print what was recorded, and run nothing")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        run_here(*args.bases, *args.modes, args.lessons, args.work)
        return 0
    if not args.table:
        import miniatures

        miniatures.write_table(args.work / "miniatures", NAMES)
        for base in args.bases:
            for mode in args.modes:
                for o in run_apart(base, mode, args.lessons, args.work):
                    failures = len(o["failures"])
                    print(f"lesson {o['lesson']} on {base}, {mode}: {o['cells']} cells, {failures} failed, "
                          f"in {o['seconds']} s", flush=True)  # fmt: skip
    paths = sorted(args.work.glob("*/outcome.json"))
    outcomes = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    print(table(outcomes))
    return int(any(outcome["failures"] for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
