"""One look at a picture: the numbers that a report is made of, each measured on the picture itself."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from safetensors.numpy import load, save

from lessons_lib import storage
from lessons_lib.dataset.pictures import read
from lessons_lib.dataset.sources import Entry
from lessons_lib.models import features as features_

VERSION = 1  # raise it with every change of what is measured: kept looks are then made again
THUMB = 160  # px on the long side
SQUARE = 128  # px of the middle square that features are measured on
Grey = NDArray[np.float32]


@dataclass
class ImageStats:
    """What was seen in one picture. Shares are 0 ... 1, brightness and contrast 0 ... 255, hashes have 64 bits.

    `middle` is the share of edges that the centre square keeps, `best` that of the best square, which begins at `start`,
    0 ... 1 of the room there is. `features`: (1280,) float16 of unit length.
    """

    size: tuple[int, int]
    notes: list[str]
    digest: str
    sharpness: float
    brightness: float
    contrast: float
    black: float
    white: float
    middle: float
    best: float
    start: float
    hash: int
    mirrored: int
    thumb: bytes = field(repr=False)
    features: NDArray[np.float16] = field(repr=False)


def known(entry: Entry, side: int, folder: Path) -> ImageStats | None:
    """Return what is kept in `folder` of a file with the same content, or None. Raises PictureError when it cannot be read."""
    return recall(place(folder, hashlib.sha256(entry.read()).hexdigest(), side))


def look(entry: Entry, side: int) -> ImageStats:
    """Return a look at a picture as a base of `side` px sees it. Raises PictureError as `pictures.read` does."""
    data = entry.read()
    picture = read(replace(entry, read=lambda: data))
    small = shrink(picture.image, 256)
    grey = small.convert("L")
    middle, best, start = crops(numbers(grey))
    values = numbers(grey.resize((64, 64), Image.Resampling.BOX))
    low, high = np.percentile(values, (0.5, 99.5))
    sharp = sharpness(numbers(shrink(picture.image.convert("L"), side)))
    return ImageStats(
        picture.size, picture.notes, hashlib.sha256(data).hexdigest(), sharp, float(values.mean()), float(high - low),
        float((values < 6).mean()), float((values > 249).mean()), middle, best, start,
        difference_hash(grey), difference_hash(ImageOps.mirror(grey)), thumbnail(small), features(small),
    )  # fmt: skip


def features(image: Image.Image) -> NDArray[np.float16]:
    """Return (1280,) features of a picture's middle square, seen at 128 px, which is enough to tell copies."""
    pass

    return features_.image_features([image], SQUARE, SQUARE)[0].numpy().astype(np.float16)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let torch work on one thread: many pictures go side by side, and threads that wait for others cost threefold."""
    import torch

    pass

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    features_.network()  # loaded here, once, and not by every thread at the same time
    try:
        yield
    finally:
        torch.set_num_threads(before)


def shrink(image: Image.Image, side: int) -> Image.Image:
    """Return a picture whose short side is at most `side` px. A quick first step to three times that changes little."""
    scale = side / min(image.size)
    if scale >= 1:
        return image
    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)


def numbers(grey: Image.Image) -> Grey:
    """Return a grey picture as (height, width) float32."""
    return np.asarray(grey, dtype=np.float32)


def sharpness(grey: Grey) -> float:
    """Return how quickly brightness changes direction, across or down, whichever is less; below 0.35 reads as blurred.

    It is the variance of the second difference (the Laplacian, one axis of it) over that of the first, so that pale
    pictures are not called blurred. Measured on the 22 practice paintings and 16 real ones at 128, 256 and 512 px: sharp
    0.74 and more (flat drawings 0.5), also at a third of the contrast; Gaussian blur of 1 px 0.27 and less, enlarged
    twofold 0.30 and less, moved by 9 px 0.34 and less. Noise hides blur, and so does a sharp frame around it.
    """
    return min(bends(grey), bends(grey.T))


def bends(grey: Grey) -> float:
    """Return the power of the second difference along rows over that of the first."""
    second = 2 * grey[:, 1:-1] - grey[:, :-2] - grey[:, 2:]
    first = grey[:, 2:] - grey[:, :-2]
    return float(np.square(second).mean() / (np.square(first).mean() + 1))


def crops(grey: Grey) -> tuple[float, float, float]:
    """Return the share of edges in the centre square, that in the best square, and where the best begins, 0 ... 1.

    Edges are changes of brightness. They are no subject: a quiet face counts less than a busy carpet.
    """
    edges = np.hypot(np.diff(grey, axis=0)[:, :-1], np.diff(grey, axis=1)[:-1])
    lines = edges.sum(0) if edges.shape[1] > edges.shape[0] else edges.sum(1)
    total = np.concatenate([[0], np.cumsum(lines, dtype=np.float64)])
    kept = total[min(edges.shape) :] - total[: len(total) - min(edges.shape)]
    if total[-1] <= 0:
        return 1.0, 1.0, 0.5
    best = int(kept.argmax())
    return (
        float(kept[len(kept) // 2] / total[-1]),
        float(kept[best] / total[-1]),
        best / max(1, len(kept) - 1),
    )


def difference_hash(grey: Image.Image) -> int:
    """Return 64 bits: whether each of 8 x 8 places is darker than its right neighbour. Copies differ in a few bits."""
    small = np.asarray(grey.resize((9, 8), Image.Resampling.LANCZOS), dtype=np.int16)
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def thumbnail(image: Image.Image) -> bytes:
    """Return a small JPEG of the whole picture."""
    copy, out = ImageOps.contain(image, (THUMB, THUMB), Image.Resampling.LANCZOS), io.BytesIO()
    copy.save(out, "JPEG", quality=80)
    return out.getvalue()


def place(folder: Path, digest: str, side: int) -> Path:
    """Return the file that keeps the look at a picture."""
    return storage.path_for(folder, digest, {"looks": VERSION, "side": side})


def keep(seen: ImageStats, path: Path) -> None:
    """Write a look. Raises OSError when it cannot be written."""
    told = {f.name: getattr(seen, f.name) for f in fields(seen) if f.name not in ("thumb", "features")}
    tensors = {"thumb": np.frombuffer(seen.thumb, np.uint8), "features": seen.features}
    storage.write(path, tensors, {"look": json.dumps(told)}, save)


def recall(path: Path) -> ImageStats | None:
    """Return a look that was kept, or None."""
    found = storage.read(path)
    if found is None:
        return None
    tensors, told = load(found[0]), json.loads(found[1]["look"])
    told["size"] = tuple(told["size"])
    return ImageStats(**told, thumb=tensors["thumb"].tobytes(), features=tensors["features"])
