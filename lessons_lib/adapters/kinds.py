"""What a file of weights is, told by its first bytes and its keys: an adapter and whose, damaged, or one that
is refused.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from lessons_lib.adapters.run import WEIGHTS_NAME
from lessons_lib.dataset.decode import GIT_LFS, LFS_POINTER
from lessons_lib.dataset.messages import name_list, printable

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_PEFT_NAME = "adapter_model.safetensors"  # PEFT's own name for the file in a folder
_LARGEST_HEADER = 100_000_000  # bytes; safetensors' own limit
_REFUSED = (  # a part of a key, what such a file holds, and what to do with it
    ("hada_", "a LyCORIS adapter (LoHa)", "ComfyUI reads it"),
    ("lokr_", "a LyCORIS adapter (LoKr)", "ComfyUI and diffusers read it"),
    ("oft_", "an OFT adapter", "ComfyUI reads it"),
    ("lora_mid", "a LyCORIS adapter (LoCon with a third factor)", "ComfyUI reads it"),
    ("dora_scale", "a DoRA adapter", "ComfyUI and diffusers read it"),
    ("lora_magnitude_vector", "a DoRA adapter", "diffusers reads it"),
    ("bundle_emb.", "an adapter with a text embedding in the same file", "export it without the embedding"),
)
_FACTORS = (
    ".lora_A.", ".lora_B.", ".lora_down.", ".lora_up.", ".lora.down.", ".lora.up.", ".lora_linear_layer.",
)  # fmt: skip
DENOISER = "denoiser"
KOHYA_PREFIX = "lora_unet_"  # of the denoiser, whatever its architecture
_PREFIXES = (  # of a layer's name in a file, the part of the pipeline, and whose keys those are
    ("base_model.model.", DENOISER, "PEFT"),
    ("model.diffusion_model.", DENOISER, "ComfyUI"),
    ("diffusion_model.", DENOISER, "ComfyUI"),
    ("text_encoders.clip_l.transformer.", "text_encoder", "ComfyUI"),
    ("text_encoders.clip_g.transformer.", "text_encoder_2", "ComfyUI"),
    ("text_encoders.t5xxl.transformer.", "text_encoder_2", "ComfyUI"),
    (KOHYA_PREFIX, DENOISER, "kohya"),
    ("lora_transformer_", DENOISER, "OneTrainer"),
    ("lora_te_", "text_encoder", "kohya"),
    ("lora_te1_", "text_encoder", "kohya"),
    ("lora_te2_", "text_encoder_2", "kohya"),
    ("lora_te3_", "text_encoder_2", "kohya"),
    ("unet.", DENOISER, "diffusers"),
    ("transformer.", DENOISER, "diffusers"),
    ("text_encoder.", "text_encoder", "diffusers"),
    ("text_encoder_2.", "text_encoder_2", "diffusers"),
    ("", DENOISER, "the model's makers"),
)


def split_prefix(layer: str) -> tuple[str, str, str]:
    """Return the part of the pipeline that a layer's name in a file begins with, the rest of the name,
    and whose keys have that prefix.
    """
    return next(
        (part, layer.removeprefix(prefix), form)
        for prefix, part, form in _PREFIXES
        if layer.startswith(prefix)
    )


def adapter_file(path: Path) -> Path:
    """Return the file of an adapter: the path itself, a run's, PEFT's, or the one of weights in a folder.

    Raises FileNotFoundError where there is none, ValueError for a run that is not finished and for a folder
    that holds several.
    """
    path = Path(path)
    for candidate in (path, path / WEIGHTS_NAME, path / _PEFT_NAME):
        if candidate.is_file():
            return candidate
    others = [p for p in sorted(path.glob("*")) if p.is_file() and p.suffix in (".safetensors", *_PICKLES)]
    files = [p for p in others if p.suffix == ".safetensors"]
    if len(files) > 1:
        raise ValueError(
            f"{printable(path)}: holds {len(files)} files of weights, {name_list(p.name for p in files)}; "
            "name one of them"
        )
    if others:
        return (files or others)[0]
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
    """Raise ValueError that says what a whole safetensors file is, unless it holds LoRA layers."""
    metadata = header.get("__metadata__") or {}
    keys = [key for key in header if key != "__metadata__"]
    if metadata.get("kind") == "checkpoint" or any(key.startswith("state.adapter.") for key in keys):
        raise ValueError(
            f"{printable(path)}: is the checkpoint of a training, not an adapter; the command that began "
            "it goes on from there"
        )
    for part, what, advice in _REFUSED:
        if any(part in key for key in keys):
            raise ValueError(
                f"{printable(path)}: is {what}, {len(keys)} tensors; this course does not read it. {advice}"
            )
    if not any(part in key for key in keys for part in _FACTORS):
        what = (
            "holds no tensors" if not keys else f"holds no lora_A tensors, but {len(keys)} such as {keys[0]}"
        )
        raise ValueError(f"{printable(path)}: {what}; expected a LoRA adapter")


def _no_safetensors(path: Path, start: bytes, length: int, size: int) -> str:
    """Return what a file is that is no safetensors file, and what to do; empty where it may be one."""
    if size == 0:
        return "is empty (0 bytes); copy or fetch it again"
    if start.startswith(b"\x80") and path.suffix != ".safetensors" or zipfile.is_zipfile(path):
        return (
            "is a pickle, which can run code when it is opened, so it is refused; ask for the adapter as "
            "safetensors"
        )
    if start.startswith(GIT_LFS):
        return LFS_POINTER
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
