"""Pictures with captions: a scene says what is drawn, and can be painted and put into words in many ways."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np

from pocket import corpus

PLURAL = ("grapes", "socks", "fries", "headphones", "glasses", "sunglasses", "crossed swords", "books",
          "cherries", "pancakes", "bread", "milk", "cheese", "coffee", "honey", "rain", "fire", "wine", "beer")  # fmt: skip
DARK = ("black", "night sky")


@dataclass(frozen=True)
class Scene:
    """What a picture shows: one or two concepts (left to right) in one style on one ground."""

    concepts: tuple[str, ...]
    style: str
    ground: str


@cache
def by_name() -> dict[tuple[str, str], int]:
    """Return {(concept, style): index of its drawing}."""
    return {(d.concept, d.style): i for i, d in enumerate(corpus.load()[1])}


@cache
def vocabulary() -> list[str]:
    """Return every concept's plain name, sorted."""
    return sorted({d.concept for d in corpus.load()[1]})


def random_scene(rng: np.random.Generator, pairs: float = 0.12) -> Scene:
    """Return a scene; outlines are black, so they are never put on a dark ground."""
    names = tuple(str(n) for n in rng.choice(vocabulary(), 2 if rng.random() < pairs else 1, replace=False))
    style = str(rng.choice(corpus.STYLES))
    grounds = [*corpus.COLOURS] if rng.random() < 0.75 else [*corpus.PLACES]
    if style == "outline":
        grounds = [g for g in grounds if g not in DARK]
    return Scene(names, style, str(rng.choice(grounds)))


def paint(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Return the scene as (SIDE, SIDE, 3) uint8; place and size vary a little."""
    pictures, _ = corpus.load()
    canvas = corpus.ground(rng, scene.ground)
    count = len(scene.concepts)
    for slot, concept in enumerate(scene.concepts):
        side = int(rng.uniform(101, 108) if count == 1 else rng.uniform(59, 63))
        spare = corpus.SIDE - side
        left = int(spare * rng.uniform(0.4, 0.6)) if count == 1 else slot * 64 + (64 - side) // 2
        top = int(spare * rng.uniform(0.4, 0.6))
        index = by_name()[concept, scene.style]
        corpus.compose_one(pictures[index], canvas, side, left, top, False)
    return canvas.clip(0, 255).astype(np.uint8)


def noun(concept: str) -> str:
    if concept in PLURAL:
        return concept
    return f"{'an' if concept[0] in 'aeiou' and not concept.startswith('uni') else 'a'} {concept}"


def where(ground: str) -> str:
    if ground in corpus.COLOURS:
        return f"on a {ground} background"
    return {"garden": "in a garden", "sea": "by the sea", "desert": "in the desert",
            "night sky": "at night", "room": "in a room"}[ground]  # fmt: skip


def made_up(rng: np.random.Generator) -> str:
    """Return a word that means nothing, in the manner of trigger words."""
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz0123456789"), int(rng.integers(4, 9))))


def caption(scene: Scene, rng: np.random.Generator, strange: float = 0.0) -> str:
    """Return one of many wordings, from keywords to a sentence; style and ground are sometimes left unsaid.

    `strange`: the share of captions that end in a made-up word, which the model so learns to pass over.
    """
    joint = str(rng.choice((" and ", " beside ", " left of ")))
    thing = joint.join(noun(c) for c in scene.concepts)
    place = where(scene.ground) if rng.random() < 0.85 else ""
    style = scene.style if rng.random() < 0.85 else ""
    form = rng.integers(4)
    if form == 0 and len(scene.concepts) == 1:
        words = f"{scene.concepts[0]}, {style}, {place}" if style else f"{scene.concepts[0]}, {place}"
    elif form == 1 and style:
        words = f"{noun(style)} drawing of {thing} {place}"
    elif form == 2 and style:
        words = f"{thing} {place}, {style} style"
    else:
        words = f"{thing} {place}" + (f", {style}" if style else "")
    text = " ".join(words.replace(" ,", ",").split()).strip(", ").replace(",,", ",")
    return f"{text}, {made_up(rng)}" if strange and rng.random() < strange else text


def clear_caption(scene: Scene) -> str:
    """Return the full wording used for evaluation."""
    thing = " and ".join(noun(c) for c in scene.concepts)
    return f"{noun(scene.style)} drawing of {thing} {where(scene.ground)}"


def write_sample_text(count: int = 4000) -> list[str]:
    """Return captions that name every concept, and the painters' captions' words, to train tokenizers on."""
    rng = np.random.default_rng(0)
    lines = [caption(random_scene(rng), rng) for _ in range(count)]
    lines += [noun(c) for c in vocabulary() for _ in range(4)]
    return lines


def dump(scenes: list[Scene]) -> str:
    return json.dumps([asdict(s) for s in scenes])


def restore(text: str) -> list[Scene]:
    return [Scene(tuple(s["concepts"]), s["style"], s["ground"]) for s in json.loads(text)]

