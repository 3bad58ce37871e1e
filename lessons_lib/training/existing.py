"""What the run folder already contains before a training starts."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from lessons_lib.adapters.run import SETTINGS, Outcome, Run
from lessons_lib.adapters.settings import ResolvedSettings, Settings, earlier_values, learned_settings
from lessons_lib.dataset.messages import name_list
from lessons_lib.training import checkpoints, optimizers, workspace


@dataclass(frozen=True)
class Wanted:
    """A training that is to go into a folder: its settings, and its fingerprint for any number of steps."""

    settings: ResolvedSettings
    fingerprint_at: Callable[[int], str]

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides what is learned."""
        return self.fingerprint_at(self.settings.steps)


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

    def may_be(self, wanted: Wanted) -> bool:
        """Return whether this is the wanted training.

        An unfinished run of an older version has no fingerprint, or another: True when no setting that is
        recorded differs.
        """
        if self.fingerprint == wanted.fingerprint or self.is_finished or not self.is_earlier:
            return self.fingerprint == wanted.fingerprint
        earlier = earlier_values(wanted.settings.base)
        return not self.settings or not self.differences(dataclasses.replace(wanted.settings, **earlier))

    @property
    def is_earlier(self) -> bool:
        """Whether it may be of a version before 0.3."""
        earlier = earlier_values(self.settings.get("base", ""))
        return all(self.settings.get(name, value) == value for name, value in earlier.items())

    def is_shorter(self, wanted: Wanted) -> bool:
        """Return whether this is the wanted training with fewer steps."""
        steps = self.settings.get("steps", 0)
        return 0 < steps < wanted.settings.steps and self.fingerprint == wanted.fingerprint_at(steps)

    def differences(self, settings: Settings) -> str:
        """Return which settings are others than those, such as "steps 60, now 80"; empty where none is."""
        now = learned_settings(settings)
        changed = [
            f"{name.replace('_', ' ')} {self.settings[name]}, now {value}"
            for name, value in now.items()
            if name in self.settings and (self.settings[name] or 0) != (value or 0)  # open `compile`: False
        ]
        return "; ".join(changed)

    def conflict(self, wanted: Wanted) -> str:
        """Return why another training cannot go here, and what to do."""
        reason = self.differences(wanted.settings) or "its pictures, captions or settings are others"
        longer = f"go on to step {wanted.settings.steps} with --resume, " if self.is_shorter(wanted) else ""
        if self.is_finished:
            return (
                f"{self.folder} holds another run, finished after {self.steps} steps ({reason}). It stays "
                f"as it is: {longer}choose another folder with --out, or have it replaced with --replace"
            )
        return (
            f"{self.folder} keeps {self.steps} steps of another training ({reason}). They stay: the "
            f"options it was started with go on from there. For this training {longer}choose another folder "
            "with --out, or have them replaced with --replace"
        )


def find(out: Path) -> list[Existing]:
    """Return the runs at `out`: checkpoints of an unfinished run first, then the saved run; [] if none.

    Raises ValueError where a run's settings.json is damaged.
    """
    out = workspace.run_dir(out)
    unfinished = workspace.unfinished_dir(out)
    result = [_steps_in(unfinished)]
    if not (out / SETTINGS).is_file():
        return [one for one in (*result, _steps_in(out)) if one]
    run, checkpoint = Run.load(out), _steps_in(out)
    steps = checkpoint.steps if checkpoint else run.settings.steps
    values = dataclasses.asdict(run.settings)
    result.append(Existing(out, steps, run.fingerprint, values, run.outcome))
    return [one for one in result if one]


def conflict(out: Path, wanted: Wanted) -> str:
    """Return why a training cannot go into a folder, or an empty text."""
    others = [one for one in find(out) if not one.may_be(wanted)]
    return others[0].conflict(wanted) if others else ""


def finished(out: Path, fingerprint: str) -> Run | None:
    """Return the run in a folder when it is the training with this fingerprint and whole, else None."""
    if not (out / SETTINGS).is_file():
        return None
    run = Run.load(out)
    is_whole = run.outcome is Outcome.DONE and run.adapter.is_file()
    return run if is_whole and run.fingerprint == fingerprint else None


def next_free(out: Path, wanted: Wanted) -> Path:
    """Return a folder for a training: `out`, or with -2, -3 ... where another run lies there."""
    return next(folder for folder in _candidates(out) if _is_free(folder, wanted))


def to_resume(out: Path, wanted: Wanted) -> Path:
    """Return the folder that holds steps of a training: `out`, or with -2, -3 ...; `out` where none does."""
    for folder in _candidates(out):
        runs = find(folder)
        if runs and all(one.may_be(wanted) or one.is_shorter(wanted) for one in runs):
            return folder
        if not runs and folder != out:
            return out
    return out


def shorter(out: Path, wanted: Wanted) -> Existing | None:
    """Return the run with fewer steps that a training would go on from, or None.

    Raises ValueError where that run's last state is gone.
    """
    runs = find(out)
    first = next((one for one in runs if one.is_shorter(wanted)), None)
    if first is None or not all(one.may_be(wanted) or one.is_shorter(wanted) for one in runs):
        return None
    if not any(_steps_in(folder) for folder in (workspace.unfinished_dir(out), workspace.run_dir(out))):
        raise ValueError(
            f"{out} is finished after {first.steps} steps, and the state to go on from, in its folder "
            "checkpoints, is gone, or an older version wrote none; train anew with --replace or another --out"
        )
    return first


def claim(out: Path, wanted: Wanted, resume: bool, replace: bool) -> bool:
    """Return whether the pictures of another adapter lie at `out`. Checkpoints of another run are removed;
    with `replace` also those of this one where it is finished, so that it is trained anew.

    Raises ValueError if there is another run and `replace` is not set, unless `resume` goes on from it.
    """
    reason = conflict(out, wanted)
    if reason and resume:
        if shorter(out, wanted):
            return True
        raise ValueError(f"there is no unfinished run with these pictures, captions and settings: {reason}")
    if reason and not replace:
        raise ValueError(reason)
    is_repeated = replace and not resume and any(one.is_finished for one in find(out))
    if reason or is_repeated:
        _remove_checkpoints(out)
    return bool(reason)


def shorter_fingerprint(folder: Path, wanted: Wanted) -> tuple[str, ...]:
    """Return the fingerprint of the steps in a folder where the same training with fewer steps made them."""
    steps = _steps_in(folder)
    return (steps.fingerprint,) if steps and steps.is_shorter(wanted) else ()


def resume_or_clear(
    folder: Path, fingerprints: Sequence[str], wanted: Wanted, needed: bool, clears: bool = True
) -> int:
    """Return the step of this run's newest checkpoint. Without one, return 0 and empty the folder.

    `needed`: --resume was given. `clears`: whether this process may empty the folder (the main one).

    Raises ValueError, and removes nothing, when it is `needed` and not there, or when the folder holds the
    steps of another run, which only shows now that the pictures are encoded.
    """
    if checkpoint := checkpoints.latest(folder / "checkpoints", *fingerprints):
        return int(checkpoint["step"])
    header = checkpoints.newest_header(folder / "checkpoints")
    reason = Existing(folder, header.step, "", header.settings).conflict(wanted) if header else ""
    if needed:
        raise ValueError(
            "there is no unfinished run with these pictures, captions and settings"
            f"{': ' + reason if reason else _others_beside(folder)}; leave --resume out to start one"
        )
    if reason:
        raise ValueError(reason)
    for path in folder.iterdir() if clears else ():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return 0


def _others_beside(folder: Path) -> str:
    """Return which runs with steps lie beside one that has none, as the end of a sentence."""
    run = folder.parent if folder.name == workspace.INSIDE else folder
    beside = [path for path in sorted(run.parent.iterdir()) if path not in (run, folder)]
    steps = [one for path in beside for place in (path, path / workspace.INSIDE) if (one := _steps_in(place))]
    names = [f"{workspace.run_dir(one.folder).name} with {one.steps} steps" for one in steps]
    return f"; beside it: {name_list(names)}" if names else ""


def continuation_line(out: Path, wanted: Wanted) -> str:
    """Return from where a training goes on to more steps than it was begun with, or an empty text."""
    run = shorter(out, wanted) if conflict(out, wanted) else None
    if run is None:
        return ""
    steps, schedule = wanted.settings.steps, run.settings["lr_scheduler"]
    line = f"going on from step {run.steps} of {out} to step {steps}"
    if optimizers.has_equal_rates(wanted.settings, run.settings["steps"], run.steps):
        return f"{line}: the same as {steps} steps in one go"
    return (
        f"! {line}. Its steps so far followed the {schedule} schedule of {run.settings['steps']} steps, the "
        f"others follow that of {steps}, so the adapter is not the same as after {steps} steps in one go"
    )


def kept_line(out: Path, settings: Settings) -> str:
    """Return what is kept of a training that ended early."""
    steps = [one for one in find(out) if not one.is_finished]
    if not steps:
        return "Nothing of this training is kept, as it ended before the first checkpoint"
    return (
        f"{steps[0].steps} of {settings.steps} steps are kept in {steps[0].folder}, and the same command "
        "goes on from there"
    )


def _remove_checkpoints(out: Path) -> None:
    """Remove the steps of interrupted and stopped trainings at the folder of a run; their adapters stay."""
    for folder in (workspace.unfinished_dir(out), out):
        for path in checkpoints.files(folder / "checkpoints"):
            path.unlink()


def _candidates(out: Path) -> Iterator[Path]:
    yield out
    for number in count(2):
        yield out.with_name(f"{out.name}-{number}")


def _is_free(out: Path, wanted: Wanted) -> bool:
    try:
        workspace.refuse_other_content(workspace.run_dir(out))
        return not conflict(out, wanted)
    except ValueError:
        return False


def _steps_in(folder: Path) -> Existing | None:
    """Return the steps whose state is in a folder's checkpoints, or None."""
    header = checkpoints.newest_header(folder / "checkpoints")
    if header is None:
        return None
    fingerprint = header.fingerprint if header.settings else ""
    return Existing(folder, header.step, fingerprint, header.settings)
