"""The scripted market: the shape of a cascade to the second, and the truth about it."""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import pytest

from monitor.clock import NS
from monitor.events import BookTop, Liquidation, MarketEvent, OpenInterest, Position
from monitor.simulate import cascade as script
from monitor.simulate.cascade import Cascade
from monitor.simulate.contract import Truth
from monitor.simulate.listing import OTHERS, WATCHED
from monitor.simulate.scripted import ScriptedMarket

EPOCH_NS = 1_795_392_000 * NS
ONSET_S = 120
SECONDS = 1200
ASSETS = (WATCHED[0], WATCHED[3], OTHERS[0])
USUAL = 1e-4  # share of open interest that background must stay below in a minute


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


def test_background_stays_far_below_any_tier() -> None:
    """Without a cascade next to nothing is forced of any asset, and something of all others."""
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
    assert max(minutes.values()) < USUAL
    assert others >= {asset.name for asset in OTHERS}


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
