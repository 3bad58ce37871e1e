"""Draw before and after with the same words and seeds, measure both, and say in five lines what changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from lessons_lib.adapters.run import Run
from lessons_lib.dataset import crops
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.pictures import Picture
from lessons_lib.display import before_after
from lessons_lib.evaluation import html, metrics
from lessons_lib.evaluation.sampler import Drawer
from lessons_lib.models import bases

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)


@dataclass(frozen=True)
class Measure:
    """One number before and after, between its floor and its ceiling; `low` and `high`: 95 % interval of `tuned`."""

    name: str
    base: float
    tuned: float
    floor: float
    ceiling: float
    low: float
    high: float
    floor_is: str
    ceiling_is: str

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.base:.2f} before, {self.tuned:.2f} after ({self.low:.2f} to {self.high:.2f}); "
            f"floor {self.floor:.2f} = {self.floor_is}, ceiling {self.ceiling:.2f} = {self.ceiling_is}"
        )


@dataclass
class Comparison:
    """Pictures before and after, rows prompts and columns seeds, with measures. `frames`: the first at rising strength.

    `nearest`: for every tuned picture, row by row, the training picture whose layout it repeats most and how closely, 1 = a copy.
    `is_off_at_zero`: the frame at strength 0 is the base's picture bit for bit.
    """

    run: Run
    prompts: list[str]
    seeds: list[int]
    base: list[list[Image.Image]]
    tuned: list[list[Image.Image]]
    frames: list[Image.Image]
    measures: dict[str, Measure]
    nearest: list[tuple[int, float]]
    pictures: list[Picture]
    held_out: list[Picture]
    is_off_at_zero: bool
    strengths: tuple[float, ...] = STRENGTHS

    def sheet(self) -> Image.Image:
        """Return the before/after picture: what was taught, the base's row above the tuned one, the strength strip."""
        return before_after.draw(
            self.title(),
            self.subtitle(),
            before_after.Pairs(self.prompts, self.base, self.tuned),
            before_after.Strip(self.prompts[0], self.frames, [strength_name(s) for s in self.strengths]),
            [p.image for p in self.pictures],
        )

    def title(self) -> str:
        return self.run.settings.trigger

    def subtitle(self) -> str:
        s = self.run.settings
        at = f"drawn at strength {bases.find(s.base).strength:g}"
        return f"{s.base} + LoRA of rank {s.rank}, {s.steps} steps on {len(self.pictures)} pictures, {at}"

    def save(self, folder: Path) -> None:
        """Write `before_after.jpg` and `report.html` into a folder, which is made where it is missing."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        whole = self.sheet()
        page = html.page(
            self, whole, lines(self)
        )  # before anything is written, so that an error leaves no half
        whole.save(folder / "before_after.jpg", quality=92, subsampling=0)
        (folder / "report.html").write_text(page, encoding="utf-8")


def strength_name(strength: float) -> str:
    """Return a strength as the strip's labels say it."""
    return {0.0: "0 = base", 1.0: "1 = as trained"}.get(strength, f"{strength:g}")


def compare(
    drawer: Drawer,
    run: Run,
    prompts: Sequence[str],
    seeds: Sequence[int],
    held_out: Sequence[Picture],
    train_pictures: Sequence[Picture],
    on_row: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Return both rows for each prompt, the strength strip and the measures; the adapter stays loaded in the drawer.

    The trigger word is added to prompts that lack it, and both rows are drawn with the very same words, so that only
    the adapter differs. `on_row(done, total)` is called after each row. Raises ValueError without prompts or seeds.
    """
    if not prompts or not seeds or not train_pictures:
        raise ValueError(
            f"{len(prompts)} prompts, {len(seeds)} seeds, {len(train_pictures)} training pictures: expected one or more of each"
        )
    asked = [with_trigger(p, run.settings.trigger, run.settings.mode) for p in prompts]
    tell, total = on_row or (lambda done, total: None), 2 * len(asked) + 1
    base, tuned = [], []
    drawer.unload()
    for prompt in asked:
        base += drawer.draw([prompt], seeds)
        tell(len(base), total)
    drawer.load(run.folder)
    for prompt in asked:
        tuned += drawer.draw([prompt], seeds)
        tell(len(base) + len(tuned), total)
    frames = strip(drawer, asked[0], seeds[0], STRENGTHS)
    tell(total, total)
    measures, near = judge(prompts, base, tuned, train_pictures, held_out)
    return Comparison(
        run, asked, list(seeds), base, tuned, frames, measures, near, list(train_pictures), list(held_out),
        is_off_at_zero=frames[0].tobytes() == base[0][0].tobytes(),
    )  # fmt: skip


def strip(drawer: Drawer, prompt: str, seed: int, strengths: Sequence[float]) -> list[Image.Image]:
    """Return one picture at each strength of the adapter that is loaded; at 0 it is the base's own."""
    return [drawer.draw([prompt], [seed], strength=s)[0][0] for s in strengths]


def judge(
    prompts: Sequence[str],
    base: list[list[Image.Image]],
    tuned: list[list[Image.Image]],
    train_pictures: Sequence[Picture],
    held_out: Sequence[Picture],
) -> tuple[dict[str, Measure], list[tuple[int, float]]]:
    """Return the measures by name and for each tuned picture the training picture it repeats most. What cannot be told is left out."""
    side = base[0][0].width
    was, made = ([i for row in rows for i in row] for rows in (base, tuned))
    before, after = (metrics.features(some, side) for some in (was, made))
    taught = metrics.features([p.image for p in train_pictures], side)
    kept = metrics.features([p.image for p in held_out], side) if held_out else None
    inner = [metrics.features(metrics.middles(some, side), side) if some else None
             for some in (was, made, [p.image for p in train_pictures], [p.image for p in held_out])]  # fmt: skip
    squares = [crops.cut(p, side, "hand") for p in train_pictures]  # as they were trained on
    near = metrics.copied_from(made, squares)
    found = [
        style(before, after, taught, kept),
        dataclasses.replace(style(*inner), name="style match, middles"),
        prompt_kept(prompts, len(base[0]), before, after),
        seeds_differ(len(base[0]), before, after, taught),
        copying(metrics.copied_from(was, squares), near),
    ]
    return {m.name: m for m in found if m}, near


def style(before: Tensor, after: Tensor, taught: Tensor, kept: Tensor | None) -> Measure:
    """Return the likeness to the held-out paintings, or to the training pictures where none were held out."""
    reference = taught if kept is None else kept
    values = (after @ reference.T).mean(1).tolist()
    alone = len(taught) == 1  # no other picture to be like: the ceiling is the picture itself
    within = 1.0 if alone else float(metrics.likeness_within(taught).nanmean())
    ceiling = within if kept is None else metrics.style_match(taught, kept)
    floor = metrics.style_match(before, reference)
    whose = "held-out pictures" if kept is not None else "training pictures, as none were held out"
    return Measure("style match", floor, float(np.mean(values)), floor, ceiling, *metrics.interval(values),
                   "the base", f"training pictures against {whose}")  # fmt: skip


def prompt_kept(prompts: Sequence[str], columns: int, before: Tensor, after: Tensor) -> Measure | None:
    """Return how well pictures show what was asked for; None where no prompt names a concept that can be recognised."""
    try:
        names = metrics.concepts()[0]
    except FileNotFoundError:
        return None  # a base without concept features: `lines` says that this was not measured
    wanted = [metrics.concept_in(p, names) for p in prompts for _ in range(columns)]
    chosen = [i for i, name in enumerate(wanted) if name]
    if not chosen:
        return None
    words = [name for name in wanted if name]
    ranks = metrics.prompt_ranks(after[chosen], words)
    return Measure("prompt match", metrics.prompt_match(before[chosen], words), float(np.mean(ranks)), 0.0, 1.0,
                   *metrics.interval(ranks), "chance", "the right thing always nearest")  # fmt: skip


def seeds_differ(columns: int, before: Tensor, after: Tensor, taught: Tensor) -> Measure | None:
    """Return how far pictures of one prompt lie apart; None for a single seed."""
    if columns < 2 or len(taught) < 2:
        return None
    values = [metrics.diversity(rows) for rows in after.split(columns)]
    was = float(np.mean([metrics.diversity(rows) for rows in before.split(columns)]))
    return Measure("seeds differ", was, float(np.mean(values)), 0.0, metrics.diversity(taught),
                   *metrics.interval(values), "all the same", "training pictures among themselves")  # fmt: skip


def copying(before: list[tuple[int, float]], near: list[tuple[int, float]]) -> Measure:
    """Return how closely a picture repeats the layout of some training picture; a copy would be at 1."""
    was, values = ([likeness for _, likeness in found] for found in (before, near))
    floor = float(np.mean(was))
    return Measure("layout of a training picture", floor, float(np.mean(values)), floor, 1.0, *metrics.interval(values),
                   "the base", "a copy")  # fmt: skip


def lines(comparison: Comparison) -> list[str]:
    """Return exactly five lines that say what changed: style, prompt, seeds, copies, and the adapter switched off."""
    m = comparison.measures
    closest = max(likeness for _, likeness in comparison.nearest)
    off = (
        "is the base's, bit for bit" if comparison.is_off_at_zero else "is NOT the base's: please report this"
    )
    return [
        style_line(m["style match"], bool(comparison.held_out)) + middle_part(m["style match, middles"]),
        prompt_line(m.get("prompt match")),
        seeds_line(m.get("seeds differ")),
        copies_line(closest, len(comparison.nearest)),
        f"switched off: at strength 0 the picture {off}",
    ]


def copies_line(closest: float, count: int) -> str:
    verdict = "look at the report, one may be a copy" if closest >= metrics.COPY else "none found"
    return f"copies: {verdict}; of {count} pictures the closest to the layout of a training picture is at {closest:.2f} (a copy = 1.00)"


def style_line(m: Measure, has_held_out: bool) -> str:
    whose = "held-out pictures" if has_held_out else "training pictures (none were held out)"
    values = f"likeness to the {whose} {m.base:.2f} before, {m.tuned:.2f} after, {m.ceiling:.2f} at best"
    if m.ceiling <= m.floor:
        return f"style: {values}; the base was as near already, so there was no gap to close"
    return f"style: {round(100 * metrics.share(m.tuned, m.floor, m.ceiling))} % of the way to the paintings; {values}"


def middle_part(m: Measure) -> str:
    """Return the share of the gap that is closed where no frame is, as the end of a line; nothing where there is no gap."""
    if m.ceiling <= m.floor:
        return ""
    return f"; in the middles, without what lies at the edges, {round(100 * metrics.share(m.tuned, m.floor, m.ceiling))} %"


def prompt_line(m: Measure | None) -> str:
    if m is None and not metrics.CONCEPTS.is_file():
        return f"prompt: not measured, as {metrics.CONCEPTS.name} is missing from pocket/model"
    if m is None:
        return "prompt: not measured, as no prompt names a thing from pocket's list"
    kept = f"{100 * m.tuned / m.base:.0f} % kept; " if 0.05 < m.base > m.tuned else ""
    return f"prompt: {kept}match {m.base:.2f} before, {m.tuned:.2f} after (chance 0, always right 1)"


def seeds_line(m: Measure | None) -> str:
    if m is None:
        return "seeds: not measured, as that takes two seeds and two training pictures"
    return (
        f"seeds: pictures of one prompt lie {m.base:.2f} apart before, {m.tuned:.2f} after "
        f"(all the same = 0, training pictures {m.ceiling:.2f})"
    )
