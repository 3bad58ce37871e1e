import ast
import runpy
from pathlib import Path

import nbformat
import pytest
import torch
from PIL import Image

from lessons_lib.adapters import lora
from lessons_lib.course import lesson_04

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CHECKERS = {
    "numbers": lesson_04.check_numbers,
    "merged": lesson_04.check_merged,
    "rank_needed": lesson_04.check_rank,
}
MISTAKES = {
    "numbers": [lambda i, o, r: i * o, lambda i, o, r: i + o, lambda i, o, r: r * i, lambda i, o, r: r * i * o],
    "merged": [
        lambda w, down, up, alpha: w + up @ down,
        lambda w, down, up, alpha: w + alpha * up @ down,
        lambda w, down, up, alpha: w + down @ up,
        lambda w, down, up, alpha: lora.lora_delta(down, up, alpha),
        lambda w, down, up, alpha: w,
    ],
    "rank_needed": [
        lambda sizes, share: int((sizes.cumsum(0) < share * sizes.sum()).sum()) + 1,
        lambda sizes, share: int((sizes.square().cumsum(0) < share * sizes.square().sum()).sum()),
        lambda sizes, share: len(sizes),
    ],
}  # fmt: skip


def test_the_solutions_pass():
    solutions = runpy.run_path(str(NOTEBOOKS / "solutions" / "04_low_rank_by_hand.py"))
    for name, check in CHECKERS.items():
        assert check(solutions[name]) == "right"


@pytest.mark.parametrize("name", CHECKERS)
def test_a_likely_mistake_gets_a_hint(name):
    hints = [CHECKERS[name](wrong) for wrong in MISTAKES[name]]
    assert all(hint.startswith("not yet: ") for hint in hints)
    assert len(set(hints)) >= 2


def test_the_untouched_exercises_of_the_lesson_say_so(capsys):
    cells = nbformat.read(NOTEBOOKS / "04_low_rank_by_hand.ipynb", as_version=4).cells
    exercises = [cell.source for cell in cells if cell.source.startswith("# Exercise")]
    for source in exercises:
        (name,) = (node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
        assert name in CHECKERS
        exec(source, {"lesson_04": lesson_04, "torch": torch})
    assert capsys.readouterr().out == "not attempted yet\n" * len(CHECKERS)


def test_a_picture_goes_into_a_matrix_and_back():
    image = Image.effect_noise((16, 16), 90).convert("RGB")
    matrix = lesson_04.as_matrix(image, 16)
    assert matrix.shape == (16, 48)
    assert lesson_04.as_picture(matrix).tobytes() == image.tobytes()


def test_a_thin_picture_has_the_rank_it_was_given():
    matrix = torch.randn(16, 48, generator=torch.Generator().manual_seed(0))
    assert torch.linalg.matrix_rank(lesson_04.thin(matrix, 3)) == 3
    torch.testing.assert_close(lesson_04.thin(matrix, 16), matrix, rtol=1e-4, atol=1e-4)


def test_the_opening_picture_can_be_drawn_again(tmp_path):
    lesson_04.opening(tmp_path / "04.jpg")
    drawn, kept = Image.open(tmp_path / "04.jpg"), Image.open(lesson_04.OPENING)
    assert drawn.size == kept.size and drawn.format == kept.format == "JPEG"
    assert lesson_04.OPENING.stat().st_size < 60_000
