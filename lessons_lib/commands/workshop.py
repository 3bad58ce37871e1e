"""`lessons preflight` and `lessons bundle`: a machine ready for the course, also without a network."""

from __future__ import annotations

import dataclasses
import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from lessons_lib.course.bundle import INSTALLER, SYSTEMS

if TYPE_CHECKING:
    from lessons_lib.compat import Commands

SET_UP = "set_up"  # the record of what a set-up took

# As in cli.py, what loads torch is imported inside the functions.


def add_parsers(commands: Commands, json_help: str) -> None:
    """Add the two commands."""
    preflight = commands.add_parser(
        "preflight",
        help="whether this machine is ready for the course, and what will be slow",
        description="Tries packages, memory, disk, a short training, a picture, JupyterLab and a browser. "
        "A base of the Hub is fetched. Ends with code 1 when something must be fixed.",
    )
    preflight.add_argument(
        "--base", default="pocket", metavar="NAME", help="a base of `lessons bases` (default: %(default)s)"
    )
    preflight.add_argument("--json", action="store_true", help=json_help)

    bundle = commands.add_parser(
        "bundle",
        help="the course and its packages in one archive, for machines without network",
        description="Writes one zip: the course as it is here, with weights, pictures and notebooks, and the "
        "wheels of its packages for this system and this Python or another, fetched once. Unpacked on such a "
        f"machine, `python {INSTALLER}` sets the course up without network.",
    )
    bundle.add_argument("--out", type=Path, metavar="FILE", help="(default: course-SYSTEM-PYTHON.zip)")
    bundle.add_argument(
        "--for", dest="system", choices=SYSTEMS, help="for another system than this one (asks for uv)"
    )
    bundle.add_argument("--python", metavar="VERSION", help="with --for: its Python, such as 3.12")
    bundle.add_argument(
        "--try",
        dest="is_tried",
        action="store_true",
        help=f"also set it up in a folder beside it without network, and write the seconds to {SET_UP}.json",
    )


def preflight(args: Namespace) -> int:
    """Print what was tried; code 1 when something must be fixed."""
    from lessons_lib.course.preflight import Level, checks
    from lessons_lib.models import bases

    levels, start = [], time.monotonic()
    for check in checks(bases.find(args.base)):
        seconds = round(time.monotonic() - start, 1)
        args.emit("preflight", **dataclasses.asdict(check) | {"level": check.level.value, "after_s": seconds})
        print(check, flush=True)
        levels.append(check.level)
    if Level.MUST_FIX in levels:
        raise ValueError(f"{levels.count(Level.MUST_FIX)} to fix before this machine is ready for the course")
    slow = ", and slow where it says so" if Level.SLOW in levels else ""
    print(f"this machine is ready{slow}; tried in {time.monotonic() - start:.0f} s")
    return 0


def bundle(args: Namespace) -> int:
    """Write the archive, and print where it is and how it is used."""
    from lessons_lib.course import bundle, recorded

    if args.is_tried and args.system:
        raise ValueError("--try sets the archive up here, so it goes without --for")
    if args.python and not args.system:
        raise ValueError("--python goes with --for; without it the wheels are those of this Python")
    machine = bundle.Machine(args.system, args.python or bundle.python_version()) if args.system else None
    kind = str(machine or bundle.machine_kind())
    out = args.out or Path(f"course-{kind}.zip")
    print(f"fetching wheels for {kind} ...", flush=True)
    seconds, count = bundle.write(out, machine), len(bundle.course_files())
    size = out.stat().st_size / 1e6
    print(f"bundle   {out}, {size:.0f} MB with {count} files of the course; {_listed(seconds)}")
    if not (bundle.ROOT / ".git").exists():
        print("         this is no clone: every file of the folder is in it; look that none of them is yours")
    print(f"         unpack it on such a machine without network; in its folder: python {INSTALLER}")
    if args.is_tried:
        print("trying it in a folder beside it, without network ...", flush=True)
        tried, on_disk = bundle.try_out(out)
        result = {
            "kind": kind,
            "archive_mb": round(size),
            "disk_mb": round(on_disk),
            "seconds": {step: round(value) for step, value in {**seconds, **tried}.items()},
        }
        record = recorded.save(SET_UP, result, out.parent)
        print(f"tried    {_listed(tried)}; {on_disk:.0f} MB on the disk; written to {record}")
    return 0


def _listed(seconds: dict[str, float]) -> str:
    return ", ".join(f"{step} {value:.0f} s" for step, value in seconds.items())


COMMANDS = {"preflight": preflight, "bundle": bundle}
