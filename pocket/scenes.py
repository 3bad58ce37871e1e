"""Pictures with captions: a scene says what is drawn, and can be painted and put into words in many ways."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np

from pocket import corpus, manner

MASS = ("bread", "milk", "cheese", "coffee", "honey", "rain", "fire", "wine", "beer", "butter", "bacon", "popcorn", "rice", "salt",
        "ice", "soap", "blood", "dna", "spaghetti", "pasta", "sushi", "chocolate", "garlic", "ginger", "coral", "money", "corn",
        "candy", "soda", "lettuce", "salad", "stew", "ale", "maize", "sweetcorn", "wood", "timber", "beef", "lightning",
        "underwear", "luggage", "yarn", "wool", "parchment", "infinity", "camping", "tennis", "bowling", "badminton",
        "ping pong", "ice hockey", "nail polish", "bubble tea", "green tea", "sheet music", "toilet paper")  # fmt: skip
ONE = ("bus", "cactus", "hibiscus", "lotus", "octopus", "compass", "dress", "rhinoceros", "hippopotamus", "brontosaurus",
       "tyrannosaurus", "hourglass", "sandglass", "magnifying glass", "gas", "lass", "ass", "chess pawn", "circus tent",
       "abacus", "cross", "red cross", "latin cross", "kiss", "venus", "mrs claus", "santa claus", "golf", "magnetic compass",
       "princess", "sorceress", "cutlass", "wreath", "platypus", "walrus", "minibus", "iris", "trellis", "canvas", "lens",
       "king of beasts")  # fmt: skip
DARK = ("black", "night sky")
COUNTS = {2: "two", 3: "three", 4: "four"}
RELATIONS = ("left of", "above", "in front of", "beside")
SIDES = {"": (101, 108), "small": (52, 58), "big": (119, 126)}  # px, of a thing alone in its picture
CORNERS = ((2, 2), (65, 2), (2, 65), (65, 65))


@dataclass(frozen=True)
class Scene:
    """What a picture shows: things in one style on one ground.

    Two concepts stand in a `relation`; three or four fill the corners in reading order. `count` and `size` belong to one alone.
    `manner` is one of manner.MANNERS, or nothing.
    """

    concepts: tuple[str, ...]
    style: str
    ground: str
    relation: str = ""
    count: int = 1
    size: str = ""
    manner: str = ""
    frame: bool = False


@cache
def by_name() -> dict[tuple[str, str], list[int]]:
    """Return {(concept, style): its drawings' indices}; people have several."""
    found: dict[tuple[str, str], list[int]] = {}
    for index, d in enumerate(corpus.load()[1]):
        found.setdefault((d.concept, d.style), []).append(index)
    return found


@cache
def vocabulary(style: str = "flat") -> list[str]:
    """Return every concept's plain name that is drawn in a style, sorted."""
    return sorted({d.concept for d in corpus.load()[1] if d.style == style})


def random_scene(rng: np.random.Generator, plain: bool = False) -> Scene:
    """Return a scene; what is black is never put on a dark ground. `plain`: one thing of usual size, carried out as drawn."""
    style = str(rng.choice(corpus.STYLES, p=(0.19, 0.19, 0.19, 0.19, 0.12, 0.12)))
    grounds = [*corpus.COLOURS] if rng.random() < 0.75 else [*corpus.PLACES]
    if style in ("outline", "silhouette"):
        grounds = [g for g in grounds if g not in DARK]
    kind = 0.0 if plain else rng.random()
    many = 1 if kind < 0.66 else 2 if kind < 0.92 else int(rng.integers(3, 5))
    names = tuple(str(n) for n in rng.choice(vocabulary(style), many, replace=False))
    relation = str(rng.choice(RELATIONS)) if many == 2 else ""
    count = int(rng.integers(2, 5)) if 0.50 < kind < 0.58 and not uncounted(names[0]) else 1
    size = str(rng.choice(("small", "big"))) if 0.58 < kind < 0.66 else ""
    way = str(rng.choice(list(manner.MANNERS))) if not plain and rng.random() < 0.35 else ""
    return Scene(
        names,
        style,
        str(rng.choice(grounds)),
        relation,
        count,
        size,
        way,
        not plain and bool(rng.random() < 0.25),
    )


def places(scene: Scene, rng: np.random.Generator) -> list[tuple[str, int, float, float]]:
    """Return (concept, side, left, top) of each thing in painting order, px; place and size vary a little."""
    one, shake = scene.concepts[0], rng.uniform(-2, 2, (4, 2))
    if scene.relation == "above":
        spots = [(scene.concepts[0], 61, 33, 2), (scene.concepts[1], 61, 33, 65)]
    elif scene.relation == "in front of":
        spots = [(scene.concepts[1], 88, 34, 4), (scene.concepts[0], 66, 4, 58)]
    elif len(scene.concepts) == 2 or scene.count == 2:
        spots = [(c, 61, 2 + 63 * i, 33) for i, c in enumerate((scene.concepts * 2)[:2])]
    elif scene.count == 3:
        spots = [(one, 58, 35, 4), (one, 58, 4, 66), (one, 58, 66, 66)]
    elif len(scene.concepts) > 2 or scene.count == 4:
        spots = [
            (c, 58, left, top)
            for c, (left, top) in zip(
                (scene.concepts * 4)[: max(len(scene.concepts), scene.count)], CORNERS, strict=False
            )
        ]
    else:
        side = int(rng.uniform(*SIDES[scene.size]))
        left, top = (corpus.SIDE - side) * rng.uniform(0.4, 0.6, 2)
        return [(one, side, left, top)]
    return [
        (c, side, left + dx, top + dy) for (c, side, left, top), (dx, dy) in zip(spots, shake, strict=False)
    ]


def paint(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Return the scene as (SIDE, SIDE, 3) uint8."""
    pictures, _ = corpus.load()
    canvas = corpus.ground(rng, scene.ground)
    for concept, side, left, top in places(scene, rng):
        corner = (int(np.clip(x, 0, corpus.SIDE - side)) for x in (left, top))
        corpus.compose_one(
            pictures[rng.choice(by_name()[concept, scene.style])], canvas, side, *corner, False
        )
    made = canvas.clip(0, 255).astype(np.uint8)
    made = manner.framed(made, rng) if scene.frame else made
    return manner.carried_out(made, scene.manner, rng) if scene.manner else made


def uncounted(name: str) -> bool:
    """Return whether the name takes no article: milk, glasses."""
    return name in MASS or (name.endswith("s") and name not in ONE)


def noun(name: str) -> str:
    if uncounted(name):
        return name
    return f"{'an' if name[0] in 'aeiou' and not name.startswith(('uni', 'eu', 'one')) else 'a'} {name}"


def plural(name: str) -> str:
    """Return the name for several of it."""
    if name.endswith(("man in a turban", "man in a boat")):
        return name.replace("man", "men", 1)
    if name.endswith("man"):
        return name[:-2] + "en"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "x", "ch", "sh")) else "s")


def things(scene: Scene, rng: np.random.Generator | None = None) -> str:
    """Return the scene's things in words; with a generator, a quarter of the names are synonyms."""
    names = [called(c, rng) for c in scene.concepts]
    if scene.count > 1:
        return (
            f"{COUNTS[scene.count]} {plural(names[0])}" if not uncounted(names[0]) else f"several {names[0]}"
        )
    if scene.size:
        return f"{scene.size} {names[0]}" if uncounted(names[0]) else f"a {scene.size} {names[0]}"
    words = [noun(n) for n in names]
    return (
        f" {scene.relation} ".join(words)
        if len(words) == 2
        else ", ".join(words[:-1]) + " and " * (len(words) > 1) + words[-1]
    )


def called(concept: str, rng: np.random.Generator | None) -> str:
    others = corpus.synonyms()[concept] if rng is not None else []
    return str(rng.choice(others)) if others and rng is not None and rng.random() < 0.25 else concept


def where(ground: str) -> str:
    if ground in corpus.COLOURS:
        return f"on {noun(ground)} background"
    return {
        "garden": "in a garden",
        "sea": "by the sea",
        "desert": "in the desert",
        "night sky": "at night",
        "room": "in a room",
    }[ground]


def carriage(scene: Scene) -> str:
    """Return frame and manner in words, a comma before each."""
    return ", in a frame" * scene.frame + (f", {scene.manner}" if scene.manner else "")


def made_up(rng: np.random.Generator) -> str:
    """Return a word that means nothing, in the manner of trigger words; three in ten begin as a known word does, as mugh4l."""
    known = str(rng.choice(vocabulary())).split()[0] if rng.random() < 0.3 else ""
    return known + "".join(
        rng.choice(
            list("abcdefghijklmnopqrstuvwxyz0123456789"),
            int(rng.integers(1, 4) if known else rng.integers(4, 9)),
        )
    )


def caption(scene: Scene, rng: np.random.Generator, strange: float = 0.0) -> str:
    """Return one of many wordings, from keywords to a sentence; style and ground are sometimes left unsaid.

    `strange`: the share of captions that end in a made-up word, which the model so learns to pass over.
    """
    thing = things(scene, rng)
    if scene.relation in ("left of", "beside") and rng.random() < 0.3:
        thing = thing.replace(f" {scene.relation} ", " and ")
    place = where(scene.ground) if rng.random() < 0.85 else ""
    style = scene.style if rng.random() < 0.85 else ""
    form = rng.integers(4)
    if form == 0 and len(scene.concepts) == scene.count == 1 and not scene.size:
        name = called(scene.concepts[0], rng)
        words = f"{name}, {style}, {place}" if style else f"{name}, {place}"
    elif form == 1 and style:
        words = f"{noun(style)} drawing of {thing} {place}"
    elif form == 2 and style:
        words = f"{thing} {place}, {style} style"
    else:
        words = f"{thing} {place}" + (f", {style}" if style else "")
    words += carriage(scene)
    text = " ".join(words.replace(" ,", ",").split()).strip(", ").replace(",,", ",")
    return f"{text}, {made_up(rng)}" if strange and rng.random() < strange else text


def clear_caption(scene: Scene) -> str:
    """Return the full wording used for evaluation."""
    return f"{noun(scene.style)} drawing of {things(scene)} {where(scene.ground)}{carriage(scene)}"


def write_sample_text(count: int = 4000) -> list[str]:
    """Return captions that name every concept, and the painters' captions' words, to train tokenizers on."""
    rng = np.random.default_rng(0)
    lines = [caption(random_scene(rng), rng) for _ in range(count)]
    lines += [
        word
        for c in vocabulary()
        for name in (c, *corpus.synonyms()[c])
        for word in (noun(name), plural(name))
        for _ in range(3)
    ]
    return lines


def dump(scenes: list[Scene]) -> str:
    return json.dumps([asdict(s) for s in scenes])


def restore(text: str) -> list[Scene]:
    return [Scene(**{**s, "concepts": tuple(s["concepts"])}) for s in json.loads(text)]
