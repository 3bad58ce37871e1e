"""The chart of groups between a floor and a ceiling."""

import pytest

from lessons_lib.course import charts

SERIES = {"with": [0.5, 0.6, 0.55], "without": [0.4, 0.45, 0.42]}


def test_a_chart_is_one_jpeg_of_a_readable_size():
    chart = charts.interval_chart({"lion": SERIES, "tom": SERIES}, 0.35, 0.7, "style match")
    assert chart.data[:2] == b"\xff\xd8" and 5_000 < len(chart.data) < 60_000


@pytest.mark.parametrize(
    "groups", [{}, {"a": SERIES, "b": {"with": [1.0]}}, {"a": dict.fromkeys("wxyz", [1.0])}]
)
def test_groups_that_cannot_be_compared_make_no_chart(groups):
    with pytest.raises(ValueError, match="expected the same ones"):
        charts.interval_chart(groups, 0, 1, "style match")
