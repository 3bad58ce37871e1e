"""Weights in half precision, in files small enough to be sent: written while a run goes on, put together
afterwards.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

LIMIT = 15_500_000  # bytes of a file


def split(state: dict[str, Tensor], limit: int = LIMIT) -> list[dict[str, Tensor]]:
    """Return the tensors in groups under the limit, the largest first, each where it fits first."""
    groups: list[dict[str, Tensor]] = []
    room: list[int] = []
    for name, value in sorted(state.items(), key=lambda item: -item[1].nbytes):
        need = value.nbytes + 200  # and its line in the head of the file
        if need > limit:
            raise ValueError(f"{name} alone has {value.nbytes} bytes, and a part may have {limit}.")
        at = next((k for k, left in enumerate(room) if left >= need), len(room))
        if at == len(room):
            groups.append({})
            room.append(limit)
        groups[at][name] = value
        room[at] -= need
    return groups


def write(
    state: dict[str, Tensor], folder: Path, kind: str, facts: dict[str, Any], limit: int = LIMIT
) -> list[Path]:
    """Write `kind-1.safetensors` and so on, and replace the earlier ones at one stroke; every file carries
    the facts.

    Facts that differ from file to file betray parts of two writings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups = split(state, limit)
    fresh = [folder / f"{kind}-{k}.safetensors" for k in range(1, len(groups) + 1)]
    for path, group in zip(fresh, groups, strict=True):
        save_file(
            group, path.with_suffix(".tmp"), metadata={"facts": json.dumps(facts), "parts": str(len(groups))}
        )
    for path in fresh:
        os.replace(path.with_suffix(".tmp"), path)
    for path in set(folder.glob(f"{kind}-*.safetensors")) - set(fresh):
        path.unlink()
    return fresh


def join(folder: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the whole state of a kind and its facts.

    Raises ValueError where a part is missing or was written at another time.
    """
    state: dict[str, Tensor] = {}
    facts, wanted = None, 0
    paths = sorted(folder.glob(f"{kind}-*.safetensors"))
    for path in paths:
        with safe_open(path, "pt") as stored:
            head = stored.metadata()
            own, wanted = json.loads(head["facts"]), int(head["parts"])
            if facts is not None and own != facts:
                raise ValueError(
                    f"{path} was written at another time than {paths[0].name}: {own} and {facts}."
                )
            facts = own
            state |= {name: stored.get_tensor(name) for name in stored.keys()}
    if facts is None or len(paths) != wanted:
        raise ValueError(f"{folder} has {len(paths)} of {wanted or 'the'} parts of {kind}.")
    return state, facts


def half(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights in half precision on the CPU; T5's second name for its embeddings is left out."""
    return {
        n: v.detach().to("cpu", torch.float16).contiguous()
        for n, v in weights.items()
        if n != "t5.encoder.embed_tokens.weight"
    }
