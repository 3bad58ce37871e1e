"""Latents and text embeddings on disk, so that a second run encodes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lessons_lib import storage


@dataclass(frozen=True)
class CachedTensors:
    """Tensors on disk, one a file, indexed like a single one: ``cached[indices]`` reads those few,
    (indices, ...).
    """

    files: tuple[Path, ...]
    encoded: int  # how many were not there before
    name: str  # of the tensor in each file

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, indices: Tensor) -> Tensor:
        return torch.stack([self._read(self.files[index]) for index in indices.tolist()])

    def _read(self, path: Path) -> Tensor:
        """Return the tensor in a file; its checksum was compared when the file was encoded or found."""
        with _opened(path) as file:
            return file.get_tensor(self.name)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file of tensors. Raises OSError when it was removed or cut off since it was written."""
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (OSError, SafetensorError) as problem:
        raise OSError(
            f"{path} was damaged or removed during the training; start again, and it is written again"
        ) from problem


def encode_images(
    folder: Path,
    images: Iterable[Image.Image],
    settings: Mapping[str, Any],
    encode: Callable[[Image.Image], dict[str, Tensor]],
) -> CachedTensors:
    """Return the latents of images, cropped already; only those that are not in `folder` are encoded.

    One image is in memory at a time, so give a generator. `encode` returns "latents", (channels, h, w), and
    what else is to be in the image's file. The key is the image's pixels and `settings`, which must hold all
    else that the file depends on: `weights_hash` of the VAE, the base's name.
    Raises OSError when the folder cannot be written; what was encoded until then stays.
    """

    def path_of(image: Image.Image) -> Path:
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        return storage.path_for(folder, digest, {**settings, "mode": image.mode, "size": image.size})

    files, encoded = _encode_missing(images, path_of, encode)
    return CachedTensors(files, encoded, "latents")


def encode_captions(
    folder: Path,
    captions: Iterable[str],
    settings: Mapping[str, Any],
    encode: Callable[[str], dict[str, Tensor]],
) -> dict[str, CachedTensors]:
    """Return the embeddings of captions by name; only those that are not in `folder` are encoded.

    `encode` returns each tensor of one caption; `settings` hold the `weights_hash` of the encoders.
    Otherwise as `encode_images`.
    """

    def path_of(caption: str) -> Path:
        return storage.path_for(folder, hashlib.sha256(caption.encode()).hexdigest(), settings)

    files, encoded = _encode_missing(captions, path_of, encode)
    if not files:
        return {}
    with _opened(files[0]) as file:
        return {name: CachedTensors(files, encoded, name) for name in file.keys()}


def _encode_missing(
    items: Iterable[Any], path_of: Callable[[Any], Path], encode: Callable[[Any], dict[str, Tensor]]
) -> tuple[tuple[Path, ...], int]:
    """Return the file of each item, and how many of them had to be written."""
    files, encoded = [], 0
    for item in items:
        path = path_of(item)
        if storage.read(path) is None:
            tensors = {name: value.detach().cpu().contiguous() for name, value in encode(item).items()}
            storage.write(path, tensors, {}, save)
            encoded += 1
        files.append(path)
    return tuple(files), encoded


def weights_hash(model: nn.Module) -> str:
    """Return a hash of a model's weights, so that latents of another VAE are not reused."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(memoryview(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()
