"""One archive with all that a rented machine needs beside `pocket/` itself. `python -m pocket.pack ARCHIVE`.

Drawings as WebP, their rows with makers and licences, both tokenizers, the held-out looks, and the sums of
the weights that
the run starts from, which lie in `pocket/model` and travel with it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import tempfile
import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from pocket import held_out, looks, phrases, things, tokenizer
from pocket.batch_rng import BatchRng
from pocket.composer import Composer
from pocket.corpus import HERE, SIDE
from pocket.drawings import Bank
from pocket.wording import Mix

LIMIT = 30_000_000  # bytes
QUALITY = 82
NAMED, STRANGE = 1500, 60_000  # looks with a word of their own; words that mean nothing
WEIGHTS = ("transformer", "text_encoder", "text_encoder_2", "vae")


@dataclass
class Pack:
    """What an archive holds, unpacked."""

    pictures: Tensor  # (N, SIDE, SIDE, 4) uint8
    rows: list[things.Drawing]
    names: list[tuple[str, ...]]  # every thing's names, in the order of the rows' things
    clip: CLIPTokenizer
    t5: PreTrainedTokenizerFast
    sums: dict[str, str]  # of the weights that the tokenizers and the run begin from


def names_of(rows: list[things.Drawing]) -> list[tuple[str, ...]]:
    """Return the names of the things of the rows, in their order there."""
    by_name = {thing.names[0]: thing.names for thing in things.things()}
    return [by_name[name] for name in dict.fromkeys(row.thing for row in rows)]


def phrases_of(names: list[tuple[str, ...]], share: float = 1.0) -> phrases.Phrases:
    """Return all phrases; `share` makes the words of looks and the meaningless ones fewer."""
    named, strange = (max(8, int(count * share)) for count in (NAMED, STRANGE))
    return phrases.Phrases(names, phrases.names_of_looks(named), phrases.meaningless(strange))


def named_looks(share: float = 1.0) -> looks.Looks:
    """Return the looks that have a word, the same ones every time."""
    return looks.sample(NAMED, BatchRng(looks.TRAINED_SEED))[torch.arange(max(8, int(NAMED * share)))]


def lines(names: list[tuple[str, ...]], rows: list[things.Drawing], count: int = 6000) -> list[str]:
    """Return text for the tokenizers: every phrase and many captions, made-up words left out, which are
    spelled by letters.
    """
    table = phrases.Phrases(names, [], [])
    composer = Composer(Bank(torch.zeros(len(rows), SIDE, SIDE, 4, dtype=torch.uint8), rows), table)
    said = composer.scenes(count, 1, Mix(strange=0, empty=0)).rows
    paintings = HERE.parent / "data" / "sample_mughal" / "metadata.csv"
    with paintings.open(encoding="utf-8", newline="") as handle:
        everyday = [row["caption"] for row in csv.DictReader(handle)] * 4
    return (
        [table.text(row) for row in said.tolist()] + [text.strip(", ") for text in table.texts] * 3 + everyday
    )


def as_webp(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", quality=QUALITY, alpha_quality=90, method=4)
    return out.getvalue()


def weight_sums(model: Path = HERE / "model") -> dict[str, str]:
    """Return {file: SHA-256} of the weights that a run begins from."""
    files = [path for part in WEIGHTS for path in sorted((model / part).glob("*.safetensors"))]
    return {
        path.relative_to(model).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def write(archive: Path, pictures: np.ndarray, rows: list[things.Drawing]) -> int:
    """Write the archive and return its bytes; nothing is left behind where it would be larger than LIMIT."""
    names = names_of(rows)
    text = lines(names, rows)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out, tempfile.TemporaryDirectory() as folder:
        for k, picture in enumerate(pictures):
            out.writestr(zipfile.ZipInfo(f"drawings/{k:05d}.webp"), as_webp(np.asarray(picture)))
        handle = io.StringIO()
        writer = csv.DictWriter(handle, [f.name for f in fields(things.Drawing)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
        out.writestr("things.csv", handle.getvalue())
        for kind, kind_tokenizer in (
            ("tokenizer", tokenizer.clip_tokenizer(text)),
            ("tokenizer_2", tokenizer.t5_tokenizer(text)),
        ):
            kind_tokenizer.save_pretrained(Path(folder) / kind)
            for path in sorted((Path(folder) / kind).iterdir()):
                out.write(path, f"{kind}/{path.name}")
        out.writestr("sums.json", json.dumps(weight_sums()))
        out.writestr(held_out.FILE.name, held_out.FILE.read_text() if held_out.FILE.exists() else "{}")
    size = archive.stat().st_size
    if size > LIMIT:
        archive.unlink()
        raise ValueError(
            f"The archive has {size / 1e6:.1f} MB, and may have {LIMIT / 1e6:.0f}: fewer drawings, "
            "or a lower QUALITY."
        )
    return size


def read(archive: Path, share: float = 1.0) -> Pack:
    """Return what an archive holds. `share` below 1 takes the drawings of so many things only, eight at the
    least.
    """
    with zipfile.ZipFile(archive) as stored, tempfile.TemporaryDirectory() as folder:
        rows = [
            things.Drawing(**row) for row in csv.DictReader(io.StringIO(stored.read("things.csv").decode()))
        ]
        wanted = list(dict.fromkeys(row.thing for row in rows))
        wanted = wanted[:: max(1, len(wanted) // max(8, int(len(wanted) * share)))] if share < 1 else wanted
        numbers = [k for k, row in enumerate(rows) if row.thing in set(wanted)]
        pictures = np.stack(
            [
                np.asarray(Image.open(io.BytesIO(stored.read(f"drawings/{k:05d}.webp"))).convert("RGBA"))
                for k in numbers
            ]
        )
        for kind in ("tokenizer", "tokenizer_2"):
            stored.extractall(folder, [n for n in stored.namelist() if n.startswith(f"{kind}/")])
        clip = CLIPTokenizer.from_pretrained(Path(folder) / "tokenizer")
        t5 = PreTrainedTokenizerFast.from_pretrained(Path(folder) / "tokenizer_2")
        rows = [rows[k] for k in numbers]
        return Pack(
            torch.from_numpy(pictures), rows, names_of(rows), clip, t5, json.loads(stored.read("sums.json"))
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    o = parser.parse_args()
    pictures, rows = things.load()
    size = write(o.archive, pictures, rows)
    print(
        f"{o.archive}: {size / 1e6:.1f} MB, {len(rows)} drawings of {len({r.thing for r in rows})} things "
        f"by {len({r.maker for r in rows})} makers"
    )


if __name__ == "__main__":
    main()
