"""Latents and text embeddings on disk, so that a second run encodes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor, nn

from lessons_lib import storage


@dataclass(frozen=True)
class CachedTensors:
    """Tensors on disk, one a file, indexed like a single one: ``kept[picks]`` reads those few, stacked, (picks, ...)."""

    files: tuple[Path, ...]
    encoded: int  # how many were not there before
    name: str  # of the tensor in each file

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, picks: Tensor) -> Tensor:
        import torch

        return torch.stack([read_tensors(self.files[i])[self.name] for i in picks.tolist()])


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return what a file holds. Raises OSError when it went or broke since it was written."""
    from safetensors.torch import load

    found = storage.read(path)
    if found is None:
        raise OSError(f"{path} was damaged or removed while it was needed; start again, and it is made again")
    return load(found[0])


def encode_images(
    folder: Path,
    images: Iterable[Image.Image],
    settings: Mapping[str, Any],
    encode: Callable[[Image.Image], Tensor],
) -> CachedTensors:
    """Return the latents of pictures, cropped already, of which only those not in `folder` are encoded.

    One picture is in memory at a time, so give a generator. `encode` returns (channels, h, w). The key is the picture's
    pixels and `settings`, which must hold all else that the latents depend on: `fingerprint` of the VAE, the base's name.
    Raises OSError when the folder cannot be written; what was encoded until then stays.
    """

    def named(image: Image.Image) -> Path:
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        return storage.path_for(folder, digest, {**settings, "mode": image.mode, "size": image.size})

    files, encoded = encode_missing(images, named, lambda image: {"latents": encode(image)})
    return CachedTensors(files, encoded, "latents")


def encode_captions(
    folder: Path,
    texts: Iterable[str],
    settings: Mapping[str, Any],
    encode: Callable[[str], dict[str, Tensor]],
) -> dict[str, CachedTensors]:
    """Return what text encoders make of captions, by name, of which only those not in `folder` are encoded.

    `encode` returns each tensor of one caption; `settings` hold the fingerprints of the encoders. As `encode_to` else.
    """

    def named(text: str) -> Path:
        return storage.path_for(folder, hashlib.sha256(text.encode()).hexdigest(), settings)

    files, encoded = encode_missing(texts, named, encode)
    return {name: CachedTensors(files, encoded, name) for name in read_tensors(files[0])} if files else {}


def encode_missing(
    things: Iterable[Any], named: Callable[[Any], Path], encode: Callable[[Any], dict[str, Tensor]]
) -> tuple[tuple[Path, ...], int]:
    """Return the file of each thing, and how many of them had to be made."""
    from safetensors.torch import save

    files, encoded = [], 0
    for thing in things:
        path = named(thing)
        if storage.read(path) is None:
            storage.write(
                path, {n: t.detach().cpu().contiguous() for n, t in encode(thing).items()}, {}, save
            )
            encoded += 1
        files.append(path)
    return tuple(files), encoded


def fingerprint(model: nn.Module) -> str:
    """Return a hash of a model's weights, so that latents of another VAE, or of one trained further, are not taken for its own."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(memoryview(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()
