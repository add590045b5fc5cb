"""A month of the market as a whole: its assets taken together as one.

An asset counts by its part of all open interest in US dollars at the second: the market's forced
share is the mean of its assets' so weighted, its mark an index of their weighted returns (100 at
the start), its open interest a chain of their weighted changes (1 at the start).

An episode of which one asset makes four fifths or more is that asset's, not the market's: no
alarm of the market is asked for there, and one is not false.
"""

from typing import Final

import numpy as np

from kernels.dtypes import Reals
from monitor.assess.months import Alarm, Ending, Month, Shares
from monitor.assess.truth import month_episodes

START_PRICE: Final = 100.0
ALONE: Final = 0.8  # part of an episode from which on one asset makes it
_ROWS: Final = 86_400


def pooled(
    month: Month, alarms: dict[str, tuple[Alarm, ...]], endings: tuple[Ending, ...] = ()
) -> Month:
    """The market's own month.

    Args:
        month: Of its assets.
        alarms: Of the market's two ladders, numbered 0 and 1.
        endings: Of the same.
    """
    seconds = month.seconds
    forced = np.empty((seconds, 2), np.float32)
    endogenous = np.empty((seconds, 2), np.float32)
    mark = np.empty((seconds, 1), np.float32)
    interest = np.empty((seconds, 1), np.float32)
    price, level = np.log(START_PRICE), 0.0
    # A day at a time, and each with the last second of the day before.
    for start in range(0, seconds, _ROWS):
        rows = slice(start, start + _ROWS)
        held = slice(max(start - 1, 0), start + _ROWS)
        marks = month.mark[held].astype(np.float64)
        coins = month.interest[held].astype(np.float64)
        usd = marks * coins
        weights = usd / usd.sum(axis=1, keepdims=True)
        fresh = weights[-len(mark[rows]) :]
        for position in range(2):
            forced[rows, position] = _weighted(month.forced[rows, position::2], fresh)
            endogenous[rows, position] = _weighted(month.endogenous[rows, position::2], fresh)
        prices = price + _chained(np.log(marks), weights)
        levels = level + _chained(np.log(coins), weights)
        price, level = prices[-1], levels[-1]
        mark[rows, 0] = np.exp(prices[-len(fresh) :])
        interest[rows, 0] = np.exp(levels[-len(fresh) :])
    market = Month(
        regime=month.regime,
        forced=forced,
        endogenous=endogenous,
        mark=mark,
        interest=interest,
        alarms=alarms,
        endings=endings,
    )
    # An episode counts as its own cause by this column alone.
    for episode in month_episodes(market):
        position, onset = int(episode["ladder"]), int(episode["onset"])
        rows = slice(onset, int(episode["end"]) + 1)
        usd = month.mark[onset].astype(np.float64) * month.interest[onset]
        parts = month.forced[rows, position::2].sum(axis=0, dtype=np.float64) * usd
        if parts.max() >= ALONE * parts.sum():
            endogenous[rows, position] = 0.0
    return market


def _weighted(values: Shares, weights: Reals) -> Reals:
    return np.asarray((values * weights).sum(axis=1))


def _chained(logs: Reals, weights: Reals) -> Reals:
    """Sum of weighted changes since the first row; each by the weights before it."""
    changes = (np.diff(logs, axis=0) * weights[:-1]).sum(axis=1)
    return np.concatenate([[0.0], np.cumsum(changes)])
