"""What a comparison holds: pictures before and after, and their measures."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from lessons_lib.adapters.run import Run
from lessons_lib.dataset.pictures import Picture
from lessons_lib.display import before_after
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


def strength_name(strength: float) -> str:
    """Return a strength as the strip's labels say it."""
    return {0.0: "0 = base", 1.0: "1 = as trained"}.get(strength, f"{strength:g}")
