"""How far the held-out looks are from the trained ones. `python -m pocket.look_distance` writes
held_out_looks.json."""

from __future__ import annotations

import copy
import json
from dataclasses import fields, replace

import numpy as np
import torch
from torch import Tensor

from pocket import looks, pack, things
from pocket.batch_rng import BatchRng
from pocket.composer import Composer
from pocket.drawings import Bank
from pocket.held_out import FAMILIES, FILE, ROWS, family, seed_of
from pocket.looks import Looks
from pocket.painting import Scenes
from pocket.phrases import Phrases
from pocket.wording import Mix


def _under(scenes: Scenes, look: Looks) -> Scenes:
    """Return the same scenes once for every look."""
    n, m = len(scenes), len(look)
    again = {
        f.name: getattr(scenes, f.name).repeat(m, *(1,) * (getattr(scenes, f.name).ndim - 1))
        for f in fields(scenes)
        if f.name != "looks"
    }
    return Scenes(**again, looks=look[torch.arange(m).repeat_interleave(n)])


@torch.no_grad()
def style_of(composer: Composer, scenes: Scenes, look: Looks, chunk: int = 16) -> Tensor:
    """Return each look's style, (looks, features): means and spreads of EfficientNet-lite0's first maps
    over the same scenes.
    """
    from pocket.vae import Perceptual

    network, rows = Perceptual(), []
    for part in torch.arange(len(look)).split(chunk):
        maps = network.features(composer.paint(_under(scenes, look[part])) * 2 - 1)
        flat = torch.cat([torch.cat([m.mean((2, 3)), m.std((2, 3))], 1) for m in maps], 1)
        rows.append(flat.unflatten(0, (len(part), len(scenes))).mean(1))
    return torch.cat(rows)


def distances(composer: Composer, trained: Looks, of_each: int = 8) -> dict[str, object]:
    """Return each family's distance to the nearest trained look, beside how far trained looks are from each
    other.
    """
    plain = copy.copy(composer)
    plain.compositions = (replace(composer.composition, plain_look=1.0),)
    scenes = plain.scenes(2, 1 << 41, Mix(named=0, empty=0))
    trained_styles = style_of(composer, scenes, trained)
    centre, spread = trained_styles.mean(0), trained_styles.std(0) + 1e-6
    trained_styles = (trained_styles - centre) / spread
    features = trained_styles.shape[1]
    own = torch.cdist(trained_styles, trained_styles).fill_diagonal_(float("inf")).amin(1) / features**0.5
    families: dict[str, dict[str, object]] = {}
    for name in FAMILIES:
        styles = (style_of(composer, scenes, family(name, of_each)) - centre) / spread
        nearest = torch.cdist(styles, trained_styles).amin(1) / features**0.5
        families[name] = {
            "seed": seed_of(name),
            "looks": ROWS,
            "what": str(FAMILIES[name].__doc__),
            "nearest trained look": round(float(nearest.median()), 2),
        }
    return {
        "trained looks": len(trained),
        "nearest other trained look, median": round(float(own.median()), 2),
        "nearest other trained look, 95 of 100 are nearer than": round(float(own.quantile(0.95)), 2),
        "families": families,
    }


def main() -> None:
    pictures, rows = things.load()
    composer = Composer(
        Bank(torch.from_numpy(np.array(pictures)), rows), Phrases(pack.names_of(rows), [], [])
    )
    trained = looks.joined([pack.named_looks(), looks.sample(500, BatchRng(3))])
    FILE.write_text(json.dumps(distances(composer, trained), indent=1) + "\n")
    print(FILE.read_text())


if __name__ == "__main__":
    main()
