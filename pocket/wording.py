"""What the captions of a batch of scenes say: things, look, a look's own word; and what they leave out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pocket import looks, palettes
from pocket.batch_rng import BatchRng
from pocket.captions import SLOT
from pocket.drawings import Bank
from pocket.looks import Looks
from pocket.phrases import STYLES, Phrases

THINGS = 4  # of a scene at the most
OF_LOOK = [SLOT[slot] for slot in ("palette", "inks", "line", "shading", "manner", "border", "word")]


@dataclass(frozen=True)
class Mix:
    """Shares of what a batch's captions say. `short`: a name and little more; `some`: half of it left out.
    `bare`: of the captions that say nothing of a look, those of a drawing as it is: so a prompt of a name
    alone draws clearly, and a made-up word behind it may mean any look.
    """

    named: float = 0.3
    strange: float = 0.12
    short: float = 0.1
    some: float = 0.25
    empty: float = 0.1
    bare: float = 0.9

    def later(self) -> Mix:
        """Return what the last part of a training sees: more short captions, as people write them."""
        return replace(self, short=0.4, some=0.3)


def name_things(
    p: Phrases, rng: BatchRng, kind: Tensor, copies: Tensor, relation: Tensor, things: Tensor, rows: Tensor
) -> None:
    """Put the things into words: articles, counts, relations; a quarter of the names are synonyms."""
    n = len(kind)
    words = torch.zeros(n, THINGS, dtype=torch.long)
    for k in range(THINGS):
        thing = things[:, k].clamp(min=0)
        other = torch.where(rng.coin(n, 0.25), (rng.uniform(n) * p.synonyms[thing]).long(), 0)
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
    apart = (kind == 2) & (relation < 2) & rng.coin(n, 0.4)  # "a on the left and b on the right"
    rows[:, SLOT["place"]] = torch.where(apart, p.place[1 + (relation == 1).long()], rows[:, SLOT["place"]])
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


def name_look(p: Phrases, bank: Bank, rng: BatchRng, look: Looks, rows: Tensor, drawing: Tensor) -> None:
    """Put style, palette, line, shading, manner and border into words."""
    n = len(look)
    first = drawing[:, -THINGS:]
    styles = torch.where(first >= 0, bank.style[first.clamp(min=0)], -1)
    one = ((styles == styles.amax(1, keepdim=True)) | (styles < 0)).all(1)
    style = styles.amax(1) * one
    style = torch.where(look.silhouette > 0, STYLES.index("silhouette"), style)
    style = torch.where((look.line == 2) & (look.manner == 0) & (style < 2), STYLES.index("cartoon"), style)
    style = torch.where(look.manner == looks.MANNERS.index("pixel art"), 0, style)
    ahead = rng.coin(n, 0.35)
    what = torch.where(look.manner == 2, 2, (rng.coin(n, 0.2)).long())
    rows[:, SLOT["form"]] = torch.where(ahead, p.form[style, torch.where(style > 0, what * 0, what)], 0)
    rows[:, SLOT["style"]] = torch.where(ahead, 0, p.style[style, rng.coin(n, 0.3).long()])
    ramp = look.palette == palettes.PALETTES.index("two colours")
    dark, light = palettes.nearest_name(look.inks[:, 0]), palettes.nearest_name(look.inks[:, 1])
    rows[:, SLOT["palette"]] = torch.where(
        (look.palette == 0) & ~rng.coin(n, 0.1), 0, p.palette[look.palette]
    )
    rows[:, SLOT["inks"]] = torch.where(ramp, p.inks[dark, light], 0)
    coloured = look.line == looks.LINES.index("coloured")
    rows[:, SLOT["line"]] = torch.where(
        (look.line == 0) & ~rng.coin(n, 0.1),
        0,
        torch.where(coloured, p.line_colour[look.line_name], p.line[look.line]),
    )
    rows[:, SLOT["shading"]], rows[:, SLOT["manner"]] = p.shading[look.shading], p.manner[look.manner]
    border = torch.where(
        (look.border == 2) & rng.coin(n, 0.7), p.frame[look.border_name], p.border[look.border]
    )
    rows[:, SLOT["border"]] = torch.where((look.border == 0) & ~rng.coin(n, 0.08), 0, border)


def says_no_look(rows: Tensor) -> Tensor:
    """Return which captions name a thing and nothing of a look, (n,)."""
    return (rows[:, OF_LOOK] == 0).all(1) & (rows[:, SLOT["first"]] > 0)


def leave_out(p: Phrases, rng: BatchRng, rows: Tensor, name: Tensor, mix: Mix) -> None:
    """Leave out what a caption does not say, and put a look's word, or a meaningless one, at its end."""
    n = len(rows)
    said = (name >= 0) & rng.coin(n, 0.9)
    strange = ~said & rng.coin(n, mix.strange)
    word = torch.where(
        said,
        p.look[name.clamp(min=0)],
        torch.where(strange, p.strange[rng.integers(n, 0, len(p.strange))], 0),
    )
    level = rng.choose(n, (1 - mix.short - mix.some, mix.some, mix.short))
    keep = torch.tensor((0.93, 0.5, 0.0))[level]
    always = torch.zeros(len(SLOT), dtype=torch.bool)
    always[[SLOT[s] for s in ("size", "first", "link", "second", "link 2", "third", "link 3", "fourth")]] = (
        True
    )
    share = keep[:, None].expand(n, len(SLOT)).clone()
    of_look = [SLOT[s] for s in ("style", "palette", "inks", "line", "shading", "manner", "border")]
    share[:, of_look] = torch.where((said & rng.coin(n, 0.75))[:, None], 0.0, share[:, of_look])
    share[:, SLOT["ground"]] = torch.tensor((0.96, 0.75, 0.4))[level]
    place = rng.coin(n, keep)  # both halves of "on the left ... on the right", or neither
    keep_phrase = (torch.rand(n, len(SLOT), generator=rng.generator) < share) | always
    keep_phrase[:, SLOT["place"]] = keep_phrase[:, SLOT["there"]] = place
    rows *= keep_phrase
    rows[:, SLOT["word"]] = word
    rows *= ~rng.coin(n, mix.empty)[:, None]
