"""Lesson 06: how far a before and after can be trusted.

Selected samples, measures that are fooled, strengths, copies.
`python -m lessons_lib.course.lesson_06 picture` draws the lesson's opening picture from the run that the
lesson judges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from IPython.display import Image as NotebookImage
from PIL import Image, ImageOps
from torch import Tensor

from lessons_lib.adapters.run import SETTINGS, Run
from lessons_lib.adapters.settings import EXAMPLE_TRIGGER, Settings
from lessons_lib.course import long_run
from lessons_lib.course.trials import TRIGGER, concept_of, flatten, style_scores
from lessons_lib.dataset import captions, dataset
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.display import charts, notebook
from lessons_lib.display.theme import ACCENT, INK, LINE, MUTED
from lessons_lib.evaluation import blind_test, metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import pixels
from lessons_lib.models.bases import Base
from lessons_lib.models.judges import Judge
from lessons_lib.paths import NOTEBOOK_PICTURES, ROOT, SAMPLE, in_course
from lessons_lib.training import existing, train

Images = Sequence[Image.Image]
Change = Callable[[Image.Image, Image.Image], Image.Image]  # (sample, painting) to a changed sample
Chance = Callable[[int, int], float]  # (most of one side, count) to how often a coin is as one-sided
Tradeoff = Mapping[float, tuple[float, float]]  # by strength: share of the style gap closed, prompt match
_STRIP_AXIS = "likeness to the nearest training painting"
_BORDER = 0.14  # share of a side that the ruled border of a practice painting takes, left and right
SUBJECTS = ("an elephant", "a castle", "a horse", "a house", "a tree", "a boat", "a bird", "a tiger")
OPENING_PICTURE = NOTEBOOK_PICTURES / "06_which.jpg"


def highest_and_lowest(values: Sequence[float], count: int) -> tuple[list[int], list[int]]:
    """Return the places of the `count` highest values, highest first, and of the lowest, lowest first."""
    order = np.argsort(np.asarray(values), kind="stable").tolist()
    return order[::-1][:count], order[:count]


def mean_per_subject(values: Sequence[float], seeds: int) -> list[float]:
    """Return one mean for each subject, whose seeds follow one another: samples of one subject are alike."""
    return np.asarray(values).reshape(-1, seeds).mean(1).tolist()


def sign_test_lines(
    changes: Sequence[float], counts: Sequence[int], test: Chance = blind_test.sign_test
) -> list[str]:
    """Return a line for each count: how many of so many random changes went up,
    and how often a coin is as one-sided, by test(most of one side, count).
    """
    order = np.random.default_rng(0).permutation(len(changes))
    lines = []
    for count in counts:
        ups = sum(changes[i] > 0 for i in order[:count])
        chance = test(max(ups, count - ups), count)
        lines.append(
            f"{count} things: {ups} went up, {count - ups} down; a coin is as one-sided in {chance:.0%} of "
            "such tests"
        )
    return lines


def greyscale(image: Image.Image) -> Image.Image:
    """Return a picture without its colours, in RGB."""
    return ImageOps.grayscale(image).convert("RGB")


def shuffled_tiles(image: Image.Image, cells: int = 4) -> Image.Image:
    """Return a square picture cut into cells x cells squares that are put together in a random order."""
    side = image.width // cells
    corners = [(x * side, y * side) for y in range(cells) for x in range(cells)]
    shuffled = Image.new("RGB", (cells * side, cells * side))
    for corner, index in zip(corners, np.random.default_rng(0).permutation(len(corners)), strict=True):
        x, y = corners[index]
        shuffled.paste(image.crop((x, y, x + side, y + side)), corner)
    return shuffled


def paste_on_painting(sample: Image.Image, painting: Image.Image) -> Image.Image:
    """Return a painting with a sample pasted onto its centre, (1 - 2 metrics.EDGE) of each side."""
    page, edge = painting.convert("RGB"), round(metrics.EDGE * painting.width)
    page.paste(sample.resize((page.width - 2 * edge,) * 2, Image.Resampling.LANCZOS), (edge, edge))
    return page


def add_borders(sample: Image.Image, painting: Image.Image) -> Image.Image:
    """Return a sample whose left and right edges are covered by a painting's borders."""
    page, edge = painting.convert("RGB"), round(_BORDER * painting.width)
    page.paste(sample.convert("RGB").crop((edge, 0, sample.width - edge, sample.height)), (edge, 0))
    return page


def match_colours(sample: Image.Image, painting: Image.Image) -> Image.Image:
    """Return a sample whose three channels have a painting's means and standard deviations
    (Reinhard et al. 2001, in RGB).
    """
    ours, theirs = (np.asarray(i.convert("RGB"), dtype=np.float64) for i in (sample, painting))
    unit = (ours - ours.mean((0, 1))) / (ours.std((0, 1)) + 1e-6)
    return Image.fromarray((unit * theirs.std((0, 1)) + theirs.mean((0, 1))).clip(0, 255).astype(np.uint8))


def with_paintings(change: Change, samples: Images, paintings: Images) -> list[Image.Image]:
    """Return change(sample, painting) of every sample; the paintings are taken in turn."""
    return [change(sample, paintings[i % len(paintings)]) for i, sample in enumerate(samples)]


def run_to_judge(base: Base, dataset: Dataset, runs: Path) -> Run:
    """Return lesson 00's run where it is whole and differs from the usual training in its steps at most,
    else that training, made now.

    `runs`: the folder that holds lesson_00; a run that is made now goes to lesson_06 beside it.
    """
    folder = runs / "lesson_00"
    settings = Settings(base=base.name, trigger=EXAMPLE_TRIGGER, name="lesson_06")
    trainer = train.Trainer(base, dataset, settings)
    if (folder / SETTINGS).is_file():
        steps = Run.load(folder).settings.steps
        if earlier := existing.finished(folder, trainer.fingerprint_at(steps)):
            return earlier
    return trainer.train(runs / "lesson_06", replace=True)


def train_memorised(base: Base, dataset: Dataset, run_dir: Path) -> tuple[Run, list[str]]:
    """Return a run that has memorised the first two training pictures,
    and their captions with the trigger.
    """
    few = Dataset(dataset.train[:2])
    steps = base.share_of_steps(0.4)
    settings = Settings(base=base.name, trigger=TRIGGER, steps=steps, name="memorised")
    return train.train(few, settings, run_dir, replace=True), captions.training_captions(
        few.train, TRIGGER, "style"
    )


def strength_tradeoff(
    judge: Judge,
    samples: Mapping[float, Sequence[Images]],
    subjects: Sequence[str],
    floor: float,
    ceiling: float,
    held_out_features: Tensor,
) -> dict[float, tuple[float, float]]:
    """Return {strength: (share of the style gap closed, prompt match)} of samples, a row a subject.

    `floor` and `ceiling`: the style match of the base and of the training paintings, the two ends of the gap.
    """
    tradeoff = {}
    for strength, rows in samples.items():
        features = judge.image_features(flatten(rows))
        concepts = [concept_of(subject) for subject, row in zip(subjects, rows, strict=True) for _ in row]
        style = float(np.mean(style_scores(features, held_out_features)))
        tradeoff[strength] = (
            metrics.share_of_gap(style, floor, ceiling),
            metrics.prompt_match(features, concepts, judge),
        )
    return tradeoff


def best_strength(tradeoff: Tradeoff, keep: float) -> float:
    """Return the strength with most style among those that keep this share of the prompt match at
    strength 0, itself among them.
    """
    least = keep * tradeoff[0.0][1]
    allowed = [strength for strength, (_, prompt) in tradeoff.items() if prompt >= least or not strength]
    return max(allowed, key=lambda strength: tradeoff[strength][0])


def tradeoff_chart(tradeoff: Tradeoff) -> NotebookImage:
    """Return a JPEG of style against prompt match, a point a strength; the lowest one's number is named."""
    figure, axes = charts.new_chart(5.6, 3.6, 92)
    x, y = zip(*(tradeoff[strength] for strength in sorted(tradeoff)), strict=True)
    axes.plot(x, y, color=LINE, linewidth=2, zorder=1)
    axes.plot(x, y, "o", color=ACCENT, markersize=7, zorder=2)
    lowest = min(tradeoff)
    for strength, point in sorted(tradeoff.items()):
        name, place = (
            (f"strength {strength:g}", (0, -18)) if strength == lowest else (f"{strength:g}", (6, 5))
        )
        axes.annotate(name, point, xytext=place, textcoords="offset points", color=INK, fontsize=9)
    axes.set(xlabel="share of the style gap", ylabel="prompt kept", ylim=(0, 1.06))
    points = "; ".join(f"{strength:g}: {pair[0]:.2f}, {pair[1]:.2f}" for strength, pair in tradeoff.items())
    return notebook.figure_image(figure, f"style gap closed and prompt kept by strength: {points}")


def gap_chart(shares: Mapping[str, float], measure: str) -> NotebookImage:
    """Return a JPEG with a bar for each share of a gap; lines at 0 and 1 are the two ends of the gap."""
    figure, axes = charts.new_chart(6.4, 0.6 + 0.36 * len(shares), 92)
    bars = axes.barh(list(shares), list(shares.values()), height=0.6, color=ACCENT)
    axes.bar_label(bars, [f"{share:.2f}" for share in shares.values()], padding=4, color=INK, fontsize=9)
    for end in (0, 1):
        axes.axvline(end, color=MUTED, linewidth=1, linestyle="--")
    axes.invert_yaxis()
    lowest = min(shares.values())
    axes.set(xlabel=measure, xlim=(-0.02 if lowest >= 0 else lowest - 0.16, 1.12))
    alt = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    return notebook.figure_image(figure, f"{measure}: {alt}")


def strip_chart(
    panels: Mapping[str, Mapping[str, Sequence[float]]], limits: Mapping[str, float]
) -> NotebookImage:
    """Return a JPEG with a panel for each measure and in it a row for each group, every value a stroke: the
    likeness of a picture to the nearest training painting.

    `limits`: the likeness above which one counts as a copy, a named line across a panel, by the panel's name.
    """
    rows = len(next(iter(panels.values())))
    figure, all_axes = charts.new_panels(8.4, 1.2 + 0.4 * rows, 84, len(panels), sharey=True)
    for axes, (name, groups) in zip(all_axes, panels.items(), strict=True):
        for place, values in enumerate(groups.values()):
            axes.plot(values, [place] * len(values), "|", color=ACCENT, markersize=13, markeredgewidth=1.4)
        if name in limits:
            axes.axvline(limits[name], color=MUTED, linewidth=1, linestyle="--")
            axes.annotate(
                f"copy above {limits[name]:.2f}",
                (limits[name], 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                color=MUTED,
                fontsize=9,
            )
        axes.set_yticks(range(rows), list(groups))
        axes.set(xlim=(0, 1.02), ylim=(rows - 0.5, -0.5))
        axes.set_title(name, fontsize=10, color=INK, loc="left")
    figure.supxlabel(_STRIP_AXIS, fontsize=10, color=INK)
    means = "; ".join(
        f"{name}: "
        + ", ".join(f"{group} {np.mean(values):.2f}" for group, values in groups.items() if len(values))
        for name, groups in panels.items()
    )
    return notebook.figure_image(figure, f"{_STRIP_AXIS}, means of {means}")


def save_opening_picture(path: Path = OPENING_PICTURE) -> None:
    """Draw the castle of seed 1 before, pasted onto a painting, after, and that painting."""
    paintings = dataset.read(in_course(SAMPLE), side=128)
    painting = pixels.to_square(paintings.train[1].image, 128)
    sampler = Sampler("pocket")
    prompts = [with_trigger("a castle", EXAMPLE_TRIGGER)]
    before = sampler.sample(prompts, [1])[0][0]
    sampler.load(run_to_judge(sampler.base, paintings, ROOT / "runs").folder)
    after = sampler.sample(prompts, [1])[0][0]
    images = [before, paste_on_painting(before, painting), after, painting]
    path.write_bytes(notebook.image_grid(images, ["before", "A", "B", "a painting"], side=176).data)


if __name__ == "__main__":
    long_run.command_line("lesson_06", {"picture": save_opening_picture})
