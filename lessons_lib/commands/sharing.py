"""What `lessons merge` and `lessons publish` take and do: adapters in one file, a run on the Hub."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lessons_lib.compat import Commands

# As in cli.py, what loads torch is imported inside the functions.


def add_parsers(commands: Commands, json_help: str) -> None:
    """Add the two commands; `json_help`: what --json is."""
    merge = commands.add_parser(
        "merge",
        help="several adapters in one file; also one of another trainer in this course's form",
        description="Put adapters of one base model into one: runs, and files of kohya's trainer, "
        "ai-toolkit, OneTrainer, PEFT and ComfyUI. Says how much they get in one another's way.",
    )
    merge.add_argument("adapters", type=Path, nargs="+", metavar="ADAPTER", help="a run's folder or a file")
    merge.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the new one goes")
    merge.add_argument("--weight", type=float, action="append", metavar="W", dest="weights",
                       help="strength of each, in their order (default: 1)")  # fmt: skip
    merge.add_argument("--rank", type=int, metavar="N", help="cut the sum to this rank (default: exact)")
    merge.add_argument("--base", metavar="NAME", help="the base model (default: the first run's)")
    merge.add_argument("--json", action="store_true", help=json_help)
    merge.add_argument("--kohya", action="store_true", help="write a file for kohya's trainer, too")

    publish = commands.add_parser(
        "publish",
        help="send a run or a merged adapter to the Hugging Face Hub, or list what would go",
        description="Send weights, card, samples and other programs' files to the Hub; never "
        "training pictures, reports or paths. Without a token it lists what would go and sends nothing.",
    )
    publish.add_argument(
        "run", type=Path, help="the folder of a run or of merged adapters, such as runs/demo"
    )
    publish.add_argument("repository", metavar="OWNER/NAME", help="where it goes; made if it is not there")
    publish.add_argument("--json", action="store_true", help=json_help)
    publish.add_argument("--dry-run", action="store_true", help="send nothing, although there is a token")
    publish.add_argument("--public", action="store_true", help="a new repository is seen by all")


def merge(args: Namespace) -> int:
    """Write adapters as one, and print what it is and how they meet."""
    from lessons_lib.adapters import merging

    merged = merging.merge(args.adapters, args.out, args.weights, args.rank, args.base, args.kohya)
    facts = {name: getattr(merged, name) for name in ("layers", "ranks", "lost", "files")}
    meetings = [dataclasses.asdict(meeting) for meeting in merged.meetings]
    args.emit("merge", folder=args.out, **dataclasses.asdict(merged.settings), **facts, meetings=meetings)
    print(*merged.lines(), sep="\n")
    return 0


def publish(args: Namespace) -> int:
    """Send a run to the Hub, or print what would go; code 1 where something keeps it back."""
    from lessons_lib.adapters import hub

    publication = hub.publish(
        args.run, args.repository, dry_run=True if args.dry_run else None, private=not args.public
    )
    args.emit(
        "publication",
        files={name: len(data) for name, data in publication.files.items()},
        addresses=publication.addresses,
        **{name: getattr(publication, name) for name in ("repository", "url", "left_out", "problems")},
    )
    print(*publication.lines(), sep="\n")
    if publication.problems:
        raise ValueError(f"{len(publication.problems)} to fix before {args.repository} is published")
    print(f"published  {publication.url}" if publication.url else _NOT_SENT)
    print(*publication.addresses, sep="\n")
    return 0


_NOT_SENT = "nothing was sent: a token of the Hub sends it, `hf auth login` once. It will be loaded by:"
COMMANDS = {"merge": merge, "publish": publish}
