"""A change of low rank taken apart from its two factors alone: the product of a layer is never formed."""

from __future__ import annotations

import torch
from torch import Tensor


def singular_value_decomposition(down: Tensor, up: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return left (out_features, n), the singular values (n,), largest first, and right (n, in_features) of
    up @ down, in float64 on the CPU: MPS has no such precision.

    down: (rank, in_features), up: (out_features, rank); n is the smallest of the three sizes. Each factor is
    an orthogonal matrix times a small triangle (QR), and the values are those of the triangles' product.
    """
    (q_up, r_up), (q_down, r_down) = (torch.linalg.qr(f.cpu().double()) for f in (up, down.T))
    left, values, right = torch.linalg.svd(r_up @ r_down.T, full_matrices=False)
    return q_up @ left, values, right @ q_down.T


def truncated_factors(down: Tensor, up: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return the down (n, in_features) and up (out_features, n) whose product is the nearest of that rank, in
    float64 on the CPU; n is the rank, or less where a side of the layer or the rank before is.

    No other change of that rank is nearer: Eckart and Young 1936. Raises ValueError for a rank below 1.
    """
    if rank < 1:
        raise ValueError(f"the rank is {rank}; expected 1 or more")
    left, values, right = singular_value_decomposition(down, up)
    root = values[:rank].sqrt()
    return root[:, None] * right[:rank], left[:, :rank] * root
