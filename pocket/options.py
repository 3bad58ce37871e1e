"""What can be chosen of a rented run, and its command line."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from pocket.networks import Depth
from pocket.placing import COMPOSITIONS
from pocket.wording import Mix


@dataclass(frozen=True)
class Settings:
    """What can be chosen. `batch` is of a whole run; a smaller scale makes it smaller."""

    batch: int = 1024
    peak: float = 0.02
    text_peak: float = 0.02
    guidance_peak: float = 0.005
    centre: float = 1.3
    end_share: float = 0.4  # the part of the flow stage before its rate falls
    short_from: float = 0.7  # the part of it after which captions become short
    heads_weight: float = 0.2  # of the encoders' prediction of the picture
    text_share: float = 0.3  # the encoders' rate beside the transformer's
    soft: float = 0.0  # share of a batch that is taken from the pool's scenes without harsh manners
    contrast: float = 0.0  # weight of contrastive flow matching (arXiv 2506.05350); not tried
    rank: int = 8
    lora_rate: float = 2e-3
    curves: int = 20_000
    workers: int = 3
    replays: int = 0  # batches that come again after each new one
    mix: Mix = Mix()  # of what captions say
    compiled: bool = False
    report_every: float = 20.0


# For a training from weights that know the things: a stage of text alone would unlearn what the encoders say
# of their shapes.
STEADY_SETTINGS = {"peak": 0.01, "end_share": 0.1, "heads_weight": 0.0, "text_share": 0.15, "soft": 0.7}


@dataclass(frozen=True)
class Options:
    """What a run is told; `scale` makes batches, looks and measures smaller, for trials."""

    seconds: float = 540.0
    device: str = "cpu"
    scale: float = 1.0
    depth: Depth = Depth()
    width: int = 256
    seed: int = 0
    resume: bool = False
    decoder_seconds: float = 0.0
    settings: Settings = Settings()
    pools: Mapping[Path, float] = field(default_factory=dict)  # encoded scenes, with weights
    steady: bool = False  # no stage of text alone
    after: Path | None = None  # an earlier run to go on from, as it was before its guidance
    compositions: Sequence[str] = ("free",)  # of the scenes, taken in turn


def _pool(text: str) -> tuple[Path, float]:
    name, _, weight = text.partition("=")
    return Path(name), float(weight or 1)


def parsed(arguments: list[str], about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pocket.rented", description=about)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train; on the rented machine")
    run.add_argument("archive", type=Path)
    run.add_argument("--out", type=Path, required=True)
    run.add_argument("--seconds", type=float, default=540, help="from start to end, all writing included")
    run.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    run.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="0.01 for a trial: batches, looks and measures a hundredth as large",
    )
    run.add_argument("--double", type=int, default=Depth().double)
    run.add_argument("--single", type=int, default=Depth().single)
    run.add_argument("--batch", type=int, default=Settings().batch)
    rates = f"{Settings().peak}, with --steady {STEADY_SETTINGS['peak']}"
    run.add_argument("--peak", type=float, help=f"Muon's learning rate; without it {rates}")
    run.add_argument("--contrast", type=float, default=0.0, help="weight of contrastive flow matching")
    run.add_argument("--decoder-seconds", type=float, default=0.0)
    run.add_argument(
        "--pool",
        type=_pool,
        action="append",
        default=[],
        metavar="FOLDER[=WEIGHT]",
        help="learn from the scenes of this folder (pocket.pool), over and over; may be given several times",
    )
    run.add_argument(
        "--after", type=Path, metavar="OUT", help="begin with the transformer of that run before its guidance"
    )
    run.add_argument(
        "--steady", action="store_true", help="for a short training from weights that know the things"
    )
    run.add_argument(
        "--composition",
        choices=COMPOSITIONS,
        action="append",
        help="of scenes that are painted as they are needed, batch by batch in turn; see placing.py",
    )
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--workers", type=int, default=Settings().workers, help="what draws scenes ahead")
    run.add_argument(
        "--replays", type=int, default=Settings().replays, help="batches that come again after each new one"
    )
    run.add_argument(
        "--bare",
        type=float,
        default=Settings().mix.bare,
        help="of the captions that say no look, the share that goes with a drawing as it is",
    )
    run.add_argument("--no-compile", action="store_true")
    run.add_argument("--resume", action="store_true", help="go on from the state beside OUT")
    back = commands.add_parser("join", help="put the returned parts together; at home")
    back.add_argument("parts", type=Path)
    back.add_argument("archive", type=Path)
    back.add_argument("--to", type=Path, required=True)
    back.add_argument("--teacher", action="store_true", help="the transformer before guidance was distilled")
    return parser.parse_args(arguments)
