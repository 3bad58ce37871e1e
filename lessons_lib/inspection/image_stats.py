"""Image statistics: the numbers that a report is made of, measured on each picture and cached by its
content.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from safetensors import numpy as safetensors

from lessons_lib import storage
from lessons_lib.dataset.decode import DecodedImage
from lessons_lib.models import features

_VERSION = 2  # raise it with every change of what is measured: cached statistics are then measured again
_THUMBNAIL_SIDE = 160  # px on the long side
_FEATURE_SIDE = 128  # px of the centre square that features are measured on
_TENSORS = ("thumbnail", "features")
_Grey = NDArray[np.float32]
_ONE_AT_A_TIME = Lock()  # two at once would put back the number of threads that the other has set


@dataclass
class ImageStats:
    """What was measured on one picture.

    Shares are 0 ... 1, brightness and contrast 0 ... 255, hashes have 64 bits.
    `centre_edges` is the share of edges that the centre square keeps, `best_edges` that of the best square,
    which begins at `best_start`, 0 ... 1 of the room there is. `thumbnail`: a JPEG. `features`:
    (1280,) float16 of unit length.
    """

    size: tuple[int, int]
    notes: list[str]
    sha256: str
    sharpness: float
    brightness: float
    contrast: float
    black: float
    white: float
    centre_edges: float
    best_edges: float
    best_start: float
    hash: int
    mirrored_hash: int
    thumbnail: bytes = field(repr=False)
    features: NDArray[np.float16] = field(repr=False)


def measure(decoded: DecodedImage, sha256: str, side: int) -> ImageStats:
    """Return the statistics of a whole picture for a base of `side` px; `sha256` is that of its file."""
    image, notes = decoded
    small = shrink(image, 256)
    grey = small.convert("L")
    centre_edges, best_edges, best_start = square_edges(to_array(grey))
    values = to_array(grey.resize((64, 64), Image.Resampling.BOX))
    low, high = np.percentile(values, (0.5, 99.5))
    return ImageStats(
        size=image.size,
        notes=notes,
        sha256=sha256,
        sharpness=sharpness(to_array(shrink(image.convert("L"), side))),
        brightness=float(values.mean()),
        contrast=float(high - low),
        black=float((values < 6).mean()),
        white=float((values > 249).mean()),
        centre_edges=centre_edges,
        best_edges=best_edges,
        best_start=best_start,
        hash=difference_hash(grey),
        mirrored_hash=difference_hash(ImageOps.mirror(grey)),
        thumbnail=_thumbnail(small),
        features=image_features(small),
    )


def image_features(image: Image.Image) -> NDArray[np.float16]:
    """Return (1280,) features of a picture's centre square, measured at 128 px,
    which is enough to tell copies.
    """
    return features.image_features([image], _FEATURE_SIDE, _FEATURE_SIDE)[0].numpy().astype(np.float16)


@contextmanager
def feature_network() -> Iterator[Callable[[], None]]:
    """Yield a function that loads the network of the features once; any thread calls it before it measures.

    From then on torch works on one thread: many pictures go side by side,
    and threads that wait for others cost threefold. A second inspection waits until the first has ended.
    """
    threads_before: list[int] = []
    lock = Lock()

    def load_once() -> None:
        with lock:
            if not threads_before:
                threads_before.append(torch.get_num_threads())
                torch.set_num_threads(1)
                features.load_efficientnet()

    with _ONE_AT_A_TIME:
        try:
            yield load_once
        finally:
            if threads_before:
                torch.set_num_threads(threads_before[0])


def shrink(image: Image.Image, side: int) -> Image.Image:
    """Return a picture whose short side is at most `side` px.

    A quick first step to three times that changes little.
    """
    scale = side / min(image.size)
    if scale >= 1:
        return image
    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)


def to_array(grey: Image.Image) -> _Grey:
    """Return a grey picture as (height, width) float32."""
    return np.asarray(grey, dtype=np.float32)


def sharpness(grey: _Grey) -> float:
    """Return how quickly brightness changes direction, across or down, whichever is lower.

    Below 0.35 counts as blurred.
    It is the variance of the second difference (the Laplacian, one axis of it) over that of the first,
    so that pale pictures are not called blurred. Measured on the 22 practice paintings and 16 real ones at
    128, 256 and 512 px: sharp 0.74 and more (flat drawings 0.5), also at a third of the contrast;
    Gaussian blur of 1 px 0.27 and less, enlarged twofold 0.30 and less, moved by 9 px 0.34 and less.
    Noise hides blur, and so does a sharp frame around it.
    """
    return min(_curvature(grey), _curvature(grey.T))


def _curvature(grey: _Grey) -> float:
    """Return the power of the second difference along rows over that of the first."""
    second = 2 * grey[:, 1:-1] - grey[:, :-2] - grey[:, 2:]
    first = grey[:, 2:] - grey[:, :-2]
    return float(np.square(second).mean() / (np.square(first).mean() + 1))


def square_edges(grey: _Grey) -> tuple[float, float, float]:
    """Return the share of edges in the centre square, that in the best square, and where the best begins,
    0 ... 1.

    Edges are changes of brightness. They are no subject: a quiet face counts less than a busy carpet.
    """
    edges = np.hypot(np.diff(grey, axis=0)[:, :-1], np.diff(grey, axis=1)[:-1])
    lines = edges.sum(0) if edges.shape[1] > edges.shape[0] else edges.sum(1)
    total = np.concatenate([[0], np.cumsum(lines, dtype=np.float64)])
    inside = total[min(edges.shape) :] - total[: len(total) - min(edges.shape)]
    if total[-1] <= 0:
        return 1.0, 1.0, 0.5
    best = int(inside.argmax())
    return (
        float(inside[len(inside) // 2] / total[-1]),
        float(inside[best] / total[-1]),
        best / max(1, len(inside) - 1),
    )


def difference_hash(grey: Image.Image) -> int:
    """Return 64 bits: whether each of 8 x 8 places is darker than its right neighbour.

    Copies differ in a few bits.
    """
    small = np.asarray(grey.resize((9, 8), Image.Resampling.LANCZOS), dtype=np.int16)
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def _thumbnail(image: Image.Image) -> bytes:
    """Return a small JPEG of the whole picture."""
    size = (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
    copy, out = ImageOps.contain(image, size, Image.Resampling.LANCZOS), io.BytesIO()
    copy.save(out, "JPEG", quality=80)
    return out.getvalue()


def cache_path(folder: Path, sha256: str, side: int) -> Path:
    """Return the file that holds the statistics of the picture with this content."""
    return storage.path_for(folder, sha256, {"image_stats": _VERSION, "side": side})


def save(stats: ImageStats, path: Path) -> None:
    """Write the statistics to a file. Raises OSError when it cannot be written."""
    numbers = {f.name: getattr(stats, f.name) for f in fields(stats) if f.name not in _TENSORS}
    tensors = {"thumbnail": np.frombuffer(stats.thumbnail, np.uint8), "features": stats.features}
    storage.write(path, tensors, {"stats": json.dumps(numbers)}, safetensors.save)


def load(path: Path) -> ImageStats | None:
    """Return the statistics in a file, or None where there are none or they are damaged."""
    cached = storage.read(path)
    if cached is None:
        return None
    data, metadata = cached
    tensors, numbers = safetensors.load(data), json.loads(metadata["stats"])
    numbers["size"] = tuple(numbers["size"])
    return ImageStats(**numbers, thumbnail=tensors["thumbnail"].tobytes(), features=tensors["features"])
