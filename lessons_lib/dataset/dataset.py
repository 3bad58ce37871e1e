"""A set of pictures with captions, read once and passed to whatever works on it: inspection, training,
comparison, cards.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lessons_lib.dataset import sources
from lessons_lib.dataset.archives import Problem
from lessons_lib.dataset.caption_files import CaptionReader
from lessons_lib.dataset.messages import PictureError, name_list
from lessons_lib.dataset.parallel import parallel_map
from lessons_lib.dataset.pictures import PIXEL_BYTES, RIGHTS, SMALLEST, ImageFile, Picture, PixelMemory
from lessons_lib.dataset.sources import ListedFile, Source

_COLUMNS = ("split", *RIGHTS)  # those that have a place of their own in a Picture


@dataclass(frozen=True)
class Dataset:
    """A training set (`train`), a held-out set (`held_out`) and class pictures (`prior`).

    Every picture brings its own caption and rights. Class pictures serve prior preservation
    (Ruiz et al. 2022, arXiv 2208.12242); their captions lack the trigger word.
    `unused` pictures have no split in a table that names some. `problems` name each file that cannot be used
    and say why; `notes` say what was skipped on purpose.
    """

    train: list[Picture]
    held_out: list[Picture] = field(default_factory=list)
    prior: list[Picture] = field(default_factory=list)
    unused: list[Picture] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> list[Picture]:
        """`train`, `held_out` and `unused`, not `prior`, in the order of the source."""
        return sorted([*self.train, *self.held_out, *self.unused], key=lambda picture: picture.index)

    def with_captions(self, captions: Sequence[str]) -> Dataset:
        """Return the same set with other captions on its training pictures.

        Raises ValueError unless there is one a picture.
        """
        if len(captions) != len(self.train):
            raise ValueError(
                f"{len(self.train)} pictures and {len(captions)} captions; expected one caption a picture"
            )
        pairs = zip(self.train, captions, strict=True)
        return replace(self, train=[picture.with_caption(caption) for picture, caption in pairs])

    def without(self, failures: Mapping[Path, str]) -> Dataset:
        """Return the set without these files, each of which becomes a problem with its message."""
        bad = [
            (picture.path, failures[picture.path]) for picture in self.pictures if picture.path in failures
        ]
        good = {
            name: [picture for picture in getattr(self, name) if picture.path not in failures]
            for name in ("train", "held_out", "unused")
        }
        return replace(self, **good, problems=[*self.problems, *bad])

    def check(self) -> None:
        """Raise PictureError that names the first file that cannot be used,
        or says that no picture is to train on.
        """
        _raise_first(self.problems)
        if not self.train:
            names = sorted({picture.split for picture in self.pictures if picture.split})
            if not names:
                raise PictureError("no picture is left to train on; expected some that can be read")
            raise PictureError(
                f"metadata.csv has the splits {', '.join(names)}; expected some pictures in split train"
            )


def _by_split(
    pictures: Sequence[Picture], problems: Sequence[Problem] = (), notes: Sequence[str] = ()
) -> Dataset:
    """Return pictures by the splits of their table: "train", and any other to judge by.

    All to train on where it has none.
    """
    has_splits = any(picture.split for picture in pictures)
    return Dataset(
        train=[p for p in pictures if p.split == "train" or not has_splits],
        held_out=[p for p in pictures if p.split and p.split != "train"],
        unused=[p for p in pictures if has_splits and not p.split],
        problems=list(problems),
        notes=list(notes),
    )


def scan(
    source: Source, side: int | None = None, min_side: int = SMALLEST, pixel_bytes: int = PIXEL_BYTES
) -> Dataset:
    """Return the pictures of a source with its tables and caption files read, and no picture decoded yet.

    A `metadata.csv` or `.jsonl` (columns file_name, caption or text, split, and rights) decides which files
    are read;
    a `NAME.txt` beside a picture is its caption where the table has none; notebooks/FOLDERS.md lists every
    layout. A picture is decoded when its image is asked
    for; with `side`, larger ones are shrunk to twice that short side, and `pixel_bytes` of them stay in
    memory.
    Raises PictureError when there is no such source or nothing in it; all else that is wrong is in
    `problems`.
    """
    listing = sources.list_files(source)
    memory = PixelMemory(pixel_bytes)
    problems, pictures = list(listing.problems), []
    captions = CaptionReader(problems)
    for index, listed in enumerate(listing.files):
        file = ImageFile(listed.path, listed.read, side, min_side, memory)
        mask = ImageFile(*listed.mask, side, 1, memory) if listed.mask else None
        pictures.append(_picture(listed, file, index, captions.read(listed), mask))
    return _by_split(pictures, problems, [*captions.notes(listing.lookalikes), *listing.notes])


def read(
    source: Source,
    side: int | None = None,
    min_side: int = SMALLEST,
    strict: bool = True,
) -> Dataset:
    """Return the pictures of a folder, a zip, a list of files or an upload, every one decoded whole;
    see `scan`.

    Raises PictureError that names the first file that cannot be used, and counts the others. Unless `strict`,
    one bad file loses no good one: it is in `problems`, and the error is raised only where there is no such
    source.
    """
    dataset = decoded(scan(source, side, min_side))
    if strict:
        dataset.check()
    return dataset


def decoded(dataset: Dataset) -> Dataset:
    """Return a set with every picture decoded; those that cannot be are problems instead."""
    pictures = dataset.pictures
    messages = parallel_map(_decode, pictures)
    return dataset.without({p.path: text for p, text in zip(pictures, messages, strict=True) if text})


def of_run(paths: Sequence[Path], source: Source | None = None) -> Dataset:
    """Return the pictures that a run learned from, by the names of their files,
    and the others of their folder as held out.

    `source`: where they are now; without it, the folder that they were in.
    Raises ValueError when none of them is there.
    """
    names = {path.name for path in paths}
    source = source or _folder_of(paths)
    dataset = decoded(scan(source))
    _raise_first([problem for problem in dataset.problems if problem[0].name in names])
    train = [picture for picture in dataset.pictures if picture.path.name in names]
    if not train:
        raise ValueError(
            f"{source}: holds none of the run's pictures; expected {min(names)} among others. "
            "Name their folder with --pictures"
        )
    held_out = [picture for picture in dataset.pictures if picture.path.name not in names]
    return Dataset(train, held_out, notes=dataset.notes)


def _picture(
    listed: ListedFile, file: ImageFile, index: int, captions: Sequence[str], mask: ImageFile | None
) -> Picture:
    """Return a listed file as a Picture."""
    row = listed.row.more
    rights = {name: row[name] for name in RIGHTS if row.get(name)}
    more = {name: value for name, value in row.items() if value and name not in _COLUMNS}
    caption, others = captions[0] if captions else None, tuple(captions[1:])
    return Picture(listed.path, file, rights, caption, row.get("split") or None, more, index, others, mask)


def _decode(picture: Picture) -> str:
    """Decode a picture and return why that is not possible, or an empty text."""
    try:
        picture.file.load()
    except PictureError as problem:
        return str(problem)
    return ""


def _raise_first(problems: Sequence[Problem]) -> None:
    """Raise PictureError with the first problem's message and the names of the other files."""
    if problems:
        others = [path.name for path, _ in problems[1:]]
        more = f" ({len(others)} more cannot be used: {name_list(others)})" if others else ""
        raise PictureError(problems[0][1] + more)


def _folder_of(files: Iterable[Path]) -> Path:
    """Return the folder that files came from: the one above where that holds their metadata.csv."""
    folder = Path(os.path.commonpath([path.parent for path in files]))
    return folder.parent if (folder.parent / "metadata.csv").is_file() else folder
