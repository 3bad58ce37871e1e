"""What `lessons train` starts from, by its options: settings, dataset and the run's folder; what is said
before.
"""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lessons_lib.commands.arguments import DEMO_OUT
from lessons_lib.paths import SAMPLE, in_course, safe_name

# As in cli.py, what loads torch is imported inside the functions.
if TYPE_CHECKING:
    from lessons_lib.adapters.run import Run
    from lessons_lib.adapters.settings import Settings
    from lessons_lib.dataset.dataset import Dataset
    from lessons_lib.models.bases import Base


def training_settings(args: Namespace) -> Settings:
    """Return the settings that the options and --config give.

    A run is named after its folder, or else its trigger word. What the base needs and this machine has is
    printed. Raises ValueError when the base does not fit, or there is neither a trigger word nor --config,
    or no --out beside --config.
    """
    from lessons_lib import session
    from lessons_lib.adapters.settings import Settings, read_settings
    from lessons_lib.dataset.prompts import default_prompts, with_trigger_shortened
    from lessons_lib.models import bases, families
    from lessons_lib.training import capacity

    names = [field.name for field in dataclasses.fields(Settings)]
    options = {name: getattr(args, name) for name in names if getattr(args, name, None) is not None}
    if args.config:
        if not args.out and not args.resume:
            raise ValueError(
                "--config repeats a run: say with --out where the new one goes, or go on with it: --resume"
            )
        args.out = args.out or args.config.parent
        options = dataclasses.asdict(read_settings(args.config)[0]) | options
    elif not args.trigger or not args.trigger.split():
        raise ValueError("no trigger word: name one with --trigger, a made-up word such as v4se")
    name = safe_name(args.out.resolve().name if args.out else options["trigger"].split()[0])
    settings = Settings(**options | {"name": name})
    fit = capacity.fit(settings, bases.find(settings.base), session.current())
    print(fit)
    settings = fit.settings
    if args.prompt or not args.config:
        base = bases.find(settings.base)
        tokenizer = families.find(base.family).load_tokenizer(base)
        prompts, trigger = (args.prompt or default_prompts(settings.mode))[:2], settings.trigger
        samples = with_trigger_shortened(prompts, trigger, settings.mode, tokenizer, base.caption_tokens)
        settings = dataclasses.replace(settings, sample_prompts=samples)
    return settings


def training_set(args: Namespace, base: Base, settings: Settings) -> Dataset:
    """Return the dataset to train on and say what was found in it.

    ValueError without a folder and without --config.
    """
    from lessons_lib import session
    from lessons_lib.dataset import captions
    from lessons_lib.inspection import before_training
    from lessons_lib.models import families
    from lessons_lib.training.data import validated

    if not args.folder:
        if not args.config:
            raise ValueError("no pictures: name their folder or zip, or a run's settings with --config")
        dataset = _recorded_set(args.config, base, args.pictures)
        print(base.capability_card(session.current()))
    else:
        folder = in_course(SAMPLE) if args.command == "demo" else args.folder
        report, prior = before_training.reports_on(folder, args.prior, base)
        print(base.capability_card(session.current()))
        lines = before_training.lines_before(report)
        if prior:
            about_prior = before_training.class_picture_lines(prior, report, settings.trigger)
            lines += [f"--prior {args.prior}: {line}" for line in about_prior]
        for line in lines:
            print(f"! {line}")
        dataset = before_training.training_set(report, prior, args.hold_out, args.anyway)
    print(f"{len(dataset.train)} pictures to learn from, {len(dataset.held_out)} held out for judging")
    count = len(validated(dataset.held_out))
    if count < len(dataset.held_out):
        print(f"the loss on the way is measured on {count} of the {len(dataset.held_out)} held out")
    args.emit("dataset", train=len(dataset.train), held_out=len(dataset.held_out), prior=len(dataset.prior))
    tokenizer = families.find(base.family).load_tokenizer(base)
    for line in captions.caption_warnings(dataset.train, settings.trigger, tokenizer, base.caption_tokens):
        print(f"! {line}")
    return dataset


def _recorded_set(config: Path, base: Base, pictures: Path | None) -> Dataset:
    """Return the pictures that a run's settings.json lists, from another folder where they were moved.

    PictureError names those that are gone.
    """
    from lessons_lib.adapters.run import Run
    from lessons_lib.dataset.records import recorded_dataset

    return recorded_dataset(Run.load(config.parent).dataset, config.parent, pictures, base.side)


def run_folder(args: Namespace, dataset: Dataset, settings: Settings) -> tuple[Settings, Path, Run | None]:
    """Return the settings with the run's name, its folder, and the run where it lies there already and is
    finished.

    What is there is said. A folder that nobody named gets a number where another run lies in it.
    """
    from lessons_lib.models import bases
    from lessons_lib.training import existing
    from lessons_lib.training.train import Trainer

    out, is_given, run = args.out or Path("runs") / settings.name, args.out not in (None, DEMO_OUT), None
    if not args.replace:
        wanted = Trainer(bases.find(settings.base), dataset, settings).wanted
        place = existing.to_resume if args.resume else existing.next_free
        free = out if is_given else place(out, wanted)
        if free != out:
            print(f"! another run lies in {out}, so this one is {free}")
        out, run = free, existing.finished(free, wanted.fingerprint)
        if args.resume and (line := existing.continuation_line(out, wanted)):
            print(line)
    if run:
        print(
            f"{out} holds this run already, finished after {run.settings.steps} steps; nothing is trained "
            f"again. Draw with it: lessons compare {out}. To train it again: --replace"
        )
    return dataclasses.replace(settings, name=safe_name(out.resolve().name)), out, run


def print_unread(prompts: Sequence[str], settings: Settings, base: Base) -> None:
    """Print which words of the prompts are not read."""
    from lessons_lib.dataset.prompts import unread_lines
    from lessons_lib.models import families

    tokenizer = families.find(base.family).load_tokenizer(base)
    for line in unread_lines(prompts, settings.trigger, settings.mode, tokenizer, base.caption_tokens):
        print(f"! {line}")
