import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import quantile
from kernels.dtypes import Reals
from tests import naive
from tests.streams import examples, part

shares = st.one_of(
    st.floats(1e-8, 1e-2),
    st.floats(1e-12, 1e6),
    st.sampled_from((0.0, -1.0, math.nan, math.inf, 1e-8, 1e300)),
)


def histogram(*values: float) -> tuple[Reals, Reals]:
    """Bins and mass of one row that has observed these values, each with weight 1."""
    bins, mass = np.zeros((1, quantile.BINS)), np.zeros(1)
    quantile.observe(bins, mass, np.array([values], dtype=np.float64).reshape(1, -1), 1.0)
    return bins, mass


@given(
    rows=st.lists(st.tuples(shares, shares), min_size=1, max_size=60),
    weights=st.sampled_from((1.0, 0.25, 3.0)),
    factors=st.lists(st.floats(0.1, 1.0), max_size=4),
    q=st.sampled_from((0.0, 0.5, 0.9, 0.995)),
)
@examples(150)
def test_kernel_and_twin_agree(
    rows: list[tuple[float, float]], weights: float, factors: list[float], q: float
) -> None:
    """Any values, damaged ones too, fall into the same bins, fade alike and rank alike."""
    bins, mass = np.zeros((2, quantile.BINS)), np.zeros(2)
    twin = naive.Histogram()
    for number, row in enumerate(rows):
        quantile.observe(bins, mass, np.array([(math.nan, math.nan), row]), weights)
        for value in row:
            twin.observe(value, weights)
        if number < len(factors):
            quantile.age(bins, mass, factors[number])
            twin.age(factors[number])
    found = {place: weight for place, weight in enumerate(bins[1].tolist()) if weight}
    assert sum(found.values()) == pytest.approx(float(mass[1]), rel=1e-12)
    # A value on an edge may fall to either side of it, for the edges are powers of a decimal.
    assert _shifted(found, dict(twin.weights)) == []
    assert not bins[0].any()
    # A rank on the edge of a bin may round to either side of it.
    ranked = quantile.quantile(bins, mass, 1, q)
    assert any(
        ranked == pytest.approx(twin.quantile(near), rel=0.021, nan_ok=True)
        for near in (q, max(0.0, q - 1e-9), q + 1e-9)
    )


def _shifted(found: dict[int, float], expected: dict[int, float]) -> list[int]:
    """Places where the cumulated weights differ by more than what lies on an edge beside."""
    wrong = []
    for place in sorted(found.keys() | expected.keys()):
        here = math.fsum(w for k, w in found.items() if k <= place)
        low = math.fsum(w for k, w in expected.items() if k < place)
        high = math.fsum(w for k, w in expected.items() if k <= place + 1)
        if not low - 1e-9 <= here <= high + 1e-9:
            wrong.append(place)
    return wrong


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("q", [0.5, 0.9, 0.995])
def test_a_quantile_is_within_a_percent_of_the_exact_one(seed: int, q: float) -> None:
    """Heavy-tailed shares have the quantile that sorting them all would give, to one percent."""
    dice = Random(seed)
    values = [min(1e-2, 1e-6 * dice.paretovariate(0.8)) for _ in range(part(4000))]
    bins, mass = histogram(*values)
    exact = naive.quantile([(value, 1.0) for value in values], q)
    assert quantile.quantile(bins, mass, 0, q) == pytest.approx(exact, rel=0.01)


def test_a_quantile_after_ageing_is_within_a_percent_of_the_weighted_one() -> None:
    """Values that faded count by what is left of their weight."""
    dice = Random(4)
    bins, mass = np.zeros((1, quantile.BINS)), np.zeros(1)
    weighted: list[tuple[float, float]] = []
    for day in range(20):
        values = [1e-6 * (1 + day) * dice.paretovariate(1.1) for _ in range(part(300))]
        quantile.age(bins, mass, math.exp(-1.0 / 14.0))
        weighted = [(value, weight * math.exp(-1.0 / 14.0)) for value, weight in weighted]
        quantile.observe(bins, mass, np.array([values]), 1.0)
        weighted += [(value, 1.0) for value in values]
        exact = min(naive.quantile(weighted, 0.99), 1e-2)
        assert quantile.quantile(bins, mass, 0, 0.99) == pytest.approx(exact, rel=0.01)


def test_an_empty_histogram_has_no_quantile() -> None:
    """Nothing observed, or nothing but NaN, is not known rather than zero."""
    assert math.isnan(quantile.quantile(*histogram(), 0, 0.995))
    assert math.isnan(quantile.quantile(*histogram(math.nan, math.nan), 0, 0.995))


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-9, quantile.LEAST])
def test_what_is_below_the_least_value_is_zero(value: float) -> None:
    """Quiet times rank as zeros, whatever exactly was measured."""
    assert quantile.quantile(*histogram(value, value), 0, 0.5) == 0.0


@pytest.mark.parametrize("value", [0.02, 1.0, 1e300, math.inf])
def test_what_is_above_the_last_bin_stands_in_it(value: float) -> None:
    """Absurdly large values rank at the top, without an overflow."""
    bins, mass = histogram(1e-5, value)
    assert bins[0, -1] == 1.0
    assert quantile.quantile(bins, mass, 0, 0.995) == pytest.approx(0.0149, rel=0.02)


def test_the_mass_is_made_anew_when_weights_fade() -> None:
    """Sums of weights cannot drift away from the weights."""
    bins, mass = histogram(1e-4, 1e-5, 0.0)
    mass[0] = 77.0
    quantile.age(bins, mass, 0.5)
    assert mass[0] == 1.5


def test_a_quantile_of_nothing_above_is_zero() -> None:
    """A rank beyond all weight, as q = 0 asks for, ends at zero rather than outside."""
    assert quantile.quantile(*histogram(1e-4), 0, 0.0) == 0.0
