import math
import statistics
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import trend
from kernels.dtypes import Reals
from tests import naive
from tests.streams import examples

HELD = 1024
LAST = 5_000  # a second whose span wraps around the ring
values = st.one_of(st.floats(0.5, 1.5), st.sampled_from((1.0, math.nan)))


def ring(history: dict[int, float], held: int = HELD, rest: float = math.nan) -> Reals:
    """A history by second as the kernel holds it, in the second of two rows."""
    found = np.full((2, held), rest)
    for second, value in history.items():
        found[1, second % held] = value
    return found


def slope(history: dict[int, float], span_s: int = 180, last: int = LAST) -> float:
    """The kernel's Theil-Sen slope of a history."""
    return trend.changed_slope(ring(history), 1, last, span_s, np.zeros(60 * 59 // 2))


def line(per_s: float, step_s: int = 5, noise: float = 0.0) -> dict[int, float]:
    """A series that falls or rises steadily and is renewed every few seconds."""
    dice = Random(7)
    return {
        LAST - 179 + k: 1.0 + per_s * (k - k % step_s) + noise * _held(dice, k, step_s)
        for k in range(180)
    }


def _held(dice: Random, k: int, step_s: int) -> float:
    """The same noise for as long as the value is the same."""
    return dice.gauss(0.0, 1.0) if k % step_s == 0 else 0.0


@given(seconds=st.lists(values, min_size=0, max_size=200), span_s=st.sampled_from((30, 60, 180)))
@examples(100)
def test_kernel_and_twin_agree(seconds: list[float], span_s: int) -> None:
    """Gaps, repeats and any values have the median slope of all pairs of points."""
    history = {LAST - k: value for k, value in enumerate(seconds)}
    expected = naive.changed_slope(history, LAST, span_s)
    assert slope(history, span_s) == pytest.approx(expected, rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
def test_kernel_and_twin_agree_on_busy_series(seed: int) -> None:
    """A series that moves every second counts at points three seconds apart."""
    dice = Random(seed)
    history = {LAST - k: dice.random() for k in range(180)}
    assert slope(history) == naive.changed_slope(history, LAST, 180)


def test_the_slope_of_a_steady_fall_is_its_rate() -> None:
    """A fall of a ten-thousandth a second is told as that."""
    assert slope(line(-1e-4)) == pytest.approx(-1e-4, rel=1e-9)


def test_a_few_wrong_polls_do_not_move_the_slope() -> None:
    """Outliers, which would tilt a least-squares line, leave the median slope in place."""
    history = line(-1e-4)
    for second in (LAST - 3, LAST - 40, LAST - 100):
        history[second] = 50.0
    assert slope(history) == pytest.approx(-1e-4, rel=0.05)
    tilted = statistics.linear_regression(list(history), list(history.values())).slope
    assert abs(tilted + 1e-4) > 1e-3


@pytest.mark.parametrize(("points", "known"), [(5, False), (6, True)])
def test_a_slope_needs_six_points(points: int, known: bool) -> None:
    """With fewer changes than six the slope is not known; flat is never assumed."""
    history = {LAST - 10 * k: 1.0 + k for k in range(points)}
    assert math.isnan(slope(history)) is not known


def test_a_series_that_never_changes_has_no_slope() -> None:
    """A stuck poll looks flat and is not: without changes nothing is known."""
    assert math.isnan(slope(dict.fromkeys(range(LAST - 180, LAST + 1), 1.0)))


def test_at_most_sixty_points_count() -> None:
    """A span longer than the room for slopes is cut where the room ends."""
    history = {LAST - k: float((300 - k) ** 2) for k in range(300)}
    expected = naive.changed_slope(history, LAST, 300)
    assert slope(history, 300) == expected
    assert expected == slope(history, 180, LAST - 120)


def half_life(history: dict[int, float], span_s: int = 60) -> float:
    """The kernel's half-life of a forced flow by second."""
    return trend.half_life(ring(history, 64, 0.0), 1, LAST, span_s)


@given(seconds=st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1e-1)), min_size=60, max_size=60))
@examples(100)
def test_half_life_is_that_of_the_exact_line(seconds: list[float]) -> None:
    """The half-life belongs to the least-squares line that exact fractions give."""
    history = {LAST - k: value for k, value in enumerate(seconds)}
    expected, found = naive.log_slope(history, LAST, 60), half_life(history)
    if math.isnan(expected):
        assert math.isnan(found)
    elif math.isinf(found):
        assert expected >= -1e-12
    else:
        assert -math.log(2.0) / found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("true_s", [5.0, 27.0, 300.0])
def test_an_exact_exponential_has_its_half_life(true_s: float) -> None:
    """Forced flow that halves every so many seconds is told to do just that."""
    history = {LAST - k: 1e-4 * 2.0 ** (k / true_s) for k in range(60)}
    assert half_life(history) == pytest.approx(true_s, rel=1e-9)


def test_a_flow_that_grows_has_no_half_life() -> None:
    """What does not decay is infinite rather than negative."""
    assert half_life({LAST - k: 2.0 ** (-k / 10) for k in range(60)}) == math.inf
    assert half_life(dict.fromkeys(range(LAST - 59, LAST + 1), 1.0)) == math.inf


def test_a_half_life_needs_three_sums() -> None:
    """With forced flow in two blocks of ten seconds only, nothing is known."""
    assert math.isnan(half_life({LAST: 1.0, LAST - 15: 2.0}))
    assert half_life({LAST: 1.0, LAST - 15: 2.0, LAST - 25: 4.0}) == pytest.approx(10.0)
