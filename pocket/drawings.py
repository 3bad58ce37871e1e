"""The drawings as tensors on a device, and which of them show a thing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pocket.batch_rng import BatchRng
from pocket.phrases import STYLES
from pocket.things import Drawing

CLUTTER = (
    "tulip",
    "rose",
    "sunflower",
    "star",
    "snowflake",
    "butterfly",
    "bird",
    "mushroom",
    "leaf",
    "blossom",
    "heart",
    "balloon",
    "cloud",
    "tree",
    "cactus",
    "shell",
    "rock",
    "cypress tree",
    "herb",
    "crescent moon",
    "fish",
    "palm",
    "lantern",
    "gem",
)


class Bank:
    """Drawings on a device, with halves and quarters of them for small things, and which of them show a
    thing.
    """

    def __init__(self, pictures: Tensor, rows: list[Drawing], device: torch.device | str = "cpu") -> None:
        """`pictures`: (N, SIDE, SIDE, 4) uint8."""
        self.names = list(dict.fromkeys(row.thing for row in rows))
        self.makers = list(dict.fromkeys(row.package for row in rows))
        full = pictures.permute(0, 3, 1, 2).contiguous()
        self.levels = [full.to(device), *(_smaller(full, k).to(device) for k in (2, 4))]
        number = {name: k for k, name in enumerate(self.names)}
        self.style = torch.tensor([STYLES.index(row.style) for row in rows])
        self.looks_left = torch.tensor([{"": -1, "left": 1, "right": 0}[row.facing] for row in rows])
        self._by_maker(rows, number)
        self.clutter = torch.tensor([number[n] for n in CLUTTER if n in number] or [0])

    def _by_maker(self, rows: list[Drawing], number: dict[str, int]) -> None:
        """Set (things, makers, most) drawing numbers and how many there are."""
        numbers_of: dict[tuple[int, int], list[int]] = {}
        for k, row in enumerate(rows):
            numbers_of.setdefault((number[row.thing], self.makers.index(row.package)), []).append(k)
        most = max(map(len, numbers_of.values()))
        self.drawings = torch.zeros(len(self.names), len(self.makers), most, dtype=torch.long)
        self.counts = torch.zeros(len(self.names), len(self.makers), dtype=torch.long)
        for (thing, maker), which in numbers_of.items():
            self.drawings[thing, maker, : len(which)] = torch.tensor(which)
            self.counts[thing, maker] = len(which)

    def pick(self, thing: Tensor, maker: Tensor, rng: BatchRng) -> Tensor:
        """Return a drawing of each thing, by the maker where he has one, else by any."""
        n, has = len(thing), self.counts[thing] > 0  # (n, makers)
        order = rng.uniform(n, width=has.shape[1]) * has
        order[torch.arange(n), maker] = torch.where(
            has[torch.arange(n), maker], 2.0, order[torch.arange(n), maker]
        )
        maker = order.argmax(1)
        which = (rng.uniform(n) * self.counts[thing, maker]).long()
        return self.drawings[thing, maker, which]


def _smaller(pictures: Tensor, times: int, chunk: int = 256) -> Tensor:
    """Return premultiplied-correct reductions of (N, 4, SIDE, SIDE) uint8 pictures."""
    out = []
    for part in pictures.split(chunk):
        alpha = part[:, 3:].float() / 255
        paint = F.avg_pool2d(torch.cat([part[:, :3].float() * alpha, alpha], 1), times)
        out.append(
            torch.cat([paint[:, :3] / paint[:, 3:].clamp(min=1e-3), 255 * paint[:, 3:]], 1)
            .round()
            .clamp(0, 255)
            .byte()
        )
    return torch.cat(out)
