"""Decode one picture file: whole, upright, 8-bit sRGB on white, and never more of it than is safe."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from lessons_lib.models.pixels import WHITE

MEGAPIXELS = 100  # above any camera a learner has; a picture that unpacks to more is a mistake or an attack
MEGABYTES = 300  # of one file
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # no other decoder is ever started
STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x1cftypavif")
TURNS = dict(
    zip(
        range(2, 9),
        (
            Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
            Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90,
        ),
        strict=True,
    )
)  # fmt: skip


class PictureError(ValueError):
    """A picture, or a folder of them, that cannot be used; the message names the file and what to do."""


def shown(path: str | os.PathLike[str]) -> str:
    """Return a name that is safe to print: line breaks, control and half characters are spelt out."""
    joiners = "\u200c\u200d"  # not "printable", yet ordinary letters in Urdu and Hindi names
    return "".join(c if c.isprintable() or c in joiners else ascii(c)[1:-1] for c in os.fspath(path))


def one_line(problem: BaseException) -> str:
    """Return another library's complaint in one short line."""
    return shown(" ".join(str(problem).split()))[:160] or type(problem).__name__


def contents(path: Path) -> bytes:
    """Return the bytes of a file. Raises PictureError when it cannot be read or is far too large."""
    try:
        check_bytes(path, path.stat().st_size)
        return path.read_bytes()
    except OSError as problem:
        raise PictureError(
            f"{shown(path)}: cannot be read ({problem.strerror}); expected a file you may open. "
            "Check that it is there and its permissions"
        ) from None


def check_bytes(path: Path, count: int) -> None:
    """Raise PictureError for a file of more than MEGABYTES."""
    if count > MEGABYTES * 10**6:
        raise PictureError(
            f"{shown(path)}: has {count / 1e6:,.0f} MB, too large to read; expected at most {MEGABYTES}. "
            "Export it as JPEG, or leave it out"
        )


def decode(path: Path) -> tuple[Image.Image, list[str]]:
    """Return the whole picture as upright 8-bit sRGB on white, and what was changed to get there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on damaged tags: what matters is said below
        return unpack(contents(path), path)


def unpack(data: bytes, path: Path) -> tuple[Image.Image, list[str]]:
    """Return what `decode` does, of bytes that are read already; `path` only names them. For many threads at once.

    Raises PictureError, whatever the bytes are. Pillow's warnings are the caller's to silence: that is for the whole
    program and not for one thread.
    """
    try:
        with Image.open(io.BytesIO(data), formats=readable()) as file:
            check_pixels(path, file.size[0] * file.size[1])  # from the header: nothing is unpacked yet
            notes = []
            if getattr(file, "is_animated", False):
                notes.append("several frames, the first is used")
                file.seek(0)
            file.load()
            return upright(to_rgb(file, notes), file, notes), notes
    except Image.DecompressionBombError as problem:
        found = [int(word) for word in str(problem).replace("(", " ").split() if word.isdigit()]
        check_pixels(path, found[0] if found else MEGAPIXELS * 10**6 + 1)
        raise PictureError(f"{shown(path)}: too large to read safely ({one_line(problem)})") from None
    except PictureError:
        raise
    except Image.UnidentifiedImageError as problem:
        raise PictureError(unknown(data, path, problem)) from None
    except Exception as problem:  # damaged files make decoders raise anything, from KeyError to zlib.error
        raise PictureError(damaged(path, problem)) from None


def readable() -> list[str]:
    """Return those of FORMATS that this Pillow was built with."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def unknown(data: bytes, path: Path, problem: Exception) -> str:
    """Return the sentence for bytes that no decoder knows."""
    if not data:
        return f"{shown(path)}: is empty (0 bytes); expected a picture. Copy or download it again"
    if data.startswith(STARTS):
        return damaged(path, problem)
    kind = "a HEIC picture" if data[4:8] == b"ftyp" else f"not a picture (it begins with {data[:24]!r})"
    return f"{shown(path)}: is {kind}; expected JPEG, PNG or WebP. Export it again as one of these, or leave it out"


def damaged(path: Path, problem: Exception) -> str:
    """Return the sentence for a picture that does not unpack."""
    if isinstance(problem, Image.UnidentifiedImageError):
        problem = ValueError("its header does not hold together")
    return (
        f"{shown(path)}: is cut short or damaged ({one_line(problem)}); expected a whole picture. "
        "Copy or download it again"
    )


def check_pixels(path: Path, count: int) -> None:
    """Raise PictureError for a picture of more than MEGAPIXELS."""
    if count > MEGAPIXELS * 10**6:
        raise PictureError(
            f"{shown(path)}: has {count / 1e6:,.0f} megapixels, too large to unpack; expected at most {MEGAPIXELS}. "
            "Shrink it first, or leave it out"
        )


def to_rgb(file: Image.Image, notes: list[str]) -> Image.Image:
    """Return an 8-bit RGB copy: 16-bit values scaled, inks and profiles converted, transparent parts laid on white."""
    profile = file.info.get("icc_profile")
    if file.mode.startswith("I") or file.mode == "F":
        notes.append("16-bit, brought to 8-bit")
        return eight_bit(file).convert("RGB")
    if file.mode == "CMYK":
        notes.append("printing inks (CMYK), brought to RGB")
    if "transparency" in file.info or file.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        notes.append("transparent parts laid on white")
        layer = file.convert("RGBA")
        image = Image.new("RGB", file.size, WHITE)
        image.paste(from_profile(layer.convert("RGB"), profile, notes), mask=layer.getchannel("A"))
        return image
    return from_profile(file.convert("RGB") if file.mode in ("P", "1") else file, profile, notes)


def eight_bit(file: Image.Image) -> Image.Image:
    """Return a 16-bit grey picture in 8 bits. Pillow's own convert("L") cuts every value above 255 to white."""
    values = np.nan_to_num(np.asarray(file).astype(np.float32), posinf=0, neginf=0)
    top = max(float(values.max()), 1.0)
    if file.mode != "F" and top <= 65535:
        top = 65535.0  # a dark picture stays dark
    return Image.fromarray(np.rint(values.clip(0) * (255 / top)).clip(0, 255).astype(np.uint8))


def from_profile(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Return the picture in sRGB, by its own colour profile where it has one that fits, and by Pillow's rule else."""
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    if not profile:
        return image.convert("RGB")
    try:
        mine = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, mine, ImageCms.createProfile("sRGB"), outputMode="RGB")
        name = shown(ImageCms.getProfileDescription(mine).strip())
        if "srgb" not in name.lower():
            notes.append(f"colours brought from {name} to sRGB")
        return converted or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        notes.append("its colour profile does not fit and was left out")
        return image.convert("RGB")


def upright(image: Image.Image, file: Image.Image, notes: list[str]) -> Image.Image:
    """Return the picture turned as the camera's EXIF tag says; a damaged tag turns nothing."""
    try:
        tag = file.getexif().get(0x0112, 1)
    except Exception:  # as in unpack: the tags are damaged, the picture is not
        tag = 1
    if tag not in TURNS:
        return image
    notes.append("turned upright as its EXIF tag says")
    return image.transpose(TURNS[tag])
