"""What the `lessons` command takes: its subcommands, their options and the help text."""

from __future__ import annotations

import argparse
from pathlib import Path

from lessons_lib.adapters.settings import CHOICES
from lessons_lib.paths import SAMPLE

DEMO_TRIGGER = "mugh4l"

EXAMPLES = """examples:
  lessons demo                                          the whole job on the practice paintings
  lessons check photos --trigger v4se                   what the course thinks of your pictures
  lessons train photos --trigger v4se --steps 300       your own style, before and after
  lessons train cat --trigger "th0r cat" --mode concept one cat, whatever it does
  lessons compare runs/v4se --prompt "a boat" --seed 7  the same run on other words
  lessons fetch museum --recommended                    a dozen real paintings, with their rights
  lessons bases                                         the models a run can start from
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command; its result names the subcommand in `command`."""
    top = argparse.ArgumentParser(
        prog="lessons",
        description="Teach a text-to-image model something new with LoRA, and see before and after.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")

    demo = commands.add_parser("demo", help="teach the practice paintings and show before and after")
    demo.set_defaults(folder=SAMPLE, trigger=DEMO_TRIGGER, mode="style", base="pocket", hold_out=None)
    add_run(demo, default_out=Path("runs/demo"))

    train = commands.add_parser("train", help="teach a folder of pictures and show before and after")
    add_pictures(train)
    train.add_argument("--trigger", required=True, metavar="WORD", help="the made-up word to call it by")
    add_settings(train)
    add_run(train)

    compare = commands.add_parser("compare", help="draw before and after again, with other words or seeds")
    compare.add_argument("run", type=Path, help="the folder of a run, such as runs/demo")
    compare.add_argument("--pictures", type=Path, metavar="FOLDER", help="the run's pictures, if moved")
    compare.add_argument("--out", type=Path, metavar="FOLDER", help="where it goes (default: into the run)")
    compare.add_argument("--seed", action="append", type=int, metavar="N", dest="seeds", help="repeatable")
    add_prompt(compare)

    info = commands.add_parser("info", help="what a run holds")
    info.add_argument("run", type=Path, help="the folder of a run, such as runs/demo")

    commands.add_parser("bases", help="the base models a run can start from")

    check = commands.add_parser(
        "check",
        help="say what is good and what is missing in a folder of pictures",
        description="Report on pictures before training. Ends with code 1 when something must be fixed first.",
    )
    add_pictures(check)
    check.add_argument("--trigger", metavar="WORD", help="the word you think of using")
    check.add_argument("--html", type=Path, metavar="FILE", help="the report with thumbnails, as one page")

    fetch = commands.add_parser("fetch", help="fetch real paintings that museums give away (CC0)")
    fetch.add_argument("what", choices=("museum",), help="the course's list, data/sample_mughal/museum.csv")
    fetch.add_argument("--only", metavar="NAMES", help="some of walters,met,cleveland (default: all three)")
    fetch.add_argument("--size", type=positive, default=1024, metavar="PX", help="short side (default: 1024)")
    fetch.add_argument("--out", type=Path, default=Path("museum"), metavar="FOLDER", help="(default: museum)")
    fetch.add_argument("--recommended", action="store_true", help="only the dozen for a first training")
    return top


def add_pictures(command: argparse.ArgumentParser) -> None:
    """Add the folder, and the base model whose picture size and caption length it is checked against."""
    command.add_argument(
        "folder",
        type=Path,
        help="a folder or a zip of pictures; captions in metadata.csv or NAME.txt if you have them",
    )
    command.add_argument("--base", default="pocket", metavar="NAME", help="the base model (default: pocket)")


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add how to train; what is not given keeps the base model's own value."""
    command.add_argument(
        "--mode", choices=("style", "concept"), default="style", help="a way of painting, or one thing"
    )
    command.add_argument("--preset", choices=CHOICES["preset"], help="how long (default: standard)")
    command.add_argument("--rank", type=positive, help="rank of the LoRA layers")
    command.add_argument("--alpha", type=positive, help="scale of the LoRA layers: alpha / rank")
    command.add_argument("--lr", type=float, dest="learning_rate", metavar="RATE", help="learning rate")
    command.add_argument("--batch", type=positive, metavar="N", help="pictures that go through at once")
    command.add_argument(
        "--accumulate", type=positive, dest="gradient_accumulation_steps", metavar="N", help="batches a step"
    )
    command.add_argument("--optimizer", choices=CHOICES["optimizer"], help="(default: adamw)")
    command.add_argument(
        "--schedule", choices=CHOICES["lr_scheduler"], dest="lr_scheduler", help="(default: cosine)"
    )
    command.add_argument(
        "--ema", type=float, dest="ema_decay", metavar="DECAY", help="keep an average, such as 0.99"
    )
    command.add_argument(
        "--gradient-checkpointing", action="store_true", default=None, help="less memory, more time"
    )
    command.add_argument(
        "--compile",
        action="store_true",
        default=None,
        help="shorter steps on a GPU, after a first one that takes longer",
    )
    command.add_argument(
        "--tensorboard", action="store_true", default=None, help="write the log for TensorBoard, too"
    )
    command.add_argument(
        "--prior",
        type=Path,
        metavar="FOLDER",
        help="pictures of the class with captions, so that it stays what it was",
    )
    command.add_argument(
        "--hold-out",
        type=int,
        metavar="N",
        help="pictures kept back for judging, where metadata.csv names no splits (default: 1 in 5 of ten or more)",
    )


def add_run(command: argparse.ArgumentParser, default_out: Path | None = None) -> None:
    """Add what every training run may be told."""
    command.add_argument("--steps", type=positive, help="training steps (default: the base model's own)")
    command.add_argument(
        "--sample-every", type=positive, metavar="N", help="draw the first prompts every N steps"
    )
    command.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the training (default: 0)")
    command.add_argument(
        "--out",
        type=Path,
        default=default_out,
        metavar="FOLDER",
        help="where the run goes (default: runs/NAME)",
    )
    command.add_argument(
        "--resume",
        action="store_true",
        help="insist on going on with a run that was stopped; the same command goes on anyway where it can",
    )
    add_prompt(command)


def add_prompt(command: argparse.ArgumentParser) -> None:
    """Add what is drawn before and after."""
    command.add_argument(
        "--prompt", action="append", metavar="TEXT", help="what to draw before and after; repeatable"
    )


def positive(text: str) -> int:
    """Return a whole number above zero, for argparse."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number above 0")
    return int(text)
