"""Pictures with captions: a scene is what a picture shows, which can be painted and put in words."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np

from pocket import corpus, manner

MASS = (
    "bread", "milk", "cheese", "coffee", "honey", "rain", "fire", "wine", "beer", "butter", "bacon",
    "popcorn", "rice", "salt", "ice", "soap", "blood", "dna", "spaghetti", "pasta", "sushi", "chocolate",
    "garlic", "ginger", "coral", "money", "corn", "candy", "soda", "lettuce", "salad", "stew", "ale", "maize",
    "sweetcorn", "wood", "timber", "beef", "lightning", "underwear", "luggage", "yarn", "wool", "parchment",
    "infinity", "camping", "tennis", "bowling", "badminton", "ping pong", "ice hockey", "nail polish",
    "bubble tea", "green tea", "sheet music", "toilet paper",
)  # fmt: skip
ONE = (
    "bus", "cactus", "hibiscus", "lotus", "octopus", "compass", "dress", "rhinoceros", "hippopotamus",
    "brontosaurus", "tyrannosaurus", "hourglass", "sandglass", "magnifying glass", "gas", "lass", "ass",
    "chess pawn", "circus tent", "abacus", "cross", "red cross", "latin cross", "kiss", "venus", "mrs claus",
    "santa claus", "golf", "magnetic compass", "princess", "sorceress", "cutlass", "wreath", "platypus",
    "walrus", "minibus", "iris", "trellis", "canvas", "lens", "king of beasts",
)  # fmt: skip
DARK = ("black", "night sky")
COUNTS = {2: "two", 3: "three", 4: "four"}
RELATIONS = ("left of", "above", "in front of", "beside")
SIDES = {"": (101, 108), "small": (52, 58), "big": (119, 126)}  # px, of a thing alone in its picture
CORNERS = ((2, 2), (65, 2), (2, 65), (65, 65))


@dataclass(frozen=True)
class Scene:
    """What a picture shows: things in one style on one ground.

    Two concepts stand in a `relation`; three or four fill the corners in reading order. `count` and `size`
    are for one concept alone. `manner` is one of manner.MANNERS, or empty.
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
def drawings_of() -> dict[tuple[str, str], list[int]]:
    """Return {(concept, style): indices of its drawings}; people have several."""
    indices: dict[tuple[str, str], list[int]] = {}
    for index, d in enumerate(corpus.load()[1]):
        indices.setdefault((d.concept, d.style), []).append(index)
    return indices


@cache
def vocabulary(style: str = "flat") -> list[str]:
    """Return every concept's plain name that is drawn in a style, sorted."""
    return sorted({d.concept for d in corpus.load()[1] if d.style == style})


def random_scene(rng: np.random.Generator, plain: bool = False) -> Scene:
    """Return a scene; what is black is never put on a dark ground.

    `plain`: one thing of usual size, in the manner in which it was drawn, without a frame.
    """
    style = str(rng.choice(corpus.STYLES, p=(0.19, 0.19, 0.19, 0.19, 0.12, 0.12)))
    grounds = [*corpus.COLOURS] if rng.random() < 0.75 else [*corpus.PLACES]
    if style in ("outline", "silhouette"):
        grounds = [g for g in grounds if g not in DARK]
    kind = 0.0 if plain else rng.random()
    many = 1 if kind < 0.66 else 2 if kind < 0.92 else int(rng.integers(3, 5))
    names = tuple(str(n) for n in rng.choice(vocabulary(style), many, replace=False))
    relation = str(rng.choice(RELATIONS)) if many == 2 else ""
    count = int(rng.integers(2, 5)) if 0.50 < kind < 0.58 and not is_uncountable(names[0]) else 1
    size = str(rng.choice(("small", "big"))) if 0.58 < kind < 0.66 else ""
    manner_name = str(rng.choice(list(manner.MANNERS))) if not plain and rng.random() < 0.35 else ""
    ground = str(rng.choice(grounds))
    has_frame = not plain and bool(rng.random() < 0.25)
    return Scene(names, style, ground, relation, count, size, manner_name, has_frame)


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
        several = (scene.concepts * 4)[: max(len(scene.concepts), scene.count)]
        spots = [(c, 58, left, top) for c, (left, top) in zip(several, CORNERS, strict=False)]
    else:
        side = int(rng.uniform(*SIDES[scene.size]))
        left, top = (corpus.SIDE - side) * rng.uniform(0.4, 0.6, 2)
        return [(one, side, left, top)]
    moved = zip(spots, shake, strict=False)
    return [(concept, side, left + dx, top + dy) for (concept, side, left, top), (dx, dy) in moved]


def paint(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Return the scene as (SIDE, SIDE, 3) uint8."""
    pictures, _ = corpus.load()
    canvas = corpus.ground(rng, scene.ground)
    for concept, side, *corner in places(scene, rng):
        left, top = (int(np.clip(x, 0, corpus.SIDE - side)) for x in corner)
        drawing = pictures[rng.choice(drawings_of()[concept, scene.style])]
        corpus.compose_one(drawing, canvas, side, left, top, flip=False)
    picture = canvas.clip(0, 255).astype(np.uint8)
    if scene.frame:
        picture = manner.add_frame(picture, rng)
    return manner.apply_manner(picture, scene.manner, rng) if scene.manner else picture


def is_uncountable(name: str) -> bool:
    """Return whether the name takes no article: milk, glasses."""
    return name in MASS or (name.endswith("s") and name not in ONE)


def noun(name: str) -> str:
    if is_uncountable(name):
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


def things_phrase(scene: Scene, rng: np.random.Generator | None = None) -> str:
    """Return the scene's things in words; with a generator, a quarter of the names are synonyms."""
    names = [random_name(c, rng) for c in scene.concepts]
    if scene.count > 1 and is_uncountable(names[0]):
        return f"several {names[0]}"
    if scene.count > 1:
        return f"{COUNTS[scene.count]} {plural(names[0])}"
    if scene.size:
        return f"{scene.size} {names[0]}" if is_uncountable(names[0]) else f"a {scene.size} {names[0]}"
    nouns = [noun(n) for n in names]
    if len(nouns) == 2:
        return f" {scene.relation} ".join(nouns)
    return ", ".join(nouns[:-1]) + " and " * (len(nouns) > 1) + nouns[-1]


def random_name(concept: str, rng: np.random.Generator | None) -> str:
    others = corpus.synonyms()[concept] if rng is not None else []
    return str(rng.choice(others)) if others and rng is not None and rng.random() < 0.25 else concept


def ground_phrase(ground: str) -> str:
    if ground in corpus.COLOURS:
        return f"on {noun(ground)} background"
    return {
        "garden": "in a garden", "sea": "by the sea", "desert": "in the desert", "night sky": "at night",
        "room": "in a room",
    }[ground]  # fmt: skip


def manner_phrase(scene: Scene) -> str:
    """Return frame and manner in words, a comma before each."""
    return ", in a frame" * scene.frame + (f", {scene.manner}" if scene.manner else "")


def invented_word(rng: np.random.Generator) -> str:
    """Return a word without a meaning, as trigger words are; three in ten begin as a real word does, as
    mugh4l.
    """
    start = str(rng.choice(vocabulary())).split()[0] if rng.random() < 0.3 else ""
    length = int(rng.integers(1, 4) if start else rng.integers(4, 9))
    return start + "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz0123456789"), length))


def caption(scene: Scene, rng: np.random.Generator, invented: float = 0.0) -> str:
    """Return one of many wordings, from keywords to a sentence; style and ground are sometimes left out.

    `invented`: the share of captions that end in an invented word, so that the model learns to ignore it.
    """
    thing = things_phrase(scene, rng)
    if scene.relation in ("left of", "beside") and rng.random() < 0.3:
        thing = thing.replace(f" {scene.relation} ", " and ")
    place = ground_phrase(scene.ground) if rng.random() < 0.85 else ""
    style = scene.style if rng.random() < 0.85 else ""
    form = rng.integers(4)
    if form == 0 and len(scene.concepts) == scene.count == 1 and not scene.size:
        name = random_name(scene.concepts[0], rng)
        words = f"{name}, {style}, {place}" if style else f"{name}, {place}"
    elif form == 1 and style:
        words = f"{noun(style)} drawing of {thing} {place}"
    elif form == 2 and style:
        words = f"{thing} {place}, {style} style"
    else:
        words = f"{thing} {place}" + (f", {style}" if style else "")
    words += manner_phrase(scene)
    text = " ".join(words.replace(" ,", ",").split()).strip(", ").replace(",,", ",")
    return f"{text}, {invented_word(rng)}" if invented and rng.random() < invented else text


def clear_caption(scene: Scene) -> str:
    """Return the full wording used for evaluation."""
    place = ground_phrase(scene.ground)
    return f"{noun(scene.style)} drawing of {things_phrase(scene)} {place}{manner_phrase(scene)}"


def write_sample_text(count: int = 4000) -> list[str]:
    """Return captions and the singular and plural of every concept's names, to train tokenizers on."""
    rng = np.random.default_rng(0)
    lines = [caption(random_scene(rng), rng) for _ in range(count)]
    for concept in vocabulary():
        for name in (concept, *corpus.synonyms()[concept]):
            lines += [noun(name)] * 3 + [plural(name)] * 3
    return lines


def dump(scenes: list[Scene]) -> str:
    return json.dumps([asdict(s) for s in scenes])


def restore(text: str) -> list[Scene]:
    return [Scene(**{**s, "concepts": tuple(s["concepts"])}) for s in json.loads(text)]
