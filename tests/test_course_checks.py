"""What checkers share: the first mistake that was made gets its hint, and close tensors count as equal."""

import pytest
import torch

from lessons_lib.course import checks


def test_the_first_mistake_that_was_made_gets_its_hint():
    assert checks.first_hint([(False, "one"), (True, "two"), (True, "three")]) == "not yet: two"


def test_without_a_mistake_there_is_no_hint():
    assert checks.first_hint([(False, "one")]) is None


@pytest.mark.parametrize("answer", [torch.ones(2) + 1e-3, torch.ones(1, 2), "ones", None])
def test_an_answer_of_other_values_shape_or_kind_is_not_close(answer):
    assert not checks.is_close(answer, torch.ones(2))


def test_an_answer_that_differs_by_rounding_is_close():
    assert checks.is_close(torch.ones(2) + 1e-7, torch.ones(2))
