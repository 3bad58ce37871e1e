"""The mean of pocket's weights and of weights that went on from them.

`python -m pocket.average FIRST SECOND --to FOLDER`: folders laid out as `pocket/model`. What two trainings
from one start have in common stays, what only one of them did is halved (Wortsman et al. 2022,
arXiv 2203.05482, and 2109.01903). Tokenizers, VAE and scheduler are the first's. What was learned from, the
tables beside each folder, is put together beside the new one.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pocket import provenance
from pocket.weights import write_checksums

FILES = (
    "transformer/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
    "text_encoder_2/model.safetensors",
)
# A row a token, and the tokenizer that says which
TOKENS = {"embeddings.token_embedding.weight": "tokenizer", "shared.weight": "tokenizer_2"}


def vocabulary(folder: Path) -> dict[str, int]:
    """Return the row of every token of a tokenizer."""
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    pieces = model["model"]["vocab"]
    rows = pieces if isinstance(pieces, dict) else {piece: row for row, (piece, _) in enumerate(pieces)}
    return rows | {token["content"]: token["id"] for token in model["added_tokens"]}


def rows_of(tokens: Mapping[str, int], values: Tensor, others: Mapping[str, int], known: Tensor) -> Tensor:
    """Return an embedding of the rows of `known`, (tokens, width): of each token the row that `others` and
    `values` have for it, and its own where they do not know it.
    """
    rows = known.clone()
    for token, row in tokens.items():
        if token in others:
            rows[row] = values[others[token]]
    return rows


def average(first: Path, second: Path, to: Path) -> None:
    """Write the mean of two folders of weights, in the first's precision.

    Raises ValueError where their networks differ in more than the number of their tokens.
    """
    shutil.copytree(first, to)
    for file in FILES:
        one, other = load_file(first / file), load_file(second / file)
        for name, tokenizer in TOKENS.items():
            if name in one:
                words = [vocabulary(folder / tokenizer) for folder in (first, second)]
                other[name] = rows_of(words[0], other[name], words[1], one[name])
        shapes = [{name: value.shape for name, value in weights.items()} for weights in (one, other)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{file}: {first} and {second} are two kinds of network; expected one kind")
        mean = {name: torch.lerp(one[name].float(), other[name].float(), 0.5) for name in one}
        save_file({name: mean[name].to(one[name].dtype) for name in one}, to / file, {"format": "pt"})
    write_checksums(to)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pocket.average", description=__doc__)
    parser.add_argument("first", type=Path, help="a folder laid out as pocket/model")
    parser.add_argument("second", type=Path, help="another, of the same networks")
    parser.add_argument("--to", type=Path, required=True, help="a folder that is not there yet")
    o = parser.parse_args()
    average(o.first, o.second, o.to)
    learned_from = [row for folder in (o.first, o.second) for row in provenance.read(folder.parent)]
    provenance.write(learned_from, o.to.parent)


if __name__ == "__main__":
    main()
