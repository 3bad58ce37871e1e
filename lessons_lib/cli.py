"""The `lessons` command: every step of the course from a shell, with progress bars and one-line errors."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from tqdm import tqdm

from lessons_lib.commands import pick, picture_sets, prove, sharing, train_inputs, workshop
from lessons_lib.commands.arguments import parser
from lessons_lib.commands.json_output import json_output
from lessons_lib.dataset.messages import one_line
from lessons_lib.display.progress import counting_bar, training_bar

# The library is imported inside the commands: torch takes seconds to load,
# which `lessons --help` need not wait for.
if TYPE_CHECKING:
    from lessons_lib.adapters.run import Run
    from lessons_lib.adapters.settings import Settings
    from lessons_lib.dataset.dataset import Dataset
    from lessons_lib.training.forecast import Costs
    from lessons_lib.training.loop import Step

SEEDS = (1, 2, 3)
_IS_MAIN_PROCESS = int(os.environ.get("RANK", "0")) == 0  # of those that `accelerate launch` started
INTERRUPTED = 130  # the exit code shells expect after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code, one of `arguments.EXIT_CODES`."""
    args = parser().parse_args(argv)
    if not _IS_MAIN_PROCESS:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")
    with json_output(getattr(args, "json", False)) as args.emit:
        return _run_command(args)


def _run_command(args: Namespace) -> int:
    """Run the command that was named; an error ends in a line on stderr and a code."""
    try:
        return COMMANDS[args.command](args)
    except KeyboardInterrupt as stop:
        line = f"stopped with Ctrl-C. {stop}".rstrip()
        print(f"\nlessons: {line}", file=sys.stderr)
        args.emit("error", code=INTERRUPTED, message=line)
        return INTERRUPTED
    except (ValueError, OSError, ArithmeticError, MemoryError, SafetensorError) as problem:
        line = one_line(problem, most=None)
        print(f"lessons: {line}", file=sys.stderr)
        args.emit("error", code=1, message=line)
        return 1


def train(args: Namespace) -> int:
    """Read, check, train, compare: the whole job."""
    from lessons_lib.models import bases
    from lessons_lib.training import distributed

    start = time.monotonic()
    settings = train_inputs.training_settings(args)
    base = settings.adapt(bases.find(settings.base))
    dataset = train_inputs.training_set(args, base, settings)
    train_inputs.print_unread(args.prompt or (), settings, base)
    settings, out, run = train_inputs.run_folder(args, dataset, settings)
    is_finished = run is not None
    run = run or _trained(args, dataset, settings, out)
    _emit_run(args, run)
    if is_finished and (run.folder / "before_after.jpg").is_file():
        return 0
    code = INTERRUPTED if run.stopped else 0
    if not _IS_MAIN_PROCESS:
        return code
    if distributed.is_sharded(distributed.accelerator()):
        print(f"the adapter is in {run.folder}; draw: lessons compare {run.folder}, in one process")
        return code
    _print_ending(run)
    if run.stopped:
        return code
    prompts, seconds = args.prompt or (), time.monotonic() - start
    try:
        _compare(run, prompts, SEEDS, dataset, run.folder)
        args.emit("pictures", before_after=run.folder / "before_after.jpg", report=run.folder / "report.html")
    except KeyboardInterrupt:
        print(f"\nstopped with Ctrl-C; the training is finished. {_how_to_draw(run)}")
        return INTERRUPTED
    print(f"learned in {seconds:.0f} s, all done in {time.monotonic() - start:.0f} s")
    return 0


def _how_to_draw(run: Run) -> str:
    return f"Its adapter is in {run.folder}. Draw before and after: lessons compare {run.folder}"


def _trained(args: Namespace, dataset: Dataset, settings: Settings, out: Path) -> Run:
    """Return the run that a training makes, with its steps on a progress bar."""
    from lessons_lib.training import train as training

    with training_bar() as bar:
        on_step, on_forecast = _reports(args, bar)
        return training.train(dataset, settings, out, on_step, on_forecast, args.resume, args.replace)


def _emit_run(args: Namespace, run: Run) -> None:
    values = {name: getattr(run, name) for name in ("folder", "adapter", "step", "resumed_from", "unseen")}
    args.emit("run", outcome=run.outcome.value, steps=run.settings.steps, **values)


def _reports(
    args: Namespace, bar: Callable[[Step], None]
) -> tuple[Callable[[Step], None], Callable[[Costs], None]]:
    """Return what is done at each step of a training, and with its forecast."""

    def on_step(step: Step) -> None:
        args.emit("step", **dataclasses.asdict(step))
        bar(step)

    def on_forecast(costs: Costs) -> None:
        args.emit("forecast", **dataclasses.asdict(costs))
        tqdm.write(f"forecast {costs}")

    return on_step, on_forecast


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
    from lessons_lib.adapters.run import SETTINGS, Run
    from lessons_lib.dataset.prompts import default_prompts
    from lessons_lib.dataset.records import recorded_dataset

    adapter = files.read(args.run)
    if not (args.run / SETTINGS).is_file():
        raise ValueError(
            f"{adapter.path}: is an adapter in {adapter.form}'s format, not a run of this course, which has "
            f"a settings.json. What it holds: lessons info {args.run}"
        )
    run = Run.load(args.run)
    dataset = recorded_dataset(run.dataset, run.folder, args.pictures, run.base.side)
    prompts = args.prompt or default_prompts(run.settings.mode)
    train_inputs.print_unread(prompts, run.settings, run.base)
    for line in [*([str(run)] if run.reason else []), *log_problems(run.folder)]:
        print(f"! {line}")
    _compare(run, prompts, args.seeds or SEEDS, dataset, args.out or run.folder)
    return 0


def info(args: Namespace) -> int:
    """Print what a run holds; code 1 and a line when something of it is damaged or of another program."""
    from lessons_lib.adapters import info

    lines, problems = info.facts(args.run)
    args.emit(
        "info", path=args.run, facts=dict(line.partition(": ")[::2] for line in lines), problems=problems
    )
    print(*lines, sep="\n", end="\n" if lines else "")
    if problems:
        raise ValueError("; ".join(problems))
    return 0


def bases(args: Namespace) -> int:
    """Print the base models, two lines each."""
    from lessons_lib.models.bases import BASES

    for base in BASES.values():
        args.emit("base", **dataclasses.asdict(base))
        gate = ", asks for a login" if base.gated else ""
        print(
            f"{base.name}: {base.side} px, {base.memory_gb:g} GB memory, {base.size_gb:g} GB files, "
            f"{base.licence}{gate}"
        )
        print(f"    {base.note}")
    return 0


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
    "demo": train, "train": train, "compare": compare, "info": info, "bases": bases,
    "check": picture_sets.check, "forget": picture_sets.forget, "fetch": fetch,
    "prove": prove.prove, "pick": pick.pick, **sharing.COMMANDS, **workshop.COMMANDS,
}  # fmt: skip


def _compare(run: Run, prompts: Sequence[str], seeds: Sequence[int], dataset: Dataset, out: Path) -> None:
    """Draw before and after, save picture and report into `out`, print the five lines and where things are.

    Without prompts the course's own are drawn.
    """
    from lessons_lib.adapters.model_card import adapter_name
    from lessons_lib.dataset.prompts import default_prompts
    from lessons_lib.evaluation import compare, verdict
    from lessons_lib.evaluation.sampler import Sampler

    prompts = prompts or default_prompts(run.settings.mode)
    with counting_bar("drawing", "row") as on_row:
        result = compare.compare(Sampler(run.base), run, dataset, prompts, seeds, on_row)
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
    name = adapter_name(run.settings)
    print(
        f"adapter  {run.folder}, for any program: pipe.load_lora_weights({str(run.folder)!r}, "
        f"adapter_name={name!r})"
    )
    print(f"         drawn at: pipe.set_adapters({name!r}, {run.base.strength:g})")
