"""Where the things of a scene stand."""

from __future__ import annotations

import torch
from torch import Tensor

from pocket.batch_rng import BatchRng
from pocket.wording import THINGS

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
