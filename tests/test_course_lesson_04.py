"""Lesson 04: a painting as a matrix, at a lower rank, and back."""

import torch
from PIL import Image

from lessons_lib.course import lesson_04


def test_a_picture_becomes_a_matrix_and_a_picture_again():
    image = Image.effect_noise((16, 16), 90).convert("RGB")
    matrix = lesson_04.image_to_matrix(image, 16)
    assert matrix.shape == (16, 48)
    assert lesson_04.matrix_to_image(matrix).tobytes() == image.tobytes()


def test_a_matrix_of_low_rank_has_the_rank_it_was_given():
    matrix = torch.randn(16, 48, generator=torch.Generator().manual_seed(0))
    assert torch.linalg.matrix_rank(lesson_04.low_rank(matrix, 3)) == 3
    torch.testing.assert_close(lesson_04.low_rank(matrix, 16), matrix, rtol=1e-4, atol=1e-4)


def test_the_opening_picture_can_be_drawn_again(tmp_path):
    lesson_04.save_opening_picture(tmp_path / "04.jpg")
    drawn, committed = Image.open(tmp_path / "04.jpg"), Image.open(lesson_04.OPENING_PICTURE)
    assert drawn.size == committed.size and drawn.format == committed.format == "JPEG"
    assert lesson_04.OPENING_PICTURE.stat().st_size < 60_000
