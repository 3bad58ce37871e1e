"""A set of pictures with captions, read once and passed to whatever works on it: inspection, training, comparison, cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from lessons_lib.dataset import pictures
from lessons_lib.dataset.pictures import Picture
from lessons_lib.dataset.sources import Source


@dataclass(frozen=True)
class Dataset:
    """Pictures by what they are for: `train` to learn from, `held_out` to judge by, `prior` of the class, to keep it.

    Every picture brings its own caption and rights. Class pictures serve prior preservation (Ruiz et al. 2022, arXiv
    2208.12242); their captions lack the trigger word.
    """

    train: list[Picture]
    held_out: list[Picture] = field(default_factory=list)
    prior: list[Picture] = field(default_factory=list)

    def with_captions(self, captions: Sequence[str]) -> Dataset:
        """Return the same set with other captions on its training pictures. Raises ValueError unless there is one a picture."""
        if len(captions) != len(self.train):
            raise ValueError(
                f"{len(self.train)} pictures and {len(captions)} captions; expected one caption a picture"
            )
        pairs = zip(self.train, captions, strict=True)
        return replace(self, train=[picture.with_caption(caption) for picture, caption in pairs])


def read(source: Source, side: int | None = None, prior: Source | None = None) -> Dataset:
    """Return the pictures of a source by the splits that its table names; all of them are to train on where it names none.

    `side`: see `pictures.load`. Raises PictureError that names the first file that cannot be used.
    """
    found = pictures.load(source, side)
    return Dataset(
        pictures.for_training(found),
        pictures.held_out(found),
        pictures.load(prior, side) if prior is not None else [],
    )
