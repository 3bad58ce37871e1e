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

from tqdm import tqdm

from lessons_lib.arguments import parser
from lessons_lib.display.progress import counting_bar, training_bar
from lessons_lib.paths import SAMPLE, in_course

# The library is imported inside the commands: torch takes seconds to load,
# which `lessons --help` need not wait for.
if TYPE_CHECKING:
    from lessons_lib.adapters.run import Run
    from lessons_lib.adapters.settings import Settings
    from lessons_lib.dataset.dataset import Dataset
    from lessons_lib.models.bases import Base

SUBJECTS = ("an elephant", "a horse", "a tiger", "a castle")
PLACES = (
    "in a garden",
    "by the sea",
    "in a desert",
    "at night",
)  # for a concept, which is the subject itself
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
    from lessons_lib.models import bases
    from lessons_lib.training import distributed
    from lessons_lib.training import train as training

    start = time.monotonic()
    settings = training_settings(args)
    base = bases.find(settings.base)
    dataset = _training_set(args, base, settings)
    with training_bar() as on_step:
        run = training.train(
            dataset, settings, args.out or Path("runs") / settings.name, on_step,
            lambda costs: tqdm.write(f"forecast {costs}"), args.resume,
        )  # fmt: skip
    if not _IS_MAIN_PROCESS:
        return 0
    if distributed.is_sharded(distributed.accelerator()):
        print(
            f"the adapter is in {run.folder}; before and after: lessons compare {run.folder}, in one process"
        )
        return INTERRUPTED if run.stopped else 0
    if run.resumed_from:
        print(f"resumed from step {run.resumed_from}, where it was stopped")
    seconds = time.monotonic() - start
    try:
        if run.stopped:
            raise KeyboardInterrupt
        _compare(run, base, args.prompt or _prompts(settings.mode), SEEDS, dataset, run.folder)
    except KeyboardInterrupt:
        print(
            f"\nstopped with Ctrl-C; what was learned until then is in {run.folder}. "
            f"Draw with it: lessons compare {run.folder}. Go on: the same command again"
        )
        return INTERRUPTED
    print(f"learned in {seconds:.0f} s, all done in {time.monotonic() - start:.0f} s")
    return 0


def training_settings(args: Namespace) -> Settings:
    """Return the settings that the options and --config give.

    A run is named after its folder, or else its trigger word.
    Raises ValueError when there is neither a trigger word nor --config, or no --out beside --config.
    """
    from lessons_lib.adapters.settings import Settings, read_settings
    from lessons_lib.dataset.captions import with_trigger

    names = [field.name for field in dataclasses.fields(Settings)]
    options = {name: getattr(args, name) for name in names if getattr(args, name, None) is not None}
    if args.config:
        if not args.out:
            raise ValueError("--config repeats a run: say with --out where the new one goes")
        options = dataclasses.asdict(read_settings(args.config)[0]) | options
    elif not args.trigger:
        raise ValueError("no trigger word: name one with --trigger, a made-up word such as v4se")
    settings = Settings(**options)
    if args.prompt or not args.config:
        prompts = (args.prompt or _prompts(settings.mode))[:2]
        samples = tuple(with_trigger(prompt, settings.trigger, settings.mode) for prompt in prompts)
        settings = dataclasses.replace(settings, sample_prompts=samples)
    return dataclasses.replace(settings, name=args.out.name if args.out else settings.trigger.split()[0])


def _prompts(mode: str) -> list[str]:
    """Return what is drawn where no prompt is given: subjects in a style, or places for a concept."""
    return list(SUBJECTS if mode == "style" else PLACES)


def _training_set(args: Namespace, base: Base, settings: Settings) -> Dataset:
    """Return the dataset to train on and say what was found in it.

    ValueError without a folder and without --config.
    """
    from lessons_lib import session, storage
    from lessons_lib.dataset import captions
    from lessons_lib.dataset import dataset as datasets
    from lessons_lib.inspection import before_training
    from lessons_lib.inspection.report import inspect
    from lessons_lib.models import families

    if not args.folder:
        if not args.config:
            raise ValueError("no pictures: name their folder or zip, or a run's settings with --config")
        dataset = _recorded_set(args.config, base)
        print(base.capability_card(session.current()))
    else:
        folder = in_course(SAMPLE) if args.command == "demo" else args.folder
        cache = storage.cache_dir() / "image_stats"
        report = inspect(datasets.scan(folder, base.side), base, cache)
        prior = inspect(datasets.scan(args.prior, base.side), base, cache) if args.prior else None
        print(base.capability_card(session.current()))
        lines = before_training.lines_before(report)
        if prior:
            about_prior = before_training.class_picture_lines(prior, report, settings.trigger)
            lines += [f"--prior {args.prior}: {line}" for line in about_prior]
        for line in lines:
            print(f"! {line}")
        dataset = before_training.training_set(report, prior, args.hold_out, args.anyway)
    print(f"{len(dataset.train)} pictures to learn from, {len(dataset.held_out)} held out for judging")
    tokenizer = families.find(base.family).load_tokenizer(base)
    for line in captions.caption_warnings(dataset.train, settings.trigger, tokenizer, base.caption_tokens):
        print(f"! {line}")
    return dataset


def _recorded_set(config: Path, base: Base) -> Dataset:
    """Return the pictures that a run's settings.json lists, where they were.

    PictureError names one that is gone.
    """
    from lessons_lib.adapters.run import Run
    from lessons_lib.dataset.dataset import Dataset
    from lessons_lib.dataset.records import from_records

    parts = Run.load(config.parent).dataset
    train, held_out, prior = (
        from_records(parts.get(name, []), base.side) for name in ("train", "held_out", "prior")
    )
    return Dataset(train, held_out, prior)


def compare(args: Namespace) -> int:
    """Draw before and after for a run that exists."""
    from lessons_lib.adapters.run import Run
    from lessons_lib.dataset import dataset as datasets
    from lessons_lib.models import bases

    run = Run.load(args.run)
    dataset = datasets.of_run(run.pictures, args.pictures)
    prompts = args.prompt or _prompts(run.settings.mode)
    base = bases.find(run.settings.base)
    _compare(run, base, prompts, args.seeds or SEEDS, dataset, args.out or run.folder)
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
    texts = captions.training_captions(dataset.train, args.trigger, args.mode or "style")
    for picture, text in zip(dataset.train, texts, strict=True):
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
    """Draw before and after, save picture and report into `out`,
    print the five lines and where things are.
    """
    from lessons_lib.evaluation import compare, verdict
    from lessons_lib.evaluation.sampler import Sampler

    with counting_bar("drawing", "row") as on_row:
        result = compare.compare(Sampler(base), run, dataset, prompts, seeds, on_row)
    compare.save(result, out)
    print("", *verdict.lines(result), "", sep="\n")
    print(f"picture  {out / 'before_after.jpg'}")
    print(f"report   {out / 'report.html'}")
    print(
        f"adapter  {run.folder}, for any program: pipe.load_lora_weights({str(run.folder)!r}, "
        "adapter_name='learned')"
    )
    print(f"         drawn at: pipe.set_adapters('learned', {base.strength:g})")
