"""The `lessons` command: every step of the course from a shell, with progress bars and one-line errors."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from tqdm import tqdm

from lessons_lib import train_inputs
from lessons_lib.arguments import parser
from lessons_lib.display.progress import counting_bar, training_bar

# The library is imported inside the commands: torch takes seconds to load,
# which `lessons --help` need not wait for.
if TYPE_CHECKING:
    from lessons_lib.adapters.run import Run
    from lessons_lib.dataset.dataset import Dataset
    from lessons_lib.models.bases import Base

SEEDS = (1, 2, 3)
_IS_MAIN_PROCESS = int(os.environ.get("RANK", "0")) == 0  # of those that `accelerate launch` started
INTERRUPTED = 130  # the exit code shells expect after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 1 a problem in one line, 2 a wrong call, 130 stopped with Ctrl-C."""
    args = parser().parse_args(argv)
    if not _IS_MAIN_PROCESS:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")
    try:
        return COMMANDS[args.command](args)
    except KeyboardInterrupt as stop:
        print(f"\nlessons: stopped with Ctrl-C. {stop}".rstrip(), file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, ArithmeticError, MemoryError, SafetensorError) as problem:
        print(f"lessons: {' '.join(str(problem).split())}", file=sys.stderr)
        return 1


def train(args: Namespace) -> int:
    """Read, check, train, compare: the whole job."""
    from lessons_lib.models import bases
    from lessons_lib.training import distributed
    from lessons_lib.training import train as training

    start = time.monotonic()
    settings = train_inputs.training_settings(args)
    settings.check()
    base = bases.find(settings.base)
    dataset = train_inputs.training_set(args, base, settings)
    train_inputs.print_unread(args.prompt or (), settings, base)
    settings, out, run = train_inputs.run_folder(args, dataset, settings)
    if run is None:
        with training_bar() as on_step:
            run = training.train(
                dataset, settings, out, on_step, lambda costs: tqdm.write(f"forecast {costs}"), args.resume,
                args.replace,
            )  # fmt: skip
    elif (run.folder / "before_after.jpg").is_file():
        return 0
    if not _IS_MAIN_PROCESS:
        return 0
    if distributed.is_sharded(distributed.accelerator()):
        print(f"the adapter is in {run.folder}; draw: lessons compare {run.folder}, in one process")
        return INTERRUPTED if run.stopped else 0
    _print_ending(run)
    if run.stopped:
        return INTERRUPTED
    prompts, seconds = args.prompt or (), time.monotonic() - start
    try:
        _compare(run, base, prompts, SEEDS, dataset, run.folder)
    except KeyboardInterrupt:
        print(
            f"\nstopped with Ctrl-C; the training is finished, and its adapter is in {run.folder}. "
            f"Draw before and after: lessons compare {run.folder}"
        )
        return INTERRUPTED
    print(f"learned in {seconds:.0f} s, all done in {time.monotonic() - start:.0f} s")
    return 0


def _print_ending(run: Run) -> None:
    """Print where a training was resumed, what it never saw, and how to go on where it was stopped."""
    if run.resumed_from:
        print(f"resumed from step {run.resumed_from}")
    if run.unseen:
        print(f"! {run.unseen_line}; more steps, or a larger batch, see them")
    if run.stopped:
        print(
            f"\nstopped with Ctrl-C; what was learned until then is in {run.folder}. "
            f"Draw with it: lessons compare {run.folder}. Go on: the same command again"
        )


def compare(args: Namespace) -> int:
    """Draw before and after for a run that exists."""
    from lessons_lib.adapters import files
    from lessons_lib.adapters.info import log_problems
    from lessons_lib.adapters.run import Run
    from lessons_lib.dataset.prompts import default_prompts
    from lessons_lib.dataset.records import recorded_dataset
    from lessons_lib.models import bases

    adapter = files.read(args.run)
    if not (args.run / "settings.json").is_file():
        raise ValueError(
            f"{adapter.path}: is an adapter in {adapter.form}'s format, not a run of this course, which has "
            f"a settings.json. What it holds: lessons info {args.run}"
        )
    run = Run.load(args.run)
    base = bases.find(run.settings.base)
    dataset = recorded_dataset(run.dataset, run.folder, args.pictures)
    prompts = args.prompt or default_prompts(run.settings.mode)
    train_inputs.print_unread(prompts, run.settings, base)
    for line in [str(run)] * bool(run.reason) + log_problems(run.folder):
        print(f"! {line}")
    _compare(run, base, prompts, args.seeds or SEEDS, dataset, args.out or run.folder)
    return 0


def info(args: Namespace) -> int:
    """Print what a run holds; code 1 and a line when something of it is damaged or of another program."""
    from lessons_lib.adapters import info

    lines, problems = info.facts(args.run)
    print(*lines, sep="\n", end="\n" if lines else "")
    if problems:
        raise ValueError("; ".join(problems))
    return 0


def bases(args: Namespace) -> int:
    """Print the base models, two lines each."""
    from lessons_lib.models.bases import BASES

    for base in BASES.values():
        gate = ", asks for a login" if base.gated else ""
        print(
            f"{base.name}: {base.side} px, {base.memory_gb:g} GB memory, {base.size_gb:g} GB files, "
            f"{base.licence}{gate}"
        )
        print(f"    {base.note}")
    return 0


def check(args: Namespace) -> int:
    """Print the report on a folder and a trigger word.

    Code 1 when something must be fixed before training.
    """
    from lessons_lib import storage
    from lessons_lib.dataset import dataset as datasets
    from lessons_lib.inspection import before_training, html
    from lessons_lib.inspection.report import inspect
    from lessons_lib.models import bases

    base = bases.find(args.base or "pocket")
    if args.captions:
        return _print_captions(args, base)
    dataset = datasets.scan(args.folder, pixel_bytes=0)  # nothing is trained, so no pixels stay in memory
    with counting_bar("looking", "picture") as on_picture:
        report = inspect(dataset, base, storage.cache_dir() / "image_stats", on_picture)
    print(*report.lines(), sep="\n")
    if args.html:
        args.html.write_text(html.render(report), encoding="utf-8")
        print(f"report   {args.html}")
    if args.trigger:
        from lessons_lib.dataset import captions
        from lessons_lib.models import families

        tokenizer = families.find(base.family).load_tokenizer(base)
        lines = captions.caption_warnings(report.dataset.train, args.trigger, tokenizer, base.caption_tokens)
        print(*[f"! {line}" for line in lines] or [f"{args.trigger!r} is free to take a meaning"], sep="\n")
    if must_fix := report.count("must fix"):
        print(f"{must_fix} to fix: lessons train stops at them; {before_training.OVERRULE} overrules that")
    return int(must_fix > 0)


def _print_captions(args: Namespace, base: Base) -> int:
    """Print what each picture is taught with, and to stderr what was decided and which words are not read.

    Code 1 when a caption or a table cannot be read. Raises ValueError without a trigger word.
    """
    from lessons_lib.dataset import captions
    from lessons_lib.dataset import dataset as datasets
    from lessons_lib.dataset.messages import printable
    from lessons_lib.models import families

    if not args.trigger:
        raise ValueError("--captions shows captions with the trigger word in them: name it with --trigger")
    dataset = datasets.scan(args.folder, pixel_bytes=0)
    tokenizer = families.find(base.family).load_tokenizer(base)
    overlong = captions.overlong_warnings(dataset.train, args.trigger, tokenizer, base.caption_tokens)
    for line in [*(text for _, text in dataset.problems), *dataset.notes, *overlong]:
        print(f"! {line}", file=sys.stderr)
    texts = captions.all_training_captions(dataset.train, args.trigger, args.mode or "style")
    for picture, of_picture in zip(dataset.train, texts, strict=True):
        for text in of_picture:
            print(f"{printable(picture.path)} | {text}")
    return int(bool(dataset.problems))


def fetch(args: Namespace) -> int:
    """Fetch the list of real paintings, or say that the practice paintings take their place (code 1)."""
    from lessons_lib.dataset import museum

    try:
        with counting_bar("fetching", "painting") as on_picture:
            fetched = museum.fetch(args.out, args.only, args.size, args.recommended, on_picture)
    except KeyboardInterrupt:
        print(
            f"\nstopped with Ctrl-C; what is in {args.out} is whole, and the same command goes on from there"
        )
        return INTERRUPTED
    print(*museum.report(fetched), sep="\n")
    return int(fetched.fell_back)


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "demo": train, "train": train, "compare": compare, "info": info, "bases": bases, "check": check,
    "fetch": fetch,
}  # fmt: skip


def _compare(
    run: Run, base: Base, prompts: Sequence[str], seeds: Sequence[int], dataset: Dataset, out: Path
) -> None:
    """Draw before and after, save picture and report into `out`, print the five lines and where things are.

    Without prompts the course's own are drawn.
    """
    from lessons_lib.dataset.prompts import default_prompts
    from lessons_lib.evaluation import compare, verdict
    from lessons_lib.evaluation.sampler import Sampler

    prompts = prompts or default_prompts(run.settings.mode)
    with counting_bar("drawing", "row") as on_row:
        result = compare.compare(Sampler(base), run, dataset, prompts, seeds, on_row)
    try:
        compare.save(result, out)
    except OSError as problem:
        reason = problem.strerror or problem
        raise OSError(
            f"the adapter in {run.folder} is whole, but before and after cannot be written to {out} "
            f"({reason}); free some space, then: lessons compare {run.folder}"
        ) from problem
    if result.changes_nothing:
        print("! this adapter changes nothing: before and after are the same pictures")
    print("", *verdict.lines(result), "", sep="\n")
    print(f"picture  {out / 'before_after.jpg'}")
    print(f"report   {out / 'report.html'}")
    print(
        f"adapter  {run.folder}, for any program: pipe.load_lora_weights({str(run.folder)!r}, "
        "adapter_name='learned')"
    )
    print(f"         drawn at: pipe.set_adapters('learned', {base.strength:g})")
