"""What the run folder already contains before a training starts."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from lessons_lib.adapters.run import Outcome, Run
from lessons_lib.adapters.settings import EARLIER, Settings, learned_settings
from lessons_lib.training import checkpoints, workspace


@dataclass(frozen=True)
class Existing:
    """A run or the steps of one: where, how many steps, whose.

    `fingerprint` is empty where an older version wrote it, `settings` where they are not recorded.
    `outcome` is None where the training was killed and has no adapter.
    """

    folder: Path
    steps: int
    fingerprint: str
    settings: Mapping[str, Any]
    outcome: Outcome | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.outcome is Outcome.DONE

    def may_be(self, fingerprint: str, settings: Settings) -> bool:
        """Return whether this is the training with that fingerprint.

        An unfinished run of an older version has no fingerprint, or another: True when no setting that is
        recorded differs.
        """
        if self.fingerprint == fingerprint or self.is_finished or not self.is_earlier:
            return self.fingerprint == fingerprint
        return not self.settings or not self.differences(dataclasses.replace(settings, **EARLIER))

    @property
    def is_earlier(self) -> bool:
        """Whether it may be of a version before 0.3."""
        return all(self.settings.get(name, value) == value for name, value in EARLIER.items())

    def differences(self, settings: Settings) -> str:
        """Return which settings are others than those, such as "steps 60, now 80"; empty where none is."""
        now = learned_settings(settings)
        changed = [
            f"{name.replace('_', ' ')} {self.settings[name]}, now {value}"
            for name, value in now.items()
            if name in self.settings and self.settings[name] != value
        ]
        return "; ".join(changed)

    def conflict(self, settings: Settings) -> str:
        """Return why another training cannot go here, and what to do."""
        reason = self.differences(settings) or "its pictures, captions or settings are others"
        if self.is_finished:
            return (
                f"{self.folder} holds another run, finished after {self.steps} steps ({reason}). It stays "
                "as it is: choose another folder with --out, or have it replaced with --replace"
            )
        return (
            f"{self.folder} keeps {self.steps} steps of another training ({reason}). They stay: the "
            "options it was started with go on from there. For this training choose another folder with "
            "--out, or have them replaced with --replace"
        )


def find(out: Path) -> list[Existing]:
    """Return the runs at `out`: checkpoints of an unfinished run first, then the saved run; [] if none.

    Raises ValueError where a run's settings.json is damaged.
    """
    out = workspace.run_dir(out)
    unfinished = workspace.unfinished_dir(out)
    result = [_steps_in(unfinished)]
    if not (out / "settings.json").is_file():
        return [one for one in (*result, _steps_in(out)) if one]
    run, checkpoint = Run.load(out), _steps_in(out)
    steps = checkpoint.steps if checkpoint else run.settings.steps
    values = dataclasses.asdict(run.settings)
    result.append(Existing(out, steps, run.fingerprint, values, run.outcome))
    return [one for one in result if one]


def conflict(out: Path, fingerprint: str, settings: Settings) -> str:
    """Return why a training cannot go into a folder, or an empty text."""
    others = [one for one in find(out) if not one.may_be(fingerprint, settings)]
    return others[0].conflict(settings) if others else ""


def finished(out: Path, fingerprint: str) -> Run | None:
    """Return the run in a folder when it is the training with this fingerprint and whole, else None."""
    if not (out / "settings.json").is_file():
        return None
    run = Run.load(out)
    is_whole = run.outcome is Outcome.DONE and run.adapter.is_file()
    return run if is_whole and run.fingerprint == fingerprint else None


def next_free(out: Path, fingerprint: str, settings: Settings) -> Path:
    """Return a folder for a training: `out`, or with -2, -3 ... where another run lies there."""
    return next(folder for folder in _candidates(out) if _is_free(folder, fingerprint, settings))


def check(out: Path, fingerprint: str, settings: Settings, resume: bool, replace: bool) -> bool:
    """Return whether another run at `out` will be replaced; its checkpoints are then removed.

    Raises ValueError if there is another run and `resume` is set or `replace` is not.
    """
    reason = conflict(out, fingerprint, settings)
    if reason and resume:
        raise ValueError(f"there is no unfinished run with these pictures, captions and settings: {reason}")
    if reason and not replace:
        raise ValueError(reason)
    if reason:
        remove_checkpoints(out)
    return bool(reason)


def resume_step(
    folder: Path, fingerprints: Sequence[str], settings: Settings, needed: bool, clears: bool = True
) -> int:
    """Return the step of this run's newest checkpoint. Without one, return 0 and empty the folder.

    `needed`: --resume was given. `clears`: whether this process may empty the folder (the main one).

    Raises ValueError, and removes nothing, when it is `needed` and not there, or when the folder holds the
    steps of another run, which only shows now that the pictures are encoded.
    """
    if checkpoint := checkpoints.latest(folder / "checkpoints", *fingerprints):
        return int(checkpoint["step"])
    if needed:
        raise ValueError(
            "there is no unfinished run with these pictures, captions and settings; leave --resume out to "
            "start one"
        )
    if header := checkpoints.newest_header(folder / "checkpoints"):
        raise ValueError(Existing(folder, header.step, "", header.settings).conflict(settings))
    for path in folder.iterdir() if clears else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return 0


def kept_line(out: Path, settings: Settings) -> str:
    """Return what is kept of a training that ended early."""
    steps = [one for one in find(out) if not one.is_finished]
    if not steps:
        return "Nothing of this training is kept, as it ended before the first checkpoint"
    return (
        f"{steps[0].steps} of {settings.steps} steps are kept in {steps[0].folder}, and the same command "
        "goes on from there"
    )


def remove_checkpoints(out: Path) -> None:
    """Remove the steps of interrupted and stopped trainings at the folder of a run; their adapters stay."""
    for folder in (workspace.unfinished_dir(out), out):
        for path in checkpoints.files(folder / "checkpoints"):
            path.unlink()


def _candidates(out: Path) -> Iterator[Path]:
    yield out
    for number in count(2):
        yield out.with_name(f"{out.name}-{number}")


def _is_free(out: Path, fingerprint: str, settings: Settings) -> bool:
    try:
        workspace.refuse_other_content(workspace.run_dir(out))
        return not conflict(out, fingerprint, settings)
    except ValueError:
        return False


def _steps_in(folder: Path) -> Existing | None:
    """Return the steps whose state is in a folder's checkpoints, or None."""
    header = checkpoints.newest_header(folder / "checkpoints")
    if header is None:
        return None
    fingerprint = header.fingerprint if header.settings else ""
    return Existing(folder, header.step, fingerprint, header.settings)
