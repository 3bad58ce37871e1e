"""What the scenes of all characters share: one picture and its mask, shadows, hills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import skia

from data.painter.ink import Ink
from data.painter.paper import cloud
from data.painter.shapes import oval, smooth

FIELD = 400.0  # a scene's side, in its own units


class Stage(Ink):
    """A canvas that remembers where the character stands, so that it can be drawn again without the scene."""

    def __init__(self, width: int, height: int, scale: float, rng: np.random.Generator) -> None:
        super().__init__(width, height, scale, rng)
        self.figures: list[Callable[[Ink], None]] = []

    def put(
        self, draw: Callable[[Ink], None], x: float, y: float, scale: float = 1.0, turn: float = 0.0
    ) -> None:
        """Draw the character with its feet at (x, y)."""

        def figure(ink: Ink) -> None:
            with ink.at(x, y, scale, turn=turn):
                draw(ink)

        self.figures.append(figure)
        figure(self)


@dataclass(frozen=True)
class Scene:
    """One picture: `draw` paints all of it."""

    split: str
    name: str
    title: str
    caption: str
    draw: Callable[[Stage], None]

    @property
    def file_name(self) -> str:
        """Where the picture lies, seen from the metadata file."""
        return f"{self.split}/{self.name}.jpg"


def paint(scene: Scene, side: int, seed: int) -> np.ndarray:
    """Return the picture as RGB bytes, (side, side, 3), with a little grain."""
    rng = np.random.default_rng([seed, int(scene.name[:2])])
    stage = Stage(400, 400, side / FIELD, rng)
    scene.draw(stage)
    pixels = stage.surface.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3].astype(np.float32)
    grain = 1 + 0.012 * cloud(rng, side, side, 60) + 0.012 * cloud(rng, side, side, 2)
    return (np.clip(pixels * grain[..., None], 0, 255) + 0.5).astype(np.uint8)


def mask(scene: Scene, side: int, seed: int) -> np.ndarray:
    """Return where the character is, (side, side) of bool; what stands before it counts as the character."""
    stage = Stage(400, 400, side / FIELD, np.random.default_rng([seed, int(scene.name[:2])]))
    scene.draw(stage)
    alone = Ink(400, 400, side / FIELD, np.random.default_rng(seed))
    for figure in stage.figures:
        figure(alone)
    return alone.surface.toarray(colorType=skia.kRGBA_8888_ColorType)[..., 3] > 127


def shadow(ink: Ink, x: float, y: float, wide: float, colour: str) -> None:
    """A soft shadow on the ground."""
    ink.fill(oval(x, y, wide, wide * 0.16), colour, 0.0, 0.28, 5)


def hills(ink: Ink, low: float, colours: Sequence[str], line_colour: str) -> None:
    """Land with a soft rise, from `low` downwards."""
    line = [(-6, low + 10), (90, low - 12), (210, low + 8), (310, low - 8), (406, low + 6)]
    ink.wash(smooth([*line, (420, 420), (-20, 420)], tension=0.8), colours)
    ink.line(line, 1.0, line_colour, 0.5, taper=False)


def body_and_limbs(
    ink: Ink, body: Callable[[Ink], None], limb: Callable[[Ink, int, float], None], left: float, right: float
) -> None:
    """Draw a body before its raised limbs and behind its lowered ones; `left` and `right` in degrees."""
    sides = [(-1, left), (1, right)]
    for side, angle in sides:
        if angle > 40:
            limb(ink, side, angle)
    body(ink)
    for side, angle in sides:
        if angle <= 40:
            limb(ink, side, angle)
