"""Decode one picture file: whole, upright, 8-bit sRGB on white, and never more of it than is safe."""

from __future__ import annotations

import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

from lessons_lib.dataset import privacy
from lessons_lib.dataset.messages import PictureError, one_line, printable
from lessons_lib.models.pixels import WHITE

# Pillow warns of damaged tags; what matters is in the notes. Once, for the whole process, to which filters
# belong: of two threads that change them for a while, one puts back those of the other.
warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif)(\.|$)")

_MAX_MEGAPIXELS = (
    100  # above any camera a learner has; a picture that decodes to more is a mistake or an attack
)
_MAX_MEGABYTES = 300  # of one file
TRANSPARENT = "transparent parts put on white"
HAS_PLACE = "says where it was taken"  # a note on the file: its pixels are as they were
HEIF_SUFFIXES = (".heic", ".heif", ".hif")  # of phones, read where pillow-heif is installed
INSTALL_HEIF = "Install pillow-heif (pip install pillow-heif)"
GIT_LFS = b"version https://git-lfs.github.com/spec/"
LFS_POINTER = (
    "is a Git LFS pointer, a small text in place of a file that was not fetched. Fetch it with git lfs pull"
)
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # no other decoder is ever started
_SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"RIFF",
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
)
# Brands in the first box of a file, ISO/IEC 23008-12: pictures coded as HEVC, or in general, and as AV1.
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF = {b"avif", b"avis"}
_TRANSPOSES = dict(
    zip(
        range(2, 9),
        (
            Image.Transpose.FLIP_LEFT_RIGHT,
            Image.Transpose.ROTATE_180,
            Image.Transpose.FLIP_TOP_BOTTOM,
            Image.Transpose.TRANSPOSE,
            Image.Transpose.ROTATE_270,
            Image.Transpose.TRANSVERSE,
            Image.Transpose.ROTATE_90,
        ),
        strict=True,
    )
)


class DecodedImage(NamedTuple):
    """A whole picture, upright, 8-bit sRGB on white, and what was changed to get there."""

    image: Image.Image
    notes: list[str]


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file. Raises PictureError when it cannot be read or is far too large."""
    try:
        check_file_size(path, path.stat().st_size)
        return path.read_bytes()
    except OSError as problem:
        raise PictureError(
            f"{printable(path)}: cannot be read ({problem.strerror}); expected a file you may open. "
            "Check that it is there and its permissions"
        ) from None


def check_file_size(path: Path, count: int) -> None:
    """Raise PictureError for a file of more than _MAX_MEGABYTES."""
    if count > _MAX_MEGABYTES * 10**6:
        raise PictureError(
            f"{printable(path)}: has {count / 1e6:,.0f} MB, too large to read; expected at most "
            f"{_MAX_MEGABYTES}. Export it as JPEG, or leave it out"
        )


def decode_file(path: Path) -> DecodedImage:
    """Return the picture in a file. Raises PictureError that says why it cannot be read."""
    return decode_bytes(read_bytes(path), path)


def decode_bytes(data: bytes, path: Path) -> DecodedImage:
    """Return what `decode_file` does, from bytes that are read already; `path` only names them.

    Safe in many threads. Raises PictureError, whatever the bytes are.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_available_formats()) as file:
            _check_pixel_count(path, file.size[0] * file.size[1])  # from the header: nothing is decoded yet
            notes: list[str] = []
            if getattr(file, "is_animated", False):
                notes.append("several frames, the first is used")
                file.seek(0)
            file.load()
            notes += [HAS_PLACE] * privacy.has_place(file)
            image = _turn_upright(_to_rgb(file, notes), file, notes)
            image.info = {}  # comments and the like, which Pillow writes into every copy
            return DecodedImage(image, notes)
    except Image.DecompressionBombError as problem:
        counts = [int(word) for word in str(problem).replace("(", " ").split() if word.isdigit()]
        _check_pixel_count(path, counts[0] if counts else _MAX_MEGAPIXELS * 10**6 + 1)
        raise PictureError(f"{printable(path)}: too large to read safely ({one_line(problem)})") from None
    except PictureError:
        raise
    except Image.UnidentifiedImageError as problem:
        raise PictureError(_unknown_format_message(data, path, problem)) from None
    except Exception as problem:  # damaged files make decoders raise anything, from KeyError to zlib.error
        raise PictureError(_damaged_message(path, problem)) from None


def _available_formats() -> list[str]:
    """Return those of _FORMATS that this Pillow was built with."""
    Image.init()
    return [name for name in (*_FORMATS, *(["HEIF"] if reads_heif() else [])) if name in Image.OPEN]


@lru_cache(1)
def reads_heif() -> bool:
    """Return whether pictures of phones can be read: with pillow-heif, which is an extra."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _brands(data: bytes) -> set[bytes]:
    """Return the brands that a file of the HEIF or MP4 family names; none for any other file."""
    if data[4:8] != b"ftyp":
        return set()
    length = min(int.from_bytes(data[:4], "big"), 256)
    return {data[8:12], *(data[i : i + 4] for i in range(16, length, 4))}


def _unknown_format_message(data: bytes, path: Path, problem: Exception) -> str:
    """Return the message for bytes that no decoder knows."""
    if not data:
        return f"{printable(path)}: is empty (0 bytes); expected a picture. Copy or download it again"
    if data.startswith(GIT_LFS):
        return f"{printable(path)}: {LFS_POINTER}"
    if data.startswith(_SIGNATURES):
        return _damaged_message(path, problem)
    brands = _brands(data)
    if brands & _AVIF or (brands & _HEIF and reads_heif()):
        return _damaged_message(path, problem)
    if brands & _HEIF:
        return (
            f"{printable(path)}: is a HEIC picture, a phone's own format; expected JPEG, PNG or WebP. "
            f"{INSTALL_HEIF}, export it again, or leave it out"
        )
    kind = "a film" if brands else f"not a picture (it begins with {data[:24]!r})"
    return (
        f"{printable(path)}: is {kind}; expected JPEG, PNG or WebP. Export it again as one of these, "
        "or leave it out"
    )


def _damaged_message(path: Path, problem: Exception) -> str:
    """Return the message for a picture that does not decode."""
    if isinstance(problem, Image.UnidentifiedImageError):
        problem = ValueError("its header contradicts itself")
    return (
        f"{printable(path)}: is cut short or damaged ({one_line(problem)}); expected a whole picture. "
        "Copy or download it again"
    )


def _check_pixel_count(path: Path, count: int) -> None:
    """Raise PictureError for a picture of more than _MAX_MEGAPIXELS."""
    if count > _MAX_MEGAPIXELS * 10**6:
        raise PictureError(
            f"{printable(path)}: has {count / 1e6:,.0f} megapixels, too large to decode; expected at most "
            f"{_MAX_MEGAPIXELS}. Shrink it first, or leave it out"
        )


def _to_rgb(file: Image.Image, notes: list[str]) -> Image.Image:
    """Return an 8-bit RGB copy: 16-bit values scaled, CMYK and profiles converted,
    transparent parts on white.
    """
    profile = file.info.get("icc_profile")
    if file.mode.startswith("I") or file.mode == "F":
        notes.append("16-bit, converted to 8-bit")
        return _to_eight_bit(file).convert("RGB")
    if file.mode == "CMYK":
        notes.append("CMYK, converted to RGB")
    if "transparency" in file.info or file.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        notes.append(TRANSPARENT)
        layer = file.convert("RGBA")
        image = Image.new("RGB", file.size, WHITE)
        image.paste(_to_srgb(layer.convert("RGB"), profile, notes), mask=layer.getchannel("A"))
        return image
    return _to_srgb(file.convert("RGB") if file.mode in ("P", "1") else file, profile, notes)


def _to_eight_bit(file: Image.Image) -> Image.Image:
    """Return a 16-bit grey picture in 8 bits.

    Pillow's own convert("L") cuts every value above 255 to white.
    """
    values = np.nan_to_num(np.asarray(file).astype(np.float32), posinf=0, neginf=0)
    top = max(float(values.max()), 1.0)
    if file.mode != "F" and top <= 65535:
        top = 65535.0  # a dark picture stays dark
    return Image.fromarray(np.rint(values.clip(0) * (255 / top)).clip(0, 255).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Return the picture in sRGB, by its own colour profile where it has one that fits,
    else by Pillow's rule.
    """
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    if not profile:
        return image.convert("RGB")
    try:
        own_profile = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            image, own_profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        name = printable(ImageCms.getProfileDescription(own_profile).strip())
        if "srgb" not in name.lower():
            notes.append(f"colours converted from {name} to sRGB")
        return converted or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        notes.append("its colour profile does not fit and was left out")
        return image.convert("RGB")


def _turn_upright(image: Image.Image, file: Image.Image, notes: list[str]) -> Image.Image:
    """Return the picture turned as the camera's EXIF tag says; a damaged tag turns nothing."""
    try:
        tag = file.getexif().get(0x0112, 1)
    except Exception:  # as in decode_bytes: the tags are damaged, the picture is not
        tag = 1
    if tag not in _TRANSPOSES:
        return image
    notes.append("turned upright as its EXIF tag says")
    return image.transpose(_TRANSPOSES[tag])
