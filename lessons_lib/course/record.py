"""Every recorded run, picture, lesson and page made anew, and the sentences that no longer hold.

`python -m lessons_lib.course.record` does all of it; with `sentences` it fills in figures and checks them.
A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lessons_lib.course import sentences
from lessons_lib.paths import NOTEBOOKS, ROOT

# Runs of one group train something in common and follow one another; groups run side by side, longest first.
GROUPS = (
    (
        "lesson_02",
        "lesson_02_pages",
        "lesson_03_trigger",
        "lesson_03_captions",
        "lesson_03_switch",
        "lesson_04_rank",
    ),
    ("lesson_05",),
    ("lesson_07_record",),
    ("lesson_08_record",),
    ("lesson_10_record",),
    ("lesson_06_checkpoints",),
    ("appendix_knobs_record",),
)
PICTURES = (
    "lesson_02",
    "lesson_04",
    "lesson_05",
    "lesson_07_cards",
    "lesson_08_record",
    "appendix_knobs_record",
)
FROM_LESSONS = ("lesson_06", "lesson_09", "lesson_10", "lesson_11")  # pictures of the runs that these leave
PAGES = ("lessons_lib.course.gallery", "docs.routes")


def notebooks() -> list[Path]:
    """Return the notebooks whose sentences are held to the records."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def _run(*command: str, **environment: str) -> None:
    """Run a program of this environment in the course's folder; CalledProcessError where it fails."""
    first = Path(sys.executable).with_name(command[0])
    program = str(first if first.exists() else command[0])
    subprocess.run([program, *command[1:]], cwd=ROOT, check=True, env={**os.environ, **environment})


def _timed(title: str, *command: str, **environment: str) -> None:
    """Run a program and print how long it took."""
    start = time.monotonic()
    _run(*command, **environment)
    print(f"{title}: {(time.monotonic() - start) / 60:.1f} min", flush=True)


def _record_runs() -> None:
    """Make every recorded run anew, a group on each core: trainings this small gain little from a second."""
    cores = os.cpu_count() or 1
    lanes = min(cores, len(GROUPS))

    def record_group(group: Sequence[str]) -> None:
        for module in group:
            command = ("python", "-m", f"lessons_lib.course.{module}", "record")
            _timed(f"{module}, the recorded run", *command, OMP_NUM_THREADS=str(cores // lanes))

    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(record_group, GROUPS))


def record_all() -> None:
    """Make every recorded run, picture, lesson and page anew."""
    _record_runs()
    for module in PICTURES:
        _run("python", "-m", f"lessons_lib.course.{module}", "picture")
    _timed("the lessons", "python", "-m", "lessons_lib.course.run_lessons", "--keep")
    for module in FROM_LESSONS:
        _run("python", "-m", f"lessons_lib.course.{module}", "picture")
    for module in PAGES:
        _run("python", "-m", module)


def check(paths: Sequence[Path]) -> list[str]:
    """Fill the recorded figures into lessons; return a line for each figure that changed and each sentence
    that no longer holds.
    """
    values = sentences.figures()
    lines = [line for path in paths for line in sentences.problems(path, values)]
    for path in paths:
        sentences.fill(path, values)
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 where a sentence has to be written anew."""
    parser = argparse.ArgumentParser(prog="python -m lessons_lib.course.record", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "sentences"), default="all")
    start = time.monotonic()
    if parser.parse_args(arguments).what == "all":
        record_all()
    lines = check(notebooks())
    anew = sum(line.endswith(sentences.ANEW) for line in lines)
    print(*lines, sep="\n")
    print(f"{anew} sentences to write anew; {(time.monotonic() - start) / 60:.1f} min in all")
    return int(bool(anew))


if __name__ == "__main__":
    sys.exit(main())
