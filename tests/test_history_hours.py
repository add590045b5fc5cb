"""Hours of recordings: which fire, and a crash."""

import math

import numpy as np

from monitor.assess import history_hours, history_series
from monitor.assess.history_rules import moves
from monitor.parameters import Parameters
from tests.recordings import market

DETECTOR = Parameters()


def test_hours_fire_by_their_own_quantile_and_both_confirmers() -> None:
    """A needs flow, price and interest of one position; flow alone is no alarm."""
    series = market({420: 0.006, 480: 0.006}, {420: 0.004, 450: 0.004, 480: -0.004})
    liquidations = dict.fromkeys(range(0, 576 * 300, 3600), (100.0, 90.0))
    hour_of = {i: math.ceil(series.times_s[i] / 3600) * 3600 - 3600 for i in (420, 450, 480)}
    for i in (420, 450, 480):
        liquidations[hour_of[i]] = (10_000.0, 0.0)
    labels = {hour_of[420]: "A", hour_of[450]: "B", hour_of[480]: "C", 3600: "C", 36 * 3600: ""}
    tiers = history_hours.tier_figures(
        series, moves(series, DETECTOR), liquidations, labels, DETECTOR
    )
    assert [(t.tier, t.hours, t.n, t.flow, t.confirmers, t.fired) for t in tiers] == [
        ("A", 1, 1, 1, 1, 1),
        ("B", 1, 1, 1, 0, 0),
        # A rise while longs are closed confirms nothing about them.
        ("C", 2, 1, 1, 1, 0),
        ("", 1, 1, 0, 0, 0),
    ]


def test_a_crash_is_flagged_in_its_hour() -> None:
    """Forced share, price and interest in one hour; what was to come counts from its end."""
    n, at = 400, 300
    begin_s = history_hours.CRASH_FROM_S + 30 * 3600 - at * 3600
    close = 100.0 * np.exp(1e-3 * (np.arange(n) % 2))
    close[at:] *= 0.9
    interest = np.full(n + 1, 1000.0)
    interest[at + 1 :] = 960.0
    interest[at + 3 :] = 920.0
    liquidated = np.ones((n, 2))
    liquidated[at] = (50.0, 1.0)
    liquidated[at + 1 :] = 0.5
    low = close.copy()
    low[at + 4] = 50.0
    hours = history_series.Candles(
        "SOL",
        np.array([begin_s + 3600.0 * i for i in range(n)]),
        close,
        low,
        interest_open=interest[:-1],
        interest_close=interest[1:],
        liquidated=liquidated,
    )
    figures = history_hours.crash_figures(hours, DETECTOR)
    assert (figures.flagged, figures.flow, figures.flow_and_price) == (1, 1, 1)
    assert (figures.first_lead_h, figures.interest_to_come) == (3, 0.5)
    [flag] = figures.crash
    assert flag.hour_utc == "2024-08-05 06:00"
    assert (flag.position, flag.interest_ratio, flag.large) == ("long", -0.04, True)
