"""What can be made again, kept on disk: one safetensors file a picture, found by its content and its settings."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:  # as in pictures.py
    from torch import Tensor, nn


def home() -> Path:
    """Return the folder for all of it: LESSONS_CACHE where that is set. It may be deleted at any time."""
    up = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LESSONS_CACHE") or Path(up) / "lora-lessons")


def place(folder: Path, digest: str, settings: Mapping[str, Any]) -> Path:
    """Return the file that stands for some content, by its hash, under some settings; a change of either names another."""
    told = json.dumps([digest, dict(settings)], sort_keys=True)
    return folder / f"{hashlib.sha256(told.encode()).hexdigest()}.safetensors"


def put(path: Path, tensors: Any, told: Mapping[str, str], save: Callable[..., bytes]) -> None:
    """Write a safetensors file with its own checksum, whole or not at all. `save`: safetensors.torch's or .numpy's.

    Raises OSError that names the folder when it cannot be written.
    """
    data = save(tensors, {**told, "sha256": checksum(body(save(tensors)), told)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=".", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(part, path)
        except BaseException:
            os.unlink(part)
            raise
    except OSError as problem:
        raise OSError(
            f"cannot write to {path.parent} ({problem.strerror}); free some space, or set LESSONS_CACHE to another folder"
        ) from problem


def get(path: Path) -> tuple[bytes, dict[str, str]] | None:
    """Return a file's bytes, for safetensors' load(), and what it was told; None when it is not there or is damaged."""
    try:
        data = path.read_bytes()
        told = json.loads(data[8 : len(data) - len(body(data))])["__metadata__"]
        whole = told.pop("sha256") == checksum(body(data), told)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return (data, told) if whole else None


def checksum(tensors: bytes, told: Mapping[str, str]) -> str:
    """Return a hash of all that a file holds."""
    return hashlib.sha256(json.dumps(dict(told), sort_keys=True).encode() + tensors).hexdigest()


def body(data: bytes) -> bytes:
    """Return the tensors of a safetensors file: what follows 8 bytes of length and the header."""
    return data[8 + int.from_bytes(data[:8], "little") :]


@dataclass(frozen=True)
class OnDisk:
    """Tensors on disk, one a file, indexed like a single one: ``kept[picks]`` reads those few, stacked, (picks, ...)."""

    files: tuple[Path, ...]
    encoded: int  # how many were not there before
    name: str  # of the tensor in each file

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, picks: Tensor) -> Tensor:
        import torch

        return torch.stack([tensors_in(self.files[i])[self.name] for i in picks.tolist()])


def tensors_in(path: Path) -> dict[str, Tensor]:
    """Return what a file holds. Raises OSError when it went or broke since it was written."""
    from safetensors.torch import load

    found = get(path)
    if found is None:
        raise OSError(f"{path} was damaged or removed while it was needed; start again, and it is made again")
    return load(found[0])


def encode_to(
    folder: Path,
    images: Iterable[Image.Image],
    settings: Mapping[str, Any],
    encode: Callable[[Image.Image], Tensor],
) -> OnDisk:
    """Return the latents of pictures, cropped already, of which only those not in `folder` are encoded.

    One picture is in memory at a time, so give a generator. `encode` returns (channels, h, w). The key is the picture's
    pixels and `settings`, which must hold all else that the latents depend on: `fingerprint` of the VAE, the base's name.
    Raises OSError when the folder cannot be written; what was encoded until then stays.
    """

    def named(image: Image.Image) -> Path:
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        return place(folder, digest, {**settings, "mode": image.mode, "size": image.size})

    files, encoded = filled(images, named, lambda image: {"latents": encode(image)})
    return OnDisk(files, encoded, "latents")


def encode_words_to(
    folder: Path,
    texts: Iterable[str],
    settings: Mapping[str, Any],
    encode: Callable[[str], dict[str, Tensor]],
) -> dict[str, OnDisk]:
    """Return what text encoders make of captions, by name, of which only those not in `folder` are encoded.

    `encode` returns each tensor of one caption; `settings` hold the fingerprints of the encoders. As `encode_to` else.
    """

    def named(text: str) -> Path:
        return place(folder, hashlib.sha256(text.encode()).hexdigest(), settings)

    files, encoded = filled(texts, named, encode)
    return {name: OnDisk(files, encoded, name) for name in tensors_in(files[0])} if files else {}


def filled(
    things: Iterable[Any], named: Callable[[Any], Path], encode: Callable[[Any], dict[str, Tensor]]
) -> tuple[tuple[Path, ...], int]:
    """Return the file of each thing, and how many of them had to be made."""
    from safetensors.torch import save

    files, encoded = [], 0
    for thing in things:
        path = named(thing)
        if get(path) is None:
            put(path, {n: t.detach().cpu().contiguous() for n, t in encode(thing).items()}, {}, save)
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
