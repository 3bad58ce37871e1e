"""What a file of weights is, told by its first bytes and its keys: an adapter of ours, another program's,
damaged, or one that is refused.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from lessons_lib.adapters.run import WEIGHTS_NAME
from lessons_lib.dataset.messages import printable

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_LARGEST_HEADER = 100_000_000  # bytes; safetensors' own limit
_OTHERS = (  # a part of a key, whose format it shows, and what to do with such a file
    ("lora_unet_", "kohya's format", "diffusers and ComfyUI read it as it is"),
    ("lora_te", "kohya's format", "diffusers and ComfyUI read it as it is"),
    (".lora_down.", "kohya's format", "diffusers and ComfyUI read it as it is"),
    ("base_model.model.", "PEFT's format", "PEFT's PeftModel.from_pretrained reads it"),
    (".hada_", "LyCORIS's format", "ComfyUI reads it"),
    (".lokr_", "LyCORIS's format", "ComfyUI reads it"),
    ("diffusion_model.", "ComfyUI's format", "ComfyUI reads it as it is"),
)
_FLUX_KEYS = ("double_blocks", "single_blocks")


def adapter_file(path: Path) -> Path:
    """Return the file of an adapter: the path itself, a run's, or the first file of weights in a folder.

    Raises FileNotFoundError where there is none, ValueError for a run that is not finished.
    """
    path = Path(path)
    if path.is_file() or (path / WEIGHTS_NAME).is_file():
        return path if path.is_file() else path / WEIGHTS_NAME
    others = [p for p in sorted(path.glob("*")) if p.is_file() and p.suffix in (".safetensors", *PICKLES)]
    if others:
        return others[0]
    steps = [p for p in sorted((path / "checkpoints").glob("*.safetensors")) if p.stem.isdecimal()]
    if steps:
        raise ValueError(
            f"{path}: holds {int(steps[-1].stem)} steps of a training that was interrupted, and no "
            "adapter yet; the "
            "same command goes on from there"
        )
    raise FileNotFoundError(
        f"no adapter in {path}: expected {WEIGHTS_NAME}; train one, or name another folder"
    )


def read_header(path: Path) -> dict[str, Any]:
    """Return the header of a safetensors file: its tensors by key, and `__metadata__`.

    Raises ValueError that says what the file is instead, or how it is damaged.
    """
    with path.open("rb") as file:
        start = file.read(512)
        size = path.stat().st_size
        length = int.from_bytes(start[:8], "little")
        if fault := _no_safetensors(path, start, length, size):
            raise ValueError(f"{printable(path)}: {fault}")
        file.seek(8)
        text = file.read(length)
    try:
        header: dict[str, Any] = json.loads(text)
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        expected = 8 + length + max(ends, default=0)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as problem:
        raise ValueError(
            f"{printable(path)}: is damaged, its header cannot be read; copy or fetch it again"
        ) from problem
    if size != expected:
        raise ValueError(
            f"{printable(path)}: is damaged, it has {size:,} of {expected:,} bytes; copy or fetch it again"
        )
    return header


def check_kind(path: Path, header: dict[str, Any]) -> None:
    """Raise ValueError that says what a whole safetensors file is, unless it is an adapter as diffusers
    writes it.
    """
    metadata = header.get("__metadata__") or {}
    keys = [key for key in header if key != "__metadata__"]
    if metadata.get("kind") == "checkpoint" or any(key.startswith("state.adapter.") for key in keys):
        raise ValueError(
            f"{printable(path)}: is the checkpoint of a training, not an adapter; the command that began "
            "it goes on from there"
        )
    for part, name, advice in _OTHERS:
        if any(part in key for key in keys):
            model = " for FLUX.1" if any(word in key for key in keys for word in _FLUX_KEYS) else ""
            raise ValueError(
                f"{printable(path)}: is an adapter in {name}{model} ({len(keys)} tensors), not a run of this "
                f"course; {advice}"
            )
    if not any(".lora_A." in key for key in keys) and not any(".lora_B." in key for key in keys):
        what = (
            "holds no tensors" if not keys else f"holds no lora_A tensors, but {len(keys)} such as {keys[0]}"
        )
        raise ValueError(f"{printable(path)}: {what}; expected an adapter that diffusers saved")
    if path.name != WEIGHTS_NAME:
        raise ValueError(
            f"{printable(path)}: is an adapter in diffusers' format, not a run's folder; expected a "
            f"folder that holds it as {WEIGHTS_NAME}, with the run's settings.json"
        )


def _no_safetensors(path: Path, start: bytes, length: int, size: int) -> str:
    """Return what a file is that is no safetensors file, and what to do; empty where it may be one."""
    if size == 0:
        return "is empty (0 bytes); copy or fetch it again"
    if start.startswith(b"\x80") and path.suffix != ".safetensors" or zipfile.is_zipfile(path):
        return (
            "is a pickle, which can run code when it is opened, so it is refused; ask for the adapter as "
            "safetensors"
        )
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "is a web page, not safetensors; fetch the file itself"
    if not 2 <= length <= min(_LARGEST_HEADER, size - 8) or start[8:9] != b"{":
        is_cut = start[8:9] == b"{" and 2 <= length <= _LARGEST_HEADER
        if is_cut:
            return f"is damaged, it is cut short after {size:,} bytes; copy or fetch it again"
        kind = "a text" if _is_text(start) else "no safetensors file"
        return f"is {kind}; expected safetensors. Copy or fetch it again"
    return ""


def _is_text(start: bytes) -> bool:
    return b"\0" not in start and all(byte >= 32 or byte in b"\t\r\n" for byte in start)
