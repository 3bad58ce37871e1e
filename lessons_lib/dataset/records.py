"""A dataset as a run's settings.json lists it: path, SHA-256, caption and crop box of each picture file,
so that the same files can be loaded again; a file with other content is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from lessons_lib.dataset.dataset import Dataset, decoded, of_run, read, scan
from lessons_lib.dataset.decode import read_bytes
from lessons_lib.dataset.messages import PictureError, name_list, printable
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.dataset.sources import Source

# path and sha256, and where there is one: caption, other_captions (a line each), crop, repeats, mask
# and mask_sha256
Record = dict[str, str]
_PARTS = ("train", "held_out", "prior")


def to_records(part: Sequence[Picture], run_dir: Path) -> list[Record]:
    """Return the files of some pictures, relative to the run's folder, with their captions and crop boxes."""
    rows = [
        {
            "path": _relative(p.path, run_dir),
            "caption": p.caption or "",
            "other_captions": "\n".join(p.other_captions),
            "crop": p.more.get("crop", ""),
            "repeats": p.more.get("repeats", ""),
            "sha256": p.file.sha256,
        }
        | ({"mask": _relative(p.mask.path, run_dir), "mask_sha256": p.mask.sha256} if p.mask else {})
        for p in part
    ]
    return [{key: value for key, value in row.items() if value} for row in rows]


def recorded_path(record: Record, run_dir: Path) -> Path:
    """Return where a record says that a picture is; records without a hash name it as it was given then."""
    path = Path(record["path"])
    is_relative = "sha256" in record and not path.is_absolute()
    return Path(os.path.normpath(run_dir.resolve() / path)) if is_relative else path


def recorded_dataset(
    parts: Mapping[str, Sequence[Record]],
    run_dir: Path,
    source: Source | None = None,
    side: int | None = None,
) -> Dataset:
    """Return the pictures that a run learned from and those that it held out, with its captions.

    `source`: where they are now; without it, where the records say. Raises PictureError that counts those
    that are gone, and those whose files are others now. Records of older versions have no hash: their files
    are looked for in the folders above the run and in the working directory.
    """
    if not any("sha256" in record for part in parts.values() for record in part):
        return _without_hashes(parts, run_dir, source, side)
    places = scan(source, side).pictures if source else []
    by_hash = {(p.file.sha256, name): p for p in places for name in ("", p.path.name)}
    pictures_of: dict[str, list[Picture]] = {}
    for name in _PARTS:
        records = parts.get(name, ())
        if source:
            keys = [(r.get("sha256", ""), Path(r["path"]).name) for r in records]
            pictures = [by_hash.get(key) or by_hash.get((key[0], "")) for key in keys]
        else:
            pictures = _at_paths(records, run_dir, side)
        pictures_of[name] = _checked(records, pictures, run_dir, source)
    dataset = decoded(Dataset(pictures_of["train"], pictures_of["held_out"], pictures_of["prior"]))
    dataset.check()
    return dataset


def _relative(path: Path, run_dir: Path) -> str:
    """Return a path relative to the run's folder, or absolute where the two have only the root in common."""
    absolute, run_dir = Path(os.path.abspath(path)), run_dir.resolve()
    try:
        common = Path(os.path.commonpath([absolute, run_dir]))
    except ValueError:  # two drives of Windows
        return str(absolute)
    is_far = common == Path(common.anchor)
    return str(absolute) if is_far else Path(os.path.relpath(absolute, run_dir)).as_posix()


def _at_paths(records: Sequence[Record], run_dir: Path, side: int | None) -> list[Picture | None]:
    """Return the pictures where the records say, in a zip, too; None for one that is not there."""
    paths = [recorded_path(record, run_dir) for record in records]
    files = [path for path in paths if path.is_file()]
    pictures = {picture.path: picture for picture in (scan(files, side).pictures if files else ())}
    for archive in {parent for path in paths for parent in path.parents if parent.is_file()}:
        pictures |= {picture.path: picture for picture in scan(archive, side).pictures}
    return [pictures.get(path) for path in paths]


def _checked(
    records: Sequence[Record], pictures: Sequence[Picture | None], run_dir: Path, source: Source | None
) -> list[Picture]:
    """Return the pictures with the captions of their records; PictureError when one is gone or is another."""
    pairs = list(zip(records, pictures, strict=True))
    missing = [
        Path(record["path"]).name
        for record, picture in pairs
        if picture is None or picture.file.sha256 != record.get("sha256")
    ]
    if missing:
        place = printable(str(source)) if source else f"where {run_dir / 'settings.json'} records them"
        raise PictureError(
            f"{len(missing)} of {len(records)} pictures of this run are not "
            f"{'in ' if source else ''}{place}, or "
            f"their files are others now: {name_list(missing)}. Name the folder that holds them with "
            "--pictures"
        )
    return [_as_recorded(picture, record, run_dir) for record, picture in pairs if picture is not None]


def _as_recorded(picture: Picture, record: Record, run_dir: Path) -> Picture:
    """Return a picture with the captions, the crop box, the repeats and the mask of its record.

    Raises PictureError when the mask is gone or is another.
    """
    more = {**picture.more, **{name: record.get(name, "") for name in ("crop", "repeats")}}
    others = tuple(text for text in record.get("other_captions", "").split("\n") if text)
    mask = picture.mask if "mask" in record else None
    if "mask" in record and mask is None:
        path = Path(os.path.normpath(run_dir.resolve() / record["mask"]))
        mask = ImageFile(path, partial(read_bytes, path), picture.file.side, 1) if path.is_file() else None
    if "mask" in record and (mask is None or mask.sha256 != record["mask_sha256"]):
        raise PictureError(
            f"{printable(Path(record['mask']).name)}: the mask of {printable(picture.path.name)} in this run "
            "is not there any more, or is another now. Put it back, or name its folder with --pictures"
        )
    return replace(picture, caption=record.get("caption"), other_captions=others, more=more, mask=mask)


def _without_hashes(
    parts: Mapping[str, Sequence[Record]], run_dir: Path, source: Source | None, side: int | None
) -> Dataset:
    """Return the dataset that records of versions 0.1 and 0.2 name; 0.1 did not record what was held out."""
    roots = [*run_dir.resolve().parents, Path.cwd()]
    given = [Path(record["path"]) for record in parts.get("train", ())]
    root = next((root for root in roots if all((root / path).is_file() for path in given)), Path())
    paths = {name: [root / record["path"] for record in parts.get(name, ())] for name in _PARTS}
    if source or "held_out" not in parts:
        return of_run(paths["train"], source)
    pictures_of: dict[str, list[Picture]] = {}
    for name, files in paths.items():
        pictures = read(files, side).pictures if files else []
        records = parts.get(name, ())
        pictures_of[name] = [_as_recorded(p, r, run_dir) for p, r in zip(pictures, records, strict=True)]
    return Dataset(pictures_of["train"], pictures_of["held_out"], pictures_of["prior"])
