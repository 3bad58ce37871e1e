"""The chart of groups between a floor and a ceiling."""

import numpy as np
import pytest
from course_fakes import marked

from lessons_lib.course import charts

SERIES = {"with": [0.5, 0.6, 0.55], "without": [0.4, 0.45, 0.42]}


def test_a_chart_has_the_mean_of_every_group_and_a_readable_size(figures):
    chart = charts.interval_chart({"lion": SERIES, "tom": SERIES}, 0.35, 0.7, "style match")
    (axes,) = figures[0].axes
    means = [float(np.mean(values)) for values in SERIES.values()]
    assert [y for _, y in marked(axes)] == pytest.approx(2 * means)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["lion", "tom"]
    assert 5_000 < len(chart.data) < 60_000


@pytest.mark.parametrize(
    "groups", [{}, {"a": SERIES, "b": {"with": [1.0]}}, {"a": dict.fromkeys("wxyz", [1.0])}]
)
def test_groups_that_cannot_be_compared_make_no_chart(groups):
    with pytest.raises(ValueError, match="expected the same ones"):
        charts.interval_chart(groups, 0, 1, "style match")
