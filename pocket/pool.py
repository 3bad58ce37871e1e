"""Scenes painted once and seen several times: for a CPU, on which painting takes as long as learning.

`python -m pocket.pool ARCHIVE FOLDER --count 120000` paints and encodes them, `python -m pocket.rented run
ARCHIVE --pool FOLDER` learns from them. A scene's caption is worded anew every time it is seen.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from pocket import pack
from pocket.batch_rng import BatchRng
from pocket.captions import SLOT, Tokens, shortened, token_ids
from pocket.composer import Composer
from pocket.drawings import Bank
from pocket.feed import Batch, Encoder, Feed
from pocket.phrases import Phrases
from pocket.placing import COMPOSITIONS
from pocket.weights import MODEL
from pocket.wording import leave_out, says_no_look

HARSH = ("mosaic", "woven", "glass", "pixel")  # words of manners that hide a thing
AT_ONCE = 48  # scenes of a seed
PART = 32  # seeds of a file


def digest(phrases: Phrases) -> str:
    """Return what tells whether scenes were worded with these phrases."""
    return hashlib.sha256("\n".join(phrases.texts).encode()).hexdigest()


def fill(composer: Composer, encoder: Encoder, folder: Path, first: int, count: int) -> None:
    """Paint and encode `count` scenes, AT_ONCE a seed, the seeds counted from `first`; files that are there
    already stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    end = first + count // AT_ONCE
    for start in range(first, end, PART):
        path = folder / f"scenes-{start:08d}.safetensors"
        if path.exists():
            continue
        scenes = [composer.scenes(AT_ONCE, seed) for seed in range(start, min(start + PART, end))]
        whole = {
            "latents": torch.cat([encoder.encode(composer.paint(s)).half() for s in scenes]),
            "everything": torch.cat([s.everything.int() for s in scenes]),
            "name": torch.cat([s.name.int() for s in scenes]),
        }
        save_file(whole, path.with_suffix(".tmp"), {"phrases": digest(composer.phrases)})
        path.with_suffix(".tmp").replace(path)


def _scenes(folder: Path, wanted: str) -> list[dict[str, Tensor]]:
    paths = sorted(folder.glob("scenes-*.safetensors"))
    if not paths:
        raise FileNotFoundError(f"{folder} holds no scenes: run `python -m pocket.pool` first.")
    for path in paths:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("phrases") != wanted:
                raise ValueError(f"{path} was made for another archive: paint its scenes again.")
    return [load_file(path) for path in paths]


class PoolFeed(Feed):
    """Batches without end from folders of encoded scenes, in an order that depends on nothing but the seed
    and the files. `pools`: each folder's weight in a batch. `soft`: the share of a batch that is taken from
    the scenes without harsh manners.

    Raises FileNotFoundError for an empty folder, ValueError for scenes that were worded with other phrases.
    """

    def __init__(
        self,
        composer: Composer,
        encoder: Encoder,
        tokens: Tokens,
        batch: int,
        seed: int,
        pools: Mapping[Path, float],
        soft: float = 0.0,
    ) -> None:
        super().__init__(composer, encoder, tokens, batch, seed, 1)
        wanted = digest(composer.phrases)
        of_pools = [_scenes(folder, wanted) for folder in pools]
        parts = [part for of_pool in of_pools for part in of_pool]
        self.latents, self.everything, self.name = (
            torch.cat([part[key] for part in parts]) for key in ("latents", "everything", "name")
        )
        self.soft_share, self.weights = soft, list(pools.values())
        texts, manners = composer.phrases.texts, self.everything[:, SLOT["manner"]].tolist()
        is_soft = torch.tensor([not any(word in texts[m] for word in HARSH) for m in manners])
        counts = [sum(len(part["name"]) for part in of_pool) for of_pool in of_pools]
        every = torch.arange(len(self.name)).split(counts)
        self.every, self.soft = every, [rows[is_soft[rows]] if soft else rows for rows in every]
        is_bare = says_no_look(self.everything) & (self.name < 0)
        self.bare = [rows[is_bare[rows]] if is_bare[rows].any() else rows for rows in every]

    def example(self, number: int) -> Batch:
        return self._batch(-1 - number)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            self.seed += 1
            yield self._batch(self.seed)

    def _batch(self, seed: int) -> Batch:
        """Return scenes that the seed chooses, each with a caption that leaves out something else than last
        time.
        """
        rng = BatchRng(seed)
        pool, is_soft = rng.choose(self.batch, self.weights), rng.coin(self.batch, self.soft_share)
        of_all, of_soft, bare = (self._picked(rng, pool, rows) for rows in (self.every, self.soft, self.bare))
        which = torch.where(is_soft, of_soft, of_all)
        rows, of_bare = self._worded(rng, which), self._worded(rng, bare)
        of_bare[:, SLOT["word"]] = 0
        is_bare = says_no_look(rows) & says_no_look(of_bare) & rng.coin(self.batch, self.mix.bare)
        which, rows = torch.where(is_bare, bare, which), torch.where(is_bare[:, None], of_bare, rows)
        return Batch(self.latents[which].float(), *token_ids(shortened(rows, self.tokens), self.tokens))

    def _picked(self, rng: BatchRng, pool: Tensor, of_pools: Sequence[Tensor]) -> Tensor:
        """Return a scene for every place of a batch, of the pool that is named there."""
        picked = [rows[rng.integers(self.batch, 0, len(rows))] for rows in of_pools]
        return torch.stack(picked)[pool, torch.arange(self.batch)]

    def _worded(self, rng: BatchRng, which: Tensor) -> Tensor:
        rows = self.everything[which].long()
        leave_out(self.composer.phrases, rng, rows, self.name[which].long(), self.mix)
        return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=120_000)
    parser.add_argument("--first", type=int, default=1, help="the first seed: one for every 48 scenes")
    parser.add_argument("--composition", choices=COMPOSITIONS, default="free", help="see placing.py")
    o = parser.parse_args()
    packed, device = pack.read(o.archive), torch.device("cpu")
    bank = Bank(packed.pictures, packed.rows, device)
    phrases = pack.phrases_of(packed.names, 1.0)
    composer = Composer(bank, phrases, pack.named_looks(1.0), device, [COMPOSITIONS[o.composition]])
    vae = AutoencoderKL.from_pretrained(MODEL, subfolder="vae", torch_dtype=torch.float32)
    fill(composer, Encoder(vae, device), o.folder, o.first, o.count)


if __name__ == "__main__":
    main()
