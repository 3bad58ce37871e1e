"""What a comparison holds: pictures before and after, and their measures."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from lessons_lib.adapters.run import Run
from lessons_lib.dataset.dataset import Dataset
from lessons_lib.display import before_after
from lessons_lib.models import bases

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)


@dataclass(frozen=True)
class Measure:
    """One number before and after, between its floor and its ceiling.

    `low` and `high`: 95 % interval of `tuned`.
    """

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
            f"{self.name}: {self.base:.2f} before, {self.tuned:.2f} after ({self.low:.2f} to "
            f"{self.high:.2f}); floor {self.floor:.2f} = {self.floor_is}, ceiling {self.ceiling:.2f} = "
            f"{self.ceiling_is}"
        )


@dataclass
class Comparison:
    """Images before and after, rows prompts and columns seeds, with measures.

    `frames`: the first one at rising strength.
    `nearest`: for every tuned image, row by row, the index of the training picture whose layout it repeats
    most and how closely; 1 = a copy. `is_off_at_zero`: the frame at strength 0 is the base's image bit for
    bit.
    """

    run: Run
    dataset: Dataset
    prompts: list[str]
    seeds: list[int]
    base_images: list[list[Image.Image]]
    tuned_images: list[list[Image.Image]]
    frames: list[Image.Image]
    measures: dict[str, Measure]
    nearest: list[tuple[int, float]]
    is_off_at_zero: bool
    strengths: tuple[float, ...] = STRENGTHS

    def sheet(self) -> Image.Image:
        """Return the before/after sheet: training pictures, base row above tuned row,
        one image at rising strength.
        """
        return before_after.sheet(
            self.title(),
            self.subtitle(),
            before_after.Pairs(self.prompts, self.base_images, self.tuned_images),
            before_after.Strip(self.prompts[0], self.frames, [_strength_label(s) for s in self.strengths]),
            [picture.image for picture in self.dataset.train[: before_after.MOST_THUMBNAILS]],
            len(self.dataset.train),
        )

    @property
    def changes_nothing(self) -> bool:
        """Whether every picture is bit for bit the base's."""
        pairs = zip(self.base_images, self.tuned_images, strict=True)
        return all([i.tobytes() for i in base] == [i.tobytes() for i in tuned] for base, tuned in pairs)

    def title(self) -> str:
        """Return the trigger word."""
        return self.run.settings.trigger

    def subtitle(self) -> str:
        """Return base, rank, steps, number of pictures and strength in a line."""
        s = self.run.settings
        strength = f"drawn at strength {bases.find(s.base).strength:g}"
        return (
            f"{s.base} + LoRA of rank {s.rank}, {s.steps} steps on {len(self.dataset.train)} pictures, "
            f"{strength}"
        ) + (f"; after step {self.run.step} {self.run.reason}" if self.run.reason else "")


def _strength_label(strength: float) -> str:
    return {0.0: "0 = base", 1.0: "1 = as trained"}.get(strength, f"{strength:g}")
