"""The report on a comparison: one HTML file with everything in it, that opens from disk and can be sent to
somebody.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from lessons_lib.dataset.pictures import Picture
from lessons_lib.display.html import render_template
from lessons_lib.evaluation.comparison import Comparison, Measure
from lessons_lib.models import bases

MOST_SIMILAR = 4  # samples that are shown beside the training picture whose layout they repeat
MOST_SHOWN = 300  # pictures of a set: three thousand would make a page of 60 MB
_FRAME_SIDE = 420


def render(comparison: Comparison, sheet: Image.Image, lines: Sequence[str]) -> str:
    """Return the whole report as one HTML text that loads nothing from anywhere.

    `lines`: see `verdict.lines`.
    """
    c = comparison
    return render_template(
        "report.html.j2",
        title=c.title(),
        subtitle=c.subtitle(),
        lines=[line.split(": ", 1) for line in lines],
        sheet=sheet,
        prompts=c.prompts,
        seeds=c.seeds,
        frames=[(_frame(image), strength) for image, strength in zip(c.frames, c.strengths, strict=True)],
        start=_first_frame(c),
        measures=[(measure, _positions(measure)) for measure in c.measures.values()],
        rows=[
            (prompt, {"before": base, "after": tuned})
            for prompt, base, tuned in zip(c.prompts, c.base_images, c.tuned_images, strict=True)
        ],
        nearest=_most_similar(c),
        dataset=c.dataset,
        most=MOST_SHOWN,
    )


def _frame(image: Image.Image) -> Image.Image:
    return image.resize((_FRAME_SIDE, _FRAME_SIDE), Image.Resampling.LANCZOS)


def _first_frame(comparison: Comparison) -> int:
    """Return the index of the frame that is shown first: at the strength the base samples at,
    or else the strongest.
    """
    strength = bases.find(comparison.run.settings.base).strength
    strengths = comparison.strengths
    return strengths.index(strength) if strength in strengths else len(strengths) - 1


def _positions(measure: Measure) -> dict[str, float]:
    """Return where values lie between floor (0) and ceiling (100), in per cent.

    What lies beyond an end sits on it.
    """
    width = measure.ceiling - measure.floor or 1.0
    values = {name: getattr(measure, name) for name in ("base", "tuned", "low", "high")}
    return {name: 100 * min(1.0, max(0.0, (v - measure.floor) / width)) for name, v in values.items()}


def _most_similar(comparison: Comparison) -> list[tuple[Image.Image, Picture, float]]:
    """Return the tuned images that repeat the layout of a training picture most,
    each with that one and the similarity.
    """
    samples = [image for row in comparison.tuned_images for image in row]
    nearest = sorted(zip(samples, comparison.nearest, strict=True), key=lambda pair: -pair[1][1])
    train = comparison.dataset.train
    return [(image, train[index], similarity) for image, (index, similarity) in nearest[:MOST_SIMILAR]]
