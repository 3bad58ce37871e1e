"""Lesson 06: how far a before and after can be trusted. Chosen pictures, measures that are fooled, strengths, copies.

`python -m lessons_lib.course.lesson_06` draws the lesson's opening picture from the run that the lesson left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from IPython.display import Image as Shown
from matplotlib.figure import Figure
from PIL import Image, ImageOps
from torch import Tensor

from lessons_lib.adapters.run import Run
from lessons_lib.adapters.settings import Settings
from lessons_lib.course.trials import flat, known, style
from lessons_lib.dataset import captions, pictures
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.dataset.pictures import Picture
from lessons_lib.display import notebook
from lessons_lib.display.theme import ACCENT, INK, LINE, MUTED, PAPER
from lessons_lib.evaluation import blind_test, metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import features, pixels
from lessons_lib.paths import NOTEBOOK_PICTURES, ROOT, SAMPLE
from lessons_lib.training import train

Pictures = Sequence[Image.Image]
WORD = "thgh96"
BORDER = 0.14  # share of a side that the ruled border of a practice painting takes, left and right
SUBJECTS = ("an elephant", "a castle", "a horse", "a house", "a tree", "a boat", "a bird", "a tiger")


def ends(values: Sequence[float], count: int) -> tuple[list[int], list[int]]:
    """Return the places of the `count` highest values, highest first, and of the lowest, lowest first."""
    order = np.argsort(np.asarray(values), kind="stable").tolist()
    return order[::-1][:count], order[:count]


def per_thing(values: Sequence[float], seeds: int) -> list[float]:
    """Return one mean for each thing that was drawn with so many seeds, one after another: seeds of a thing are alike."""
    return np.asarray(values).reshape(-1, seeds).mean(1).tolist()


def so_many(changes: Sequence[float], counts: Sequence[int], seed: int = 0) -> list[str]:
    """Return a line for each count: how many of so many changes, drawn by lot, went up, and how often a coin is as one-sided."""
    lots = np.random.default_rng(seed).permutation(len(changes))
    lines = []
    for count in counts:
        ups = sum(changes[i] > 0 for i in lots[:count])
        luck = blind_test.sign_test(max(ups, count - ups), count)
        lines.append(
            f"{count} things: {ups} went up, {count - ups} down; a coin is as one-sided in {luck:.0%} of such tests"
        )
    return lines


def in_grey(picture: Image.Image) -> Image.Image:
    """Return a picture without its colours."""
    return ImageOps.grayscale(picture).convert("RGB")


def in_pieces(picture: Image.Image, cells: int = 4, seed: int = 0) -> Image.Image:
    """Return a square picture cut into cells x cells squares that are put together in another order."""
    side = picture.width // cells
    boxes = [(x * side, y * side) for y in range(cells) for x in range(cells)]
    made = Image.new("RGB", (cells * side, cells * side))
    for place, lot in zip(boxes, np.random.default_rng(seed).permutation(len(boxes)), strict=True):
        x, y = boxes[lot]
        made.paste(picture.crop((x, y, x + side, y + side)), place)
    return made


def pasted(drawing: Image.Image, painting: Image.Image) -> Image.Image:
    """Return a painting with a drawing pasted onto its middle, which covers (1 - 2 metrics.EDGE) of each side."""
    made, edge = painting.convert("RGB"), round(metrics.EDGE * painting.width)
    made.paste(drawing.resize((made.width - 2 * edge,) * 2, Image.Resampling.LANCZOS), (edge, edge))
    return made


def bordered(drawing: Image.Image, painting: Image.Image) -> Image.Image:
    """Return a drawing whose left and right edges are covered by a painting's borders, and nothing else of it."""
    made, edge = painting.convert("RGB"), round(BORDER * painting.width)
    inner = drawing.convert("RGB").crop((edge, 0, drawing.width - edge, drawing.height))
    made.paste(inner, (edge, 0))
    return made


def tinted(drawing: Image.Image, painting: Image.Image) -> Image.Image:
    """Return a drawing whose three channels have a painting's means and spreads (Reinhard et al. 2001, in RGB)."""
    ours, theirs = (np.asarray(i.convert("RGB"), dtype=np.float64) for i in (drawing, painting))
    unit = (ours - ours.mean((0, 1))) / (ours.std((0, 1)) + 1e-6)
    return Image.fromarray((unit * theirs.std((0, 1)) + theirs.mean((0, 1))).clip(0, 255).astype(np.uint8))


def as_drawn(sampler: Sampler, squares: Pictures) -> list[Image.Image]:
    """Return pictures through the base's VAE and back: the best that this base could draw of them."""
    latents = sampler.family.encode_images(sampler.pipe, pixels.to_pixels(squares, sampler.base.side))
    return sampler.family.decode_latents(sampler.pipe, latents)


def parrot(learn: Sequence[Picture], folder: Path, count: int = 2) -> tuple[Run, list[str]]:
    """Return a run that has learned its few pictures by heart, and the captions it was told of them."""
    few = learn[:count]
    told = captions.captions(few, WORD, "style")
    return train.train(Dataset(list(few)), Settings(trigger=WORD, steps=200, name="parrot"), folder), told


def with_each(change: Callable, drawings: Pictures, paintings: Pictures) -> list[Image.Image]:
    """Return change(drawing, painting) of every drawing and a painting, which are taken in turn."""
    return [change(drawing, paintings[i % len(paintings)]) for i, drawing in enumerate(drawings)]


def trade(drawn: Mapping[float, Sequence[Pictures]], subjects: Sequence[str], base: float, paintings: float,
          held_out: Tensor) -> dict[float, tuple[float, float]]:  # fmt: skip
    """Return {strength: (share of the style gap, prompt match)} of pictures, a row a subject.

    `base` and `paintings`: the style match of the base and of the training paintings, the gap's two ends.
    """
    found = {}
    for strength, rows in drawn.items():
        seen = features.image_features(flat(rows))
        wanted = [known(subject) for subject, row in zip(subjects, rows, strict=True) for _ in row]
        gap = metrics.share_of_gap(float(np.mean(style(seen, held_out))), base, paintings)
        found[strength] = gap, metrics.prompt_match(seen, wanted)
    return found


def strongest(found: Mapping[float, tuple[float, float]], keep: float) -> float:
    """Return the strength with most style among those that keep this share of the prompt match at strength 0."""
    whole = found[0.0][1]
    allowed = [strength for strength, (_, prompt) in found.items() if prompt >= keep * whole]
    return max(allowed, key=lambda strength: found[strength][0])


def path(found: Mapping[float, tuple[float, float]]) -> Shown:
    """Return a JPEG of style against prompt, a point a strength."""
    figure = Figure(figsize=(5.6, 3.6), dpi=92, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot(facecolor=PAPER)
    across, up = zip(*(found[s] for s in sorted(found)), strict=True)
    axes.plot(across, up, color=LINE, linewidth=2, zorder=1)
    axes.plot(across, up, "o", color=ACCENT, markersize=7, zorder=2)
    for strength in sorted(found):
        axes.annotate(
            f"{strength:g}", found[strength], xytext=(6, 5), textcoords="offset points", color=INK, fontsize=9
        )
    axes.set(xlabel="share of the style gap", ylabel="prompt match", ylim=(0, 1.06))
    axes.spines[["top", "right"]].set_visible(False)
    return notebook.figure_image(figure)


def bars(found: Mapping[str, float], measured: str) -> Shown:
    """Return a JPEG with a bar for each share, its value at the end; the ends of the gap are lines at 0 and 1."""
    figure = Figure(figsize=(6.4, 0.6 + 0.36 * len(found)), dpi=92, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot(facecolor=PAPER)
    made = axes.barh(list(found), list(found.values()), height=0.6, color=ACCENT)
    axes.bar_label(made, [f"{value:.2f}" for value in found.values()], padding=4, color=INK, fontsize=9)
    for end in (0, 1):
        axes.axvline(end, color=MUTED, linewidth=1, linestyle="--")
    axes.invert_yaxis()
    axes.set(xlabel=measured, xlim=(-0.02 if min(found.values()) >= 0 else min(found.values()) - 0.16, 1.12))
    axes.spines[["top", "right"]].set_visible(False)
    return notebook.figure_image(figure)


def rungs(panels: Mapping[str, Mapping[str, Sequence[float]]], lines: Mapping[str, float]) -> Shown:
    """Return a JPEG with a panel for each measure and in it a row for each group, every value a stroke.

    `lines`: a value that is marked across a panel, by its name.
    """
    rows = len(next(iter(panels.values())))
    figure = Figure(figsize=(8.4, 0.9 + 0.4 * rows), dpi=84, facecolor=PAPER, layout="constrained")
    for axes, (name, groups) in zip(
        figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True
    ):
        for place, values in enumerate(groups.values()):
            axes.plot(values, [place] * len(values), "|", color=ACCENT, markersize=13, markeredgewidth=1.4)
        if name in lines:
            axes.axvline(lines[name], color=MUTED, linewidth=1, linestyle="--")
        axes.set_yticks(range(rows), list(groups))
        axes.set(facecolor=PAPER, xlim=(0, 1.02), ylim=(rows - 0.5, -0.5))
        axes.set_title(name, fontsize=10, color=INK)
        axes.spines[["top", "right"]].set_visible(False)
    return notebook.figure_image(figure)


def check_fraud(fraud: Callable, drawings: Pictures, paintings: Pictures, held_out: Pictures) -> str:
    """Return whether a learner's change of a base's drawing by a painting deceives the measure of middles."""
    made = with_each(fraud, drawings, paintings)
    if made[0] is None:
        return "not attempted yet"
    if any(not isinstance(picture, Image.Image) for picture in made):
        return f"expected a picture, found {type(made[0]).__name__}"
    parts = (metrics.centre_crops(some) for some in (drawings, made, paintings, held_out))
    gap = metrics.gap_closed(*parts)
    if gap <= 0.2:
        return (
            f"{gap:.0%} of the gap: not deceived yet. What do the middles of paintings have that these lack?"
        )
    return f"{gap:.0%} of the gap, and nothing was learned: deceived"


def check_needed(mine: int | None, answers: int = 12) -> str:
    """Return whether a learner named the fewest answers for one side that a coin seldom gives."""
    if mine is None:
        return "not attempted yet"
    if mine > (blind_test.answers_needed(answers) or answers):
        return "that would do; so would fewer"
    if 2 * mine < answers:
        return "then there are more for the other side: name the larger number"
    luck = blind_test.sign_test(mine, answers)
    return (
        "right"
        if luck < blind_test.SIGNIFICANCE
        else f"a coin is as one-sided in {luck:.0%} of such tests; try another"
    )


CLAIMS = {
    "a": "Eight things, fixed beforehand, three seeds each: all eight came nearer to the held-out paintings.",
    "b": "These are the best three of 200 drawings; as you see, it learned the style.",
    "c": "The loss fell by half, so the pictures are twice as good.",
    "d": "None of the 24 drawings repeats a training picture's layout; the same measure found a run that knew two by heart.",
    "e": "Five of six colleagues preferred the new pictures, so they are better.",
}


def check_claims(mine: Sequence[str] | None) -> str:
    """Return whether a learner picked the claims that hold."""
    if mine is None:
        return "not attempted yet"
    wrong = {"b": "who chose them?", "c": "what does a loss know of pictures?", "e": "ask the coin",
             "a": "one that holds is missing", "d": "one that holds is missing"}  # fmt: skip
    off = sorted(set(mine) ^ {"a", "d"})
    return "right" if not off else f"look again at {off[0]}: {wrong.get(off[0], 'there is no such claim')}"


def main() -> None:
    """Draw the opening picture: the castle of seed 1 before, pasted onto a painting, after, and that painting."""
    found = pictures.for_training(pictures.load(SAMPLE, side=128))
    squares = [pixels.square(p.image, 128) for p in found]
    sampler = Sampler("pocket")
    asked = [with_trigger("a castle", WORD)]
    before = flat(sampler.sample(asked, [1]))
    sampler.load(ROOT / "runs" / "lesson_06")
    row = [before[0], pasted(before[0], squares[1]), flat(sampler.sample(asked, [1]))[0], squares[1]]
    grid = notebook.image_grid(row, ["before", "A", "B", "a painting"], side=176)
    (NOTEBOOK_PICTURES / "06_which.jpg").write_bytes(grid.data)


if __name__ == "__main__":
    main()
