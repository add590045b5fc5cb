"""Flat open interest in recordings: slopes, calls, another wave."""

import math
import statistics
from itertools import combinations, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.assess import history_flat
from monitor.assess.history_figures import Part, spread
from monitor.assess.history_rules import PRIMARY, peak_before
from monitor.assess.history_series import Flush, Series, series_of
from monitor.events import Position
from monitor.parameters import Parameters
from tests import naive
from tests.recordings import market, rule_named, seen_in

DETECTOR = Parameters()
STEPS = st.lists(st.sampled_from([-3.0, -1.0, 0.0, 2.0]), min_size=8, max_size=30)


@given(STEPS)
@settings(max_examples=50, deadline=None)
def test_slopes_are_the_kernel_s_on_the_samples_axis(steps: list[float]) -> None:
    """Six samples that all changed, median of pairwise slopes a real second, else unknown."""
    values = (1000.0 + np.cumsum(steps)).tolist()
    series = series_of("BTC", 300, [(300.0 * i, v, 1.0) for i, v in enumerate(values)])
    expected = [math.nan] * len(values)
    for i in range(5, len(values)):
        six = values[i - 5 : i + 1]
        if all(a != b for a, b in pairwise(six)):
            expected[i] = statistics.median(
                (b - a) / (300.0 * (k - j)) for (j, a), (k, b) in combinations(enumerate(six), 2)
            )
    np.testing.assert_allclose(history_flat.slopes(series), expected, rtol=1e-9, atol=1e-15)
    axis = {3 * i: value for i, value in enumerate(values)}
    twin = naive.changed_slope(axis, 3 * (len(values) - 1), 16) / 100.0
    np.testing.assert_allclose(history_flat.slopes(series)[-1], twin, rtol=1e-9, atol=1e-15)


def episode(then: float) -> Series:
    """Rises, falls by 1 % a sample from 20 to 29, then moves so much a sample.

    The price rests up to sample 20, falls by a dollar a sample and rests again from 35.
    """
    interest = 1000.0
    samples = []
    for i in range(60):
        interest *= 1.0001 if i < 20 else 0.99 if i < 30 else 1.0 + then
        samples.append((300.0 * i, interest, 100.0 - min(15, max(0, i - 20))))
    return series_of("BTC", 300, samples)


def called(series: Series, hold_s: int, *, with_interest: bool = True) -> int | None:
    """Where the end of the episode that begins at sample 20 is called."""
    return history_flat.call(
        series,
        history_flat.slopes(series),
        history_flat.Anchor(20, Position.LONG),
        hold_s,
        with_interest=with_interest,
        parameters=DETECTOR,
    )


def test_flat_is_called_after_a_fall_and_the_hold() -> None:
    """Not while it rises at first; where most pairs are flat; later with a hold on the price."""
    series = episode(1e-6)
    fall = history_flat.slopes(series)
    assert fall[20] > 0.0
    place = called(series, 0)
    assert place is not None
    assert fall[place] >= -1e-6 * series.interest[20] or fall[place] >= 0.12 * fall[20:].min()
    assert fall[place - 1] < 0.12 * fall[20:].min()
    assert 30 < place < 35
    assert called(series, 900) == 38
    assert called(series, 900, with_interest=False) == 38
    assert called(series, 300, with_interest=False) == 36


def test_a_fall_that_goes_on_is_not_called() -> None:
    """Open interest that keeps its pace is never flat, whatever the price does."""
    assert called(episode(-0.01), 900) is None
    assert called(episode(-0.01), 900, with_interest=False) == 38


def test_another_wave_is_a_quarter_of_the_fall_within_half_an_hour() -> None:
    """From the peak before the begin; unknown where half an hour is not recorded."""
    anchor = history_flat.Anchor(20, Position.LONG)
    series = episode(-0.01)
    assert history_flat.another_wave(series, anchor, 30) is True
    assert history_flat.another_wave(episode(1e-6), anchor, 33) is False
    assert history_flat.another_wave(series, anchor, 55) is None
    assert peak_before(series, 20) == series.interest[19]
    before = history_flat.Anchor(15, Position.LONG)
    assert history_flat.another_wave(series, before, 15) is None


def test_figures_of_calls_count_what_was_called() -> None:
    """Episodes by label and by alarm; the delay counts from the labelled exhaustion."""
    series = market({400: 0.02, 401: 0.01, **dict.fromkeys(range(402, 480), 1e-7)}, {400: 0.02})
    label = Flush("BTC", Position.LONG, series.times_s[400], series.times_s[402])
    recorded = [seen_in(series)]
    figures = history_flat.flat_figures(recorded, [label], rule_named(PRIMARY), DETECTOR)
    assert figures.span_s == 1500
    kinds = [(f.hold_s, f.with_interest) for f in figures.labelled]
    assert kinds == [(h, True) for h in (0, 300, 600, 900, 1800)] + [
        (h, False) for h in (300, 600, 900, 1800)
    ]
    held = figures.labelled[-2]
    assert (held.called, held.another_wave) == (Part(1, 1), Part(0, 1))
    assert held.after_onset_s.p50 is not None
    assert held.after_exhaustion_s.p50 == held.after_onset_s.p50 - 600.0
    assert held.early == Part(0, 1)
    assert figures.alarmed[-2].after_exhaustion_s == spread([])
    assert figures.alarmed[-2].called == Part(1, 1)
