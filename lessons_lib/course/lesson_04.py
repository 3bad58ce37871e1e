"""What lesson 04 brings along: a painting as a matrix, and checkers for three functions that a learner writes.

`python -m lessons_lib.course.lesson_04` draws the lesson's opening picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from lessons_lib.adapters import lora, spectrum
from lessons_lib.dataset import pictures
from lessons_lib.display import notebook
from lessons_lib.models import pixels
from lessons_lib.paths import NOTEBOOK_PICTURES, SAMPLE

PAINTING = SAMPLE / "train" / "09_king_at_window.jpg"
OPENING = NOTEBOOK_PICTURES / "04_thin.jpg"
UNTOUCHED, RIGHT = "not attempted yet", "right"


def as_matrix(image: Image.Image, side: int) -> Tensor:
    """Return the middle square of a picture as a matrix, (side, 3 side): red, green and blue side by side, -1 ... 1."""
    return torch.cat([*pixels.to_pixels([image], side)[0]], 1)


def as_picture(matrix: Tensor) -> Image.Image:
    """Return the picture that a matrix of `as_matrix` holds; what is too dark or too bright is clipped."""
    side = len(matrix)
    dots = matrix.view(side, 3, side).permute(0, 2, 1).clamp(-1, 1)
    return Image.fromarray(((dots + 1) * 127.5).round().byte().numpy())


def thin(matrix: Tensor, rank: int) -> Tensor:
    """Return the nearest matrix of that rank: the strongest of its pairs (Eckart and Young 1936)."""
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    return left[:, :rank] * sizes[:rank] @ right[:rank]


def opening(path: Path, ranks: Sequence[int] = (1, 2, 4, 8, 16, 32, 64)) -> None:
    """Write the lesson's opening picture: a practice painting at each rank, then whole."""
    matrix = as_matrix(pictures.load([PAINTING])[0].image, 256)
    row = [as_picture(thin(matrix, rank)) for rank in ranks]
    names = [f"rank {rank}" for rank in ranks]
    path.write_bytes(notebook.image_grid([*row, as_picture(matrix)], [*names, "all"], side=128).data)


def check_numbers(answer: Callable[[int, int, int], int | None]) -> str:
    """Return what is to be said of a learner's answer(inside, outside, rank): the numbers in a pair of factors."""
    found = answer(30, 70, 4)
    if found is None:
        return UNTOUCHED
    if found in (30 * 70, 4 * 30 * 70):
        return "not yet: neither factor is inside x outside; one is rank x inside, the other?"
    if found in (30 + 70, 4 * 30, 4 * 70):
        return "not yet: there are two factors, and each has `rank` rows or columns"
    return RIGHT if found == 4 * (30 + 70) else f"not yet: {found} for inside 30, outside 70, rank 4"


def check_merged(answer: Callable[[Tensor, Tensor, Tensor, float], Tensor | None]) -> str:
    """Return what is to be said of a learner's answer(weight, down, up, alpha): the merged weight."""
    draw = torch.Generator().manual_seed(0)
    weight, down, up = (torch.randn(shape, generator=draw) for shape in ((7, 9), (3, 9), (7, 3)))
    try:
        found = answer(weight.clone(), down, up, 6)
    except RuntimeError:
        return "not yet: the order; up is (out, rank), down is (rank, in), and the weight is (out, in)"
    if found is None:
        return UNTOUCHED

    def is_near(other: Tensor) -> bool:
        return found.shape == other.shape and torch.allclose(found, other, atol=1e-5)

    if is_near(weight + up @ down):
        return "not yet: the scale alpha / rank is missing"
    if is_near(weight + 6 * up @ down):
        return "not yet: alpha is divided by the rank"
    if is_near(lora.lora_delta(down, up, 6)):
        return "not yet: that is the change; add it to the weight"
    return RIGHT if is_near(weight + lora.lora_delta(down, up, 6)) else "not yet: weight + scale * (up @ down)"  # fmt: skip


def check_rank(answer: Callable[[Tensor, float], int | None]) -> str:
    """Return what is to be said of a learner's answer(sizes, share): the rank that holds so much of the change."""
    layer, shares = spectrum.LayerChange("", torch.tensor([3.0, 2.0, 1.0, 1.0]), 1.0), (0.5, 0.7, 0.9)
    found = [answer(layer.singular_values, share) for share in shares]
    right = [layer.rank_for(share) for share in shares]
    if None in found:
        return UNTOUCHED
    if found == [rank - 1 for rank in right]:
        return "not yet: one too few each time; do you count from nought?"
    plain = layer.singular_values.cumsum(0) / layer.singular_values.sum()
    if found == [int((plain < share).sum()) + 1 for share in shares]:
        return "not yet: square the sizes before you add them"
    return RIGHT if found == right else f"not yet: {found} for sizes 3, 2, 1, 1 and shares 0.5, 0.7, 0.9"


if __name__ == "__main__":
    opening(OPENING)
