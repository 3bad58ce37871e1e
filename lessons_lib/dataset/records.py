"""A dataset as a run's settings.json lists it: the files with their captions and crops, so that a run can be
repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lessons_lib.dataset.dataset import read
from lessons_lib.dataset.messages import PictureError
from lessons_lib.dataset.pictures import Picture

Record = dict[str, str]  # path, and where there is one: caption, crop


def to_records(part: Sequence[Picture]) -> list[Record]:
    """Return the files of some pictures with their captions and the boxes they are cropped by."""
    rows = [{"path": str(p.path), "caption": p.caption or "", "crop": p.more.get("crop", "")} for p in part]
    return [{key: value for key, value in row.items() if value} for row in rows]


def from_records(records: Sequence[Record], side: int | None = None) -> list[Picture]:
    """Return the pictures that records list, where they were.

    Raises PictureError that names one that is gone.
    """
    if not records:
        return []
    files = read([record["path"] for record in records], side, strict=False)
    if files.problems:
        raise PictureError(files.problems[0][1])
    return [
        replace(picture, caption=record.get("caption"), more=picture.more | {"crop": record.get("crop", "")})
        for picture, record in zip(files.pictures, records, strict=True)
    ]
