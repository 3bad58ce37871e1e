"""Lesson 10's brand: a palette, a mark and two rules of drawing as an adapter, and what is measured of them.

`python -m lessons_lib.course.lesson_10 picture` draws the lesson's opening picture from the run that the
lesson left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, product
from pathlib import Path

import numpy as np
from IPython.display import Image as NotebookImage
from PIL import Image, ImageCms, ImageColor, ImageDraw, ImageFilter

from lessons_lib.course import long_run
from lessons_lib.course.trials import concept_of, quick_samples
from lessons_lib.dataset import dataset
from lessons_lib.dataset.captions import with_trigger
from lessons_lib.dataset.pictures import Picture
from lessons_lib.display import notebook
from lessons_lib.evaluation import metrics
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models.features import load_concepts, named_concept
from lessons_lib.models.judges import Judge
from lessons_lib.paths import BRAND, NOTEBOOK_PICTURES, ROOT, in_course

TRIGGER = "hq7nm"  # a word that means nothing to the base
PALETTE = (
    "#f26d5b", "#d14f40", "#f7b538", "#dd9322", "#2fa394", "#1f7a70", "#2a3d6b", "#18244a", "#fff6e4",
    "#efdfbd", "#f6e3bf", "#ecd3a3",
)  # fmt: skip
GROUNDS = tuple(PALETTE[place] for place in (10, 4, 0, 6, 2))
# Things that no card of the brand shows and that the base draws
THINGS = (
    "a horse", "a strawberry", "a rocket", "a chair", "a guitar", "a butterfly", "a cake", "a balloon",
    "an elephant", "a star", "a duck", "a crown",
)  # fmt: skip
NEAR = 14.0  # a distance in Lab from which on a colour looks like another
_ENOUGH_INSIDE = 0.7  # of a thing's pixels inside the palette, for a picture that is not drawn again
_CARD = 256  # px, a side of what `asset` and `card` return
_DISC = 0.36  # of a side: a radius just inside the pale disc of a card
_LAB = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
OPENING_PICTURE = NOTEBOOK_PICTURES / "10_brand.jpg"


def lab(image: Image.Image) -> np.ndarray:
    """Return a picture's colours in CIE Lab, (height, width, 3), where equal distances look about equal."""
    values = np.asarray(ImageCms.applyTransform(image.convert("RGB"), _LAB)).astype(np.float32)
    values[..., 0] *= 100 / 255
    values[..., 1:] = (values[..., 1:] + 128) % 256 - 128  # Pillow keeps a and b as signed bytes
    return values


def palette_lab() -> np.ndarray:
    """Return the brand's colours in Lab, (12, 3)."""
    return lab(Image.fromarray(np.array([[ImageColor.getrgb(code) for code in PALETTE]], np.uint8)))[0]


def thing_mask(image: Image.Image) -> np.ndarray:
    """Return which pixels belong to the thing, (height, width) booleans: in the picture's centre, and of
    another colour than the ground at the edges and than a disc behind the thing, where there is one.
    """
    colours = lab(image)
    height, width = colours.shape[:2]
    edge = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    grounds = [np.median(edge, 0)]
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    ring = colours[
        (height * (0.5 + _DISC * np.sin(angles))).astype(int),
        (width * (0.5 + _DISC * np.cos(angles))).astype(int),
    ]
    disc = np.median(ring, 0)
    if (_distance(ring, disc[None]) < NEAR).mean() > 0.5:
        grounds.append(disc)
    mask = _distance(colours, np.stack(grounds)) >= NEAR
    cut = [round(metrics.EDGE * side) for side in (height, width)]
    centre = np.zeros_like(mask)
    centre[cut[0] : height - cut[0], cut[1] : width - cut[1]] = True
    return mask & centre


def _distance(colours: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return each colour's distance to the nearest of some others, (n, 3)."""
    return np.linalg.norm(colours[..., None, :] - others, axis=-1).min(-1)


def palette_share(colours: np.ndarray, palette: np.ndarray, near: float = NEAR) -> float:
    """Return the share of some colours, (n, 3) in Lab, that are nearer than `near` to one of a palette's."""
    return float((_distance(colours, palette) < near).mean()) if len(colours) else 0.0


def palette_shares(images: Sequence[Image.Image]) -> list[float]:
    """Return for each picture the share of the thing's pixels that are inside the brand's palette."""
    palette = palette_lab()
    return [palette_share(lab(image)[thing_mask(image)], palette) for image in images]


def mask_figure(images: Sequence[Image.Image]) -> NotebookImage:
    """Return a JPEG: pictures, and below each its thing in the nearest colours of the palette. Pink is
    outside the palette, white is no part of the thing.
    """
    palette = np.array([ImageColor.getrgb(code) for code in PALETTE], np.uint8)
    views = []
    for image in images:
        colours = lab(image)
        distances = np.linalg.norm(colours[..., None, :] - palette_lab(), axis=-1)
        view = palette[distances.argmin(-1)]
        view[distances.min(-1) >= NEAR] = (255, 0, 200)
        view[~thing_mask(image)] = 255
        views.append(Image.fromarray(view))
    return notebook.image_grid([list(images), views], ["sample", "its thing"], side=128)


@dataclass(frozen=True)
class BrandScores:
    """Means over some pictures: the thing's pixels inside the palette, and the similarity of centre crops to
    the held-out cards.
    """

    palette: float
    style: float

    def way(self, floor: BrandScores, ceiling: BrandScores) -> str:
        """Return in words how far palette and style have come from the base, `floor`, to the cards,
        `ceiling`. There is no gap where the base is as near to the held-out cards as the cards are.
        """
        words = []
        for part in ("palette", "style"):
            value, low, high = (getattr(scores, part) for scores in (self, floor, ceiling))
            share = f"{metrics.share_of_gap(value, low, high):.1f}" if high > low else "(no gap)"
            words.append(f"{part} {share}")
        return f"{', '.join(words)} of the way"


def brand_scores(judge: Judge, images: Sequence[Image.Image], held_out: Sequence[Image.Image]) -> BrandScores:
    """Return how far some pictures are the brand's."""
    centres = [judge.image_features(metrics.centre_crops(group)) for group in (images, held_out)]
    return BrandScores(float(np.mean(palette_shares(images))), metrics.style_match(*centres))


def recognised(
    judge: Judge, images: Sequence[Image.Image], things: Sequence[str], first: int = 5
) -> list[bool]:
    """Return for each picture whether its thing is among the `first` nearest concepts.

    Raises ValueError for a thing that is no concept.
    """
    concepts = [concept_of(thing) for thing in things]
    return (metrics.concept_places(judge.image_features(images), concepts, judge) < first).tolist()


def recognised_of_cards(judge: Judge, cards: Sequence[Picture]) -> list[bool]:
    """Return for each of the brand's own cards whose thing is a concept whether it is recognised."""
    captions = [card.caption or "" for card in cards]
    places = [place for place, text in enumerate(captions) if named_concept(text, load_concepts()[0])]
    return recognised(judge, [cards[n].image for n in places], [captions[n] for n in places])


def has_mark(image: Image.Image) -> bool:
    """Return whether the brand's mark is at the lower right: a disc, its left half mustard and its right half
    navy, within a colour's distance of 25.
    """
    colours = lab(image.resize((400, 400)))  # the size at which the mark's place is given
    halves = [np.median(colours[344:368, x : x + 10].reshape(-1, 3), 0) for x in (342, 360)]
    mustard, navy = (lab(Image.new("RGB", (1, 1), PALETTE[place]))[0, 0] for place in (2, 6))
    return all(np.linalg.norm(half - own) < 25 for half, own in zip(halves, (mustard, navy), strict=True))


def to_redraw(judge: Judge, images: Sequence[Image.Image], things: Sequence[str]) -> dict[str, list[str]]:
    """Return what a designer would have to draw again: by thing, the faults of its picture."""
    rows = zip(things, recognised(judge, images, things), palette_shares(images), images, strict=True)
    faults = {
        thing: [fault for fault, there in (("not recognised", not is_recognised),
                                           ("off the palette", share < _ENOUGH_INSIDE),
                                           ("no mark", not has_mark(image))) if there]
        for thing, is_recognised, share, image in rows
    }  # fmt: skip
    return {thing: own for thing, own in faults.items() if own}


def asset(image: Image.Image) -> Image.Image:
    """Return the thing of a drawing by the brand's rules: cut out of its ground, RGBA, `_CARD` px a side,
    each pixel in the nearest of the palette's six colours, lit on the left and darker on the right.
    """
    drawing = image.convert("RGB").resize((_CARD, _CARD), Image.Resampling.BICUBIC)
    drawing = drawing.filter(ImageFilter.MedianFilter(5))  # flat areas, without the VAE's ripples
    flooded, key, places = drawing.copy(), (255, 0, 255), (2, _CARD // 2, _CARD - 3)
    for x, y in product(places, places):
        is_edge = (x, y) != (_CARD // 2, _CARD // 2)
        if is_edge and flooded.getpixel((x, y)) != key:
            ImageDraw.floodfill(flooded, (x, y), key, thresh=70)
    thing = Image.fromarray((np.asarray(flooded) != key).any(-1)).convert("L")
    nearest = np.linalg.norm(lab(drawing)[..., None, :] - palette_lab()[0::2], axis=-1).argmin(-1)
    lit, dark = (
        np.array([ImageColor.getrgb(code) for code in PALETTE[half::2]], np.uint8) for half in (0, 1)
    )
    is_right = (np.arange(_CARD) >= _CARD / 2)[None, :, None]
    result = Image.fromarray(np.where(is_right, dark[nearest], lit[nearest]))
    result.putalpha(thing.filter(ImageFilter.MedianFilter(5)))
    return result


def card(thing: Image.Image, ground: str) -> Image.Image:
    """Return an asset as a card of the brand, RGB: on a ground, before a pale disc, with the mark."""
    result = Image.new("RGB", (_CARD, _CARD), ground)
    draw_on, unit = ImageDraw.Draw(result), _CARD / 400  # the cards are drawn on 400 units
    draw_on.circle((200 * unit, 200 * unit), 150 * unit, fill=PALETTE[8])
    small = thing.resize((_CARD * 5 // 8,) * 2, Image.Resampling.LANCZOS)
    result.paste(small, (_CARD * 3 // 16,) * 2, small)
    draw_on.circle((356 * unit, 356 * unit), 25 * unit, fill=PALETTE[8])
    box = (337 * unit, 337 * unit, 375 * unit, 375 * unit)
    draw_on.pieslice(box, 90, 270, fill=PALETTE[2])
    draw_on.pieslice(box, -90, 90, fill=PALETTE[6])
    return result


def cards_by_rule(things: Sequence[Image.Image]) -> list[Image.Image]:
    """Return assets as cards, on the brand's grounds in turn."""
    return [card(thing, ground) for thing, ground in zip(things, cycle(GROUNDS), strict=False)]


def on_cream(thing: Image.Image) -> Image.Image:
    """Return an asset alone on the brand's cream, RGB: the judge compares with drawings on a plain ground."""
    result = Image.new("RGB", thing.size, PALETTE[8])
    result.paste(thing, mask=thing)
    return result


def draw(sampler: Sampler, trigger: str = "", strength: float | None = None) -> list[Image.Image]:
    """Return a sample of each of THINGS, with the trigger where there is one, in half of the base's steps."""
    prompts = [with_trigger(thing, trigger) if trigger else thing for thing in THINGS]
    return quick_samples(sampler, prompts, [1], strength)


def save_opening_picture(path: Path = OPENING_PICTURE) -> None:
    """Draw four things by the base and with the brand's adapter, above four of the cards."""
    sampler = Sampler("pocket")
    before = draw(sampler)
    sampler.load(ROOT / "runs" / "lesson_10")
    after = draw(sampler, TRIGGER, strength=0.75)
    cards = [picture.image for picture in dataset.read(in_course(BRAND), side=128).train]
    rows = [images[:5] for images in (before, after, cards)]
    path.write_bytes(notebook.image_grid(rows, ["base", "brand", "cards"], side=150).data)


if __name__ == "__main__":
    long_run.command_line("lesson_10", {"picture": save_opening_picture})
