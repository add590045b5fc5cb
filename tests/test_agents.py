"""The market of agents: what venues show follows the tape, and the scenarios tell their story."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from kernels.dtypes import Records
from monitor.clock import NS
from monitor.errors import ConfigError
from monitor.events import (
    Book,
    BookTop,
    Funding,
    Liquidation,
    Mark,
    MarketEvent,
    OpenInterest,
    Position,
    Trade,
)
from monitor.simulate import agents
from monitor.simulate.agents import AgentMarket
from monitor.simulate.contract import Truth
from monitor.simulate.lines import FORCED_SIZE, LARGEST_SIZE
from monitor.simulate.listing import WATCHED
from monitor.simulate.market import World
from monitor.simulate.scenarios import CROWDED, SCENARIOS, SECOND_WAVE_S, scenario

EPOCH_NS = 1_795_435_200 * NS
ONSET_S = 60
SECONDS = 480
ASSETS = WATCHED[:2]
NAMES = [asset.name for asset in ASSETS]


@dataclass(frozen=True)
class Played:
    """A fall of Bitcoin: the tape, and what the venues made of it, second by second."""

    tape: Records
    seconds: tuple[Sequence[MarketEvent], ...]


@cache
def played() -> Played:
    """The same for all tests."""
    chunks: list[Records] = []

    class Recorded(World):
        def chunk(self, seconds: int) -> Records:
            tape = super().chunk(seconds)
            chunks.append(tape)
            return tape

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agents, "World", Recorded)
        moves = scenario("cascade").moves("BTC", ONSET_S)
        market = AgentMarket(7, EPOCH_NS, ASSETS, CROWDED, moves)
        chunks.clear()  # the day before
        seconds = tuple(market.second(index) for index in range(SECONDS))
    return Played(np.concatenate(chunks), seconds)


def row(event: MarketEvent) -> int:
    """Which of the assets an event is of."""
    return NAMES.index(event.instrument.asset)


def test_prices_are_those_of_the_tape() -> None:
    """Marks, spot indices and mids stand within 2 bp of the tape's price of their second."""
    kinds = set()
    for index, events in enumerate(played().seconds):
        for event in events:
            at = played().tape[index, row(event)]
            spot = event.instrument.product == "spot"
            if isinstance(event, BookTop):
                mid = 0.5 * (event.bid_price + event.ask_price)
                assert mid == pytest.approx(at["spot" if spot else "perp"], rel=2e-4)
            elif isinstance(event, Mark):
                assert event.mark_price == pytest.approx(at["mark"], rel=2e-4)
                assert event.index_price == pytest.approx(at["spot"], rel=2e-4)
            kinds.add((type(event), spot))
    assert {(BookTop, True), (BookTop, False), (Mark, False)} <= kinds


def test_open_interest_is_that_of_the_tape() -> None:
    """Contracts' open interest adds up to the tape's, within the noise of a statement."""
    held: dict[tuple[int, str], float] = {}
    for index, events in enumerate(played().seconds):
        for event in events:
            if isinstance(event, OpenInterest):
                name = f"{event.instrument.venue} {event.instrument.symbol}"
                held[row(event), name] = event.open_interest_base
        if index % 60 == 0 and not ONSET_S < index < 300:
            for k in range(len(ASSETS)):
                whole = math.fsum(coins for (asset, _), coins in held.items() if asset == k)
                assert whole == pytest.approx(played().tape["interest"][index, k], rel=2e-3)


def test_every_forced_coin_becomes_an_order() -> None:
    """Orders make up the tape's forced coins, but for one order to come of each contract."""
    ordered: dict[tuple[int, Position], float] = defaultdict(float)
    for events in played().seconds:
        for event in events:
            if isinstance(event, Liquidation):
                ordered[row(event), event.position] += event.quantity_base
    for k, asset in enumerate(ASSETS):
        for position in Position:
            forced = float(played().tape[f"forced_{position.value}"][:SECONDS, k].sum())
            most = 11 * LARGEST_SIZE * FORCED_SIZE * asset.open_interest_base
            assert ordered[k, position] == pytest.approx(forced, rel=0.05, abs=most)
    assert ordered[0, Position.LONG] > 0.005 * ASSETS[0].open_interest_base


def test_books_are_as_deep_as_the_tape() -> None:
    """Perpetuals' books hold the tape's depth within 1 %, so they thin while it falls."""
    shown: list[float] = []
    true: list[float] = []
    for index, events in enumerate(played().seconds):
        for event in events:
            instrument = event.instrument
            if isinstance(event, Book) and (instrument.venue, instrument.symbol) == (
                "bybit",
                "BTCUSDT",
            ):
                # The side that is not being run over: a hundredth of the price beyond its best.
                best = event.asks[0][0]
                near = [coins for price, coins in event.asks if price <= 1.01 * best]
                shown.append(math.fsum(near))
                at = played().tape[index, 0]
                true.append(0.5 * at["depth_usd"] / at["perp"])
    part = [a / b for a, b in zip(shown, true, strict=True)]
    assert max(part) / min(part) < 1.4
    assert min(true) < 0.7 * true[0]


def test_takers_sell_while_longs_are_forced() -> None:
    """Trades are as lopsided as the tape's takers, and many more while orders are forced."""
    tape, calm, falling = played().tape, slice(0, ONSET_S), slice(ONSET_S + 60, ONSET_S + 180)

    def bought(span: slice) -> tuple[float, float]:
        trades = [
            event
            for events in played().seconds[span]
            for event in events
            if isinstance(event, Trade) and row(event) == 0 and event.instrument.product != "spot"
        ]
        part = sum(trade.taker_bought for trade in trades) / len(trades)
        return part, len(trades) / (span.stop - span.start)

    def true(span: slice) -> float:
        excess = tape["taker"][span, 0] / tape["volume"][span, 0]
        return float(np.clip(0.5 + 0.5 * excess, 0.0, 1.0).mean())

    assert bought(calm)[0] == pytest.approx(true(calm), abs=0.08)
    assert bought(falling)[0] == pytest.approx(true(falling), abs=0.08)
    assert bought(falling)[0] < 0.35
    assert bought(falling)[1] > 2.0 * bought(calm)[1]


def test_funding_is_near_the_tape() -> None:
    """Each contract's funding is the tape's, give or take what venues differ by."""
    stated = [
        event.rate_ratio - float(played().tape["funding_ratio"][index, row(event)])
        for index, events in enumerate(played().seconds)
        for event in events
        if isinstance(event, Funding)
    ]
    assert len(stated) > 100
    assert max(map(abs, stated)) < 6e-5


@cache
def told(name: str, seed: int, seconds: int) -> tuple[Truth, ...]:
    """The truth about a scenario that has gone on for so long."""
    market = scenario(name).market(seed, EPOCH_NS, onset_s=ONSET_S)
    for index in range(seconds):
        market.second(index)
    return tuple(market.truth())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fall_breaks_the_longs_of_its_asset(seed: int) -> None:
    """With every seed the fall of the asset forces its longs, within seconds of its start."""
    (truth,) = [t for t in told("cascade", seed, 420) if t.asset == "BTC"]
    start_ns = EPOCH_NS + ONSET_S * NS
    assert truth.position is Position.LONG
    assert start_ns - 120 * NS <= truth.onset_ns < start_ns + 60 * NS
    assert start_ns + 120 * NS < truth.end_ns < start_ns + 360 * NS
    assert truth.forced_usd > 5e7


def test_a_second_fall_is_a_truth_of_its_own() -> None:
    """In two-waves the second fall breaks more longs, and is told apart from the first."""
    first, second = [t for t in told("two-waves", 7, 1260) if t.asset == "BTC"]
    assert first.position is second.position is Position.LONG
    assert first.end_ns < EPOCH_NS + (ONSET_S + SECOND_WAVE_S) * NS < second.onset_ns


def test_nothing_breaks_in_calm() -> None:
    """In a calm market nothing is forced that is worth telling."""
    assert told("calm", 7, 600) == ()


def test_scenarios_are_found_by_name() -> None:
    """Every scenario is found by its name; an unknown one is refused with the names there are."""
    for known in SCENARIOS:
        assert scenario(known.name) is known
        falls = [move for move in known.moves("ETH", 100) if move.asset and move.ratio < 0.0]
        seconds = [100 + SECOND_WAVE_S * wave for wave in range(known.waves)]
        assert [(fall.asset, fall.second) for fall in falls] == [("ETH", s) for s in seconds]
    with pytest.raises(ConfigError, match="calm, cascade"):
        scenario("quake")
    with pytest.raises(ConfigError, match="BTC ETH"):
        scenario("cascade").market(7, EPOCH_NS, asset="WIF")
