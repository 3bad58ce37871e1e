"""The mean of pocket's weights and of weights that went on from them.

`python -m pocket.average FIRST SECOND --to FOLDER`: folders laid out as `pocket/model`. What two trainings
from one start have in common stays, what only one of them did is halved (Wortsman et al. 2022,
arXiv 2203.05482, and 2109.01903). Tokenizers, VAE and scheduler are the first's. What was learned from, the
tables beside each folder, is put together beside the new one.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from pocket import provenance
from pocket.networks import take_rows
from pocket.weights import write_checksums

FILES = (
    "transformer/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
    "text_encoder_2/model.safetensors",
)
# A row a token, and the tokenizer that says which
TOKENS = {"embeddings.token_embedding.weight": "tokenizer", "shared.weight": "tokenizer_2"}


def vocabulary(folder: Path) -> dict[str, int]:
    """Return the row of every token of a tokenizer, by name."""
    return Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()


def average(first: Path, second: Path, to: Path) -> None:
    """Write the mean of two folders of weights, in the first's precision.

    Raises ValueError where their networks differ in more than the number of their tokens.
    """
    shutil.copytree(first, to)
    for file in FILES:
        one, other = load_file(first / file), load_file(second / file)
        for name, tokenizer in TOKENS.items():
            if name in one:
                tokens, other_tokens = (vocabulary(folder / tokenizer) for folder in (first, second))
                rows = one[name].clone()
                take_rows(rows, tokens, other[name], other_tokens)
                other[name] = rows
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
