"""Scenes composed in batches: which things, where, on what, in which look, and a caption that says so.
Never the same one twice.

`Composer.scenes` draws everything at random on the CPU from a seed; `Composer.paint` makes pictures of it
on any device.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pocket import brushes, grounds, looks, palettes
from pocket.batch_rng import BatchRng
from pocket.captions import SLOT
from pocket.drawings import Bank
from pocket.looks import Looks
from pocket.painting import SPRITES, Scenes, paint
from pocket.phrases import Phrases
from pocket.placing import FREE, Composition, places
from pocket.wording import OF_LOOK, THINGS, Mix, leave_out, name_look, name_things, says_no_look


class Composer:
    """Scenes of a bank's drawings; some looks have names, which stay the same for good. Seeds take the
    compositions in turn.
    """

    def __init__(
        self,
        bank: Bank,
        phrases: Phrases,
        named: Looks | None = None,
        device: torch.device | str = "cpu",
        compositions: Sequence[Composition] = (FREE,),
    ) -> None:
        self.bank, self.phrases, self.device = bank, phrases, torch.device(device)
        self.named, self.compositions, self.composition = named, tuple(compositions), compositions[0]
        self.dress, self.finish = brushes.dressed, brushes.finished
        brushes.prepare(device)

    def without_drawings(self) -> Composer:
        """Return a composer that can draw scenes but not paint them, to be sent to another process."""
        other = copy.copy(self)
        other.bank, other.device = copy.copy(self.bank), torch.device("cpu")
        other.bank.levels = []
        other.dress, other.finish = brushes.dressed, brushes.finished
        return other

    def scenes(self, count: int, seed: int, mix: Mix | None = None, only: Looks | None = None) -> Scenes:
        """Return so many scenes. `only`: looks to take in turn, in place of random ones."""
        own = copy.copy(self)
        own.composition = self.compositions[seed % len(self.compositions)]
        return own._composed(count, seed, mix or Mix(), only)

    def _composed(self, count: int, seed: int, mix: Mix, only: Looks | None) -> Scenes:
        rng = BatchRng(seed)
        look = looks.sample(count, rng, self.composition.plain_look, self.composition.borders)
        name = torch.full((count,), -1)
        if only is not None:
            look = only[torch.arange(count) % len(only)]
        elif self.named is not None and len(self.named):
            name = torch.where(rng.coin(count, mix.named), rng.integers(count, 0, len(self.named)), -1)
            look = looks.put(look, name >= 0, self.named[name[name >= 0]])
        rows = torch.zeros(count, len(SLOT), dtype=torch.long)
        kind = rng.choose(count, self.composition.kinds)
        scene = self._things(rng, kind, rows)
        scene |= self._ground(rng, look, rows)
        look = self._on_dark(scene, look)
        name_look(self.phrases, self.bank, rng, look, rows, scene["drawing"])
        everything = rows.clone()
        leave_out(self.phrases, rng, rows, name, mix)
        picks = rng.integers(count, 0, 1 << 20)
        if only is None:
            bare = says_no_look(rows) & rng.coin(count, mix.bare)
            look = looks.put(look, bare, looks.as_drawn(look[bare]))
            for said in (rows, everything):
                said[:, [*OF_LOOK, SLOT["form"], SLOT["style"]]] *= ~bare[:, None]
            name[bare] = -1
        return Scenes(**scene, picks=picks, looks=look, rows=rows, everything=everything, name=name)

    def _things(self, rng: BatchRng, kind: Tensor, rows: Tensor) -> dict[str, Tensor]:
        n, bank, phrases = len(kind), self.bank, self.phrases
        drawing = torch.full((n, SPRITES), -1)
        x, y, size = (torch.zeros(n, SPRITES) for _ in range(3))
        things = torch.stack([rng.integers(n, 0, len(bank.names)) for _ in range(THINGS)], 1)
        copies = torch.where(kind == 1, rng.integers(n, 2, 5), 1)
        many = torch.tensor((1, 0, 2, 3, 4))[kind] + (kind == 1) * copies
        things = torch.where((kind == 1)[:, None], things[:, :1], things)
        used = torch.arange(THINGS) < many[:, None]
        relation = torch.where(kind == 2, rng.integers(n, 0, 8), -1)
        spot, first = places(rng, many, relation), slice(SPRITES - THINGS, None)
        x[:, first], y[:, first], size[:, first] = spot[..., 0], spot[..., 1], spot[..., 2]
        self._alone(rng, kind, x, y, size, rows)
        drawing[:, first] = self._drawings(rng, kind, things, used)
        self._clutter(rng, kind, drawing, x, y, size, rows)
        mirrored = rng.uniform(n, width=SPRITES) < self.composition.mirrored
        turn = rng.normal(n, 0, 0.06, SPRITES)
        tilted = (kind == 0) & rng.coin(n, 0.08)
        turn[:, SPRITES - THINGS] += tilted * rng.uniform(n, 0.35, 0.7) * (1 - 2 * rng.coin(n, 0.5).float())
        rows[:, SLOT["tilted"]] = tilted * phrases.tilted
        name_things(phrases, rng, kind, copies, relation, torch.where(used, things, -1), rows)
        sees_left = bank.looks_left[drawing[:, SPRITES - THINGS].clamp(min=0)]
        faces = (sees_left >= 0) & (kind == 0) & rng.coin(n, 0.7)
        right = (sees_left == 1) == mirrored[:, SPRITES - THINGS]
        rows[:, SLOT["facing"]] = faces * phrases.facing[right.long()]
        front = (relation == 4)[:, None]  # what is in front is painted last; what is behind, first
        order = torch.where(front, torch.tensor([0, 1, 2, 3, 5, 4, 6, 7]), torch.arange(SPRITES))
        sprites = {"drawing": drawing, "x": x, "y": y, "size": size, "mirrored": mirrored, "turn": turn}
        stretch = torch.exp(rng.normal(n, 0, 0.08, SPRITES))
        in_order = {key: value.gather(1, order) for key, value in sprites.items()}
        return in_order | {"stretch": stretch, "things": torch.where(used, things, -1)}

    def _drawings(self, rng: BatchRng, kind: Tensor, things: Tensor, used: Tensor) -> Tensor:
        """Return a drawing of each thing, mostly by one maker, and mostly one drawing of several."""
        n, makers, weights = len(kind), len(self.bank.makers), self.composition.makers
        is_one = rng.coin(n, self.composition.one_maker)
        of_makers = (weights + weights[-1:] * makers)[:makers]
        maker = torch.where(is_one, rng.choose(n, of_makers) if weights else rng.integers(n, 0, makers), -1)
        drawing = torch.full((n, THINGS), -1)
        for k in range(THINGS):
            by = torch.where(maker >= 0, maker, rng.integers(n, 0, makers))
            drawing[:, k] = torch.where(used[:, k], self.bank.pick(things[:, k], by, rng), -1)
        same = (kind == 1) & rng.coin(n, 0.7)
        return torch.where(same[:, None] & used, drawing[:, :1], drawing)

    def _alone(self, rng: BatchRng, kind: Tensor, x: Tensor, y: Tensor, size: Tensor, rows: Tensor) -> None:
        """Place a thing that is alone: its size and, where it is off the middle, its place are said."""
        n, at = len(kind), SPRITES - THINGS
        word = rng.choose(n, self.composition.sizes)  # small, big, tiny, huge, none
        usual = self.composition.usual
        low = torch.tensor((0.33, 0.88, 0.24, 1.0, usual[0]))
        high = torch.tensor((0.5, 1.0, 0.33, 1.2, usual[1]))
        side = low[word] + (high - low)[word] * rng.uniform(n)
        room = ((1 - side) / 2).clamp(min=0.02)
        off = rng.uniform(n, -1, 1, 2)
        off = torch.where(rng.coin(n, self.composition.near_middle)[:, None], off * 0.2, off)
        for axis, (values, spot) in enumerate(((x, off[:, 0]), (y, off[:, 1]))):
            values[:, at] = torch.where(kind == 0, 0.5 + room * spot + (0.03 * axis), values[:, at])
        size[:, at] = torch.where(kind == 0, side, size[:, at])
        far = (off * room[:, None]).abs() > 0.1
        left, top = off[:, 0] < 0, off[:, 1] < 0
        place = torch.where(
            far.all(1),
            5 + (~left).long() + 2 * (~top).long(),
            torch.where(
                far[:, 0],
                1 + (~left).long(),
                torch.where(far[:, 1], 3 + (~top).long(), 9 * (rng.coin(n, 0.2) & (word != 1) & (word != 3))),
            ),
        )
        rows[:, SLOT["place"]] = (kind == 0) * self.phrases.place[place]
        rows[:, SLOT["size"]] = torch.where(kind == 0, word + 1, 0)  # made a phrase by _name
        rows[:, SLOT["size"]] *= word < 4

    def _clutter(
        self, rng: BatchRng, kind: Tensor, drawing: Tensor, x: Tensor, y: Tensor, size: Tensor, rows: Tensor
    ) -> None:
        """Put small things of one kind behind the others, near the sides."""
        n = len(kind)
        has, thing = (
            rng.coin(n, self.composition.cluttered) & (kind != 4),
            self.bank.clutter[rng.integers(n, 0, len(self.bank.clutter))],
        )
        one = self.bank.pick(thing, rng.integers(n, 0, len(self.bank.makers)), rng)
        for k in range(SPRITES - THINGS):
            drawing[:, k] = torch.where(has & rng.coin(n, 0.85), one, -1)
            x[:, k] = (0.14, 0.86, 0.12, 0.88)[k] + rng.normal(n, 0, 0.06)
            y[:, k] = (0.16, 0.2, 0.84, 0.8)[k] + rng.normal(n, 0, 0.07)
            size[:, k] = rng.uniform(n, 0.1, 0.22)
        shown = (drawing[:, : SPRITES - THINGS] >= 0).any(1)
        rows[:, SLOT["clutter"]] = shown * self.phrases.clutter[thing]

    def _ground(self, rng: BatchRng, look: Looks, rows: Tensor) -> dict[str, Tensor]:
        n = len(look)
        kind = rng.choose(n, (self.composition.plain_ground, *grounds.WEIGHTS[1:]))
        name = rng.choose(n, (3, 1.5, 0.7, 1, 1, 1, 1, 1, 1, 1, 1, 1))
        other = (name + rng.integers(n, 1, len(palettes.RGB))) % len(palettes.RGB)
        usual = torch.zeros(len(grounds.KINDS), 4, 3)
        for k, ground in enumerate(grounds.KINDS):
            if ground in grounds.USUAL:
                usual[k] = torch.tensor(grounds.USUAL[ground])
        fit = torch.stack(
            [
                palettes.RGB[name],
                palettes.RGB[other],
                palettes.RGB[(other + 3) % len(palettes.RGB)],
                palettes.RGB[0].expand(n, 3),
            ],
            1,
        )
        coloured = kind < len(grounds.COLOURED)
        inked = (
            coloured
            & (look.ground_ink > 0)
            & ~torch.isin(look.palette, torch.tensor([palettes.PALETTES.index(p) for p in looks.NAMEABLE]))
        )
        ink = look.inks[
            torch.arange(n)[:, None], torch.stack([rng.integers(n, 0, palettes.INKS) for _ in range(4)], 1)
        ]
        colours = torch.where(
            coloured[:, None, None], torch.where(inked[:, None, None], ink, fit), usual[kind]
        )
        colours = colours + rng.normal(n, 0, 0.025, 12).view(n, 4, 3) * (1 + 1.2 * (~coloured))[:, None, None]
        called = torch.where(inked, len(palettes.RGB), name)
        rows[:, SLOT["ground"]] = self.phrases.ground[kind, called]
        return {"ground": kind, "colours": colours.clamp(0, 1), "numbers": rng.uniform(n, 0, 1, 6)}

    def _on_dark(self, scene: dict[str, Tensor], look: Looks) -> Looks:
        """Return looks whose black lines are pale where the ground is dark."""
        first = (
            scene["colours"][:, 0] * (scene["ground"] < len(grounds.COLOURED))[:, None]
            + (scene["ground"] >= len(grounds.COLOURED))[:, None]
        )
        dark = ((first * palettes.GREY).sum(1) < 0.25) | (scene["ground"] == grounds.KINDS.index("night"))
        pale = dark & ((look.line_colour * palettes.GREY).sum(1) < 0.25)
        return replace(
            look, line_colour=torch.where(pale[:, None], torch.tensor((0.93, 0.9, 0.82)), look.line_colour)
        )

    def paint(self, scenes: Scenes) -> Tensor:
        """Return (n, 3, SIDE, SIDE) pictures, 0 to 1, on the composer's device."""
        return paint(scenes, self.bank, self.device, self.dress, self.finish)
