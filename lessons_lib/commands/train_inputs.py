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
    from lessons_lib.models import bases
    from lessons_lib.training import capacity

    settings, has_prompts = _settings_of_options(args)
    name = safe_name(args.out.resolve().name if args.out else settings.trigger.split()[0])
    settings = dataclasses.replace(settings, name=name)
    fit = capacity.fit(settings, bases.find(settings.base), session.current())
    print(fit)
    if has_prompts and not args.prompt:
        return fit.settings
    return _with_sample_prompts(fit.settings, args.prompt)


def _settings_of_options(args: Namespace) -> tuple[Settings, bool]:
    """Return the settings as they are asked for, and whether their sample prompts are those of a run, with
    its trigger word.
    """
    from lessons_lib.adapters.settings import Settings, read_settings, repeated

    names = [field.name for field in dataclasses.fields(Settings)]
    options = {name: getattr(args, name) for name in names if getattr(args, name, None) is not None}
    if not args.config:
        if not args.trigger or not args.trigger.split():
            raise ValueError("no trigger word: name one with --trigger, a made-up word such as v4se")
        return Settings(**options), False
    if not args.out and not args.resume:
        raise ValueError(
            "--config repeats a run: say with --out where the new one goes, or go on with it: --resume"
        )
    args.out = args.out or args.config.parent
    run = read_settings(args.config)[0]
    settings = repeated(run, options)
    return settings, (settings.trigger, settings.mode) == (run.trigger, run.mode)


def _with_sample_prompts(settings: Settings, prompts: Sequence[str] | None) -> Settings:
    """Return settings with two of the prompts, or of the course's own, as samples, no longer than the base
    reads.
    """
    from lessons_lib.dataset.prompts import default_prompts, with_trigger_shortened
    from lessons_lib.models import bases, families

    base = bases.find(settings.base)
    tokenizer = families.find(base.family).load_tokenizer(base)
    first, trigger = (prompts or default_prompts(settings.mode))[:2], settings.trigger
    samples = with_trigger_shortened(first, trigger, settings.mode, tokenizer, base.caption_tokens)
    return dataclasses.replace(settings, sample_prompts=samples)


def training_set(args: Namespace, base: Base, settings: Settings) -> Dataset:
    """Return the dataset to train on and say what was found in it.

    ValueError without a folder and without --config, and for options that would not be read.
    """
    from lessons_lib import session
    from lessons_lib.dataset import captions
    from lessons_lib.inspection import before_training
    from lessons_lib.models import families
    from lessons_lib.training.data import validated

    _refuse_unread(args)
    if not args.folder:
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


def _refuse_unread(args: Namespace) -> None:
    """Raise ValueError where there are no pictures, or an option for them would not be read."""
    if args.folder and args.pictures:
        raise ValueError(f"--pictures is for a run's own, if moved: leave out that option, or {args.folder}")
    if args.folder:
        return
    if not args.config:
        raise ValueError("no pictures: name their folder or zip, or a run's settings with --config")
    given = {"--prior": args.prior, "--hold-out": args.hold_out, "--anyway": args.anyway or None}
    if unread := [name for name, value in given.items() if value is not None]:
        raise ValueError(
            f"{' and '.join(unread)}: name the folder of the pictures, too; --config alone takes those of "
            "the run as they were divided"
        )


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
