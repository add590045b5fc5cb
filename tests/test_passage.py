"""Months through the door of structured batches: the verdicts are those of frames."""

import functools
import itertools
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import dtypes
from kernels.dtypes import Reals, Records
from monitor.assess.passage import Passage, Record, world_engine
from monitor.detect import snapshot
from monitor.detect.engine import Engine
from monitor.detect.ladder import EPISODE_STATES, Signals, least_level, next_step
from monitor.detect.verdict import State, Verdict
from monitor.events import Position
from monitor.parameters import Parameters
from tests import passing, tape
from tests.stand_in import ALPHA, BETA, BookRow, OrderRow
from tests.streams import examples
from tests.tape import NS, SLOW, START_S, Market, cascade, engine, lines, play

ROOT = Path(__file__).resolve().parents[1]
ARRAYS = (
    "contracts",
    "assets",
    "pressure",
    "shares",
    "seconds",
    "minutes",
    "sums",
    "books",
    "prices",
    "interests",
    "takers",
    "members",
    "parts",
)


class Tap(Engine):
    """An engine that keeps what its kernel is given: events, and depths by second."""

    def __init__(self, parameters: Parameters) -> None:
        super().__init__((ALPHA, BETA), tape.ASSETS, parameters, batch=64)
        self.heard: list[Records] = []
        self.depths: list[Reals] = []

    def flush(self) -> None:
        """Keep what waits, and take it."""
        self.heard.append(self.arrays.batch[: self.waiting].copy())
        super().flush()

    def _close_second(self) -> None:
        books, begun_ns = self.arrays.books, self.second * NS
        self.depths.append(np.where(books["book_ns"] >= begun_ns, books["usd"], np.nan))
        super()._close_second()


class Lived(NamedTuple):
    """A log as frames, and all that came of it."""

    begun: bytes
    until: int
    events: Records
    depths: Reals
    verdicts: bytes
    core: Engine


def books(at_ns: int) -> Iterable[BookRow]:
    """A book in two of three seconds; it wanders, and ends short of the widest band."""
    coins = 1.0 + at_ns // NS % 7
    if at_ns // NS % 3:
        bids = tuple((60_000.0 - away, coins) for away in (10.0, 100.0, 400.0))
        asks = tuple((60_000.0 + away, coins) for away in (10.0, 100.0, 400.0))
        yield BookRow("BTC-PERP", at_ns, bids, asks)


def both(at_ns: int) -> Iterable[BookRow | OrderRow]:
    """The book, and a forced order of the other asset, so that the market has two."""
    yield from books(at_ns)
    yield OrderRow("ETH-PERP", Position.LONG, at_ns, 100.0, 3_000.0)


def framed(market: Market, parameters: Parameters) -> Lived:
    """Live through a market's log by frames; the door has the same from the second on."""
    core = Tap(parameters)
    first = [entry for entry in market.entries if entry.received_ns < (START_S + 1) * NS]
    play(core, first)
    core.advance((START_S + 1) * NS)
    core.heard.clear()
    core.depths.clear()
    begun = snapshot.take(core)
    verdicts = play(core, market.entries[len(first) :])
    core.advance(market.now_ns)
    verdicts += core.drain()
    return Lived(
        begun,
        market.second,
        np.concatenate(core.heard),
        np.array(core.depths),
        lines(verdicts),
        core,
    )


@functools.cache
def lived(market_assets: int) -> Lived:
    """A cascade and its end, another of the other position, and quiet between."""
    market = cascade(Market().go(tape.WARM_S, more=books)).go(1500, more=books)
    market.go(60, drift=2e-4, forced=2.0, position=Position.SHORT, more=books)
    market.go(60, drift=-2e-4, unwind=3e-4, forced=3.0, more=both)
    return framed(
        market.go(900, more=books), msgspec.structs.replace(SLOW, market_assets=market_assets)
    )


def passed(found: Lived, chunk_s: int) -> tuple[bytes, Engine]:
    """The same through the door, in chunks."""
    core = engine(parameters=found.core.parameters)
    snapshot.restore(core, found.begun)
    door, begun = Passage(core), core.second
    verdicts: list[Verdict] = []
    for since in range(begun, found.until, chunk_s):
        until = min(found.until, since + chunk_s)
        received = found.events["received_ns"]
        here = found.events[(received >= since * NS) & (received < until * NS)]
        verdicts += door.live(here, found.depths[since - begun : until - begun], until)
    return lines(verdicts), core


def state(core: Engine) -> dict[str, bytes]:
    """Every array of an engine that its verdicts depend on, field by field."""
    arrays = {name: getattr(core.arrays, name) for name in ARRAYS}
    arrays |= {name: getattr(core.scales, name) for name in ("bins", "mass", "sampled_s")}
    found = {
        f"{name}.{field}": (array[field] if field else array).tobytes()
        for name, array in arrays.items()
        for field in array.dtype.names or ("",)
    }
    # The door knows a book's second alone.
    found["books.book_ns"] = (core.arrays.books["book_ns"] // NS).tobytes()
    return found


@pytest.mark.parametrize("chunk_s", [1, 37, 600, 10_000])
def test_the_door_gives_the_verdicts_of_frames(chunk_s: int) -> None:
    """The alert log and every array are byte-equal, however time is cut into chunks."""
    found = lived(market_assets=20)
    assert found.verdicts.count(b"\n") == 21
    verdicts, core = passed(found, chunk_s)
    assert verdicts == found.verdicts
    assert state(core) == state(found.core)


def test_the_market_is_judged_behind_the_door_too() -> None:
    """The ladders of the market as a whole give the same verdicts, and have the same numbers."""
    found = lived(market_assets=2)
    assert found.verdicts.count(b'"asset":"MARKET"') > 0
    verdicts, core = passed(found, 600)
    assert verdicts == found.verdicts
    assert state(core) == state(found.core)


# Who is judged, and when.


class Wakeful(Passage):
    """A door that has every ladder judged at the end of each second, as frames do."""

    def _look(self) -> None:
        super()._look()
        self._least[:] = -math.inf


def alive(
    kind: type[Passage], seed: int, seconds: int, chunk_s: int = 3600, market_assets: int = 20
) -> tuple[bytes, Engine]:
    """The alert log of random hours, and the engine that wrote it."""
    parameters = msgspec.structs.replace(SLOW, market_assets=market_assets)
    core, found = world_engine(2, parameters, passing.START_S), passing.hours(seed, seconds)
    door = kind(core)
    verdicts: list[Verdict] = []
    for since in range(0, seconds, chunk_s):
        until = min(seconds, since + chunk_s)
        verdicts += door.live(*found.chunk(since, until), passing.START_S + until)
    return lines(verdicts), core


@given(seed=st.integers(0, 2**32), chunk_s=st.integers(200, 5000), market=st.sampled_from((2, 20)))
@examples(4)
def test_nobody_who_could_change_is_left_out(seed: int, chunk_s: int, market: int) -> None:
    """Whether all ladders are judged each second or only those that could change, all is equal."""
    expected, whole = alive(Wakeful, seed, 4000, market_assets=market)
    verdicts, core = alive(Passage, seed, 4000, chunk_s, market)
    assert verdicts == expected
    assert state(core) == state(whole)
    assert [
        (ladder.state, ladder.quiet_s) for ladder in core.judge.ladders if ladder.alert_id
    ] == [(ladder.state, ladder.quiet_s) for ladder in whole.judge.ladders if ladder.alert_id]


def test_the_random_hours_reach_most_states() -> None:
    """What the comparisons rest on has every kind of verdict."""
    found = Counter[str]()
    for seed in range(2):
        text = alive(Passage, seed, 7200)[0].decode()
        found.update(name.value for name in State if f'"state":"{name.value}"' in text)
    assert set(found) == {name.value for name in State} - {"FIZZLED", "UNCONFIRMED"}


values = st.floats(0.0, 1.0) | st.floats(0.0, 2000.0) | st.sampled_from((math.nan, -1.0, math.inf))
signals = st.builds(
    Signals,
    level=st.floats(0.0, 20.0),
    on_second=st.just(value=True),
    confirmers=st.integers(0, 5),
    interest_flat=st.sampled_from((None, False, True)),
    quiet_s=st.integers(0, 700),
    **{
        name: values
        for name in Signals.__struct_fields__
        if name not in {"level", "on_second", "confirmers", "interest_flat", "quiet_s"}
    },
)
tiers = st.tuples(*[st.floats(1.0, 10.0)] * 3)


@given(signal=signals, state=st.sampled_from(State), tiers=tiers)
@examples(500)
def test_below_its_least_level_only_quiet_moves_a_ladder(
    signal: Signals, state: State, tiers: tuple[float, float, float]
) -> None:
    """Outside episodes the table has no step from below that level before the quiet hold."""
    notice, building, onset = tiers
    p = Parameters(notice_tier=notice, building_tier=building, onset_tier=onset)
    least = least_level(state, p)
    assert (least == -math.inf) == (state in EPISODE_STATES)
    if signal.level < least and signal.quiet_s < p.quiet_hold_s:
        assert next_step(state, signal, p) is None


# What it writes down.


class Twin:
    """What single orders and single seconds show of random hours; a row a second."""

    def __init__(self, found: passing.Hours) -> None:
        self.core = world_engine(2, SLOW, passing.START_S)
        self.peak = np.zeros((found.seconds, 4))
        self.share = np.zeros((found.seconds, 4))
        self.usd = np.zeros((found.seconds, 4))
        self.orders = np.zeros((found.seconds, 4))
        self.price = np.zeros((found.seconds, 2))
        self.interest_index = np.zeros((found.seconds, 2))
        door = Passage(self.core)
        for t in range(found.seconds):
            events, depths = found.chunk(t, t + 1)
            self.peak[t] = self.levels()
            for event in events:
                self.take(t, event)
            door.live(events[:0], depths, passing.START_S + t + 1)
            self.price[t] = self.core.arrays.assets["price"][:2]
            self.interest_index[t] = self.core.arrays.assets["interest_index"][:2]

    def levels(self) -> Reals:
        """Each ladder's bucket in its own scale, now."""
        arrays = self.core.arrays
        levels: Reals = arrays.pressure["bucket"][:4] / np.repeat(arrays.assets["scale"][:2], 2)
        return levels

    def take(self, t: int, event: np.void) -> None:
        """Take one event by itself, as the engine does."""
        ladder = 2 * (int(event["row"]) // 4) + int(event["position"])
        interest = self.core.arrays.assets["interest"][ladder // 2]
        if event["kind"] == dtypes.LIQUIDATION and interest > 0.0:
            self.share[t, ladder] += event["a"] / interest
            self.usd[t, ladder] += event["b"]
            self.orders[t, ladder] += 1
        self.core.arrays.batch[0] = event
        self.core.intake.waiting = 1
        self.core.flush()
        self.peak[t] = np.maximum(self.peak[t], self.levels())


def test_the_record_is_what_single_orders_show() -> None:
    """Levels reach the tiers that any order reached; sums and prices are those of the second."""
    found = passing.hours(3, 1800)
    twin = Twin(found)
    core = world_engine(2, SLOW, passing.START_S)
    door, record = Passage(core), Record(found.seconds, 2)
    for since in range(0, found.seconds, 700):
        until = min(found.seconds, since + 700)
        rows = record.rows(since, until - since)
        door.live(*found.chunk(since, until), passing.START_S + until, record=rows)
    level, orders = record.level, record.orders
    assert (orders == twin.orders).all()
    assert record.share == pytest.approx(twin.share, rel=1e-6)
    assert record.usd == pytest.approx(twin.usd, rel=1e-6, abs=1e-4)
    assert record.price[1:] == pytest.approx(twin.price[1:], rel=1e-6)
    assert record.interest_index[10:] == pytest.approx(twin.interest_index[10:], rel=1e-6)
    edges = [3.0, 4.0, 6.0]
    assert (np.digitize(level, edges) == np.digitize(twin.peak, edges)).all()
    assert set(np.digitize(level, edges).ravel().tolist()) == {0, 1, 2, 3}
    assert (level <= twin.peak * (1.0 + 1e-6)).all()
    assert level[orders == 0] == pytest.approx(twin.peak[orders == 0], rel=1e-6)
    # What drains within a second is all that one small order can leave out.
    drained = SLOW.drain_per_min / 60.0
    assert level[orders == 1] == pytest.approx(twin.peak[orders == 1], rel=1e-6, abs=drained)


# What surrounds it.


def test_a_world_has_the_rows_that_its_events_speak_of() -> None:
    """Row 4 x asset + k is the contract of asset a at venue k, the last a spot pair."""
    core = world_engine(3, SLOW, START_S)
    assert core.watch.assets == ("A00", "A01", "A02")
    assert core.watch.venues == ("binance", "bybit", "okx")
    assert [(c.asset, c.venue) for c in core.watch.contracts] == list(
        itertools.product(("A00", "A01", "A02"), ("binance", "bybit", "okx", "binance_spot"))
    )
    contracts = core.arrays.contracts[:12]
    assert contracts["asset"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    perps = [dtypes.PERPETUAL] * 3
    assert contracts["kind"].tolist() == [*perps, dtypes.SPOT] * 3
    assert core.second == START_S


def test_nothing_is_lost_unseen() -> None:
    """Events beyond the end, and an end in the past, are refused with what was wrong."""
    found = passing.hours(1, 60)
    door = Passage(world_engine(2, SLOW, passing.START_S))
    with pytest.raises(ValueError, match=r"before second 1700000059, was 1700000059\.\d{3}"):
        door.live(found.events, found.depths, passing.START_S + 59)
    with pytest.raises(ValueError, match="not before second 1700000000, was 1699999999"):
        door.live(found.events[:0], found.depths, passing.START_S - 1)


def test_scales_are_sampled_while_orders_flow() -> None:
    """A venue world that is down gives no sample, rather than a sample of zero."""
    found, until = passing.hours(1, 600), passing.START_S + 600
    flowing, down = (world_engine(2, SLOW, passing.START_S) for _ in range(2))
    Passage(flowing).live(found.events, found.depths, until)
    Passage(down).live(found.events, found.depths, until, flowing=False)
    assert flowing.scales.sampled_s[:2].tolist() == [600.0, 600.0]
    assert down.scales.sampled_s.tolist() == [0.0] * len(down.scales.sampled_s)


def test_verdicts_say_which_streams_were_missing() -> None:
    """What does not flow stands in the coverage of each verdict, at orders and at seconds."""
    found = passing.hours(3, 1800)
    core = world_engine(2, SLOW, passing.START_S)
    until = passing.START_S + found.seconds
    verdicts = Passage(core).live(found.events, found.depths, until, missing=("okx/public",))
    assert len({verdict.state for verdict in verdicts}) > 3
    assert {verdict.coverage.missing for verdict in verdicts} == {("okx/public",)}


PROGRAM = """
import sys
import numba
from monitor.assess.passage import Passage
from tests.test_passage import alive
assert numba.config.DISABLE_JIT
sys.stdout.buffer.write(alive(Passage, 3, 1500, 400, market_assets=2)[0])
"""


def test_the_door_is_byte_equal_compiled_and_not() -> None:
    """The same events give the same alert log whether or not the kernels are compiled."""
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert found.stderr == b""
    expected = alive(Passage, 3, 1500, 400, market_assets=2)[0]
    assert expected.count(b"\n") > 5
    assert found.stdout == expected
