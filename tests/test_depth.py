import math

import pytest

from monitor.detect.depth import band_depth
from monitor.events import Book
from monitor.instruments import Instrument, Unit
from tests.stand_in import perpetual

Levels = tuple[tuple[float, float], ...]


def book(bids: Levels, asks: Levels, multiplier: float = 1.0) -> Book:
    """A book of these levels."""
    known = perpetual("alpha", "X", "X")
    instrument = Instrument(
        known.venue, known.product, "X", "X", "USD", "USD", Unit.BASE, multiplier=multiplier
    )
    return Book(instrument, 0, 0, bids, asks)


def mirrored(*levels: tuple[float, float]) -> Book:
    """A book around 1000 with the same amounts as far from the mid on both sides."""
    return book(
        tuple((1000.0 - away, coins) for away, coins in levels),
        tuple((1000.0 + away, coins) for away, coins in levels),
    )


def test_a_band_holds_the_dollars_within_it() -> None:
    """Bands of 10, 25, 50 and 100 basis points of 1000 reach 1, 2.5, 5 and 10 away."""
    found = band_depth(mirrored((0.5, 1.0), (2.0, 1.0), (4.0, 1.0), (9.0, 1.0), (11.0, 1.0)))
    assert [bid for bid, _ in found] == [999.5, 1997.5, 2993.5, 3984.5]
    assert [ask for _, ask in found] == [1000.5, 2002.5, 3006.5, 4015.5]


def test_a_band_beyond_the_feed_is_not_known() -> None:
    """Where the feed ends inside a band, how much more there was cannot be told."""
    found = band_depth(mirrored((0.5, 1.0), (3.0, 1.0)))
    assert [math.isnan(bid) for bid, _ in found] == [False, False, True, True]


def test_a_level_on_the_bound_belongs_to_the_band_and_ends_it() -> None:
    """A last level exactly at a band's bound makes the band known."""
    low, high = 1000.0 * (1.0 - 10 * 1e-4), 1000.0 * (1.0 + 10 * 1e-4)
    (bid, ask), *rest = band_depth(book(((low, 2.0),), ((high, 2.0),)))
    assert (bid, ask) == (2.0 * low, 2.0 * high)
    assert all(math.isnan(value) for pair in rest for value in pair)


@pytest.mark.parametrize("empty", ["bids", "asks"])
def test_half_a_book_is_no_depth(empty: str) -> None:
    """Without both sides there is no mid, so no band is known."""
    side = ((1000.0, 1.0),)
    found = band_depth(book(() if empty == "bids" else side, () if empty == "asks" else side))
    assert all(math.isnan(value) for pair in found for value in pair)


def test_coins_of_a_thousandfold_contract_are_priced_by_the_quoted_unit() -> None:
    """A level counts coins, its price a thousand of them: dollars are price x coins / 1000."""
    levels = ((1000.0, 5_000.0), (900.0, 1.0))
    asks = ((1000.2, 5_000.0), (1200.0, 1.0))
    (bid, ask), *_ = band_depth(book(levels, asks, multiplier=1000.0))
    assert (bid, ask) == (5_000.0, 5_001.0)
