"""Lesson 04: how much of the rank does a style need?

Finished trainings cut to smaller ranks, drawn again; no new training.
`python -m lessons_lib.course.lesson_04_rank record` makes the long run that the lesson shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from IPython.display import Image as NotebookImage
from PIL import Image, ImageDraw

from lessons_lib.adapters import spectrum
from lessons_lib.course import charts, lesson_02, long_run, trials
from lessons_lib.course.trials import TRIGGER
from lessons_lib.display.notebook import jpeg
from lessons_lib.display.theme import ACCENT, INK, MUTED, PAPER, font

RANKS = (1, 2, 4, 8)  # beside the whole


def style_chart(result: Mapping[str, Any]) -> NotebookImage:
    """Return the recorded run as a JPEG: style match by the rank that was kept."""
    groups = {
        f"rank {rank}": {"mean of the drawings": trials.values(result["rows"], "style", rank=rank)}
        for rank in result["ranks"]
    }
    return charts.interval_chart(groups, result["floor"], result["ceiling"], "style match")


def verdicts(result: Mapping[str, Any]) -> list[str]:
    """Return what the recorded run shows of each smaller rank beside the whole, in sentences."""
    rows, ranks = result["rows"], result["ranks"]
    measures = {"style": "style", "prompt kept": "prompt_rank"}
    return [
        trials.verdict(
            measure,
            f"rank {rank}",
            f"rank {ranks[-1]}",
            *(trials.column(rows, key, rank=r) for r in (rank, ranks[-1])),
        )
        for measure, key in measures.items()
        for rank in ranks[:-1]
    ]


def record() -> None:
    """Cut the standard trainings to every rank, score the samples, and save the result."""
    run = long_run.prepare()
    base = trials.trigger_samples(run.sampler, trials.SUBJECTS, TRIGGER, trials.SEEDS)
    ranks = [*RANKS, run.sampler.base.rank]

    def trial(variant: str, seed: int) -> long_run.Row:
        run_dir = run.run_dir(long_run.STANDARD, seed)
        base_model, steps = run.sampler.base, long_run.STEPS
        one = lesson_02.train_subset(base_model, run.dataset, steps, seed, run_dir, replace=False)
        run.sampler.load(one.folder)
        if int(variant) < base_model.rank:
            spectrum.truncate(run.sampler.denoiser, int(variant))
        images = trials.quick_samples(run.sampler, trials.trigger_prompts(trials.SUBJECTS), trials.SEEDS)
        scores = trials.sample_scores(
            run.judge, images, trials.SUBJECTS, run.train_features, run.held_out_features
        )
        return {"rank": int(variant), "seed": seed} | asdict(scores)

    rows = run.run_trials("how_much_rank", [str(rank) for rank in ranks], trial)
    run.record("how_much_rank", rows, base, ranks=ranks)


def save_diagram(path: Path) -> None:
    """Draw a frozen matrix and the two thin ones beside it, and how a vector goes through them."""
    page = Image.new("RGB", (900, 330), PAPER)
    pen = ImageDraw.Draw(page)
    _matrix(pen, (60, 70, 240, 250), INK, "W", "frozen, out by in", PAPER)
    pen.text((290, 160), "+", fill=INK, font=font(34), anchor="mm")
    pen.text((372, 160), "alpha / rank  ×", fill=INK, font=font(16), anchor="mm")
    _matrix(pen, (450, 70, 480, 250), ACCENT, "B", "up: out by rank,\nzero at the start", PAPER)
    pen.text((520, 160), "×", fill=INK, font=font(24), anchor="mm")
    _matrix(pen, (560, 145, 740, 175), ACCENT, "A", "down: rank by in,\nrandom at the start", PAPER)
    for x, text in ((150, "stays as it is"), (465, "learns"), (650, "learns")):
        pen.text((x, 44), text, fill=ACCENT if text == "learns" else MUTED, font=font(15), anchor="mm")
    pen.text((820, 160), "= the weight\nthat draws", fill=INK, font=font(16), anchor="mm", align="center")
    pen.text(
        (450, 312),
        "a vector x goes both ways:  W x  +  alpha / rank  B (A x)",
        fill=INK,
        font=font(16),
        anchor="mm",
    )
    path.write_bytes(jpeg(page, 80))


def _matrix(
    pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: str, name: str, size: str, on: str
) -> None:
    """Draw a matrix as a box with its name in it and its size below."""
    left, top, right, bottom = box
    pen.rectangle(box, fill=colour)
    pen.text(((left + right) // 2, (top + bottom) // 2), name, fill=on, font=font(20, "Bold"), anchor="mm")
    pen.text(((left + right) // 2, bottom + 26), size, fill=MUTED, font=font(14), anchor="mm", align="center")


if __name__ == "__main__":
    long_run.command_line("lesson_04_rank", {"record": record})
