"""Lesson 11: a goal that is written before the training, a checklist of the set, and a report that fills
itself in.

`python -m lessons_lib.course.lesson_11 picture` draws the lesson's opening picture from what the lesson left.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from lessons_lib.adapters.hub import Publication
from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course import long_run, recorded
from lessons_lib.dataset import captions
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.messages import count_of
from lessons_lib.dataset.records import recorded_dataset
from lessons_lib.display import notebook
from lessons_lib.evaluation import compare, copies, metrics
from lessons_lib.evaluation.comparison import Comparison
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.inspection.findings import What
from lessons_lib.inspection.report import Report
from lessons_lib.models import bases, families
from lessons_lib.paths import NOTEBOOK_PICTURES, PROOFS, ROOT
from lessons_lib.session import Session
from lessons_lib.training import capacity

TRIGGER = "cray7n"
T4 = Session("t4", torch.device("cuda"), torch.float16, 2, 12.7, "a T4 with 15 GB", 15.8)
GPU_24GB = Session("24gb", torch.device("cuda"), torch.bfloat16, 8, 64.0, "a GPU with 24 GB", 24.1)
FEWEST_PICTURES, FEWEST_PROMPTS = 10, 4
CENTRES, PROMPT = "style match, centre crops", "prompt match"
PROMPT_SHARE = "share of the base's prompt match"
OPENING_PICTURE = NOTEBOOK_PICTURES / "11_card.jpg"
_SEEDS = (1, 2)
_COPIES = {What.COPY, What.COPY_ACROSS_SPLIT}


@dataclass(frozen=True)
class Goal:
    """What a training is for, written before it.

    `change`, `keep`: what should change and what must not, a sentence each. `prompts`: what will be drawn to
    judge it. `style`: the share of the way from the base to the set, in centre crops, that counts as learned;
    `prompt`: the share of the base's prompt match that must be left. Both are above 0 and at most 1.
    """

    change: str
    keep: str
    prompts: tuple[str, ...]
    style: float
    prompt: float

    def problems(self, set_captions: Sequence[str] = ()) -> list[str]:
        """Return what is missing before it can be judged by; none where it is whole."""
        lines = [f"{name} is empty" for name in ("change", "keep") if not getattr(self, name).strip()]
        if self.change.strip() and self.change.strip() == self.keep.strip():
            lines.append("what should change and what must not are the same")
        if len(set(self.prompts)) < FEWEST_PROMPTS:
            lines.append(f"{len(set(self.prompts))} prompts; take {FEWEST_PROMPTS} or more")
        shown = [prompt for prompt in self.prompts if prompt.casefold() in map(str.casefold, set_captions)]
        lines += [f"{prompt!r} is in the set; ask for what it does not show" for prompt in shown]
        return lines + [
            f"{name} is {getattr(self, name)}; expected more than 0 and at most 1"
            for name in ("style", "prompt")
            if not 0 < getattr(self, name) <= 1
        ]


GOAL = Goal(
    change="everything is drawn in crayon, with two dark outlines that do not quite meet",
    keep="the thing that was asked for can still be recognised",
    prompts=("an elephant", "a horse", "a castle", "a rabbit", "a chair", "a train"),
    style=0.3,
    prompt=0.6,
)


@dataclass(frozen=True)
class CheckLine:
    """A line of the checklist: what is expected, whether it is so, and what was found."""

    expected: str
    is_met: bool
    detail: str

    def __str__(self) -> str:
        return f"{'yes' if self.is_met else 'NO '}  {self.expected}: {self.detail}"


def checklist(report: Report, trigger: str) -> list[CheckLine]:
    """Return what a set should be before it is trained on, against what it is."""
    dataset, base = report.dataset, report.base
    tokenizer = families.find(base.family).load_tokenizer(base)
    pictures = dataset.pictures
    warnings = captions.check_trigger(trigger, tokenizer) if trigger.split() else ["no word yet"]
    must_fix, repeated = report.count("must fix"), _copies(report)
    licences = [p for p in pictures if p.rights.get("licence")]
    described = [p for p in pictures if p.caption]
    return [
        CheckLine(
            f"{FEWEST_PICTURES} pictures or more to learn from",
            len(dataset.train) >= FEWEST_PICTURES,
            count_of(dataset.train, "picture"),
        ),
        CheckLine("some held out for judging", bool(dataset.held_out), count_of(dataset.held_out, "picture")),
        CheckLine("nothing that must be fixed", not must_fix, f"{must_fix} found"),
        CheckLine("no picture twice", not repeated, ", ".join(repeated) or "none found"),
        CheckLine(
            "a caption for each", len(described) == len(pictures), f"{len(described)} of {len(pictures)}"
        ),
        CheckLine(
            "a licence for each", len(licences) == len(pictures), f"{len(licences)} of {len(pictures)}"
        ),
        CheckLine("a word that means nothing yet", not warnings, warnings[0] if warnings else trigger),
    ]


def _copies(report: Report) -> list[str]:
    """Return the names of the pictures that the report takes for another of the set."""
    return [one.name for one in report.pictures if any(f.what in _COPIES for f in one.findings)]


@dataclass(frozen=True)
class GoalResult:
    """A line of the goal against what came out; `value` is None where it was not measured.

    It is judged by two decimals, of which the first is printed where that is enough to tell the two apart.
    """

    name: str
    expected: float
    value: float | None

    @property
    def is_met(self) -> bool:
        return self.value is not None and round(self.value, 2) >= self.expected

    @property
    def is_missed(self) -> bool:
        return self.value is not None and not self.is_met

    @property
    def figures(self) -> tuple[str, str]:
        """What was wanted and what came, with as many decimals as tell them apart."""
        if self.value is None:
            return f"{self.expected:g}", "not measured"
        is_close = not self.is_met and round(self.value, 1) >= round(self.expected, 1)
        decimals = 2 if is_close or self.expected != round(self.expected, 1) else 1
        return f"{self.expected:.{decimals}f}", f"{self.value:.{decimals}f}"

    @property
    def verdict(self) -> str:
        """Return "met", "missed" or, of what was not measured, "not judged"."""
        return "met" if self.is_met else "missed" if self.is_missed else "not judged"

    def __str__(self) -> str:
        expected, value = self.figures
        return f"{self.name}: wanted {expected}, came {value}: {self.verdict}"


def goal_results(goal: Goal, comparison: Comparison) -> list[GoalResult]:
    """Return what came out against a goal: style in centre crops, where no border counts, and the prompt."""
    style, prompt = comparison.measures[CENTRES], comparison.measures.get(PROMPT)
    has_gap = style.ceiling > style.floor
    gap = metrics.share_of_gap(style.tuned, style.floor, style.ceiling) if has_gap else None
    left = prompt.tuned / prompt.base if prompt and prompt.base > 0 else None
    return [GoalResult("style", goal.style, gap), GoalResult(PROMPT_SHARE, goal.prompt, left)]


def went_wrong(goal: Goal, comparison: Comparison, own_layouts: Sequence[float] = ()) -> list[str]:
    """Return what can be measured and a report must not leave out; `own_layouts`: of its drawn captions."""
    lines = [f"The goal was missed. {one}." for one in goal_results(goal, comparison) if one.is_missed]
    layouts = [value for _, value in comparison.nearest]
    repeats = sum(value >= copies.COPY_THRESHOLD for value in layouts)
    if repeats:
        lines.append(f"{repeats} of {len(layouts)} pictures repeat the layout of a training picture.")
    if repeats := sum(value >= copies.COPY_THRESHOLD for value in own_layouts):
        lines.append(f"{repeats} of {len(own_layouts)} captions at full strength repeat a picture's layout.")
    if comparison.run.unseen_line:
        lines.append(f"{comparison.run.unseen_line}.")
    return lines or ["Nothing that was measured. What do you see?"]


def wrong_text(goal: Goal, comparison: Comparison, own_words: str, own_layouts: Sequence[float] = ()) -> str:
    """Return what went wrong in one paragraph, the learner's own words last."""
    words = " ".join(own_words.split()) or "No words of mine yet."
    return " ".join([*went_wrong(goal, comparison, own_layouts), words])


def rubric(
    goal: Goal, set_captions: Sequence[str], checks: Sequence[CheckLine], comparison: Comparison,
    publication: Publication, own_words: str,
) -> list[tuple[str, int, str]]:  # fmt: skip
    """Return (criterion, points of 2, why). What only a reader can judge gets at most one point here: the
    second is a neighbour's.
    """
    problems, missing = goal.problems(set_captions), [check for check in checks if not check.is_met]
    results, shown = goal_results(goal, comparison), len(comparison.prompts) * len(comparison.seeds)
    has_words = len(own_words.split()) >= 8
    whole = "whole, but the course's and not yours" if goal == GOAL else "whole"
    return [
        ("Goal", 2 if not problems else int(bool(goal.change.strip())), problems[0] if problems else whole),
        ("Set", max(0, 2 - len(missing)), missing[0].expected if missing else "all of the checklist"),
        ("Rights", 0 if publication.problems else 2, "; ".join(publication.problems) or "every picture's"),
        ("Evidence", 1 + (len(comparison.seeds) > 1), f"{shown} pairs, all of them shown"),
        ("Result", sum(one.is_met for one in results), "; ".join(map(str, results))),
        ("Honesty", int(has_words), "a neighbour gives the second" if has_words else "write what you see"),
    ]


def report(
    goal: Goal, checks: Sequence[CheckLine], comparison: Comparison, publication: Publication, own_words: str,
    own_layouts: Sequence[float] = (),
) -> str:  # fmt: skip
    """Return the learner's report as Markdown: what was wanted, with what, what came, what went wrong."""
    settings, dataset = comparison.run.settings, comparison.dataset
    unsaid = [] if own_words.strip() else ["your own words are missing"]
    recipe = (
        f"{settings.steps} steps of {settings.batch} pictures, rank {settings.rank}, base `{settings.base}`"
    )
    return f"""# `{settings.trigger}`

**Should change:** {goal.change}. **Must stay true:** {goal.keep}.

**Learned from** {count_of(dataset.train, "picture")}, judged by {len(dataset.held_out)} held out; {recipe}.

| by number | wanted | came | |
|---|---|---|---|
{_result_rows(goal_results(goal, comparison))}

**The set:** {sum(check.is_met for check in checks)} of {len(checks)} points of the checklist. \
**To publish:** {"; ".join([*publication.problems, *unsaid]) or "ready"}.

**Drawn:** {", ".join(goal.prompts)}; seeds {", ".join(map(str, comparison.seeds))}. All of it is in \
`before_after.jpg`.

**What went wrong.** {wrong_text(goal, comparison, own_words, own_layouts)}
"""


def _result_rows(results: Sequence[GoalResult]) -> str:
    return "\n".join(f"| {' | '.join((one.name, *one.figures, one.verdict))} |" for one in results)


def compared(run: Run, dataset: Dataset, goal: Goal) -> Comparison:
    """Return before and after for the prompts of a goal, saved into the run's folder."""
    comparison = compare.compare(Sampler(run.base), run, dataset, goal.prompts, _SEEDS)
    compare.save(comparison, run.folder)
    return comparison


def first_seed_rows(comparison: Comparison) -> list[list[Image.Image]]:
    """Return the first seed of every prompt, a row before and a row after."""
    return [[row[0] for row in rows] for rows in (comparison.base_images, comparison.tuned_images)]


def without_trigger(run: Run, goal: Goal) -> list[Image.Image]:
    """Return a picture of every prompt of a goal with the adapter and without its trigger."""
    sampler = Sampler(run.base)
    sampler.load(run.folder)
    return [row[0] for row in sampler.sample(goal.prompts, _SEEDS[:1])]


def recorded_line(name: str) -> str:
    """Return what a training of a base's own number of steps took where it was recorded, with random weights
    of its real size.
    """
    record, base = recorded.load("real_size"), bases.find(name)
    rows = [
        r for r in record["result"]["rows"] if (r["base"], r["program"]) == (name, "ours") and "step" in r
    ]
    if not rows:
        return "recorded elsewhere: nothing"
    minutes, gigabytes = rows[0]["step"] * base.steps / 60, rows[0]["memory"]
    return f"recorded on {record['device']}: {minutes:.0f} min for {base.steps} steps, {gigabytes:.1f} GB"


def need_lines(name: str, machine: Session) -> list[str]:
    """Return what a training of a base takes on a machine that need not be this one: download, licence,
    memory, the time where somebody has recorded it there, and what is recorded of another machine.
    """
    base = bases.find(name)
    fit = capacity.closest(Settings(base=name, trigger=TRIGGER), base, machine)
    proof, seconds = PROOFS / f"{name}-{machine.tier}.json", None
    if proof.is_file():
        seconds = json.loads(proof.read_text(encoding="utf-8"))["stages"]["train"].get("seconds_a_step")
    time = f"time there: {seconds:.1f} s a step, recorded" if seconds else "time there: no run is recorded"
    download, gate = fit.need.base.download_gb, ", asks for a login" if base.gated else ""
    return [
        f"{name} on {machine.gpu}: {download:g} GB to download, licence {base.licence}{gate}",
        f"  memory: {fit.need_line}; that machine has {fit.available:.1f} GB for it",
        f"  {time}",
        f"  {recorded_line(name)}",
    ]


def _picture() -> None:
    """Draw four photographs of the set, and two things before and after, from what the lesson left."""
    folder = ROOT / "runs" / "lesson_11" / "photographs"
    photographs: list[Image.Image] = [Image.open(folder / f"IMG_{n:04}.jpg") for n in (2, 6, 9, 14)]
    run = Run.load(folder.with_name("my_set") / "runs" / TRIGGER)
    comparison = compared(run, recorded_dataset(run.dataset, run.folder), GOAL)
    drawn = [comparison.frames[comparison.strengths.index(strength)] for strength in (0.0, 0.5, 0.75, 1.0)]
    grid = notebook.image_grid(
        [photographs, drawn], ["the stand-in's pictures", "an elephant, strength 0 to 1"], side=200
    )
    OPENING_PICTURE.write_bytes(grid.data)


if __name__ == "__main__":
    long_run.command_line("lesson_11", {"picture": _picture})
