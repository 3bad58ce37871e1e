"""Lesson 04: a painting as a matrix of low rank, and the checkers of the functions that a learner writes.

`python -m lessons_lib.course.lesson_04 picture` draws the lesson's opening picture and its diagram.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from lessons_lib.adapters import lora, spectrum
from lessons_lib.course import lesson_04_rank, long_run
from lessons_lib.course.checks import NOT_ATTEMPTED, RIGHT, checker, first_hint, is_close, not_yet
from lessons_lib.dataset import dataset
from lessons_lib.display import notebook
from lessons_lib.models import pixels
from lessons_lib.paths import NOTEBOOK_PICTURES, SAMPLE

PAINTING = SAMPLE / "train" / "09_king_at_window.jpg"
OPENING_PICTURE = NOTEBOOK_PICTURES / "04_thin.jpg"
DIAGRAM = NOTEBOOK_PICTURES / "04_w_ba.jpg"
Forward = Callable[[lora.LoraLinear, Tensor], Tensor | None]
_OPENING_RANKS = (1, 2, 4, 8, 16, 32, 64)


def image_to_matrix(image: Image.Image, side: int) -> Tensor:
    """Return the centre square of a picture as a matrix, (side, 3 side): red, green and blue side by side,
    -1 ... 1.
    """
    return torch.cat([*pixels.to_pixels([image], side)[0]], 1)


def matrix_to_image(matrix: Tensor) -> Image.Image:
    """Return the picture that a matrix of `image_to_matrix` holds.

    Values below -1 and above 1 are clipped.
    """
    side = len(matrix)
    return pixels.to_images(matrix.view(side, 3, side).permute(1, 0, 2)[None])[0]


def low_rank(matrix: Tensor, rank: int) -> Tensor:
    """Return the nearest matrix of that rank: its largest singular values alone (Eckart and Young 1936)."""
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    return left[:, :rank] * sizes[:rank] @ right[:rank]


@checker
def check_forward(answer: Forward) -> str:
    """Return what to say of a learner's answer(layer, x): the output of a frozen layer plus its change."""
    torch.manual_seed(0)
    layer = lora.LoraLinear(torch.nn.Linear(6, 5), rank=2, alpha=6)
    torch.nn.init.normal_(layer.up.weight)
    x = torch.randn(3, 6)
    try:
        output = answer(layer, x)
    except RuntimeError:
        return not_yet("the order: x goes through down first, then through up")
    if output is None:
        return NOT_ATTEMPTED
    change = layer.up(layer.down(x))
    mistakes = [
        (
            is_close(output, layer.scaling * change),
            "that is the change alone; add what the frozen layer says",
        ),
        (is_close(output, layer.base(x)), "that is the frozen layer alone; add the change"),
        (is_close(output, layer.base(x) + change), "the change is multiplied by layer.scaling"),
        (not is_close(output, layer(x)), "layer.base(x) + layer.scaling * layer.up(layer.down(x))"),
    ]
    return first_hint(mistakes) or RIGHT


def layer_to_use(answer: Forward) -> type[lora.LoraLinear]:
    """Return the LoRA layer whose forward pass is a learner's where it is right, and else the library's."""
    if check_forward(answer) != RIGHT:
        return lora.LoraLinear

    class Own(lora.LoraLinear):
        def forward(self, x: Tensor) -> Tensor:
            output = answer(self, x) if x.dtype == self.down.weight.dtype else None
            return super().forward(x) if output is None else output

    return Own


@contextmanager
def with_layers(
    model: nn.Module, targets: Sequence[str], layer: type[lora.LoraLinear], rank: int
) -> Iterator[list[nn.Parameter]]:
    """Put a LoRA layer round every target of a model, give what learns, and take all off again."""
    model.requires_grad_(False)
    torch.manual_seed(0)
    parents = {}
    for name, linear in lora.target_layers(model, targets).items():
        parent, _, last = name.rpartition(".")
        parents[name] = model.get_submodule(parent)
        setattr(parents[name], last, layer(linear, rank, rank))
    try:
        yield [p for p in model.parameters() if p.requires_grad]
    finally:
        for name, parent in parents.items():
            last = name.rpartition(".")[2]
            setattr(parent, last, getattr(parent, last).base)


@checker
def check_parameters(answer: Callable[[int, int, int], int | None]) -> str:
    """Return what to say of a learner's answer(in_features, out_features, rank):
    the parameters of a pair of factors.
    """
    count = answer(30, 70, 4)
    if count is None:
        return NOT_ATTEMPTED
    mistakes = [
        (count in (30 * 70, 4 * 30 * 70), "neither factor is in x out; one is rank x in, the other?"),
        (count in (30 + 70, 4 * 30, 4 * 70), "there are two factors, and each has `rank` rows or columns"),
        (count != 4 * (30 + 70), f"{count} for in 30, out 70, rank 4"),
    ]
    return first_hint(mistakes) or RIGHT


@checker
def check_merge(answer: Callable[[Tensor, Tensor, Tensor, float], Tensor | None]) -> str:
    """Return what to say of a learner's answer(weight, down, up, alpha): the merged weight."""
    rng = torch.Generator().manual_seed(0)
    weight, down, up = (torch.randn(shape, generator=rng) for shape in ((7, 9), (3, 9), (7, 3)))
    try:
        merged = answer(weight.clone(), down, up, 6)
    except RuntimeError:
        return not_yet("the order; up is (out, rank), down is (rank, in), and the weight is (out, in)")
    if merged is None:
        return NOT_ATTEMPTED
    delta = lora.lora_delta(down, up, 6)
    mistakes = [
        (is_close(merged, weight + up @ down), "the scale alpha / rank is missing"),
        (is_close(merged, weight + 6 * up @ down), "alpha is divided by the rank"),
        (is_close(merged, delta), "that is the change; add it to the weight"),
        (not is_close(merged, weight + delta), "weight + scale * (up @ down)"),
    ]
    return first_hint(mistakes) or RIGHT


@checker
def check_rank(answer: Callable[[Tensor, float], int | None]) -> str:
    """Return what to say of a learner's answer(sizes, share): the rank that holds this share of the
    change.
    """
    layer, shares = spectrum.LayerChange("", torch.tensor([3.0, 2.0, 1.0, 1.0]), 1.0), (0.5, 0.7, 0.9)
    ranks = [answer(layer.singular_values, share) for share in shares]
    if None in ranks:
        return NOT_ATTEMPTED
    expected = [layer.rank_for(share) for share in shares]
    sums = layer.singular_values.cumsum(0) / layer.singular_values.sum()
    mistakes = [
        (ranks == [rank - 1 for rank in expected], "one too few each time; do you count from zero?"),
        (
            ranks == [int((sums < share).sum()) + 1 for share in shares],
            "square the sizes before you add them",
        ),
        (ranks != expected, f"{ranks} for sizes 3, 2, 1, 1 and shares 0.5, 0.7, 0.9"),
    ]
    return first_hint(mistakes) or RIGHT


def save_opening_picture(path: Path = OPENING_PICTURE) -> None:
    """Draw a practice painting at each of some ranks, then whole."""
    matrix = image_to_matrix(dataset.read([PAINTING]).train[0].image, 256)
    images = [matrix_to_image(low_rank(matrix, rank)) for rank in _OPENING_RANKS]
    labels = [f"rank {rank}" for rank in _OPENING_RANKS]
    page = notebook.image_grid([*images, matrix_to_image(matrix)], [*labels, "all"], side=128)
    path.write_bytes(page.data)
    lesson_04_rank.save_diagram(DIAGRAM)


if __name__ == "__main__":
    long_run.command_line("lesson_04", {"picture": save_opening_picture})
