import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.assess import intervals
from monitor.assess.intervals import Draws
from monitor.assess.results import Figure
from tests.streams import examples

NAN = math.nan


def weighted(*rows: list[float]) -> Draws:
    """Draws by hand: how often each month counts in each sample."""
    return Draws(np.array(rows, np.float64))


def test_the_first_sample_is_the_months_as_they_are() -> None:
    """Every draw takes as many months as there are, and the first takes each once."""
    weights = intervals.draw(5, 40, seed=3).weights
    assert weights.shape == (41, 5)
    assert weights[0].tolist() == [1.0] * 5
    assert weights.sum(axis=1).tolist() == [5.0] * 41
    assert len(np.unique(weights, axis=0)) > 20


def test_the_same_seed_draws_the_same_months() -> None:
    """Intervals can be had again, and another seed gives others."""
    first = intervals.draw(5, 40, seed=3).weights
    assert np.array_equal(first, intervals.draw(5, 40, seed=3).weights)
    assert not np.array_equal(first, intervals.draw(5, 40, seed=4).weights)


def test_a_ratio_is_of_sums_over_the_drawn_months() -> None:
    """Months count as often as they are drawn; with nothing below there is no ratio."""
    draws = weighted([1, 1, 1], [3, 0, 0], [0, 0, 3])
    found = intervals.ratio(draws, np.array([1.0, 2.0, 0.0]), np.array([2.0, 2.0, 0.0]))
    assert found.tolist() == pytest.approx([0.75, 0.5, NAN], nan_ok=True)


def test_a_ratio_may_have_columns() -> None:
    """Several thresholds at once are several ratios over the same months."""
    draws = weighted([1, 1], [2, 0])
    found = intervals.ratio(draws, np.array([[1.0, 0.0], [3.0, 2.0]]), np.array([2.0, 2.0]))
    assert found.tolist() == [[1.0, 0.5], [0.5, 0.0]]


def test_values_are_summed_by_their_month() -> None:
    """A month without cases has a sum of zero."""
    found = intervals.per_month(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2]), 4)
    assert found.tolist() == [1.0, 0.0, 6.0, 0.0]


@given(
    values=st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 2)), min_size=1, max_size=20),
    counts=st.tuples(*[st.integers(0, 3)] * 3),
    q=st.sampled_from((0.1, 0.25, 0.5, 0.9)),
)
@examples(150)
def test_quantiles_are_those_of_cases_written_out(
    values: list[tuple[int, int]], counts: tuple[int, int, int], q: float
) -> None:
    """A month that counts three times is three times the same cases."""
    written = [float(v) for v, month in values for _ in range(counts[month])]
    (found,) = intervals.quantiles(
        weighted([1, 1, 1], list(counts)),
        np.array([float(v) for v, _ in values]),
        np.array([month for _, month in values]),
        (q,),
    )
    if not written:
        assert math.isnan(found[1])
        return
    expected = np.quantile(written, q, method="averaged_inverted_cdf")
    assert found[1] == pytest.approx(expected)


def test_the_half_is_the_usual_median() -> None:
    """Of an even number of cases it is the mean of the middle two; of none it is not known."""
    draws = weighted([1.0])
    one_month = np.zeros(4, np.int64)
    (median,) = intervals.quantiles(draws, np.array([4.0, 1.0, 3.0, 2.0]), one_month, (0.5,))
    assert median.tolist() == [2.5]
    (none,) = intervals.quantiles(draws, np.zeros(0), one_month[:0], (0.5,))
    assert math.isnan(none[0])


def test_a_mean_over_regimes_weighs_each_regime_alike() -> None:
    """A regime that has no case in a draw is left out of that draw."""
    found = intervals.mean([np.array([1.0, NAN, NAN]), np.array([3.0, 5.0, NAN])])
    assert found.tolist() == pytest.approx([2.0, 5.0, NAN], nan_ok=True)


def test_a_figure_is_its_first_sample_between_bounds_of_the_others() -> None:
    """The interval is the middle 95 % of the draws that have a value."""
    samples = np.array([0.5, *np.linspace(0.0, 1.0, 101), NAN])
    found = intervals.figure(samples, 7)
    assert (found.value, found.n) == (0.5, 7)
    assert found.low == pytest.approx(0.025)
    assert found.high == pytest.approx(0.975)


def test_a_figure_without_cases_has_no_value() -> None:
    """What no case supports is null, and so is an interval without draws."""
    assert intervals.figure(np.array([NAN, 1.0]), 0) == Figure(None, None, None, 0)
    assert intervals.figure(np.array([1.0, NAN]), 3) == Figure(1.0, None, None, 3)


def test_none_of_three_hundred_is_below_one_percent() -> None:
    """The rule of three, exactly: 1 - 0.05 ** (1 / 300)."""
    low, high = intervals.exact(0, 300)
    assert low == 0.0
    assert high == pytest.approx(1.0 - 0.05 ** (1.0 / 300.0), rel=1e-9)
    assert high < 0.01


def test_exact_bounds_are_those_of_the_tables() -> None:
    """Three of ten: 0.0873 to 0.6066, each bound alone at 95 %."""
    assert intervals.exact(3, 10) == pytest.approx((0.08726, 0.60662), abs=1e-5)
    low, high = intervals.exact(10, 10)
    assert high == 1.0
    assert low == pytest.approx(0.05**0.1, rel=1e-9)
