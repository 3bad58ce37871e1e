"""One picture of a dataset: its file, decoded when its pixels are asked for,
with its caption and its rights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from threading import Lock

from PIL import Image

from lessons_lib.dataset.decode import DecodedImage, decode_bytes
from lessons_lib.dataset.messages import PictureError, printable

RIGHTS = ("title", "maker", "date", "licence", "source")
SMALLEST = 64  # px, the short side below which a picture is refused
PIXEL_BYTES = (
    400 * 10**6
)  # of one dataset that stay in memory; other pictures are decoded again when they are asked for


class PixelMemory:
    """How many bytes of decoded pictures may still be kept; shared by the pictures of one dataset."""

    def __init__(self, limit: int = PIXEL_BYTES):
        self.free = limit
        self._lock = Lock()

    def take(self, image: Image.Image) -> bool:
        """Return whether an RGB image still fits, and count it if it does; after the first that does not,
        nothing is free.
        """
        size = 3 * image.width * image.height
        with self._lock:
            fits = size <= self.free
            self.free = self.free - size if fits else 0
        return fits


class ImageFile:
    """The file of one picture.

    Its pixels are decoded when they are asked for, and kept while the memory lasts.
    With `side`, an image is shrunk to twice that short side. `read` gives the file's bytes;
    it is None for a picture that was made in memory.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[], bytes] | None,
        side: int | None = None,
        min_side: int = SMALLEST,
        memory: PixelMemory | None = None,
    ):
        self.path, self.read, self.side, self.min_side = path, read, side, min_side
        self.memory = memory or PixelMemory()
        self._image: Image.Image | None = None
        self._size: tuple[int, int] | None = None
        self._sha256 = ""
        self._notes: list[str] = []

    @classmethod
    def of(cls, image: Image.Image, size: tuple[int, int] | None = None) -> ImageFile:
        """Return the file of a picture that was made in memory.

        `size` is another than the image's where it was shrunk.
        """
        file = cls(Path(), None)
        file._image, file._size = image, size or image.size
        return file

    @property
    def image(self) -> Image.Image:
        """The picture, shrunk where that was asked for.

        Raises PictureError when the file cannot be read any more.
        """
        if self._image is not None:
            return self._image
        return self.load()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole picture in px, upright."""
        if self._size is None:
            _ = self.image
        return self._size or (0, 0)

    @property
    def notes(self) -> list[str]:
        """What was changed when the file was decoded."""
        if self._size is None:
            _ = self.image
        return self._notes

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, or of the pixels of a picture that was made in memory."""
        return self._sha256 or self.hash_of(self.content())

    def content(self) -> bytes:
        """Return the file's bytes, or the pixels of a picture that was made in memory."""
        return self.read() if self.read else self.image.convert("RGB").tobytes()

    def hash_of(self, data: bytes) -> str:
        """Return the SHA-256 of its bytes, which are read already, and remember it."""
        self._sha256 = hashlib.sha256(data).hexdigest()
        return self._sha256

    def remember(self, size: tuple[int, int], notes: list[str]) -> None:
        """Take size and notes from an earlier decoding, so that nothing is decoded for them."""
        self._size, self._notes = size, notes

    @property
    def wants_pixels(self) -> bool:
        """Whether there is memory left for this picture, which is not decoded yet."""
        return self._image is None and self.memory.free > 0

    def load(self, data: bytes | None = None) -> Image.Image:
        """Return the picture, from its bytes where they are read already,
        and keep it while the memory lasts.
        """
        return self.keep(self.decode(data))

    def decode(self, data: bytes | None = None) -> DecodedImage:
        """Return the whole picture. Raises PictureError: no picture, cut short, too small."""
        if self.read is None:
            return DecodedImage(self.image, self._notes)
        decoded = decode_bytes(self.read() if data is None else data, self.path)
        width, height = decoded.image.size
        if min(width, height) < self.min_side:
            raise PictureError(
                f"{printable(self.path)}: is {width} x {height} px; expected at least {self.min_side} px on "
                "the short side. Leave it out, or find a larger copy"
            )
        return decoded

    def keep(self, decoded: DecodedImage) -> Image.Image:
        """Return a decoded picture, shrunk where that was asked for, and keep it while the memory lasts."""
        self._size, self._notes = self._size or decoded.image.size, decoded.notes
        image = _shrink(decoded.image, self.side)
        if self._image is None and self.memory.take(image):
            self._image = image
        return image


@dataclass
class Picture:
    """One picture with what its table says of it.

    `other_captions`: further captions; training takes one at random at each step.
    `more` holds what else the table says, such as its `book` or a `crop`, or how many `repeats` another
    trainer gives it; `index` is its place in its source. `mask`: a picture of the same view, white where the
    loss counts in full.
    """

    path: Path
    file: ImageFile = field(repr=False)
    rights: dict[str, str] = field(default_factory=dict)
    caption: str | None = None
    split: str | None = None
    more: dict[str, str] = field(default_factory=dict)
    index: int = 0
    other_captions: tuple[str, ...] = ()
    mask: ImageFile | None = None

    @property
    def captions(self) -> list[str]:
        """Its captions, the first of them first; one empty text where it has none."""
        return [self.caption or "", *self.other_captions]

    @property
    def weight(self) -> Fraction:
        """How often it is drawn, compared to other pictures: its repeats, or 1."""
        return Fraction(self.more.get("repeats") or 1)

    @property
    def image(self) -> Image.Image:
        """The pixels, upright, 8-bit sRGB; they may have been shrunk to save memory."""
        return self.file.image

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px of the file, upright."""
        return self.file.size

    def with_caption(self, caption: str) -> Picture:
        """Return the same picture with another caption in the place of all it has; its pixels are shared.

        The caption that it has leaves it as it is.
        """
        return self if caption == self.caption else self.with_captions([caption])

    def with_captions(self, captions: Sequence[str]) -> Picture:
        """Return the same picture with other captions, one or more; its pixels are shared."""
        first, *others = captions
        return replace(self, caption=first, other_captions=tuple(others))


def _shrink(image: Image.Image, side: int | None) -> Image.Image:
    """Return the picture with a short side of at most twice `side`."""
    if not side or min(image.size) <= 2 * side:
        return image
    scale = 2 * side / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)
