"""`lessons pick`: which checkpoint of a run to keep, and at which strength."""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lessons_lib.compat import Commands

_HELP = "recommend the earliest good checkpoint of a run, and a strength"
_ABOUT = (
    "Draws every adapter that a run kept (lessons train --keep-adapters --sample-every N) at several "
    "strengths, with the same prompts and seeds, and measures the style and what is left of the prompt. "
    "Of those that keep the prompt and cannot be told from the best, it recommends the earliest, says why, "
    "and writes the chart to pick.jpg."
)
_SEEDS = (1, 2)


def add_parser(commands: Commands, seed: Callable[[str], int]) -> None:
    """Add the command to the subparsers of `lessons`; `seed` reads a seed from an option."""
    pick = commands.add_parser("pick", help=_HELP, description=_ABOUT)
    pick.add_argument("run", type=Path, help="the folder of a run, such as runs/v4se")
    pick.add_argument("--pictures", type=Path, metavar="FOLDER", help="the run's pictures, if moved")
    pick.add_argument("--prompt", action="append", metavar="TEXT", help="what to draw; repeatable")
    pick.add_argument("--seed", action="append", type=seed, metavar="N", dest="seeds", help="repeatable")
    pick.add_argument(
        "--strength", action="append", type=float, metavar="S", dest="strengths",
        help="repeatable, a multiple of the base's own (default: 0.5, 0.75, 1 and 1.25)",
    )  # fmt: skip
    pick.add_argument(
        "--keep", type=float, metavar="SHARE",
        help="share of the base's prompt match that must be left (default: 0.6)",
    )  # fmt: skip
    pick.add_argument("--out", type=Path, metavar="FOLDER", help="copy the chosen adapter into this folder")


def pick(args: Namespace) -> int:
    """Print the recommendation and its reason, and write the chart."""
    from lessons_lib.adapters.run import WEIGHTS_NAME, Run
    from lessons_lib.dataset.prompts import default_prompts, unread_lines
    from lessons_lib.dataset.records import recorded_dataset
    from lessons_lib.display.progress import counting_bar
    from lessons_lib.evaluation import picker, picker_chart
    from lessons_lib.evaluation.sampler import Sampler
    from lessons_lib.models import families

    run = Run.load(args.run)
    folders = picker.checkpoints(run)  # before the base is loaded
    dataset = recorded_dataset(run.dataset, run.folder, args.pictures, run.base.side)
    prompts = args.prompt or default_prompts(run.settings.mode)
    sampler = Sampler(run.base)
    tokenizer = families.find(sampler.base.family).load_tokenizer(sampler.base)
    trigger, mode, limit = run.settings.trigger, run.settings.mode, sampler.base.caption_tokens
    for line in unread_lines(prompts, trigger, mode, tokenizer, limit):
        print(f"! {line}")
    with counting_bar("drawing", "candidate") as on_candidate:
        choice = picker.pick(
            sampler, run, dataset, prompts, args.seeds or _SEEDS, args.strengths or picker.STRENGTHS,
            on_candidate, picker.KEEP if args.keep is None else args.keep,
        )  # fmt: skip
    (run.folder / "pick.jpg").write_bytes(picker_chart.chart(choice).data)
    print(f"keep {choice.candidate}: {choice.reason}")
    for one in picker.frontier(choice.candidates):
        print(f"  {one}: style {one.style:.2f}, prompt {one.prompt_text}")
    print(f"chart    {run.folder / 'pick.jpg'}")
    adapter = folders[choice.candidate.step]
    print(f"adapter  {adapter}")
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        shutil.copy2(adapter / WEIGHTS_NAME, args.out / WEIGHTS_NAME)
        print(f"copied   {args.out / WEIGHTS_NAME}")
    return 0
