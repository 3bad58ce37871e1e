"""Decode one picture file: whole, upright, 8-bit sRGB on white, and never more of it than is safe."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

MEGAPIXELS = 100  # above any camera a learner has; a picture that unpacks to more is a mistake or an attack
WHITE = (255, 255, 255)


class PictureError(ValueError):
    """A picture, or a folder of them, that cannot be used; the message names the file and what to do."""


def decode(path: Path) -> tuple[Image.Image, list[str]]:
    """Return the whole picture as upright 8-bit sRGB on white, and what was changed to get there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # our own limit, below, says it in a sentence
        try:
            with Image.open(path) as file:
                check_size(path, file.size[0] * file.size[1])  # from the header: nothing is unpacked yet
                notes = []
                frames = getattr(file, "n_frames", 1)
                if frames > 1:
                    notes.append(f"{frames} frames, the first is used")
                file.seek(0)
                file.load()
                return upright(to_rgb(file, notes), file, notes), notes
        except Image.DecompressionBombError as problem:
            found = [int(word) for word in str(problem).replace("(", " ").split() if word.isdigit()]
            check_size(path, found[0] if found else MEGAPIXELS * 10**6 + 1)
            raise PictureError(f"{path}: too large to read safely ({problem})") from None
        except Image.UnidentifiedImageError:
            start = path.read_bytes()[:24]
            raise PictureError(
                f"{path}: is not a picture (it begins with {start!r}); expected JPEG, PNG or WebP. "
                "Export it again as one of these, or leave it out"
            ) from None
        except PictureError:
            raise
        except (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError) as problem:
            raise PictureError(
                f"{path}: is cut short or damaged ({problem}); expected a whole picture. Copy or download it again"
            ) from None


def check_size(path: Path, count: int) -> None:
    if count > MEGAPIXELS * 10**6:
        raise PictureError(
            f"{path}: has {count / 1e6:,.0f} megapixels, too large to unpack; expected at most {MEGAPIXELS}. "
            "Shrink it first, or leave it out"
        )


def to_rgb(file: Image.Image, notes: list[str]) -> Image.Image:
    """Return an 8-bit RGB copy: 16-bit values scaled, inks and profiles converted, transparent parts laid on white."""
    if file.mode.startswith("I") or file.mode == "F":
        notes.append("16-bit, brought to 8-bit")
        return eight_bit(file).convert("RGB")
    if "transparency" in file.info or file.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        notes.append("transparent parts laid on white")
        layer = file.convert("RGBA")
        image = Image.new("RGB", file.size, WHITE)
        image.paste(layer, mask=layer.getchannel("A"))
        return from_profile(image, file.info.get("icc_profile"), notes)
    if file.mode in ("P", "1", "L"):
        return from_profile(file.convert("RGB"), None, notes)
    if file.mode == "CMYK":
        notes.append("printing inks (CMYK), brought to RGB")
    return from_profile(file, file.info.get("icc_profile"), notes)


def eight_bit(file: Image.Image) -> Image.Image:
    """Return a 16-bit grey picture in 8 bits. Pillow's own convert("L") cuts every value above 255 to white."""
    values = np.asarray(file).astype(np.float64)
    top = max(values.max(), 1.0)
    if file.mode != "F" and top <= 65535:
        top = 65535.0  # a dark picture stays dark
    return Image.fromarray(np.rint(values.clip(0) * (255 / top)).clip(0, 255).astype(np.uint8))


def from_profile(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Return the picture in sRGB, by its own colour profile where it has one that fits, and by Pillow's rule else."""
    if not profile:
        return image.convert("RGB")
    try:
        mine = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return (
            ImageCms.profileToProfile(image, mine, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        notes.append("its colour profile does not fit and was left out")
        return image.convert("RGB")


def upright(image: Image.Image, file: Image.Image, notes: list[str]) -> Image.Image:
    """Return the picture turned as the camera's EXIF tag says."""
    tag = file.getexif().get(0x0112, 1)
    if tag not in range(2, 9):
        return image
    notes.append("turned upright as its EXIF tag says")
    image.getexif()[0x0112] = tag
    return ImageOps.exif_transpose(image)
