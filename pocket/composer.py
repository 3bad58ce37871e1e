"""Scenes composed in batches: which things, where, on what, in which look, and a caption that says so.
Never the same one twice.

`Composer.scenes` draws everything at random on the CPU from a seed; `Composer.paint` makes pictures of it
on any device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from pocket import brushes, grounds, looks
from pocket.captions import SLOT, STYLES, Phrases
from pocket.corpus import COLOURS, SIDE
from pocket.dice import Dice
from pocket.looks import Looks
from pocket.things import Drawing

THINGS, SPRITES = 4, 8  # things of a scene, and with clutter, which comes first and so lies behind
CLUTTER = (
    "tulip",
    "rose",
    "sunflower",
    "star",
    "snowflake",
    "butterfly",
    "bird",
    "mushroom",
    "leaf",
    "blossom",
    "heart",
    "balloon",
    "cloud",
    "tree",
    "cactus",
    "shell",
    "rock",
    "cypress tree",
    "herb",
    "crescent moon",
    "fish",
    "palm",
    "lantern",
    "gem",
)
KINDS = ("one", "several", "two", "three", "four")
DARK = [list(COLOURS).index("black")]
OUTLINE = STYLES.index("outline")


@dataclass(frozen=True)
class Mix:
    """Shares of what a batch holds. `short` and `some` are of captions: a name and little more; with half
    of it left out.
    """

    plain: float = 0.22
    named: float = 0.3
    strange: float = 0.12
    short: float = 0.1
    some: float = 0.25
    empty: float = 0.1

    def later(self) -> Mix:
        """Return what the last part of a training sees: more short captions, as people write them."""
        return replace(self, short=0.4, some=0.3)


class Bank:
    """Drawings on a device, with halves and quarters of them for small things, and which of them show a
    thing.
    """

    def __init__(self, pictures: Tensor, rows: list[Drawing], device: torch.device | str = "cpu") -> None:
        """`pictures`: (N, SIDE, SIDE, 4) uint8."""
        self.names = list(dict.fromkeys(row.thing for row in rows))
        self.makers = list(dict.fromkeys(row.package for row in rows))
        full = pictures.permute(0, 3, 1, 2).contiguous()
        self.levels = [full.to(device), *(_smaller(full, k).to(device) for k in (2, 4))]
        number = {name: k for k, name in enumerate(self.names)}
        self.style = torch.tensor([STYLES.index(row.style) for row in rows])
        self.looks_left = torch.tensor([{"": -1, "left": 1, "right": 0}[row.facing] for row in rows])
        self._by_maker(rows, number)
        self.clutter = torch.tensor([number[n] for n in CLUTTER if n in number] or [0])

    def _by_maker(self, rows: list[Drawing], number: dict[str, int]) -> None:
        """Set (things, makers, most) drawing numbers and how many there are."""
        found: dict[tuple[int, int], list[int]] = {}
        for k, row in enumerate(rows):
            found.setdefault((number[row.thing], self.makers.index(row.package)), []).append(k)
        most = max(map(len, found.values()))
        self.drawings = torch.zeros(len(self.names), len(self.makers), most, dtype=torch.long)
        self.counts = torch.zeros(len(self.names), len(self.makers), dtype=torch.long)
        for (thing, maker), which in found.items():
            self.drawings[thing, maker, : len(which)] = torch.tensor(which)
            self.counts[thing, maker] = len(which)

    def pick(self, thing: Tensor, maker: Tensor, dice: Dice) -> Tensor:
        """Return a drawing of each thing, by the maker where he has one, else by any."""
        n, has = len(thing), self.counts[thing] > 0  # (n, makers)
        order = dice.uniform(n, width=has.shape[1]) * has
        order[torch.arange(n), maker] = torch.where(
            has[torch.arange(n), maker], 2.0, order[torch.arange(n), maker]
        )
        maker = order.argmax(1)
        which = (dice.uniform(n) * self.counts[thing, maker]).long()
        return self.drawings[thing, maker, which]


def _smaller(pictures: Tensor, times: int, chunk: int = 256) -> Tensor:
    """Return premultiplied-correct reductions of (N, 4, SIDE, SIDE) uint8 pictures."""
    out = []
    for part in pictures.split(chunk):
        alpha = part[:, 3:].float() / 255
        paint = F.avg_pool2d(torch.cat([part[:, :3].float() * alpha, alpha], 1), times)
        out.append(
            torch.cat([paint[:, :3] / paint[:, 3:].clamp(min=1e-3), 255 * paint[:, 3:]], 1)
            .round()
            .clamp(0, 255)
            .byte()
        )
    return torch.cat(out)


@dataclass
class Scenes:
    """A batch of scenes in numbers. Sprites are painted in order; positions and sizes are shares of the
    inner picture.
    """

    drawing: Tensor  # (n, SPRITES), -1 where none
    x: Tensor
    y: Tensor
    size: Tensor
    stretch: Tensor
    turn: Tensor  # radians
    mirrored: Tensor
    ground: Tensor  # (n,) index into grounds.KINDS
    colours: Tensor  # (n, 4, 3)
    numbers: Tensor  # (n, 6)
    picks: Tensor  # (n,) noise tiles
    looks: Looks
    rows: Tensor  # (n, slots) phrase numbers
    things: Tensor  # (n, THINGS), -1 where none

    def __len__(self) -> int:
        return len(self.ground)


class Composer:
    """Scenes of a bank's drawings; some looks have names, which stay the same for good."""

    def __init__(
        self, bank: Bank, phrases: Phrases, named: Looks | None = None, device: torch.device | str = "cpu"
    ) -> None:
        self.bank, self.phrases, self.device = bank, phrases, torch.device(device)
        self.named = named
        self.finish = brushes.finished

    def scenes(self, count: int, seed: int, mix: Mix | None = None, only: Looks | None = None) -> Scenes:
        """Return so many scenes. `only`: looks to take in turn, in place of random ones."""
        mix, dice = mix or Mix(), Dice(seed)
        look = looks.sample(count, dice, mix.plain)
        name = torch.full((count,), -1)
        if only is not None:
            look = only[torch.arange(count) % len(only)]
        elif self.named is not None and len(self.named):
            name = torch.where(dice.coin(count, mix.named), dice.integers(count, 0, len(self.named)), -1)
            look = looks.put(look, name >= 0, self.named[name[name >= 0]])
        rows = torch.zeros(count, len(SLOT), dtype=torch.long)
        kind = dice.choose(count, (56, 9, 23, 6, 6))
        scene = self._things(dice, kind, rows)
        scene |= self._ground(dice, look, rows)
        look = self._on_dark(scene, look)
        self._look_words(dice, look, rows, scene["drawing"])
        self._words(dice, rows, name, mix)
        return Scenes(**scene, picks=dice.integers(count, 0, 1 << 20), looks=look, rows=rows)

    def _things(self, dice: Dice, kind: Tensor, rows: Tensor) -> dict[str, Tensor]:
        n, bank, phrases = len(kind), self.bank, self.phrases
        drawing = torch.full((n, SPRITES), -1)
        x, y, size = (torch.zeros(n, SPRITES) for _ in range(3))
        things = torch.stack([dice.integers(n, 0, len(bank.names)) for _ in range(THINGS)], 1)
        copies = torch.where(kind == 1, dice.integers(n, 2, 5), 1)
        many = torch.tensor((1, 0, 2, 3, 4))[kind] + (kind == 1) * copies
        things = torch.where((kind == 1)[:, None], things[:, :1], things)
        used = torch.arange(THINGS) < many[:, None]
        relation = torch.where(kind == 2, dice.integers(n, 0, 8), -1)
        spot, first = _places(dice, many, relation), slice(SPRITES - THINGS, None)
        x[:, first], y[:, first], size[:, first] = spot[..., 0], spot[..., 1], spot[..., 2]
        self._alone(dice, kind, x, y, size, rows)
        maker = torch.where(dice.coin(n, 0.75), dice.integers(n, 0, len(bank.makers)), -1)
        for k in range(THINGS):
            by = torch.where(maker >= 0, maker, dice.integers(n, 0, len(bank.makers)))
            drawing[:, SPRITES - THINGS + k] = torch.where(used[:, k], bank.pick(things[:, k], by, dice), -1)
        same = (kind == 1) & dice.coin(n, 0.7)
        last = drawing[:, first]
        drawing[:, first] = torch.where(same[:, None] & used, last[:, :1], last)
        behind = (
            relation == 5
        )  # the first thing is behind: paint it first, as it stands; in front of: paint it last
        self._clutter(dice, kind, drawing, x, y, size, rows)
        mirrored = dice.uniform(n, width=SPRITES) < 0.5
        turn = dice.normal(n, 0, 0.06, SPRITES)
        tilted = (kind == 0) & dice.coin(n, 0.08)
        turn[:, SPRITES - THINGS] += tilted * dice.uniform(n, 0.35, 0.7) * (1 - 2 * dice.coin(n, 0.5).float())
        rows[:, SLOT["tilted"]] = tilted * phrases.tilted
        self._name(dice, kind, copies, relation, torch.where(used, things, -1), rows)
        sees_left = bank.looks_left[drawing[:, SPRITES - THINGS].clamp(min=0)]
        faces = (sees_left >= 0) & (kind == 0) & dice.coin(n, 0.7)
        right = (sees_left == 1) == mirrored[:, SPRITES - THINGS]
        rows[:, SLOT["facing"]] = faces * phrases.facing[right.long()]
        front = (relation == 4)[:, None]
        order = torch.where(front, torch.tensor([0, 1, 2, 3, 5, 4, 6, 7]), torch.arange(SPRITES))
        assert not bool((behind & front[:, 0]).any())
        shuffled = {
            key: value.gather(1, order)
            for key, value in (
                ("drawing", drawing),
                ("x", x),
                ("y", y),
                ("size", size),
                ("mirrored", mirrored),
                ("turn", turn),
            )
        }
        return shuffled | {
            "stretch": torch.exp(dice.normal(n, 0, 0.08, SPRITES)),
            "things": torch.where(used, things, -1),
        }

    def _alone(self, dice: Dice, kind: Tensor, x: Tensor, y: Tensor, size: Tensor, rows: Tensor) -> None:
        """Place a thing that is alone: its size and, where it is off the middle, its place are said."""
        n, at = len(kind), SPRITES - THINGS
        word = dice.choose(n, (18, 14, 6, 5, 57))  # small, big, tiny, huge, none
        low, high = torch.tensor((0.33, 0.88, 0.24, 1.0, 0.62)), torch.tensor((0.5, 1.0, 0.33, 1.2, 0.88))
        side = low[word] + (high - low)[word] * dice.uniform(n)
        room = ((1 - side) / 2).clamp(min=0.02)
        off = dice.uniform(n, -1, 1, 2)
        off = torch.where(dice.coin(n, 0.35)[:, None], off * 0.2, off)
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
                torch.where(
                    far[:, 1], 3 + (~top).long(), 9 * (dice.coin(n, 0.2) & (word != 1) & (word != 3))
                ),
            ),
        )
        rows[:, SLOT["place"]] = (kind == 0) * self.phrases.place[place]
        rows[:, SLOT["size"]] = torch.where(kind == 0, word + 1, 0)  # made a phrase by _name
        rows[:, SLOT["size"]] *= word < 4

    def _clutter(
        self, dice: Dice, kind: Tensor, drawing: Tensor, x: Tensor, y: Tensor, size: Tensor, rows: Tensor
    ) -> None:
        """Put small things of one kind behind the others, near the sides."""
        n = len(kind)
        has, thing = (
            dice.coin(n, 0.2) & (kind != 4),
            self.bank.clutter[dice.integers(n, 0, len(self.bank.clutter))],
        )
        one = self.bank.pick(thing, dice.integers(n, 0, len(self.bank.makers)), dice)
        for k in range(SPRITES - THINGS):
            drawing[:, k] = torch.where(has & dice.coin(n, 0.85), one, -1)
            x[:, k] = (0.14, 0.86, 0.12, 0.88)[k] + dice.normal(n, 0, 0.06)
            y[:, k] = (0.16, 0.2, 0.84, 0.8)[k] + dice.normal(n, 0, 0.07)
            size[:, k] = dice.uniform(n, 0.1, 0.22)
        shown = (drawing[:, : SPRITES - THINGS] >= 0).any(1)
        rows[:, SLOT["clutter"]] = shown * self.phrases.clutter[thing]

    def _name(
        self, dice: Dice, kind: Tensor, copies: Tensor, relation: Tensor, things: Tensor, rows: Tensor
    ) -> None:
        """Put the things into words: articles, counts, relations; a quarter of the names are synonyms."""
        p, n = self.phrases, len(kind)
        words = torch.zeros(n, THINGS, dtype=torch.long)
        for k in range(THINGS):
            thing = things[:, k].clamp(min=0)
            other = torch.where(dice.coin(n, 0.25), (dice.uniform(n) * p.synonyms[thing]).long(), 0)
            sized = rows[:, SLOT["size"]] > 0 if k == 0 else torch.zeros(n, dtype=torch.bool)
            form = torch.where((kind == 1) & ~p.uncountable[thing], 2, torch.where(sized | (kind == 1), 1, 0))
            words[:, k] = torch.where(things[:, k] >= 0, p.name[thing, other, form], 0)
        first = things[:, 0]
        counted = torch.where(p.uncountable[first], p.several, p.count[copies])
        word = rows[:, SLOT["size"]]
        sized = torch.where(
            p.uncountable[first], p.size[(word - 1).clamp(min=0), 0], p.size[(word - 1).clamp(min=0), 1]
        )
        rows[:, SLOT["size"]] = torch.where(kind == 1, counted, torch.where(word > 0, sized, 0))
        rows[:, SLOT["first"]] = words[:, 0]
        apart = (kind == 2) & (relation < 2) & dice.coin(n, 0.4)  # "a on the left and b on the right"
        rows[:, SLOT["place"]] = torch.where(
            apart, p.place[1 + (relation == 1).long()], rows[:, SLOT["place"]]
        )
        rows[:, SLOT["there"]] = torch.where(apart, p.place[1 + (relation == 0).long()], 0)
        rows[:, SLOT["link"]] = torch.where(
            kind == 2,
            torch.where(apart, p.and_, p.relation[relation.clamp(min=0)]),
            torch.where(kind > 2, p.comma, 0),
        )
        rows[:, SLOT["second"]] = (kind > 1) * words[:, 1]
        rows[:, SLOT["link 2"]] = torch.where(kind == 3, p.and_, torch.where(kind == 4, p.comma, 0))
        rows[:, SLOT["third"]] = (kind > 2) * words[:, 2]
        rows[:, SLOT["link 3"]] = (kind == 4) * p.and_
        rows[:, SLOT["fourth"]] = (kind == 4) * words[:, 3]

    def _ground(self, dice: Dice, look: Looks, rows: Tensor) -> dict[str, Tensor]:
        n = len(look)
        kind = dice.choose(n, grounds.WEIGHTS)
        name = dice.choose(n, (3, 1.5, 0.7, 1, 1, 1, 1, 1, 1, 1, 1, 1))
        other = (name + dice.integers(n, 1, len(looks.RGB))) % len(looks.RGB)
        usual = torch.zeros(len(grounds.KINDS), 4, 3)
        for k, ground in enumerate(grounds.KINDS):
            if ground in grounds.USUAL:
                usual[k] = torch.tensor(grounds.USUAL[ground])
        fit = torch.stack(
            [
                looks.RGB[name],
                looks.RGB[other],
                looks.RGB[(other + 3) % len(looks.RGB)],
                looks.RGB[0].expand(n, 3),
            ],
            1,
        )
        coloured = kind < len(grounds.COLOURED)
        inked = (
            coloured
            & (look.ground_ink > 0)
            & ~torch.isin(look.palette, torch.tensor([looks.PALETTES.index(p) for p in looks.NAMEABLE]))
        )
        ink = look.inks[
            torch.arange(n)[:, None], torch.stack([dice.integers(n, 0, looks.INKS) for _ in range(4)], 1)
        ]
        colours = torch.where(
            coloured[:, None, None], torch.where(inked[:, None, None], ink, fit), usual[kind]
        )
        colours = (
            colours + dice.normal(n, 0, 0.025, 12).view(n, 4, 3) * (1 + 1.2 * (~coloured))[:, None, None]
        )
        called = torch.where(inked, len(looks.RGB), name)
        rows[:, SLOT["ground"]] = self.phrases.ground[kind, called]
        self._called = called
        return {"ground": kind, "colours": colours.clamp(0, 1), "numbers": dice.uniform(n, 0, 1, 6)}

    def _on_dark(self, scene: dict[str, Tensor], look: Looks) -> Looks:
        """Return looks whose black lines are pale where the ground is dark."""
        first = (
            scene["colours"][:, 0] * (scene["ground"] < len(grounds.COLOURED))[:, None]
            + (scene["ground"] >= len(grounds.COLOURED))[:, None]
        )
        dark = ((first * looks.GREY).sum(1) < 0.25) | (scene["ground"] == grounds.KINDS.index("night"))
        pale = dark & ((look.line_colour * looks.GREY).sum(1) < 0.25)
        return replace(
            look, line_colour=torch.where(pale[:, None], torch.tensor((0.93, 0.9, 0.82)), look.line_colour)
        )

    def _look_words(self, dice: Dice, look: Looks, rows: Tensor, drawing: Tensor) -> None:
        p, n = self.phrases, len(look)
        first = drawing[:, SPRITES - THINGS :]
        styles = torch.where(first >= 0, self.bank.style[first.clamp(min=0)], -1)
        one = ((styles == styles.amax(1, keepdim=True)) | (styles < 0)).all(1)
        style = styles.amax(1) * one
        style = torch.where(look.silhouette > 0, STYLES.index("silhouette"), style)
        style = torch.where(
            (look.line == 2) & (look.manner == 0) & (style < 2), STYLES.index("cartoon"), style
        )
        style = torch.where(look.manner == looks.MANNERS.index("pixel art"), 0, style)
        ahead = dice.coin(n, 0.35)
        what = torch.where(look.manner == 2, 2, (dice.coin(n, 0.2)).long())
        rows[:, SLOT["form"]] = torch.where(ahead, p.form[style, torch.where(style > 0, what * 0, what)], 0)
        rows[:, SLOT["style"]] = torch.where(ahead, 0, p.style[style, dice.coin(n, 0.3).long()])
        ramp = look.palette == looks.PALETTES.index("two colours")
        dark, light = looks.nearest_name(look.inks[:, 0]), looks.nearest_name(look.inks[:, 1])
        rows[:, SLOT["palette"]] = torch.where(
            (look.palette == 0) & ~dice.coin(n, 0.1), 0, p.palette[look.palette]
        )
        rows[:, SLOT["inks"]] = torch.where(ramp, p.inks[dark, light], 0)
        coloured = look.line == looks.LINES.index("coloured")
        rows[:, SLOT["line"]] = torch.where(
            (look.line == 0) & ~dice.coin(n, 0.1),
            0,
            torch.where(coloured, p.line_colour[look.line_name], p.line[look.line]),
        )
        rows[:, SLOT["shading"]], rows[:, SLOT["manner"]] = p.shading[look.shading], p.manner[look.manner]
        border = torch.where(
            (look.border == 2) & dice.coin(n, 0.7), p.frame[look.border_name], p.border[look.border]
        )
        rows[:, SLOT["border"]] = torch.where((look.border == 0) & ~dice.coin(n, 0.08), 0, border)

    def _words(self, dice: Dice, rows: Tensor, name: Tensor, mix: Mix) -> None:
        """Leave out what a caption does not say, and put a look's word, or a meaningless one, at its end."""
        p, n = self.phrases, len(rows)
        said = (name >= 0) & dice.coin(n, 0.9)
        strange = ~said & dice.coin(n, mix.strange)
        word = torch.where(
            said,
            p.look[name.clamp(min=0)],
            torch.where(strange, p.strange[dice.integers(n, 0, len(p.strange))], 0),
        )
        level = dice.choose(n, (1 - mix.short - mix.some, mix.some, mix.short))
        keep = torch.tensor((0.93, 0.5, 0.0))[level]
        always = torch.zeros(len(SLOT), dtype=torch.bool)
        always[
            [SLOT[s] for s in ("size", "first", "link", "second", "link 2", "third", "link 3", "fourth")]
        ] = True
        share = keep[:, None].expand(n, len(SLOT)).clone()
        of_look = [SLOT[s] for s in ("style", "palette", "inks", "line", "shading", "manner", "border")]
        share[:, of_look] = torch.where((said & dice.coin(n, 0.75))[:, None], 0.0, share[:, of_look])
        share[:, SLOT["ground"]] = torch.tensor((0.96, 0.75, 0.4))[level]
        place = dice.coin(n, keep)  # both halves of "on the left ... on the right", or neither
        kept = (torch.rand(n, len(SLOT), generator=dice.generator) < share) | always
        kept[:, SLOT["place"]] = kept[:, SLOT["there"]] = place
        rows *= kept
        rows[:, SLOT["word"]] = word
        rows *= ~dice.coin(n, mix.empty)[:, None]

    @torch.no_grad()
    def paint(self, scenes: Scenes) -> Tensor:
        """Return (n, 3, SIDE, SIDE) pictures, 0 to 1, on the composer's device."""
        device, n = self.device, len(scenes)
        look, picks = scenes.looks.to(device), scenes.picks.to(device)
        canvas = torch.empty(n, 3, SIDE, SIDE, device=device)
        colours, numbers = scenes.colours.to(device), scenes.numbers.to(device)
        for k, kind in enumerate(grounds.KINDS):
            rows = (scenes.ground == k).nonzero()[:, 0].to(device)
            if len(rows):
                canvas[rows] = grounds.PAINTERS[kind](colours[rows], numbers[rows], picks[rows]).clamp(0, 1)
        tinted = (scenes.ground >= len(grounds.COLOURED)) | torch.isin(
            scenes.looks.palette, torch.tensor([looks.PALETTES.index(p) for p in looks.NAMEABLE])
        )
        tinted = (tinted | (scenes.looks.ground_ink == 0)).nonzero()[:, 0].to(device)
        canvas[tinted] = brushes.recoloured(canvas[tinted], look[tinted])
        matte = torch.zeros(n, 1, SIDE, SIDE, device=device)
        layers = torch.zeros(n, 3, SIDE, SIDE, device=device)
        for slot in range(SPRITES):
            self._lay(scenes, slot, look, picks, layers, matte)
        canvas = brushes.shadowed(canvas, matte, look)
        canvas = canvas * (1 - matte) + layers
        rare = any(bool((getattr(scenes.looks, name) > 0).any()) for name in looks.ONLY_HELD_OUT)
        return self.finish(canvas, matte, look, picks, rare)

    def _lay(
        self, scenes: Scenes, slot: int, look: Looks, picks: Tensor, layers: Tensor, matte: Tensor
    ) -> None:
        """Put the sprites of one slot over the layers, in place; both are premultiplied."""
        which = scenes.drawing[:, slot]
        inner = 1 - 2 * torch.stack([scenes.looks.margin_left, scenes.looks.margin_top], 1)
        side = scenes.size[:, slot] * inner.amin(1)
        small = (side < 0.5).long() + (side < 0.22).long()
        for level in range(3):
            chosen = ((which >= 0) & (small == level)).nonzero()[:, 0]
            if not len(chosen):
                continue
            rows = chosen.to(self.device)
            sprite = self._placed(scenes, slot, chosen, inner[chosen], side[chosen], self.bank.levels[level])
            own = look[rows]
            rgb, alpha = brushes.outlined(
                brushes.recoloured(sprite[:, :3], own), sprite[:, 3:], own, picks[rows]
            )
            layers[rows] = layers[rows] * (1 - alpha) + rgb * alpha
            matte[rows] = matte[rows] * (1 - alpha) + alpha

    def _placed(
        self, scenes: Scenes, slot: int, chosen: Tensor, inner: Tensor, side: Tensor, level: Tensor
    ) -> Tensor:
        """Return drawings where they stand, (m, 4, SIDE, SIDE), colours not premultiplied."""
        x, y = (0.5 + (v[chosen, slot] - 0.5) * inner[:, k] for k, v in enumerate((scenes.x, scenes.y)))
        stretch, turn = scenes.stretch[chosen, slot], scenes.turn[chosen, slot]
        flip = 1 - 2 * scenes.mirrored[chosen, slot].float()
        across, down = side * stretch, side / stretch
        cos, sin = turn.cos(), turn.sin()
        cx, cy = 2 * x - 1, 2 * y - 1
        top = torch.stack(
            [flip * cos / across, flip * sin / across, -flip * (cos * cx + sin * cy) / across], 1
        )
        low = torch.stack([-sin / down, cos / down, (sin * cx - cos * cy) / down], 1)
        places = F.affine_grid(
            torch.stack([top, low], 1).to(self.device), [len(chosen), 4, SIDE, SIDE], align_corners=False
        )
        drawn = level[scenes.drawing[chosen, slot].to(self.device)].float() / 255
        drawn = torch.cat([drawn[:, :3] * drawn[:, 3:], drawn[:, 3:]], 1)
        out = F.grid_sample(drawn, places, mode="bilinear", padding_mode="zeros", align_corners=False)
        return torch.cat([out[:, :3] / out[:, 3:].clamp(min=1e-3), out[:, 3:]], 1)


TABLE = {  # of two things by relation: x, y and size of the first and of the second
    0: ((0.27, 0.52, 0.48), (0.73, 0.52, 0.48)),
    1: ((0.73, 0.52, 0.48), (0.27, 0.52, 0.48)),
    2: ((0.5, 0.27, 0.48), (0.5, 0.74, 0.48)),
    3: ((0.5, 0.74, 0.48), (0.5, 0.27, 0.48)),
    4: ((0.33, 0.68, 0.5), (0.6, 0.4, 0.68)),
    5: ((0.6, 0.4, 0.68), (0.33, 0.68, 0.5)),
}


def _places(dice: Dice, many: Tensor, relation: Tensor) -> Tensor:
    """Return (n, THINGS, 3) x, y and size of the things of a scene, shaken a little and half of them
    mirrored where it does not matter.
    """
    n = len(many)
    out = torch.zeros(n, THINGS, 3)
    beside = torch.where(relation >= 6, dice.integers(n, 0, 2), relation)
    for key, spots in TABLE.items():
        out[beside == key, :2] = torch.tensor(spots)
    pair = (many == 2) & (relation < 0)
    out[pair, :2] = torch.tensor(TABLE[0])
    three = torch.tensor(
        [
            [[0.5, 0.28, 0.42], [0.27, 0.72, 0.44], [0.73, 0.72, 0.44], [0, 0, 0]],
            [[0.19, 0.55, 0.34], [0.5, 0.55, 0.34], [0.81, 0.55, 0.34], [0, 0, 0]],
        ]
    )
    four = torch.tensor([[0.27, 0.27, 0.44], [0.73, 0.27, 0.44], [0.27, 0.73, 0.44], [0.73, 0.73, 0.44]])
    out[many == 3] = three[dice.coin(int((many == 3).sum()), 0.35).long()]
    out[many == 4] = four
    out[..., :2] += dice.normal(n, 0, 0.025, THINGS * 2).view(n, THINGS, 2)
    out[..., 2] *= dice.uniform(n, 0.85, 1.12)[:, None] * torch.exp(dice.normal(n, 0, 0.05, THINGS))
    swung = ((relation == 4) | (relation == 5)) & dice.coin(n, 0.5)
    out[swung, :, 0] = 1 - out[swung, :, 0]
    return out
