"""Which checkpoint of a run to keep, and at which strength: style against prompt at fixed seeds.

Of those that cannot be told from the best, the earliest: less is forgotten, and it was cheaper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from lessons_lib.adapters.run import STEPS, WEIGHTS_NAME, Run
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.evaluation import compare, metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import judges
from lessons_lib.models.judges import Judge

KEEP = 0.6  # share of the base's prompt match that a good candidate keeps; pocket loses a quarter at once
NEAR = 1.02  # times the lowest held-out loss: the most that the held-out loss of a candidate may be
STRENGTHS = (0.5, 0.75, 1.0, 1.25)  # times the base's own


@dataclass(frozen=True)
class Candidate:
    """A checkpoint at a strength, and one score a sample: similarity to held-out pictures, and the rank of
    what the prompt names. That is empty where no prompt names what is known: then it is not measured.
    `validation`: the held-out loss at that step, where it was measured.
    """

    step: int
    strength: float
    styles: tuple[float, ...]
    prompts: tuple[float, ...]
    validation: float | None = None

    @property
    def style(self) -> float:
        return float(np.mean(self.styles))

    @property
    def prompt(self) -> float:
        """The prompt match; 1.0, which excludes nobody, where it is not measured."""
        return float(np.mean(self.prompts)) if self.prompts else 1.0

    @property
    def prompt_text(self) -> str:
        """The prompt match with two decimals, or that it was not measured."""
        return f"{self.prompt:.2f}" if self.prompts else "not measured"

    def __str__(self) -> str:
        return f"step {self.step} at strength {self.strength:g}"


@dataclass(frozen=True)
class Choice:
    """What is recommended of some candidates, why, and the base beside them."""

    candidate: Candidate
    reason: str
    base: Candidate
    candidates: tuple[Candidate, ...]
    keep: float = KEEP


def checkpoints(run: Run) -> dict[int, Path]:
    """Return the folders of the adapters that a run kept on the way, by step, and last its own.

    Raises ValueError where it kept none.
    """
    files = sorted((run.folder / STEPS).glob(f"[0-9]*/{WEIGHTS_NAME}"))
    folders = {int(path.parent.name): path.parent for path in files}
    if not folders:
        raise ValueError(
            f"{run.folder}: keeps only its last adapter; expected several to choose from. Train with "
            f"--keep-adapters, and with --sample-every {max(1, run.settings.steps // 8)} or so"
        )
    return folders | {run.step or run.settings.steps: run.folder}


def candidates(
    sampler: Sampler,
    folders: dict[int, Path],
    trigger_prompts: Sequence[str],
    seeds: Sequence[int],
    held_out: Sequence[Image.Image],
    strengths: Sequence[float] = STRENGTHS,
    on_candidate: Callable[[int, int], None] | None = None,
) -> tuple[Candidate, list[Candidate]]:
    """Return the base as a candidate of step 0, and every checkpoint at every strength, same prompts and
    seeds. The sampler has no adapter afterwards. `strengths` are multiples of the base's own.
    """
    judge, total = judges.find(sampler.base), len(folders) * len(strengths)
    reference, result = judge.image_features(held_out), list[Candidate]()

    def candidate(step: int, strength: float) -> Candidate:
        rows = sampler.sample(trigger_prompts, seeds, strength=strength)
        images = [image for row in rows for image in row]
        return measure(judge, step, strength, images, trigger_prompts, reference)

    sampler.unload()
    base = candidate(0, 0.0)
    for step, folder in folders.items():
        sampler.load(folder)
        for factor in strengths:
            result.append(candidate(step, factor * sampler.base.strength))
            if on_candidate:
                on_candidate(len(result), total)
    sampler.unload()
    return base, result


def measure(
    judge: Judge,
    step: int,
    strength: float,
    images: Sequence[Image.Image],
    prompts: Sequence[str],
    reference: Tensor,
) -> Candidate:
    """Return a checkpoint at a strength as a candidate; the images follow one another prompt by prompt.

    `reference`: the judge's features of the held-out pictures, (n, width).
    """
    rows = judge.image_features(images)
    styles, ranks = metrics.style_scores(rows, reference), metrics.named_ranks(rows, prompts, judge)
    return Candidate(step, strength, tuple(styles.tolist()), tuple(ranks))


def frontier(options: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that no other beats in both style and prompt, by rising style."""
    best = [
        one
        for one in options
        if not any(
            o.style >= one.style and o.prompt >= one.prompt and (o.style, o.prompt) != (one.style, one.prompt)
            for o in options
        )
    ]
    return sorted(best, key=lambda one: one.style)


def choose(base: Candidate, options: Sequence[Candidate], keep: float = KEEP) -> Choice:
    """Return the earliest good candidate: of those whose held-out loss is near the lowest and that keep the
    prompt, the first whose style cannot be told from the best, sample by sample; at one step the lowest
    strength.

    Where none keeps the prompt it is the one that keeps most of it. ValueError without candidates.
    """
    if not options:
        raise ValueError("no candidates to choose from; expected at least one checkpoint")
    near = _near_lowest(options)
    allowed = [one for one in near if one.prompt >= keep * base.prompt]
    if not allowed:
        most = max(near, key=lambda one: one.prompt)
        reason = (
            f"no candidate keeps {keep:.0%} of the base's prompt match; this one keeps most of it "
            f"({most.prompt:.2f} of {base.prompt:.2f})"
        )
        return Choice(most, reason, base, tuple(options), keep)
    best = max(allowed, key=lambda one: one.style)
    good = [one for one in allowed if not _is_below(one, best)]
    first = min(good, key=lambda one: (one.step, one.strength))
    return Choice(first, _reason(first, best, base, keep), base, tuple(options), keep)


def _near_lowest(options: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates whose held-out loss is near the lowest; all where it was not measured."""
    levels = [one.validation for one in options if one.validation is not None]
    if not levels:
        return list(options)
    return [one for one in options if one.validation is None or one.validation <= NEAR * min(levels)]


def _is_below(one: Candidate, best: Candidate) -> bool:
    """Return whether the style is lower than the best's beyond the interval of the paired differences."""
    differences = np.subtract(best.styles, one.styles)
    return metrics.bootstrap_interval(differences.tolist())[0] > 0


def _reason(first: Candidate, best: Candidate, base: Candidate, keep: float) -> str:
    if base.prompts:
        among = " of those that keep the prompt"
        match = f"it keeps {first.prompt_text} of the base's prompt match {base.prompt_text}"
        parts = [f"{match} (at least {keep:.0%})"]
    else:
        among, parts = "", ["its prompt match is not measured, as no prompt names a known concept"]
    if first.validation is not None:
        parts.append(f"its held-out loss, {first.validation:.2f}, is near the lowest")
    style = f"its style match, {first.style:.2f},"
    if first == best:
        parts.insert(0, f"{style} is the highest{among}")
    else:
        highest = f"{style} cannot be told from the highest, {best.style:.2f} ({best})"
        parts.insert(0, f"{highest}, and no earlier one reaches it")
    return "; ".join(parts)


def pick(
    sampler: Sampler,
    run: Run,
    dataset: Dataset,
    prompts: Sequence[str],
    seeds: Sequence[int],
    strengths: Sequence[float] = STRENGTHS,
    on_candidate: Callable[[int, int], None] | None = None,
    keep: float = KEEP,
) -> Choice:
    """Return the earliest good checkpoint and strength of a run; prompts are cut so that the trigger is read.

    Judged by held-out pictures, or by the training pictures where none were held out.
    """
    trigger, mode = run.settings.trigger, run.settings.mode
    triggered = [with_trigger(prompt, trigger, mode) for prompt in compare.shortened(prompts, run)]
    held_out = [picture.image for picture in dataset.held_out or dataset.train]
    base, options = candidates(sampler, checkpoints(run), triggered, seeds, held_out, strengths, on_candidate)
    levels = {row["step"]: row["validation"] for row in run.log if "validation" in row}
    measured = [replace(one, validation=levels.get(one.step)) for one in options]
    return choose(base, measured, keep)
