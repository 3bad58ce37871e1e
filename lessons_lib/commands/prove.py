"""`lessons prove`: a base the whole way on this machine, and one JSON file to send in."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path
from typing import Any

from lessons_lib.adapters.settings import CHOICES

_HELP = "run a base the whole way on this machine and write what happened into one file to send in"
_ABOUT = (
    "Says what the base needs and stops where it does not fit; then fetches it, trains a short adapter on "
    "four practice paintings, draws with it here, in bare diffusers and by the code on its card, and writes "
    "memory, seconds and faults to FOLDER/BASE-TIER.json. That file names no path and no person."
)


def add_parser(commands: Any) -> None:
    """Add the command to the subparsers of `lessons`."""
    prove: argparse.ArgumentParser = commands.add_parser("prove", help=_HELP, description=_ABOUT)
    prove.add_argument("base", help="a base of `lessons bases`")
    prove.add_argument("--steps", type=int, default=20, metavar="N", help="training steps (default: 20)")
    prove.add_argument("--quantize", default="auto", choices=CHOICES["quantize"], help="(default: auto)")
    prove.add_argument("--resolution", type=int, metavar="PX", help="(default: what fits)")
    prove.add_argument(
        "--out", type=Path, default=Path("runs/prove"), metavar="FOLDER", help="(default: %(default)s)"
    )


def _print_start(stage: str) -> None:
    print(f"{stage.replace('_', ' ')} ...", flush=True)


def prove(args: Namespace) -> int:
    """Prove a base. Code 1 when a stage failed; the file is written all the same."""
    from lessons_lib.adapters.settings import EXAMPLE_TRIGGER, Settings
    from lessons_lib.models import bases
    from lessons_lib.proof import record, stages

    base = bases.find(args.base)
    settings = Settings(
        base=base.name, trigger=EXAMPLE_TRIGGER, steps=args.steps, quantize=args.quantize,
        resolution=args.resolution, sample_prompts=(stages.PROMPT,),
    )  # fmt: skip
    result = stages.prove(base, args.out / base.name, settings, _print_start)
    print(result["fit"])
    for name, stage in result["stages"].items():
        ending = "done" if stage["ok"] else f"FAILED, {stage['problem']},"
        print(f"{name.replace('_', ' '):15} {ending} in {stage['seconds']:.1f} s")
    print(f"memory: {result['peak_memory_gb']:.1f} GB")
    print(f"record   {record.write(result, args.out)}")
    return int(not result["ok"])
