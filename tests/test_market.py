"""What every simulated market keeps to: its listing, and the events of its seconds."""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import NS
from monitor.events import Book, Liquidation, Mark, MarketEvent, Trade
from monitor.simulate.agents import AgentMarket
from monitor.simulate.cascade import Cascade
from monitor.simulate.contract import Market
from monitor.simulate.listing import OTHERS, WATCHED, contracts, quarter_end
from monitor.simulate.scenarios import CROWDED, scenario
from monitor.simulate.scripted import ScriptedMarket

EPOCH_NS = 1_795_392_000 * NS
SECONDS = 240
ASSETS = (*WATCHED[:4], WATCHED[-1], OTHERS[0])


def scripted(seed: int) -> Market:
    """A cascade of Bitcoin that is scripted."""
    return ScriptedMarket(seed, EPOCH_NS, ASSETS, (Cascade(onset_s=60),))


def agents(seed: int) -> Market:
    """A market of agents in which Bitcoin falls."""
    moves = scenario("cascade").moves("BTC", 60)
    return AgentMarket(seed, EPOCH_NS, ASSETS, CROWDED, moves)


@cache
def played(make: Callable[[int], Market]) -> tuple[Market, tuple[Sequence[MarketEvent], ...]]:
    """A market with its first seconds."""
    market = make(7)
    return market, tuple(market.second(index) for index in range(SECONDS))


of_both = pytest.mark.parametrize("make", [scripted, agents])


@of_both
def test_same_seed_same_events(make: Callable[[int], Market]) -> None:
    """The same seed gives the same events in every second, another seed gives others."""
    seconds = [[market.second(k) for k in range(70)] for market in map(make, (7, 7, 8))]
    assert seconds[0] == seconds[1]
    assert seconds[0] != seconds[2]


@of_both
def test_events_lie_in_their_second_in_order(make: Callable[[int], Market]) -> None:
    """Every event is stamped within its second, in whole milliseconds, in order of time."""
    for index, events in enumerate(played(make)[1]):
        stamps = [event.event_ns for event in events]
        start_ns = EPOCH_NS + index * NS
        assert stamps == sorted(stamps)
        assert all(start_ns <= stamp < start_ns + NS for stamp in stamps)
        assert all(stamp % 1_000_000 == 0 for stamp in stamps)


@of_both
def test_first_second_states_everything_that_stands(make: Callable[[int], Market]) -> None:
    """The first second carries open interest, funding and a mark of every contract."""
    market, seconds = played(make)
    stated = defaultdict(set)
    for event in seconds[0]:
        stated[event.instrument].add(type(event).__name__)
    for instrument in market.listing():
        if instrument.product == "spot":
            continue
        expected = {"OpenInterest", "Mark"} | ({"Funding"} if instrument.perpetual else set())
        assert expected <= stated[instrument], instrument.symbol


@of_both
def test_quantities_follow_from_the_instrument(make: Callable[[int], Market]) -> None:
    """Coins and dollars of every order and trade are what its instrument makes of it."""
    kinds = set()
    for events in played(make)[1][150:160]:
        for event in events:
            if isinstance(event, Liquidation | Trade):
                kinds.add(type(event))
                instrument, price = event.instrument, event.price
                assert event.quantity_base == instrument.coins(event.quantity, price)
            if isinstance(event, Liquidation):
                expected = event.instrument.notional_usd(event.quantity, event.price)
                assert event.notional_usd == expected
    assert kinds == {Liquidation, Trade}


@of_both
def test_off_the_watch_list_there_is_no_trade(make: Callable[[int], Market]) -> None:
    """Of an asset off the watch list there are no books, trades and tops."""
    kinds = {
        type(event).__name__
        for events in played(make)[1]
        for event in events
        if event.instrument.asset == OTHERS[0].name
    }
    assert kinds <= {"Mark", "OpenInterest", "Funding", "Liquidation"}


@of_both
def test_truth_counts_every_forced_order(make: Callable[[int], Market]) -> None:
    """Forced dollars of the truth are those of all its orders between onset and end."""
    market, seconds = played(make)
    (truth,) = market.truth()
    orders = [
        event
        for events in seconds
        for event in events
        if isinstance(event, Liquidation)
        and event.instrument.asset == truth.asset
        and event.position is truth.position
        and truth.onset_ns <= event.event_ns < truth.end_ns
    ]
    assert len(orders) > 300
    assert truth.forced_usd == pytest.approx(math.fsum(order.notional_usd for order in orders))


@of_both
def test_books_reach_a_hundred_basis_points_without_crossing(
    make: Callable[[int], Market],
) -> None:
    """Every book's bids lie below its asks, best first, and reach beyond 100 bp."""
    reach: dict[str, float] = {}
    for events in played(make)[1][:3]:
        for event in events:
            if isinstance(event, Book):
                bids = [price for price, _ in event.bids]
                asks = [price for price, _ in event.asks]
                assert bids == sorted(bids, reverse=True)
                assert asks == sorted(asks)
                assert len(set(bids)) == len(bids)
                assert bids[0] < asks[0]
                assert all(coins > 0.0 for _, coins in event.bids + event.asks)
                reach[event.instrument.symbol] = 1e4 * (1.0 - bids[-1] / bids[0])
    assert min(reach.values()) > 100.0


@of_both
def test_prices_of_venues_agree(make: Callable[[int], Market]) -> None:
    """All contracts of an asset are priced within 3 bp of each other in a calm market."""
    by_asset: dict[str, list[float]] = defaultdict(list)
    for event in played(make)[1][0]:
        if isinstance(event, Mark):
            by_asset[event.instrument.asset].append(event.mark_price / event.instrument.multiplier)
    assert set(by_asset) == {asset.name for asset in ASSETS}
    for asset, marks in by_asset.items():
        assert max(marks) / min(marks) - 1.0 < 3e-4, asset


def test_listing_shares_add_up_and_names_are_unique() -> None:
    """An asset's contracts share its open interest, and no venue lists a symbol twice."""
    listed = contracts(EPOCH_NS, WATCHED + OTHERS)
    shares: dict[str, float] = defaultdict(float)
    for contract in listed:
        shares[contract.instrument.asset] += contract.share
    assert shares == {asset.name: pytest.approx(1.0) for asset in WATCHED + OTHERS}
    names = [(c.instrument.venue, c.instrument.symbol) for c in listed]
    assert len(names) == len(set(names))
    thousands = [c.instrument.symbol for c in listed if c.instrument.multiplier == 1000.0]
    assert thousands == ["1000PEPEUSDT", "1000PEPEUSDT"]


@settings(deadline=None, max_examples=200)
@given(st.integers(1_577_836_800, 2_840_140_800))
def test_quarter_end_is_the_next_quarters_last_friday(now_s: int) -> None:
    """Dated contracts expire at 08:00 on a quarter's last Friday, a week to 14 weeks ahead."""
    now = dt.datetime.fromtimestamp(now_s, dt.UTC)
    end = quarter_end(now_s * NS)
    assert (end.weekday(), end.hour, end.month % 3) == (4, 8, 0)
    assert (end + dt.timedelta(days=7)).month != end.month
    assert dt.timedelta(days=6) < end - now < dt.timedelta(days=107)
