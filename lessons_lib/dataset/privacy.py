"""What a picture file says of the person who took it: the place, the camera, names, comments.

Nothing of it is learned from, and nothing of it is written. JPEG, PNG and WebP lose it without being encoded
again.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from PIL import ImageFile, IptcImagePlugin

_GPS, _LATITUDE, _LONGITUDE = 0x8825, 2, 4  # of EXIF
_IPTC_PLACES = {(2, 26), (2, 90), (2, 92), (2, 95), (2, 101)}  # location, city, sub-location, state, country
_XMP_PLACES = re.compile(
    rb"GPS(Latitude|Longitude)|photoshop:(City|State|Country)|Iptc4xmpCore:Location|Location(Created|Shown)"
)
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_ANCILLARY = {
    b"tRNS",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"iCCP",
    b"sBIT",
    b"bKGD",
    b"pHYs",
    b"cICP",
    b"mDCV",
    b"cLLI",
}
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"ANIM", b"ANMF"}
PLACE_COLUMNS = {"gps", "lat", "latitude", "lon", "lng", "long", "longitude", "gps_latitude", "gps_longitude",
                 "gpslatitude", "gpslongitude", "gps_position", "coordinates"}  # of tables  # fmt: skip
_WEBP_FLAGS = 0x08 | 0x04  # VP8X: EXIF and XMP follow
_APP0, _APP14, _APP15, _COMMENT = 0xE0, 0xEE, 0xEF, 0xFE
_START_OF_SCAN, _END, _WITHOUT_LENGTH = 0xDA, 0xD9, {0x01, *range(0xD0, 0xD8)}
_JPEG_KEPT = {_APP0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", _APP14: b"Adobe"}  # of the segments for applications


def has_place(file: ImageFile.ImageFile) -> bool:
    """Return whether an opened picture says where it was taken: in EXIF, XMP or IPTC.

    False where its metadata are damaged.
    """
    try:
        gps = file.getexif().get_ifd(_GPS)
        if _LATITUDE in gps or _LONGITUDE in gps:
            return True
    except Exception:  # damaged tags raise anything
        pass
    xmp = file.info.get("xmp", b"")
    if _XMP_PLACES.search(xmp if isinstance(xmp, bytes) else str(xmp).encode("utf-8", "replace")):
        return True
    try:
        return bool(_IPTC_PLACES & set(IptcImagePlugin.getiptcinfo(file) or ()))
    except Exception:
        return False


def remove_metadata(data: bytes) -> bytes:
    """Return the bytes of a JPEG, PNG or WebP file without private metadata; pixels are not encoded again.

    Pixels, transparency and colours stay, and nothing else does: no EXIF, XMP, IPTC, comment, thumbnail, and
    nothing that is appended behind the picture. Raises ValueError for another format and for a damaged file.
    """
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return b"\xff\xd8" + b"".join(_jpeg_parts(data))
        if data.startswith(_PNG):
            return _PNG + b"".join(_png_chunks(data))
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            body = b"WEBP" + b"".join(_webp_chunks(data))
            return b"RIFF" + struct.pack("<I", len(body)) + body
    except (IndexError, struct.error) as problem:
        raise ValueError("the file ends before its picture does") from problem
    raise ValueError("expected JPEG, PNG or WebP")


def _jpeg_parts(data: bytes) -> Iterator[bytes]:
    """Yield what follows the first two bytes of a JPEG up to the end of its first picture."""
    place = 2
    while True:
        while data[place + 1] == 0xFF:  # bytes that only fill
            place += 1
        marker = data[place + 1]
        if data[place] != 0xFF:
            raise ValueError("the file is damaged between two segments")
        if marker == _END:
            yield data[place : place + 2]
            return
        end = place + 2
        if marker not in _WITHOUT_LENGTH:
            end += int.from_bytes(data[end : end + 2], "big")
        if marker == _START_OF_SCAN:
            end = _scan_end(data, end)
        if _is_kept(marker, data[place + 4 : end]):
            yield data[place:end]
        place = end


def _scan_end(data: bytes, place: int) -> int:
    """Return where the compressed pixels end that begin at a place: at the next marker that is no restart."""
    while True:
        place = data.find(b"\xff", place)
        if place < 0:
            raise IndexError
        following = data[place + 1]
        if following not in (0, 0xFF) and following not in _WITHOUT_LENGTH:
            return place
        place += 1 if following == 0xFF else 2


def _is_kept(marker: int, content: bytes) -> bool:
    """Return whether a segment of a JPEG is part of the picture: pixels, their tables, or their colours."""
    if _APP0 <= marker <= _APP15:
        return marker in _JPEG_KEPT and content.startswith(_JPEG_KEPT[marker])
    return marker != _COMMENT


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """Yield the chunks of a PNG that are part of the picture, up to its end."""
    place, kind = len(_PNG), b""
    while kind != b"IEND":
        (length,), kind = struct.unpack_from(">I", data, place), data[place + 4 : place + 8]
        end = place + 12 + length
        if end > len(data):
            raise IndexError
        if kind[:1].isupper() or kind in _PNG_ANCILLARY:
            yield data[place:end]
        place = end


def _webp_chunks(data: bytes) -> Iterator[bytes]:
    """Yield the chunks of a WebP that are part of the picture; its header no longer promises EXIF and XMP."""
    place, last = 12, 8 + int.from_bytes(data[4:8], "little")
    while place < last:
        kind, (length,) = data[place : place + 4], struct.unpack_from("<I", data, place + 4)
        end = place + 8 + length + length % 2
        if end > len(data):
            raise IndexError
        if kind == b"VP8X":
            yield data[place : place + 8] + bytes([data[place + 8] & ~_WEBP_FLAGS]) + data[place + 9 : end]
        elif kind in _WEBP_KEPT:
            yield data[place:end]
        place = end
