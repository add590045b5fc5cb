import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.assess.curves import crossings, recall_at
from tests import naive_scoring
from tests.streams import examples


def test_an_alarm_is_armed_again_below_half_and_after_ten_minutes() -> None:
    """Both must hold: a short dip does not end an alarm, nor does a long shallow one."""
    statistic = np.zeros(4000)
    statistic[100:150] = 2.0  # raises; armed again at 700
    statistic[400:450] = 2.0  # within ten minutes: the same alarm
    statistic[1000:2000] = 2.0  # raises again
    statistic[2000:2500] = 0.6  # above half: still the same
    statistic[2400:2450] = 2.0
    statistic[3000:] = 2.0
    found = crossings(statistic, np.array([1.0]))
    n = found.counts[0]
    assert found.detected[0, :n].tolist() == [100, 1000, 3000]
    assert found.ended[0, :n].tolist() == [700, 2500, 4000]


def test_a_lower_threshold_is_earlier() -> None:
    """Every threshold that a statistic passes raises an alarm in the second it is reached."""
    found = crossings(np.arange(1000) / 100.0, np.array([1.0, 2.5, 20.0]))
    assert found.detected[:, 0].tolist() == [100, 250, 0]
    assert found.counts.tolist() == [1, 1, 0]


def test_recall_between_two_thresholds_lies_on_their_line() -> None:
    """With bounds straddled by neighbours, recall is read off the line between them."""
    false_alarms = np.array([[8.0, 3.0, 0.5, 0.0]])
    recall = np.array([[1.0, 0.9, 0.4, 0.1]])
    assert recall_at(false_alarms, recall, 1.0).tolist() == pytest.approx([0.5])
    assert recall_at(false_alarms, recall, 0.5).tolist() == [0.4]
    assert recall_at(false_alarms, recall, 9.0).tolist() == [1.0]
    assert recall_at(false_alarms[:, :2], recall[:, :2], 1.0).tolist() == [0.0]


def test_a_curve_that_finds_nothing_to_find_has_no_recall() -> None:
    """A sample without true episodes says nothing, rather than zero."""
    found = recall_at(np.array([[2.0, 0.5]]), np.array([[math.nan, math.nan]]), 1.0)
    assert math.isnan(found[0])


ratios = st.integers(0, 8).map(lambda k: k / 8.0)


@given(
    points=st.lists(st.tuples(ratios.map(lambda r: 4.0 * r), ratios), min_size=1, max_size=8),
    most=st.sampled_from((0.3, 1.0, 2.25)),
)
@examples(150)
def test_recall_at_a_bound_is_the_best_that_keeps_it(
    points: list[tuple[float, float]], most: float
) -> None:
    """Curves need not be smooth: the best point or crossing counts, for every sample."""
    false_alarms, recall = ([point[k] for point in points] for k in range(2))
    found = recall_at(np.array([false_alarms] * 2), np.array([recall] * 2), most)
    expected = naive_scoring.recall_at(false_alarms, recall, most)
    assert found.tolist() == pytest.approx([expected, expected])
