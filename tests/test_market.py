"""The simulated market: its events, the shape of a cascade, and the truth about it."""

import datetime as dt
import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import NS
from monitor.errors import ConfigError
from monitor.events import (
    Book,
    BookTop,
    Liquidation,
    Mark,
    MarketEvent,
    OpenInterest,
    Position,
    Trade,
)
from monitor.parameters import Parameters
from monitor.simulate import cascade as script
from monitor.simulate.cascade import Cascade
from monitor.simulate.listing import OTHERS, WATCHED, contracts, quarter_end
from monitor.simulate.contract import Truth
from monitor.simulate.scenarios import SCENARIOS, scenario
from monitor.simulate.scripted import ScriptedMarket
from monitor.simulate.wire import schedule

EPOCH_NS = 1_795_392_000 * NS
ONSET_S = 120
SECONDS = 1200
ASSETS = (WATCHED[0], WATCHED[3], OTHERS[0])
SCALE = 2e-4  # u of the cascade's asset, as its warm baseline states it


@cache
def played(position: Position, seed: int) -> tuple[tuple[Sequence[MarketEvent], ...], Truth]:
    """A cascade of BTC, second by second, and the truth about it."""
    cascade = Cascade(position=position, onset_s=ONSET_S)
    market = ScriptedMarket(seed, EPOCH_NS, ASSETS, (cascade,))
    seconds = tuple(market.second(index) for index in range(SECONDS))
    return seconds, market.truth()[0]


def prices(seconds: Sequence[Sequence[MarketEvent]], venue: str, symbol: str) -> list[float]:
    """Mid price by second, the last one known where a second has none."""
    path = []
    mid = math.nan
    for events in seconds:
        for event in events:
            known = event.instrument
            if isinstance(event, BookTop) and (known.venue, known.symbol) == (venue, symbol):
                mid = 0.5 * (event.bid_price + event.ask_price)
        path.append(mid)
    return path


def interest(seconds: Sequence[Sequence[MarketEvent]], asset: str) -> list[float]:
    """Coins of open interest of an asset by second, over all its contracts."""
    held: dict[str, float] = {}
    path = []
    for events in seconds:
        for event in events:
            if isinstance(event, OpenInterest) and event.instrument.asset == asset:
                held[f"{event.instrument.venue} {event.instrument.symbol}"] = (
                    event.open_interest_base
                )
        path.append(math.fsum(held.values()))
    return path


def forced(seconds: Sequence[Sequence[MarketEvent]], position: Position) -> list[float]:
    """Forced coins of BTC by second, printed or not."""
    return [
        math.fsum(
            event.quantity_base
            for event in events
            if isinstance(event, Liquidation)
            and event.instrument.asset == "BTC"
            and event.position is position
        )
        for events in seconds
    ]


def test_same_seed_same_events() -> None:
    """The same seed gives the same events in every second, another seed gives others."""
    one, same, other = (scenario("cascade").market(seed, EPOCH_NS) for seed in (7, 7, 8))
    seconds = [[market.second(index) for index in range(20)] for market in (one, same, other)]
    assert seconds[0] == seconds[1]
    assert seconds[0] != seconds[2]


def test_events_lie_in_their_second_in_order() -> None:
    """Every event is stamped within its second, in whole milliseconds, in order of time."""
    for index, events in enumerate(played(Position.LONG, 7)[0]):
        stamps = [event.event_ns for event in events]
        start_ns = EPOCH_NS + index * NS
        assert stamps == sorted(stamps)
        assert all(start_ns <= stamp < start_ns + NS for stamp in stamps)
        assert all(stamp % 1_000_000 == 0 for stamp in stamps)


def test_first_second_states_everything_that_stands() -> None:
    """The first second carries open interest, funding and a mark of every contract."""
    market = ScriptedMarket(7, EPOCH_NS, WATCHED + OTHERS)
    stated = defaultdict(set)
    for event in market.second(0):
        stated[event.instrument].add(type(event).__name__)
    for instrument in market.listing():
        if instrument.product == "spot":
            continue
        expected = {"OpenInterest", "Mark"} | ({"Funding"} if instrument.perpetual else set())
        assert expected <= stated[instrument], instrument.symbol


def test_quantities_follow_from_the_instrument() -> None:
    """Coins and dollars of every order and trade are what its instrument makes of it."""
    for events in played(Position.LONG, 7)[0][150:160]:
        for event in events:
            if isinstance(event, Liquidation | Trade):
                instrument, price = event.instrument, event.price
                assert event.quantity_base == instrument.coins(event.quantity, price)
            if isinstance(event, Liquidation):
                expected = event.instrument.notional_usd(event.quantity, event.price)
                assert event.notional_usd == expected


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


@pytest.mark.parametrize("position", list(Position))
def test_truth_counts_every_forced_order(position: Position) -> None:
    """Forced dollars of the truth are those of all its orders between onset and end."""
    seconds, truth = played(position, 7)
    orders = [
        event
        for events in seconds
        for event in events
        if isinstance(event, Liquidation)
        and event.instrument.asset == "BTC"
        and event.position is position
        and truth.onset_ns <= event.event_ns < truth.end_ns
    ]
    assert truth.forced_usd == pytest.approx(math.fsum(o.notional_usd for o in orders))
    assert (truth.asset, truth.position) == ("BTC", position)
    coins = math.fsum(order.quantity_base for order in orders)
    assert coins == pytest.approx(0.025 * 200_000.0, rel=0.03)


def test_forced_flow_begins_ramps_and_ends_as_the_truth_says() -> None:
    """Forced flow begins within seconds of the onset and is one percent of its peak at the end."""
    seconds, truth = played(Position.LONG, 7)
    flow = forced(seconds, Position.LONG)
    onset, end = (int((at - EPOCH_NS) // NS) for at in (truth.onset_ns, truth.end_ns))
    assert onset == ONSET_S
    assert end - onset <= 480
    peak = max(flow)
    assert max(flow[:onset]) < 0.05 * peak
    assert max(flow[end:]) < 0.05 * peak
    assert 0.0 < math.fsum(flow[onset : onset + 20]) < math.fsum(flow[onset + 40 : onset + 60])
    assert math.fsum(flow[end - 60 : end]) < 0.02 * math.fsum(flow)
    tail = math.fsum(flow[onset + 250 : onset + 282]) / math.fsum(flow[onset + 282 : onset + 314])
    assert tail == pytest.approx(2.0, rel=0.3)  # its half-life


@pytest.mark.parametrize(("position", "sign"), [(Position.LONG, -1.0), (Position.SHORT, 1.0)])
def test_price_path(position: Position, sign: float) -> None:
    """The price slips before the onset, runs 5-6 %, turns late, comes back and stays back."""
    seconds, _ = played(position, 7)
    path = [sign * math.log(price) for price in prices(seconds, "binance", "BTCUSDT")]
    before = path[ONSET_S - script.PRELUDE_S]
    gone = [value - before for value in path]
    worst = max(range(SECONDS), key=gone.__getitem__)
    assert 0.002 < gone[ONSET_S] < 0.008
    assert 0.050 < gone[worst] < 0.062
    assert abs(worst - (ONSET_S + script.LOW_S)) < 30
    assert all(value < gone[worst] - 0.006 for value in gone[worst + 120 :])


def test_open_interest_falls_with_the_cascade_and_is_flat_after_it() -> None:
    """Open interest loses 8 % and then stays, moving a little both ways, freshly stated."""
    path = interest(played(Position.LONG, 7)[0], "BTC")
    end = ONSET_S + script.LENGTH_S
    before = path[ONSET_S - script.PRELUDE_S]
    assert path[ONSET_S + 45] / before - 1.0 < -0.0025
    assert path[end] / before - 1.0 == pytest.approx(-0.08, abs=0.003)
    after = path[end + 10 :]
    assert max(after) / min(after) - 1.0 < 2e-3
    halves = (after[: len(after) // 2], after[len(after) // 2 :])
    means = [math.fsum(half) / len(half) for half in halves]
    assert means[0] / means[1] - 1.0 == pytest.approx(0.0, abs=2e-4)
    steps = [b - a for a, b in itertools.pairwise(after) if a != b]
    assert len(steps) > 0.5 * len(after)
    assert 0.3 < sum(step > 0.0 for step in steps) / len(steps) < 0.7


def test_confirmers_move_before_the_first_tier() -> None:
    """When the ramp nears its first tier, book, takers and basis have long spoken."""
    seconds, _ = played(Position.LONG, 7)

    def depth(first: int, last: int) -> float:
        sizes = [
            math.fsum(coins for _, coins in event.bids)
            for events in seconds[first:last]
            for event in events
            if isinstance(event, Book) and event.instrument.symbol == "BTCUSDT"
            if event.instrument.venue == "binance"
        ]
        return math.fsum(sizes) / len(sizes)

    def bought(first: int, last: int) -> float:
        takers = [
            event.taker_bought
            for events in seconds[first:last]
            for event in events
            if isinstance(event, Trade) and event.instrument.asset == "BTC"
        ]
        return sum(takers) / len(takers)

    def basis_bp(first: int, last: int) -> float:
        perpetual = prices(seconds, "binance", "BTCUSDT")[first:last]
        spot = prices(seconds, "binance_spot", "BTCUSDT")[first:last]
        ratios = [p / s - 1.0 for p, s in zip(perpetual, spot, strict=True)]
        return 1e4 * math.fsum(ratios) / len(ratios)

    calm, near = (10, 75), (ONSET_S + 35, ONSET_S + 55)
    assert depth(*near) < 0.55 * depth(*calm)
    assert bought(*calm) == pytest.approx(0.5, abs=0.06)
    assert bought(*near) < 0.25
    assert basis_bp(*calm) == pytest.approx(0.0, abs=0.5)
    assert basis_bp(*near) < -6.0
    low = (ONSET_S + 120, ONSET_S + 400)
    assert depth(*low) == pytest.approx(0.30 * depth(*calm), rel=0.05)


@pytest.mark.parametrize("seed", [1, 7])
def test_tiers_are_crossed_apart_by_what_venues_print(seed: int) -> None:
    """The capped, drained bucket of printed orders crosses 3, 4 and 6 u well apart, in order."""
    seconds, _ = played(Position.LONG, seed)
    rules = Parameters()
    bucket = 0.0
    crossed: dict[float, int] = {}
    for index, events in enumerate(seconds[:400]):
        by_contract: dict[str, float] = defaultdict(float)
        for _, event in schedule(events):
            instrument = event.instrument
            if isinstance(event, Liquidation) and instrument.asset == "BTC":
                # Shorts have a bucket of their own.
                counted = event.quantity_base if event.position is Position.LONG else 0.0
                name = f"{instrument.venue} {instrument.symbol}"
                by_contract[name] += counted / 200_000.0 / SCALE
        added = math.fsum(min(share, rules.contract_cap) for share in by_contract.values())
        bucket += min(added, rules.asset_cap) - rules.drain_per_min / 60.0
        bucket = max(0.0, bucket)
        for tier in (rules.notice_tier, rules.building_tier, rules.onset_tier):
            if bucket >= tier:
                crossed.setdefault(tier, index - ONSET_S)
    notice, building, onset = crossed[3.0], crossed[4.0], crossed[6.0]
    assert 40 < notice < 75
    assert 4 < building - notice < 20
    assert 8 < onset - building < 30


def test_background_stays_far_below_any_tier() -> None:
    """Without a cascade no asset's forced share of a minute comes near the least scale used."""
    market = ScriptedMarket(11, EPOCH_NS, WATCHED + OTHERS)
    whole = {asset.name: asset.open_interest_base for asset in WATCHED + OTHERS}
    minutes: dict[tuple[str, Position, int], float] = defaultdict(float)
    others = set()
    for index in range(300):
        for event in market.second(index):
            if isinstance(event, Liquidation):
                asset = event.instrument.asset
                minutes[asset, event.position, index // 60] += event.quantity_base / whole[asset]
                others.add(event.instrument.asset)
    assert max(minutes.values()) < 0.5 * SCALE
    assert others >= {asset.name for asset in OTHERS}


def test_books_reach_a_hundred_basis_points_without_crossing() -> None:
    """Every book's bids lie below its asks, best first, and reach beyond 100 bp."""
    reach: dict[str, float] = {}
    market = ScriptedMarket(5, EPOCH_NS, WATCHED)
    for index in range(3):
        for event in market.second(index):
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


def test_prices_of_venues_agree() -> None:
    """All contracts of an asset are priced within 3 bp of each other in a calm market."""
    market = ScriptedMarket(5, EPOCH_NS, WATCHED)
    by_asset: dict[str, list[float]] = defaultdict(list)
    for event in market.second(0):
        if isinstance(event, Mark):
            by_asset[event.instrument.asset].append(event.mark_price / event.instrument.multiplier)
    for asset, marks in by_asset.items():
        assert max(marks) / min(marks) - 1.0 < 3e-4, asset


def test_two_waves_make_two_truths_and_a_lower_low() -> None:
    """The second cascade of two-waves begins after the first has ended, and goes deeper."""
    cascades = (
        Cascade(onset_s=ONSET_S),
        Cascade(onset_s=ONSET_S + 700, fall_ratio=0.04, interest_ratio=0.05, forced_ratio=0.015),
    )
    market = ScriptedMarket(7, EPOCH_NS, (WATCHED[0],), cascades)
    path = prices([market.second(index) for index in range(1300)], "binance", "BTCUSDT")
    first, second = market.truth()
    assert first.end_ns < second.onset_ns
    assert 0.0 < second.forced_usd < first.forced_usd
    assert min(path[800:]) < 0.99 * min(path[:800])


def test_scenarios_are_found_by_name() -> None:
    """Every scenario is found by its name; an unknown one is refused with the names there are."""
    for known in SCENARIOS:
        assert scenario(known.name) is known
        assert len(known.market(7, EPOCH_NS).truth()) == known.waves
    with pytest.raises(ConfigError, match="calm, cascade"):
        scenario("quake")
    with pytest.raises(ConfigError, match="BTC ETH"):
        scenario("cascade").market(7, EPOCH_NS, asset="WIF")
