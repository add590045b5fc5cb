"""Book depth in bands around the mid, as far as the feed reaches; unreached is NaN, never 0."""

import math
from typing import Final

from kernels.dtypes import BANDS_BP
from monitor.events import Book

_BP: Final = 1e-4


def _within(levels: tuple[tuple[float, float], ...], bound: float, sign: float) -> float:
    """US dollars of one half of a book between its best price and a bound."""
    total = 0.0
    for price, coins in levels:
        if sign * price > sign * bound:
            return total
        total += price * coins
    # The feed ended before the bound: how much more there was is not known.
    last = levels[-1][0]
    return total if last == bound else math.nan


def band_depth(book: Book) -> tuple[tuple[float, float], ...]:
    """(bid USD, ask USD) of each band of BANDS_BP; NaN where the feed does not reach."""
    if not book.bids or not book.asks:
        return tuple((math.nan, math.nan) for _ in BANDS_BP)
    mid = 0.5 * (book.bids[0][0] + book.asks[0][0])
    scale = book.instrument.multiplier
    return tuple(
        (
            _within(book.bids, mid * (1.0 - band * _BP), -1.0) / scale,
            _within(book.asks, mid * (1.0 + band * _BP), 1.0) / scale,
        )
        for band in BANDS_BP
    )
