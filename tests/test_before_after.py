"""The before/after sheet has room for any number of prompts, seeds and training pictures."""

import numpy as np
import pytest
from PIL import Image

from lessons_lib.display import before_after


@pytest.mark.parametrize("count, seeds", [(1, 1), (2, 1), (5, 2), (4, 5)])
def test_the_sheet_holds_any_number_of_prompts(count, seeds):
    row = [Image.new("RGB", (128, 128), "navy")] * seeds
    long = "a very long prompt " * 12
    pairs = before_after.Pairs([long] * count, [row] * count, [row] * count)
    page = before_after.sheet(
        "w" * 90,
        "made " * 60,
        pairs,
        before_after.Strip(long, row, ["1"] * seeds),
        [Image.new("RGB", (72, 96), "gold")] * 30,
        3000,
    )
    assert page.width <= 1500 and page.height < 700 + -(-count // 4) * 4 * before_after.CELL
    edge = np.asarray(page)[:, -20:]
    assert (edge == edge[0, 0]).all(), "something runs over the right edge"
