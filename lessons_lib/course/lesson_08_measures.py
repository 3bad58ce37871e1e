"""Who is in a picture: the subject, another character by the same hand, or what the base draws of the prompt.

A picture belongs to the group of pictures that its features are nearest to. A picture of a bystander that
belongs to the subject has turned into it. The third group keeps a manner of painting, which is learned too,
from counting as the subject.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from lessons_lib.course.trials import Scores, concept_of
from lessons_lib.evaluation import metrics
from lessons_lib.models import clip, judges
from lessons_lib.models.bases import Base
from lessons_lib.models.judges import HubJudge, Judge

Network = Callable[[Sequence[Image.Image]], Tensor]
DRAWN = 0.8  # rank of a concept from which it counts as drawn: among the first tenth of all concepts


def networks(base: Base) -> dict[str, Network]:
    """Return the two networks that measure a base's pictures, by name."""
    judge = judges.find(base)
    repository = judge.clip if isinstance(judge, HubJudge) else None
    return {
        "features": judge.image_features,
        "CLIP" if repository else "pocket-clip": lambda images: clip.image_features(images, repository),
    }


def _cosines(features: Tensor, groups: Sequence[Tensor]) -> Tensor:
    """Return the mean cosine of each picture to each group of pictures, (n, groups)."""
    return torch.stack([metrics.style_scores(features, group) for group in groups], 1)


def margins(features: Tensor, groups: Sequence[Tensor], place: int) -> Scores:
    """Return for each picture, (n, width), its mean cosine to one of several groups of pictures, minus that
    to the nearest of the other groups: above 0 it belongs to that one.
    """
    cosines = _cosines(features, groups)
    others = cosines.clone()
    others[:, place] = -1
    return [round(value, 4) for value in (cosines[:, place] - others.amax(1)).tolist()]


@dataclass(frozen=True)
class References:
    """What one network makes of the pictures that others are compared with, (n, width) each: `subject` and
    `other`, characters by the same hand, and `own`, of each bystander the base's drawings.
    """

    network: Network
    subject: Tensor
    other: Tensor
    own: tuple[Tensor, ...]

    def pulls(self, images: Sequence[Image.Image]) -> Scores:
        """Return each picture's pull, its margin towards the subject: how much nearer it is to it than to the
        other character and to what the base draws. Above 0, it turned. The pictures show the bystanders in
        turn, as many of each.
        """
        rows = self.network(images).split(len(images) // len(self.own))
        pairs = zip(rows, self.own, strict=True)
        return [pull for f, own in pairs for pull in margins(f, [own, self.subject, self.other], 1)]

    def known_pulls(self, images: Sequence[Image.Image]) -> Scores:
        """Return the same for pictures that are known to be of a character, whichever bystander they stand
        for.
        """
        return margins(self.network(images), [torch.cat(self.own), self.subject, self.other], 1)

    def shown(self, images: Sequence[Image.Image]) -> list[int]:
        """Return which group each picture is nearest to: 0 the subject, 1 the other character, 2 neither."""
        groups = [self.subject, self.other, torch.cat(self.own)]
        return _cosines(self.network(images), groups).argmax(1).tolist()


def turned(pulls: Scores) -> Scores:
    """Return 1 for each picture that turned into the subject, else 0."""
    return [float(pull > 0) for pull in pulls]


def figures_present(judge: Judge, images: Sequence[Image.Image], concepts: Sequence[str]) -> Scores:
    """Return 1 for each picture whose concept is among the first tenth of all concepts, else 0."""
    ranks = metrics.prompt_ranks(images, [concept_of(concept) for concept in concepts], judge)
    return [float(rank >= DRAWN) for rank in ranks]


def halves(image: Image.Image) -> list[Image.Image]:
    """Return the left and the right half of a picture, each a square on white."""
    width, height = image.size
    squares = []
    for left in (0, width // 2):
        square = Image.new("RGB", image.size, image.getpixel((left + 2, 2)))
        square.paste(image.crop((left, 0, left + width // 2, height)), (width // 4, 0))
        squares.append(square)
    return squares
