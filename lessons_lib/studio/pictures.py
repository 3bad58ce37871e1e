"""The pictures of a studio: clean copies in a folder with one table, and every change to them.

The table is an ordinary metadata.csv, so that all other tools of the course read the folder, too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from lessons_lib import storage
from lessons_lib.dataset import export
from lessons_lib.dataset.archives import Problem
from lessons_lib.dataset.crops import Box
from lessons_lib.dataset.dataset import Dataset, decoded, scan
from lessons_lib.dataset.decode import HAS_PLACE, decode_file
from lessons_lib.dataset.pictures import RIGHTS, Picture
from lessons_lib.dataset.sources import Source

_TABLE = "metadata.csv"
_CHECK_SIDE = 128  # px; what is added is decoded whole to see that it can be, and then only this is kept
_HELD_OUT = "held_out"
PLACE = "place"  # the column that says what became of a file's place


@dataclass(frozen=True)
class Added:
    """What became of pictures that were added: the names of the new ones, files that cannot be used and
    why, notes on files that were not read, how many were there already, how many had a place in the file.
    """

    names: list[str]
    problems: list[Problem]
    notes: list[str]
    repeated: int = 0
    with_place: int = 0


class PictureFolder:
    """Pictures in `folder`, and those that were left out in `left_out`, each with a table."""

    def __init__(self, folder: Path, left_out: Path):
        self.folder, self.left_out = folder, left_out

    def dataset(self, side: int | None = None) -> Dataset:
        """Return the pictures as a Dataset with nothing decoded yet; an empty one before the first."""
        return scan(self.folder, side) if (self.folder / _TABLE).is_file() else Dataset([])

    def left_out_pictures(self) -> list[Picture]:
        """Return the pictures that were left out."""
        return _read(self.left_out)

    def add(self, source: Source) -> Added:
        """Copy the pictures of a folder, a zip, a list of files or an upload into the folder.

        The copies hold no place and no other private metadata. A file that cannot be read loses no good one:
        it is in `problems`. A picture that is there already is not added again.
        Raises PictureError when there is no such source or no picture in it, OSError when there is no room.
        """
        dataset = decoded(scan(source, _CHECK_SIDE))
        pictures = self.dataset().pictures
        hashes = {p.file.sha256 for p in [*pictures, *self.left_out_pictures()]}
        places = (self.folder, self.left_out, self.folder / export.MASKS)
        stems = {path.stem.casefold() for place in places for path in place.glob("*")}  # in a table or not
        self.folder.mkdir(parents=True, exist_ok=True)
        copies: list[Picture] = []
        for picture in dataset.pictures:
            if copy := _copy(picture, self.folder, stems, hashes):
                copies.append(copy)
        if copies:
            _write(self.folder, [*pictures, *copies])
        with_place = sum(HAS_PLACE in p.file.notes for p in dataset.pictures)
        names = [copy.path.name for copy in copies]
        return Added(names, dataset.problems, dataset.notes, len(dataset.pictures) - len(names), with_place)

    def leave_out(self, name: str) -> None:
        """Move a picture out of the set; `bring_back` returns it.

        ValueError when there is none of the name.
        """
        _move(self.folder, self.left_out, name)

    def bring_back(self, name: str) -> None:
        """Move a picture that was left out back into the set. ValueError when there is none of the name."""
        _move(self.left_out, self.folder, name)

    def turn(self, name: str, quarters: int = 1) -> str:
        """Turn a picture clockwise by so many quarters and return its new name: a turned copy is a PNG.

        Its crop is taken back, as it was of the other picture.
        """
        picture = _find(_read(self.folder), name)
        image = decode_file(picture.path).image.rotate(-90 * quarters, expand=True)
        path = picture.path.with_suffix(".png")
        with storage.atomic(path) as partial:  # it may be the place of the only copy
            image.save(partial, "PNG")
            if picture.mask:
                mask = picture.mask.decode().image.rotate(-90 * quarters, expand=True)
                with storage.atomic(self.folder / export.MASKS / f"{path.stem}.png") as partial_mask:
                    mask.save(partial_mask, "PNG")
        more = {key: value for key, value in picture.more.items() if key not in ("crop", "sha256")}
        self._change(name, lambda p: replace(p, path=path, more=more))
        if path != picture.path:
            picture.path.unlink()
        return path.name

    def crop(self, name: str, box: Box | None) -> None:
        """Choose the square of a picture that is learned from, in px; None is the centre."""
        text = " ".join(map(str, box)) if box else ""
        self._change(name, lambda p: replace(p, more={**p.more, "crop": text}))

    def hold_out(self, name: str, is_held_out: bool = True) -> None:
        """Keep a picture for judging, so that nothing is learned from it; or take it back to learn from."""
        self._change(name, lambda p: replace(p, split=_HELD_OUT if is_held_out else "train"))

    def caption(self, name: str, *captions: str) -> None:
        """Write what is in a picture, in the place of all captions it has."""
        self._change(name, lambda p: p.with_captions(_one_line_each(captions)))

    def caption_all(self, captions: Sequence[Sequence[str]]) -> None:
        """Write the captions of each picture, in their order. ValueError unless each has some."""
        pictures = _read(self.folder)
        if len(captions) != len(pictures):
            raise ValueError(f"{len(pictures)} pictures and captions of {len(captions)}; expected as many")
        pairs = zip(pictures, captions, strict=True)
        _write(self.folder, [p.with_captions(_one_line_each(texts)) for p, texts in pairs])

    def rights(self, names: Sequence[str] | None = None, **rights: str) -> None:
        """Write maker, licence, source, date or title of some pictures, or of all; an empty text changes
        nothing. ValueError for another key.
        """
        if unknown := set(rights) - set(RIGHTS):
            raise ValueError(f"{min(unknown)!r} is no right; expected {', '.join(RIGHTS)}")
        given = {key: text.strip() for key, text in rights.items() if text.strip()}
        pictures = _read(self.folder)
        changed = [
            replace(p, rights=p.rights | given) if names is None or p.path.name in names else p
            for p in pictures
        ]
        _write(self.folder, changed)

    def _change(self, name: str, change: Callable[[Picture], Picture]) -> None:
        """Write the table with one picture changed."""
        pictures = _read(self.folder)
        picture = _find(pictures, name)
        _write(self.folder, [change(p) if p is picture else p for p in pictures])


def box_place(size: tuple[int, int], box: Box) -> float:
    """Return where a box of `crops.square_box` lies, 0 ... 1; the middle for a picture that is square."""
    room = abs(size[0] - size[1])
    return (box[0] + box[1]) / room if room else 0.5


def _copy(picture: Picture, folder: Path, stems: set[str], hashes: set[str]) -> Picture | None:
    """Write a clean copy of a picture into a folder and return it; None, and nothing is written, where its
    hash is among `hashes`. Stem and hash are added to those in use.
    """
    data, suffix, is_copy = export.encode(picture)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 in hashes:
        return None
    hashes.add(sha256)
    stem = export.unused_stem(picture.path.stem, stems)
    path = folder / f"{stem}{suffix}"
    storage.write_bytes(path, data)
    if picture.mask:
        (folder / export.MASKS).mkdir(exist_ok=True)
        picture.mask.decode().image.save(folder / export.MASKS / f"{stem}.png")
    more = export.columns_of_copy(picture, is_copy)
    if HAS_PLACE in picture.file.notes:
        more = {**more, PLACE: "left out"}
    (one,) = scan([path]).pictures
    split = "train" if picture.split in (None, "train") else _HELD_OUT
    return replace(
        one, rights=picture.rights, caption=picture.caption, other_captions=picture.other_captions,
        split=split, more=more,
    )  # fmt: skip


def _read(folder: Path) -> list[Picture]:
    return scan(folder).pictures if (folder / _TABLE).is_file() else []


def _one_line_each(captions: Sequence[str]) -> list[str]:
    """Return captions without line breaks, which part captions in the table; one empty text for none."""
    return [" ".join(text.split()) for text in captions if text.strip()] or [""]


def _find(pictures: Sequence[Picture], name: str) -> Picture:
    for picture in pictures:
        if picture.path.name == name:
            return picture
    raise ValueError(f"there is no picture called {name!r} here; expected one of the names in metadata.csv")


def _move(source: Path, target: Path, name: str) -> None:
    """Move a picture with its row of the table."""
    pictures, others = _read(source), _read(target)
    picture = _find(pictures, name)
    target.mkdir(parents=True, exist_ok=True)
    path = target / name
    os.replace(picture.path, path)
    _write(target, [*others, replace(picture, path=path)])
    _write(source, [p for p in pictures if p is not picture])


def _write(folder: Path, pictures: Sequence[Picture]) -> None:
    """Write a folder's table, or remove it with the last picture."""
    if not pictures:
        (folder / _TABLE).unlink()
        return
    rows = [
        {
            "file_name": p.path.name,
            "split": p.split or "train",
            "caption": "\n".join(filter(None, p.captions)),
        }
        | p.rights
        | p.more
        for p in sorted(pictures, key=lambda p: p.path.name.casefold())
    ]
    storage.write_bytes(folder / _TABLE, export.to_csv(rows).encode())


def thumbnail(picture: Picture, side: int = 320) -> Image.Image:
    """Return a picture at most so many px on its long side."""
    image = picture.image.copy()
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image
