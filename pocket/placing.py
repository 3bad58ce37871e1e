"""Where the things of a scene stand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pocket.batch_rng import BatchRng
from pocket.looks import BORDER_WEIGHTS
from pocket.wording import THINGS


@dataclass(frozen=True)
class Composition:
    """Shares of what scenes hold and how freely it is placed; a size is a part of the picture's side.

    `kinds`: one thing, several of it, two, three, four things. `sizes`: of a thing alone that is said to be
    small, big, tiny, huge, and of one of which nothing is said; `usual`: its size then. `makers`: weights of
    the drawings' makers in their order, the last for all that follow; none: all alike. `plain_ground`: the
    weight of a plain ground. `plain_look`: drawings as they are. `borders`: weights of no border, a ruled, a
    plain and a patterned one.
    """

    kinds: tuple[float, ...] = (56, 9, 23, 6, 6)
    sizes: tuple[float, ...] = (18, 14, 6, 5, 57)
    usual: tuple[float, float] = (0.62, 0.88)
    near_middle: float = 0.35
    mirrored: float = 0.5
    one_maker: float = 0.75
    makers: tuple[float, ...] = ()
    cluttered: float = 0.2
    plain_ground: float = 26
    plain_look: float = 0.22
    borders: tuple[float, ...] = BORDER_WEIGHTS


FREE = Composition()
# What a short training learns from: things stand large in the middle, as they were drawn, and the look alone
# is random. With FREE a base of this size mixes things up after 300,000 scenes (LOG.md).
STEADY = Composition(
    kinds=(82, 4, 10, 2, 2),
    sizes=(5, 16, 1, 2, 76),
    usual=(0.7, 0.92),
    near_middle=0.88,
    mirrored=0.0,
    one_maker=0.92,
    makers=(40, 14, 16, 12, 4),
    cluttered=0.06,
    plain_ground=44,
    plain_look=0.3,
)
# The same with what the pages of an album have: borders, grounds, small things beside a smaller one.
BORDERED = replace(
    STEADY,
    kinds=(70, 4, 20, 3, 3),
    usual=(0.5, 0.85),
    cluttered=0.25,
    plain_ground=15,
    plain_look=0.15,
    borders=(25, 25, 20, 30),
)
COMPOSITIONS = {"free": FREE, "steady": STEADY, "bordered": BORDERED}

TABLE = {  # of two things by relation: x, y and size of the first and of the second
    0: ((0.27, 0.52, 0.48), (0.73, 0.52, 0.48)),
    1: ((0.73, 0.52, 0.48), (0.27, 0.52, 0.48)),
    2: ((0.5, 0.27, 0.48), (0.5, 0.74, 0.48)),
    3: ((0.5, 0.74, 0.48), (0.5, 0.27, 0.48)),
    4: ((0.33, 0.68, 0.5), (0.6, 0.4, 0.68)),
    5: ((0.6, 0.4, 0.68), (0.33, 0.68, 0.5)),
}


def places(rng: BatchRng, many: Tensor, relation: Tensor) -> Tensor:
    """Return (n, THINGS, 3) x, y and size of the things of a scene, shaken a little and half of them
    mirrored where it does not matter.
    """
    n = len(many)
    out = torch.zeros(n, THINGS, 3)
    beside = torch.where(relation >= 6, rng.integers(n, 0, 2), relation)
    for key, spots in TABLE.items():
        out[beside == key, :2] = torch.tensor(spots)
    pair = (many == 2) & (relation < 0)
    out[pair, :2] = torch.tensor(TABLE[0])
    three = torch.tensor(
        [
            [[0.5, 0.28, 0.42], [0.27, 0.72, 0.44], [0.73, 0.72, 0.44], [0, 0, 0]],
            [[0.19, 0.55, 0.34], [0.5, 0.55, 0.34], [0.81, 0.55, 0.34], [0, 0, 0]],
        ]
    )
    four = torch.tensor([[0.27, 0.27, 0.44], [0.73, 0.27, 0.44], [0.27, 0.73, 0.44], [0.73, 0.73, 0.44]])
    out[many == 3] = three[rng.coin(int((many == 3).sum()), 0.35).long()]
    out[many == 4] = four
    out[..., :2] += rng.normal(n, 0, 0.025, THINGS * 2).view(n, THINGS, 2)
    out[..., 2] *= rng.uniform(n, 0.85, 1.12)[:, None] * torch.exp(rng.normal(n, 0, 0.05, THINGS))
    swung = ((relation == 4) | (relation == 5)) & rng.coin(n, 0.5)
    out[swung, :, 0] = 1 - out[swung, :, 0]
    return out
