"""The `lessons` command: every step of the course from a shell, with progress bars and one-line errors."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from lessons_lib.arguments import parser
from lessons_lib.evaluation import verdict

# The library is imported inside the commands: torch takes seconds to load, which `lessons --help` need not wait for.
if TYPE_CHECKING:
    from lessons_lib.adapters.run import Run
    from lessons_lib.adapters.settings import Settings
    from lessons_lib.dataset.pictures import Picture
    from lessons_lib.models.bases import Base
    from lessons_lib.training.state import Step

SUBJECTS = ("an elephant", "a horse", "a tiger", "a castle")
SCENES = (
    "in a garden",
    "by the sea",
    "in a desert",
    "at night",
)  # for a concept, which is the subject itself
SEEDS = (1, 2, 3)
FOLLOWS = (
    int(os.environ.get("RANK", "0")) > 0
)  # one of several that `accelerate launch` started, and not the first
INTERRUPTED = 130  # the exit code shells expect after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 1 a problem told in one line, 2 a wrong call, 130 stopped with Ctrl-C."""
    args = parser().parse_args(argv)
    if FOLLOWS:
        sys.stdout = sys.stderr = open(os.devnull, "w")
    try:
        return COMMANDS[args.command](args)
    except KeyboardInterrupt:
        print(
            "\nlessons: stopped; a run that had not learned anything yet left nothing behind", file=sys.stderr
        )
        return INTERRUPTED
    except (ValueError, OSError, ArithmeticError, MemoryError) as problem:
        print(f"lessons: {' '.join(str(problem).split())}", file=sys.stderr)
        return 1


def train(args: Namespace) -> int:
    """Read, check, train, compare: the whole job."""
    from lessons_lib import session, storage
    from lessons_lib.dataset import captions, pictures
    from lessons_lib.inspection import report as inspection
    from lessons_lib.models import bases, families
    from lessons_lib.training import distributed
    from lessons_lib.training import train as training

    start = time.monotonic()
    base = bases.find(args.base)
    tokenizer = families.find(base.family).load_tokenizer(base)
    found = pictures.load(args.folder, side=base.side)
    report = inspection.inspect(args.folder, base, storage.cache_dir() / "looks")
    chosen, held_out = divide(found, args.hold_out, partial(inspection.held_out, report))
    print(base.capability_card(session.current()))
    for line in inspection.lines(report):
        if line.startswith("must fix"):
            print(f"! {line}")
    print(f"{len(chosen)} pictures to learn from, {len(held_out)} held out for judging")
    for line in captions.concerns(chosen, args.trigger, tokenizer, base.caption_tokens):
        print(f"! {line}")
    texts = captions.captions(chosen, args.trigger, args.mode, tokenizer, base.caption_tokens)
    prompts = args.prompt or list(SUBJECTS if args.mode == "style" else SCENES)
    settings = training_settings(
        args, [captions.with_trigger(p, args.trigger, args.mode) for p in prompts[:2]]
    )
    judges = captions.captions(held_out, args.trigger, args.mode, tokenizer, base.caption_tokens)
    prior = pictures.load(args.prior, side=base.side) if getattr(args, "prior", None) else []
    with training_bar() as on_step:
        run = training.train(
            chosen, texts, settings, args.out or Path("runs") / settings.name, on_step, args.resume,
            validation=(held_out, judges), prior=(prior, [p.caption or "" for p in prior]),
            on_forecast=lambda costs: tqdm.write(f"forecast {costs}"),
        )  # fmt: skip
    if FOLLOWS:
        return 0
    if distributed.divided(distributed.accelerator()):
        print(
            f"the adapter is in {run.folder}; before and after: lessons compare {run.folder}, in one process"
        )
        return INTERRUPTED if run.stopped else 0
    if run.went_on_from:
        print(f"went on from step {run.went_on_from}, where it was stopped")
    trained = time.monotonic() - start
    try:
        if run.stopped:
            raise KeyboardInterrupt
        judge(run, base, prompts, SEEDS, held_out, chosen, run.folder)
    except KeyboardInterrupt:
        print(
            f"\nstopped with Ctrl-C; what was learned until then is in {run.folder}. "
            f"Draw with it: lessons compare {run.folder}. Go on: the same command again"
        )
        return INTERRUPTED
    print(f"learned in {trained:.0f} s, all done in {time.monotonic() - start:.0f} s")
    return 0


def training_settings(args: Namespace, samples: Sequence[str]) -> Settings:
    """Return the settings that the options ask for; a run is named after its folder, or else its trigger word."""
    from lessons_lib.adapters.settings import Settings

    known = {field.name for field in dataclasses.fields(Settings)}
    given = {name: value for name, value in vars(args).items() if name in known and value is not None}
    name = args.out.name if args.out else args.trigger.split()[0]
    return Settings(**given, sample_prompts=tuple(samples), name=name)


def compare(args: Namespace) -> int:
    """Draw before and after for a run that exists."""
    from lessons_lib.adapters.run import Run
    from lessons_lib.models import bases

    run = Run.load(args.run)
    chosen, held_out = pictures_of(run, args.pictures)
    prompts = args.prompt or (SUBJECTS if run.settings.mode == "style" else SCENES)
    base = bases.find(run.settings.base)
    judge(run, base, prompts, args.seeds or SEEDS, held_out, chosen, args.out or run.folder)
    return 0


def info(args: Namespace) -> int:
    """Print what a run holds."""
    from lessons_lib.adapters import info

    print(*info.summary(args.run), sep="\n")
    return 0


def bases(args: Namespace) -> int:
    """Print the base models, two lines each."""
    from lessons_lib.models.bases import BASES

    for base in BASES.values():
        gate = ", asks for a login" if base.gated else ""
        print(
            f"{base.name}: {base.side} px, {base.memory_gb:g} GB memory, {base.size_gb:g} GB files, {base.licence}{gate}"
        )
        print(f"    {base.note}")
    return 0


def check(args: Namespace) -> int:
    """Print the report on a folder and a trigger word; code 1 when something must be fixed before training."""
    from lessons_lib import storage
    from lessons_lib.inspection import html
    from lessons_lib.inspection import report as inspection
    from lessons_lib.models import bases

    base = bases.find(args.base)
    with counting_bar("looking", "picture") as on_picture:
        report = inspection.inspect(args.folder, base, storage.cache_dir() / "looks", on_picture)
    print(*inspection.lines(report), sep="\n")
    if args.html:
        args.html.write_text(html.render(report), encoding="utf-8")
        print(f"report   {args.html}")
    if args.trigger:
        from lessons_lib.dataset import captions
        from lessons_lib.models import families

        tokenizer = families.find(base.family).load_tokenizer(base)
        found = captions.concerns(inspection.to_train(report), args.trigger, tokenizer, base.caption_tokens)
        print(*[f"! {line}" for line in found] or [f"{args.trigger!r} is free to take a meaning"], sep="\n")
    return int(report.count("must fix") > 0)


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


def divide(
    found: list[Picture], hold_out: int | None, choose: Callable[[float], Sequence[Path]]
) -> tuple[list[Picture], list[Picture]]:
    """Return pictures to learn from and pictures to judge by, as metadata.csv says or else as `choose(share)` does.

    Raises ValueError when fewer than three would be left to learn from.
    """
    from lessons_lib.dataset import pictures

    kept, chosen = pictures.held_out(found), pictures.for_training(found)
    if kept:
        return chosen, kept
    count = hold_out if hold_out is not None else (len(chosen) // 5 if len(chosen) >= 10 else 0)
    if count and not 0 < count <= len(chosen) - 3:
        raise ValueError(
            f"found {len(chosen)} pictures and --hold-out {count}; expected at least 3 left to learn from. "
            "Add pictures or hold fewer out"
        )
    names = set(choose(count / len(chosen))) if count else set()
    return [p for p in chosen if p.path not in names], [p for p in chosen if p.path in names]


def pictures_of(run: Run, folder: Path | None) -> tuple[list[Picture], list[Picture]]:
    """Return the pictures a run learned from and the others of their folder, which it has not seen.

    Raises ValueError when none of them is where it was.
    """
    from lessons_lib.dataset import pictures

    names = {path.name for path in run.pictures}
    source = folder or source_of(run.pictures)
    found = pictures.load(source)
    chosen = [p for p in found if p.path.name in names]
    if not chosen:
        raise ValueError(
            f"{source}: holds none of the run's pictures; expected {min(names)} among others. "
            "Name their folder with --pictures"
        )
    return chosen, [p for p in found if p.path.name not in names]


def source_of(files: Sequence[Path]) -> Path:
    """Return the folder that files came from: the one above where that holds their metadata.csv."""
    folder = Path(os.path.commonpath([path.parent for path in files]))
    return folder.parent if (folder.parent / "metadata.csv").is_file() else folder


def judge(
    run: Run,
    base: Base,
    prompts: Sequence[str],
    seeds: Sequence[int],
    held_out: list[Picture],
    chosen: list[Picture],
    out: Path,
) -> None:
    """Draw before and after, save picture and report into `out`, print the five lines and where things are."""
    from lessons_lib.dataset.dataset import Dataset
    from lessons_lib.evaluation import compare
    from lessons_lib.evaluation.sampler import Sampler

    with counting_bar("drawing", "row") as on_row:
        result = compare.compare(Sampler(base), run, Dataset(chosen, held_out), prompts, seeds, on_row)
    compare.save(result, out)
    print("", *verdict.lines(result), "", sep="\n")
    print(f"picture  {out / 'before_after.jpg'}")
    print(f"report   {out / 'report.html'}")
    print(
        f"adapter  {run.folder}, for any program: pipe.load_lora_weights({str(run.folder)!r}, adapter_name='learned')"
    )
    print(f"         drawn at: pipe.set_adapters('learned', {base.strength:g})")


@contextmanager
def training_bar() -> Iterator[Callable[[Step], None]]:
    """Give a function that shows each training step with the loss and the time left."""
    with tqdm(desc="training", unit="step", total=0) as bar:

        def show(step: Step) -> None:
            bar.total = step.steps
            held_out = "" if step.validation is None else f", held out {step.validation:.3f}"
            bar.set_postfix_str(f"loss {step.smooth_loss:.3f}{held_out}", refresh=False)
            bar.update(step.step - bar.n)

        yield show


@contextmanager
def counting_bar(doing: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows how many of something are done. The bar comes with the first: errors stand alone."""
    with ExitStack() as bars:
        first: list[tqdm] = []

        def show(done: int, total: int) -> None:
            if not first:
                first.append(bars.enter_context(tqdm(desc=doing, unit=unit, total=total)))
            first[0].update(done - first[0].n)

        yield show
