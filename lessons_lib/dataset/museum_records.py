"""What three museums say of a painting today: its licence, where its picture is, its maker and date."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from lessons_lib.dataset.http import DownloadError, PoliteClient

Row = dict[str, str]  # of museum.csv or metadata.csv

# Where a museum's records and pictures may come from, also after a redirect.
ORIGINS = {
    "walters": ("https://art.thewalters.org",),
    "met": ("https://collectionapi.metmuseum.org", "https://images.metmuseum.org"),
    "cleveland": ("https://openaccess-api.clevelandart.org", "https://openaccess-cdn.clevelandart.org"),
}
_MAX_RECORD_BYTES = 2 << 20


@dataclass(frozen=True)
class MuseumRecord:
    """What a museum says of a painting; empty where it says nothing."""

    licence: str
    image_url: str
    accession_number: str = ""
    maker: str = ""
    date: str = ""


def museum_of(row: Row) -> str:
    """Return the museum's short name, which begins every id of museum.csv."""
    return row["id"].partition("_")[0]


def read_record(row: Row, client: PoliteClient, side: int) -> MuseumRecord:
    """Return the record of a painting, with a picture whose short side has `side` px where there is one.

    Raises DownloadError when the record cannot be fetched, is of another painting, has no picture,
    or does not say that the picture is free.
    """
    record = _READERS[museum_of(row)](row, client, side)
    if not record.image_url:
        raise DownloadError("its record names no picture")
    return record


def _walters(row: Row, client: PoliteClient, side: int) -> MuseumRecord:
    """No live record exists, so the licence is the museum's general statement."""
    return MuseumRecord(
        "CC0-1.0 (the museum's statement for all its pictures; no live record)", row["image_url"]
    )


def _met(row: Row, client: PoliteClient, side: int) -> MuseumRecord:
    answer = _live_record("met", row, client)
    number, expected = _value(answer, "objectID"), row["api_url"].rpartition("/")[2]
    if str(number) != expected:
        raise DownloadError(f"its record is that of object {number}; expected {expected}")
    if (is_public := _value(answer, "isPublicDomain")) is not True:
        raise DownloadError(f"its record says isPublicDomain {is_public}; expected true, so it was not taken")
    return MuseumRecord(
        "CC0-1.0 (live record: isPublicDomain true)",
        image_url=_text(answer, "primaryImage") or row["image_url"],
        accession_number=_text(answer, "accessionNumber"),
        maker=_text(answer, "artistDisplayName"),
        date=_text(answer, "objectDate"),
    )


def _cleveland(row: Row, client: PoliteClient, side: int) -> MuseumRecord:
    """The picture for print, which is larger, is taken only where the one for the web is too small."""
    answer = _value(_live_record("cleveland", row, client), "data")
    if (number := _value(answer, "accession_number")) != row["accession_number"]:
        raise DownloadError(f"its record is that of {number}; expected {row['accession_number']}")
    if (licence := _value(answer, "share_license_status")) != "CC0":
        raise DownloadError(
            f"its record says share_license_status {licence}; expected CC0, so it was not taken"
        )
    size = [_text(answer, "images", "web", key) for key in ("width", "height")]
    is_large_enough = all(length.isdecimal() and int(length) >= side for length in size)
    web_url, print_url = (_text(answer, "images", name, "url") for name in ("web", "print"))
    creators = _value(answer, "creators")
    makers = [_text(creator, "description") for creator in creators] if isinstance(creators, list) else []
    return MuseumRecord(
        "CC0-1.0 (live record: share_license_status CC0)",
        image_url=web_url if is_large_enough else print_url or web_url,
        maker="; ".join(maker for maker in makers if maker),
        date=_text(answer, "creation_date"),
    )


_READERS: dict[str, Callable[[Row, PoliteClient, int], MuseumRecord]] = {
    "walters": _walters, "met": _met, "cleveland": _cleveland,
}  # fmt: skip


def _live_record(museum: str, row: Row, client: PoliteClient) -> object:
    """Return the museum's own record as JSON gives it, in any shape."""
    body = client.get(museum, row["api_url"], _MAX_RECORD_BYTES)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise DownloadError(f"its record is not JSON (it begins with {body[:24]!r})") from None


def _value(record: object, *keys: str) -> object:
    """Return the value under these keys, one inside the other; None where there is none."""
    for key in keys:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _text(record: object, *keys: str) -> str:
    """Return the text or number under these keys as text; empty where there is neither."""
    value = _value(record, *keys)
    return str(value) if isinstance(value, str | int) else ""
