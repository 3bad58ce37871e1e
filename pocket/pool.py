"""Scenes painted once and seen several times: for a CPU, on which painting takes as long as learning.

`python -m pocket.pool ARCHIVE FOLDER --count 120000` paints and encodes them, `python -m pocket.rented run
ARCHIVE --pool FOLDER` learns from them. A scene's caption is worded anew every time it is seen.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pocket import pack
from pocket.batch_rng import BatchRng
from pocket.captions import SLOT, Tokens, shortened, token_ids
from pocket.composer import Composer
from pocket.drawings import Bank
from pocket.feed import Batch, Encoder, Feed
from pocket.phrases import Phrases
from pocket.placing import FREE, STEADY
from pocket.weights import MODEL
from pocket.wording import leave_out

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


class PoolFeed(Feed):
    """Batches without end from a folder of encoded scenes, in an order that depends on nothing but the seed
    and the files.

    Raises FileNotFoundError for an empty folder, ValueError for scenes that were worded with other phrases.
    """

    def __init__(
        self,
        composer: Composer,
        encoder: Encoder,
        tokens: Tokens,
        batch: int,
        seed: int,
        folder: Path,
        soft: float = 0.0,
    ) -> None:
        super().__init__(composer, encoder, tokens, batch, seed, 1)
        paths = sorted(folder.glob("scenes-*.safetensors"))
        if not paths:
            raise FileNotFoundError(f"{folder} holds no scenes: run `python -m pocket.pool` first.")
        for path in paths:
            with safe_open(path, "pt") as file:
                if (file.metadata() or {}).get("phrases") != digest(composer.phrases):
                    raise ValueError(f"{path} was made for another archive: paint its scenes again.")
        parts = [load_file(path) for path in paths]
        self.latents, self.everything, self.name = (
            torch.cat([part[key] for part in parts]) for key in ("latents", "everything", "name")
        )
        texts, manners = composer.phrases.texts, self.everything[:, SLOT["manner"]].tolist()
        self.soft_share = soft
        self.soft = torch.tensor([k for k, m in enumerate(manners) if not any(w in texts[m] for w in HARSH)])

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
        which = rng.integers(self.batch, 0, len(self.latents))
        if self.soft_share:
            soft = self.soft[rng.integers(self.batch, 0, len(self.soft))]
            which = torch.where(rng.coin(self.batch, self.soft_share), soft, which)
        rows = self.everything[which].long()
        leave_out(self.composer.phrases, rng, rows, self.name[which].long(), self.mix)
        return Batch(self.latents[which].float(), *token_ids(shortened(rows, self.tokens), self.tokens))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=120_000)
    parser.add_argument("--first", type=int, default=1, help="the first seed: one for every 48 scenes")
    parser.add_argument(
        "--steady", action="store_true", help="large things in the middle, as they were drawn"
    )
    o = parser.parse_args()
    packed, device = pack.read(o.archive), torch.device("cpu")
    bank = Bank(packed.pictures, packed.rows, device)
    phrases, composition = pack.phrases_of(packed.names, 1.0), STEADY if o.steady else FREE
    composer = Composer(bank, phrases, pack.named_looks(1.0), device, composition)
    vae = AutoencoderKL.from_pretrained(MODEL, subfolder="vae", torch_dtype=torch.float32)
    fill(composer, Encoder(vae, device), o.folder, o.first, o.count)


if __name__ == "__main__":
    main()
