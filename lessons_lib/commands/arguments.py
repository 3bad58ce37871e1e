"""What the `lessons` command takes.

Options that set up a training, and their help, come from the fields of `Settings`.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_type_hints

from lessons_lib.adapters import settings
from lessons_lib.adapters.settings import CHOICES, EXAMPLE_TRIGGER, Settings
from lessons_lib.commands import pick, prove, sharing, workshop
from lessons_lib.paths import SAMPLE

DEMO_OUT = Path("runs/demo")
FROM_ARGUMENTS = ("sample_prompts", "name")  # fields that the command fills from --prompt and --out
_DEMO_SETTINGS = ("steps", "sample_every", "seed")
EXIT_CODES = {
    0: "done",
    1: "something must be fixed first, is damaged, is missing or failed; the last line says what",
    2: "a wrong call: an option or a value that does not exist",
    130: "stopped with Ctrl-C; what was learned until then is kept",
}
_EXAMPLES = """examples:
  lessons demo                                          the whole job on the practice paintings
  lessons check photos --trigger v4se                   what the course thinks of your pictures
  lessons train photos --trigger v4se --steps 300       your own style, before and after
  lessons train cat --trigger "th0r cat" --mode concept one cat, whatever it does
  lessons train --config runs/v4se/settings.json --out runs/again   the same run once more
  lessons compare runs/v4se --prompt "a boat" --seed 7  the same run on other prompts
  lessons pick runs/v4se                                which kept adapter to take, at which strength
  lessons merge runs/v4se other.safetensors --out runs/both   two adapters in one file
  lessons publish runs/v4se YOU/v4se                    what would go to the Hub; with a token it goes
  lessons fetch museum --recommended                    a dozen real paintings, with their rights
  lessons bases                                         the models a run can start from
  lessons prove pocket                                  whether a base runs here, as a file to send in
  lessons preflight                                     whether this machine is ready for a workshop
  lessons bundle                                        the course in one file, for a room without network
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command; its result names the subcommand in `command`."""
    top = argparse.ArgumentParser(
        prog="lessons",
        description="Teach a text-to-image model something new with LoRA, and see before and after.",
        epilog=f"{_EXAMPLES}\nexit codes:\n" + "".join(f"  {n:<5}{text}\n" for n, text in EXIT_CODES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")

    demo = commands.add_parser("demo", help="teach the practice paintings and show before and after")
    demo.set_defaults(folder=SAMPLE, trigger=EXAMPLE_TRIGGER, mode="style", base="pocket", hold_out=None,
                      anyway=False, prior=None, config=None, pictures=None)  # fmt: skip
    _add_settings(demo, _DEMO_SETTINGS)
    _add_run(demo, out=DEMO_OUT)

    train = commands.add_parser("train", help="teach a folder of pictures and show before and after")
    train.add_argument("folder", type=Path, nargs="?", help=_FOLDER_HELP)
    _add_settings(train, (f.name for f in dataclasses.fields(Settings) if f.name not in FROM_ARGUMENTS))
    train.add_argument("--config", type=Path, metavar="FILE", help=_CONFIG_HELP)
    train.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="with --config: its pictures, if moved"
    )
    train.add_argument("--prior", type=Path, metavar="FOLDER", help=_PRIOR_HELP)
    train.add_argument("--hold-out", type=int, metavar="N", help=_HOLD_OUT_HELP)
    _add_json(train)
    train.add_argument("--anyway", action="store_true", help=_ANYWAY_HELP)
    _add_run(train)

    compare = commands.add_parser("compare", help="draw before and after again, with other prompts or seeds")
    compare.add_argument("run", type=Path, help="the folder of a run, such as runs/demo")
    compare.add_argument("--pictures", type=Path, metavar="FOLDER", help="the run's pictures, if moved")
    compare.add_argument("--out", type=Path, metavar="FOLDER", help="where it goes (default: into the run)")
    compare.add_argument("--seed", action="append", type=_seed, metavar="N", dest="seeds", help="repeatable")
    _add_prompt(compare)

    info = commands.add_parser("info", help="what a run or another trainer's file holds")
    _add_json(info)
    info.add_argument("run", type=Path, help="the folder of a run, such as runs/demo, or a file")

    _add_json(commands.add_parser("bases", help="the base models a run can start from"))

    check = commands.add_parser("check", help=_CHECK_HELP, description=f"{_CHECK_HELP}. {_CHECK_CODES}")
    check.add_argument("folder", type=Path, help=_FOLDER_HELP)
    _add_settings(check, ("base", "mode"))
    check.add_argument("--trigger", metavar="WORD", help="the trigger word you think of using")
    check.add_argument("--captions", action="store_true", help=_CAPTIONS_HELP)
    check.add_argument("--prior", type=Path, metavar="FOLDER", help=_PRIOR_HELP)
    check.add_argument("--people", action="store_true", help=_PEOPLE_HELP)
    _add_json(check)
    check.add_argument("--html", type=Path, metavar="FILE", help="the report with thumbnails, as one page")

    forget = commands.add_parser("forget", help=_FORGET_HELP)
    forget.add_argument(
        "folder", type=Path, nargs="?", help="the folder or zip, also where it is gone by now"
    )
    forget.add_argument("--all", action="store_true", help="the whole cache, of every folder")

    pick.add_parser(commands, _seed)
    prove.add_parser(commands)

    fetch = commands.add_parser("fetch", help="fetch real paintings that museums give away (CC0)")
    fetch.add_argument("what", choices=("museum",), help="the course's list, data/sample_mughal/museum.csv")
    fetch.add_argument("--only", metavar="NAMES", help="some of walters,met,cleveland (default: all three)")
    fetch.add_argument(
        "--size", type=_positive, default=1024, metavar="PX", help="short side (default: 1024)"
    )
    fetch.add_argument("--out", type=Path, default=Path("museum"), metavar="FOLDER", help="(default: museum)")
    fetch.add_argument("--recommended", action="store_true", help="only the dozen for a first training")
    sharing.add_parsers(commands, _JSON_HELP)
    workshop.add_parsers(commands, _JSON_HELP)
    return top


_FORGET_HELP = "remove from the cache what came from a folder of pictures"
_JSON_HELP = "for programs: JSON, an object a line, on stdout (notebooks/PROGRAMS.md)"
_FOLDER_HELP = (
    "a folder or a zip of pictures; captions in metadata.csv or NAME.txt if you have them "
    "(notebooks/FOLDERS.md lists every layout)"
)
_CONFIG_HELP = (
    "the settings.json of a run, to repeat it; other options change it and what follows from them. Its "
    "pictures are read where they were"
)
_PRIOR_HELP = "class pictures with captions, for prior preservation"
_HOLD_OUT_HELP = (
    "pictures to judge by, where metadata.csv names no splits (default: 1 in 5 from ten on, 100 at most)"
)
_ANYWAY_HELP = "train although something must be fixed first; files that cannot be read are left out"
_CAPTIONS_HELP = "print only what each picture is taught with, a line each: path | caption"
_PEOPLE_HELP = "the pictures show people: say whose consent is not written down (consent_by, _to, _date)"
_CHECK_HELP = "say what is good and what is missing in a folder of pictures"
_CHECK_CODES = "Ends with code 1 when something must be fixed first."


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help=_JSON_HELP)


def _add_settings(command: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Add an option for each of these fields of Settings.

    What is not given is None, so that the field's default holds.
    """
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    for name in names:
        command.add_argument(settings.flag(name), dest=name, default=None, **_option(fields[name]))


def _option(f: dataclasses.Field[Any]) -> dict[str, Any]:
    """Return argparse's arguments for one field: its type or choices, and its help with the default."""
    text = f.metadata["help"]
    if isinstance(f.default, bool):
        return {"action": "store_true", "help": text}
    if f.type == "bool | None":
        return {"action": argparse.BooleanOptionalAction, "help": text}
    text += (
        "" if f.default in ("", ()) else f" (default: {'the base model' if f.default is None else f.default})"
    )
    if f.default is None:
        text = text.replace("the base model)", "the base model's own)")
    if f.name in CHOICES:
        return {"choices": CHOICES[f.name], "help": text}
    kind = str(get_type_hints(Settings)[f.name])
    convert = float if "float" in kind else int if f.name == "seed" else _positive if "int" in kind else str
    return {"type": convert, "metavar": f.metadata["metavar"], "help": text}


def _add_run(command: argparse.ArgumentParser, out: Path | None = None) -> None:
    """Add where a run goes and what is drawn of it."""
    command.add_argument("--out", type=Path, default=out, metavar="FOLDER", help="(default: runs/NAME)")
    command.add_argument(
        "--resume",
        action="store_true",
        help="insist on going on with a run that was stopped, or with a finished one when --steps is higher; "
        "without it, the same command goes on with a stopped one where it can",
    )
    command.add_argument(
        "--replace",
        action="store_true",
        help="train although another run lies in the folder; the new one takes its place",
    )
    _add_prompt(command)


def _add_prompt(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--prompt", action="append", metavar="TEXT", help="what to draw before and after; repeatable"
    )


def _seed(text: str) -> int:
    """Return a seed, for argparse: a whole number of at most 64 bits."""
    try:
        number = int(text)
    except ValueError:
        number = 2**64
    if not -(2**63) <= number < 2**64:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of at most 64 bits")
    return number


def _positive(text: str) -> int:
    """Return a whole number above zero, for argparse."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number above 0")
    return int(text)
