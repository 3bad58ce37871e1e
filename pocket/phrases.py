"""What captions are made of: every phrase that one can hold, numbered, and words that are made up."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from pocket import grounds, looks, palettes
from pocket.batch_rng import BatchRng
from pocket.scenes import is_uncountable, noun, plural

RELATIONS = ("left of", "right of", "above", "below", "in front of", "behind", "beside", "and")


SIZES = ("small", "big", "tiny", "huge")


COUNTS = ("", "", "two", "three", "four")


PLACES = tuple(
    f"{a} {b}".strip()
    for a, b in (
        ("", ""),
        ("on the", "left"),
        ("on the", "right"),
        ("at the", "top"),
        ("at the", "bottom"),
        ("at the", "top left"),
        ("at the", "top right"),
        ("at the", "bottom left"),
        ("at the", "bottom right"),
        ("in the", "middle"),
    )
)


GROUND_WORDS = {
    "hills": "on green hills",
    "mountains": "before mountains",
    "water": "on the water",
    "sea": "by the sea",
    "sky": "in the sky",
    "floor": "on a tiled floor",
    "room": "in a room",
    "foliage": "among leaves",
    "forest": "in a forest",
    "garden": "in a garden",
    "desert": "in the desert",
    "night": "at night",
    "snow": "in the snow",
}


PATTERN_WORDS = {
    "plain": "",
    "gradient": "fading ",
    "dots": "dotted ",
    "stripes": "striped ",
    "checks": "checked ",
    "pattern": "patterned ",
}


LINE_WORDS = ("no outline", "thin outline", "thick outline", "outline", "broken outline")


BORDER_WORDS = ("no border", "in a ruled border", "in a frame", "in a patterned border")


STYLES = ("", "flat", "cartoon", "glossy 3d", "outline", "silhouette", "pixel art")


SYLLABLES = [
    a + b
    for a in (
        "b",
        "br",
        "d",
        "f",
        "g",
        "gl",
        "k",
        "kr",
        "l",
        "m",
        "n",
        "p",
        "pl",
        "r",
        "s",
        "sh",
        "st",
        "t",
        "tr",
        "v",
        "z",
    )
    for b in ("a", "e", "i", "o", "u", "ai", "or", "en", "al", "ur")
]


IRREGULAR = {
    "elf": "elves",
    "goose": "geese",
    "mouse": "mice",
    "wolf": "wolves",
    "leaf": "leaves",
    "loaf": "loaves",
    "knife": "knives",
    "scarf": "scarves",
    "sheaf": "sheaves",
    "ox": "oxen",
    "sheep": "sheep",
    "deer": "deer",
    "moose": "moose",
    "fish": "fish",
    "bison": "bison",
    "squid": "squid",
    "shrimp": "shrimp",
    "monarch": "monarchs",
    "hero": "heroes",
    "superhero": "superheroes",
    "potato": "potatoes",
    "tomato": "tomatoes",
    "larva": "larvae",
    "child": "children",
    "wheat": "wheat",
    "broccoli": "broccoli",
    "spacecraft": "spacecraft",
    "sunshine": "suns",
    "person": "people",
    "santa claus": "santas",
}


def several_of(name: str) -> str:
    """Return the name for several of it: the word before "of", "in" or "with" changes, or else the last
    one.
    """
    for link in (" of ", " in ", " with ", " behind ", " meditating"):
        if link in name:
            head, tail = name.split(link, 1)
            return several_of(head) + link + tail
    *first, last = name.split(" ")
    many = IRREGULAR.get(name) or IRREGULAR.get(last) or (last if last.endswith("fish") else plural(last))
    return many if name in IRREGULAR else " ".join([*first, many])


def names_of_looks(count: int, seed: int = 7) -> list[str]:
    """Return so many different made-up words of two or three syllables."""
    rng, words = BatchRng(seed), dict[str, None]()
    while len(words) < count:
        picks = rng.integers(3, 0, len(SYLLABLES)).tolist()
        words["".join(SYLLABLES[i] for i in picks[: 2 + int(rng.coin(1, 0.3))])] = None
    return list(words)


def meaningless(count: int, seed: int = 8) -> list[str]:
    """Return so many words that mean nothing, as trigger words are: letters at random, or syllables with
    digits.
    """
    rng, letters = BatchRng(seed), "abcdefghijklmnopqrstuvwxyz0123456789"
    out = []
    for _ in range(count):
        some = "".join(letters[i] for i in rng.integers(int(rng.integers(1, 2, 8)), 0, len(letters)).tolist())
        begin = "".join(SYLLABLES[i] for i in rng.integers(2, 0, len(SYLLABLES)).tolist())
        out.append(begin + some[:2] if rng.coin(1, 0.5) else some)
    return out


class Phrases:
    """Every phrase that a caption can hold, numbered; 0 is none."""

    def __init__(self, names: list[tuple[str, ...]], look_words: list[str], strange: list[str]) -> None:
        self.texts: list[str] = [""]
        self._numbers: dict[str, int] = {"": 0}
        kinds = (noun, str, several_of)
        width = max(len(n) for n in names)
        # (things, synonyms, 3): with its article, bare, several of it
        self.name = torch.tensor(
            [[[self.number(kind((n * width)[k])) for kind in kinds] for k in range(width)] for n in names]
        )
        self.synonyms = torch.tensor([len(n) for n in names])
        self.uncountable = torch.tensor([is_uncountable(n[0]) for n in names])
        self.clutter = torch.tensor([self.number(f", with small {several_of(n[0])}") for n in names])
        self.size = torch.tensor([[self.number(s), self.number(f"a {s}")] for s in SIZES])
        self.count = torch.tensor([self.number(c) for c in COUNTS])
        self.several = self.number("several")
        self.place = torch.tensor([self.number(p) for p in PLACES])
        self.relation = torch.tensor([self.number(r) for r in RELATIONS])
        self.comma, self.and_ = self.number(","), self.number("and")
        self.facing = torch.tensor([self.number(", facing left"), self.number(", facing right")])
        self.tilted = self.number(", tilted")
        self._looks()
        self.ground = self._grounds()
        self.look = torch.tensor([self.number(f", {w}") for w in look_words] or [0])
        self.strange = torch.tensor([self.number(f", {w}") for w in strange] or [0])

    def _looks(self) -> None:
        """Number what captions say of a look."""
        self.form = torch.tensor(
            [
                [
                    self.number(f"{noun(s)} {what} of") if s else self.number(f"a {what} of")
                    for what in ("drawing", "picture", "painting")
                ]
                for s in STYLES
            ]
        )
        self.style = torch.tensor(
            [[self.number(f", {s}" if s else ""), self.number(f", {s} style" if s else "")] for s in STYLES]
        )
        self.palette = torch.tensor(
            [
                self.number(
                    f", {p} colours" if p in ("natural", "jewel", "earth", "pastel", "night") else f", {p}"
                )
                for p in palettes.PALETTES
            ]
        )
        colours = palettes.COLOUR_NAMES
        self.inks = torch.tensor([[self.number(f", in {a} and {b}") for b in colours] for a in colours])
        self.line = torch.tensor([self.number(f", {w}") for w in LINE_WORDS])
        self.line_colour = torch.tensor([self.number(f", {c} outline") for c in colours])
        self.shading = torch.tensor([self.number(f", {s}") if s != "none" else 0 for s in looks.SHADINGS])
        self.manner = torch.tensor([self.number(f", {m}") if m != "none" else 0 for m in looks.MANNERS])
        self.border = torch.tensor([self.number(f", {w}") for w in BORDER_WORDS])
        self.frame = torch.tensor([self.number(f", in {noun(c)} frame") for c in colours])

    def number(self, text: str) -> int:
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return self._numbers[text]

    def _grounds(self) -> Tensor:
        """Return (kinds, colours + 1): the last column is for a colour that has no name."""
        rows = []
        for kind in grounds.KINDS:
            if kind in GROUND_WORDS:
                rows.append([self.number(GROUND_WORDS[kind])] * (len(palettes.COLOUR_NAMES) + 1))
            elif kind == "curtain":
                rows.append(
                    [self.number(f"before {noun(c)} curtain") for c in palettes.COLOUR_NAMES]
                    + [self.number("before a curtain")]
                )
            else:
                what = PATTERN_WORDS[kind]
                rows.append(
                    [self.number(f"on {noun(f'{what}{c}')} background") for c in palettes.COLOUR_NAMES]
                    + [self.number(f"on {noun(what or 'plain ')}background")]
                )
        return torch.tensor(rows)

    def text(self, row: Iterable[int]) -> str:
        """Return a caption in words."""
        words = " ".join(self.texts[i] for i in row if i)
        return words.replace(" ,", ",").strip(", ")
