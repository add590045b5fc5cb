"""A market of its own for the detector's tests: two stand-in venues and a scripted market.

Its venues are the stand-ins of `tests.stand_in`, so that the engine's doors are driven with
bytes, as in life.
"""

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import NamedTuple

import msgspec

from monitor.detect import snapshot
from monitor.detect.engine import Engine
from monitor.detect.verdict import State, Verdict
from monitor.events import (
    Answer,
    Fact,
    FactKind,
    Position,
)
from monitor.instruments import Instrument
from monitor.parameters import Parameters
from monitor.publish.alert import log_line
from monitor.venues.contract import Venue
from tests.stand_in import (
    ALPHA,
    BETA,
    LISTED,
    InterestRow,
    OrderRow,
    Row,
    TopRow,
    TradeRow,
)

NS = 1_000_000_000
START_S = 1_700_000_000
ASSETS = ("BTC", "ETH")

# The tapes of these tests press gently: a bucket that drains slowly and holds much shows every
# step of the ladder within minutes. What the tapes rest on stands here, so that other defaults
# leave them alone.
SLOW = Parameters(
    drain_per_min=0.25,
    contract_cap=0.5,
    asset_cap=2.5,
    notice_tier=3.0,
    building_tier=4.0,
    onset_tier=6.0,
    full_level=1e6,
    lull_s=60,
    quiet_level=1.5,
    quiet_hold_s=600,
    cascading_after_s=60,
    cascading_forced=10.0,
    cascading_move_ratio=0.01,
    cascading_interest_ratio=-0.005,
    exhausting_rate_ratio=0.04,
    exhausting_extreme_s=120,
    exhausting_hold_s=20,
    wave_rate_ratio=0.15,
    wave_range_ratio=0.10,
    exhausted_extreme_s=900,
    flat_ratio=0.12,
    interest_age_s=45,
    unconfirmed_after_s=3600,
    prior_scale_ratio=3e-4,
    breadth_level=4.0,
    breadth_ratio=0.30,
    breadth_within_s=120,
    breadth_lift=3.0,
)
# And whole worlds are short: a detector that is easily alarmed has more to tell of them.
EAGER = Parameters(
    notice_tier=1.0,
    building_tier=1.5,
    onset_tier=2.0,
    quiet_level=0.5,
    quiet_hold_s=30,
    exhausted_extreme_s=240,
)


# The log.


class Frame(NamedTuple):
    """A frame of a connection."""

    received_ns: int
    connection: int
    data: bytes


Entry = Frame | Answer | Fact


def frame(received_ns: int, connection: int, *rows: Row) -> Frame:
    """A frame of these rows."""
    return Frame(received_ns, connection, msgspec.json.encode(rows))


def fact(received_ns: int, connection: int, name: str, kind: FactKind) -> Fact:
    """A fact of a venue's one session."""
    return Fact(received_ns, connection, name, "main" if connection else "", kind)


def listing(received_ns: int, name: str, product: str, listed: Iterable[Instrument]) -> Answer:
    """A venue's answer that lists a product."""
    body = msgspec.json.encode([i for i in listed if i.product == product])
    return Answer(received_ns, name, "instruments", product, 200, body)


def engine(
    venues: Sequence[Venue] = (ALPHA, BETA),
    assets: tuple[str, ...] = ASSETS,
    parameters: Parameters | None = None,
    *,
    batch: int = 256,
) -> Engine:
    """A fresh engine over the stand-in venues."""
    return Engine(venues, assets, parameters or SLOW, batch=batch)


def take(core: Engine, entry: Entry) -> None:
    """Put one entry of a log through its door."""
    match entry:
        case Frame(received_ns, connection, data):
            core.frame(connection, received_ns, data)
        case Answer():
            core.answer(entry)
        case Fact():
            core.fact(entry)


def play(core: Engine, entries: Iterable[Entry]) -> list[Verdict]:
    """Put a log through an engine; the verdicts in order."""
    for entry in entries:
        take(core, entry)
    core.flush()
    return core.drain()


def lines(verdicts: Iterable[Verdict]) -> bytes:
    """The alert log of these verdicts."""
    return b"".join(log_line(verdict) for verdict in verdicts)


def states(verdicts: Iterable[Verdict], *, position: Position = Position.LONG) -> list[State]:
    """The states that a position's verdicts speak of, each once where one follows itself."""
    found: list[State] = []
    for verdict in verdicts:
        if verdict.position is position and verdict.state not in found[-1:]:
            found.append(verdict.state)
    return found


# The scripted market.


class Market:
    """Writes the log of a market second by second, as told; `second` is the next one.

    Attributes:
        entries: The log so far.
        skew_ns: How far the venues' clocks are ahead of ours.
        price: Price of BTC without its noise.
        interest: Coins open, of both venues' BTC contracts.
        silent: Venues that say nothing although they are connected.
        with_interest: Whether open interest is told.
        priced: Whether BTC's perpetuals are quoted.
    """

    def __init__(self, seed: int = 7, *, with_interest: bool = True) -> None:
        self.entries: list[Entry] = []
        self.second = START_S
        self.skew_ns = 0
        self.price = 60_000.0
        self.interest = {"BTC-PERP": 20_000.0, "BTC-USD": 10_000.0}
        self.connections = {"alpha": 1, "beta": 2}
        self.silent: set[str] = set()
        self.with_interest = with_interest
        self.priced = True
        self._dice = Random(seed)
        now_ns = START_S * NS
        self.entries.append(fact(now_ns, 0, "", FactKind.STARTED))
        for name, listed in LISTED.items():
            for product in ("perp", "spot"):
                self.entries.append(listing(now_ns, name, product, listed))
        for name, number in self.connections.items():
            self.connect(name, number)

    @property
    def now_ns(self) -> int:
        """The start of the second that comes next."""
        return self.second * NS

    def connect(self, name: str, number: int) -> None:
        """Open a venue's connection."""
        self.connections[name] = number
        for kind in (FactKind.CONNECTING, FactKind.CONNECTED, FactKind.SUBSCRIBED):
            self.entries.append(fact(self.now_ns, number, name, kind))

    def disconnect(self, name: str) -> None:
        """Lose a venue's connection."""
        number = self.connections.pop(name)
        self.entries.append(fact(self.now_ns, number, name, FactKind.DISCONNECTED))

    def go(
        self,
        seconds: int,
        *,
        drift: float = 0.0,
        unwind: float = 0.0,
        forced: float = 0.0,
        position: Position = Position.LONG,
        more: Callable[[int], Iterable[Row]] = lambda _: (),
    ) -> "Market":
        """Let time pass.

        Args:
            seconds: How much.
            drift: Change of the price in a second, as a ratio.
            unwind: Part of the open interest that is closed in a second.
            forced: Coins that each contract's forced orders have in a second.
            position: Whose.
            more: Further rows of a second of venue alpha, by its start in nanoseconds.
        """
        for _ in range(seconds):
            self.price *= 1.0 + drift
            for symbol in self.interest:
                self.interest[symbol] *= 1.0 - unwind
            flow = -1.0 if drift < 0.0 else 1.0 if drift > 0.0 else 0.0
            said: list[Frame] = []
            for name in self.connections:
                if name not in self.silent:
                    said += self._speak(name, flow, forced, position, more)
            self.entries += sorted(said, key=lambda entry: entry.received_ns)
            self.second += 1
        return self

    def _speak(
        self,
        name: str,
        flow: float,
        forced: float,
        position: Position,
        more: Callable[[int], Iterable[Row]],
    ) -> list[Frame]:
        dice, at_ns = self._dice, self.now_ns + (100_000_000 if name == "alpha" else 300_000_000)
        event_ns = at_ns - 20_000_000 + self.skew_ns
        price = self.price * (1.0 + dice.gauss(0.0, 1e-4))
        symbol = "BTC-PERP" if name == "alpha" else "BTC-USD"
        unit = 1.0 if name == "alpha" else price
        rows: list[Row] = [
            TradeRow(symbol, event_ns, price, (dice.gauss(0.0, 1.0) + 3.0 * flow) * unit),
        ]
        if self.priced:
            rows.append(TopRow(symbol, event_ns, price - 1.0, price + 1.0))
        if name == "alpha":
            other = 3_000.0 * (1.0 + dice.gauss(0.0, 1e-4))
            basis = 1.0 + dice.gauss(0.0, 2e-5)
            rows += [
                TopRow("BTC-SPOT", event_ns, price * basis - 1.0, price * basis + 1.0),
                TopRow("ETH-PERP", event_ns, other - 0.1, other + 0.1),
                *more(at_ns),
            ]
        if self.with_interest and self.second % 3 == 0:
            coins = self.interest[symbol] * (1.0 + dice.gauss(0.0, 2e-5))
            rows.append(InterestRow(symbol, event_ns, coins))
            if name == "alpha":
                rows.append(InterestRow("ETH-PERP", event_ns, 100_000.0 + self.second % 7))
        said = [frame(at_ns, self.connections[name], *rows)]
        if forced > 0.0:
            row = OrderRow(symbol, position, event_ns + 400_000_000, forced * unit, price)
            said.append(frame(at_ns + 450_000_000, self.connections[name], row))
        return said


WARM_S = 660  # enough for every mean that needs ten minutes


def pressing(market: Market, seconds: int) -> Market:
    """Forced selling as it begins: price and open interest give way with it."""
    return market.go(seconds, drift=-2e-4, unwind=2e-4, forced=1.0)


def cascade(market: Market) -> Market:
    """A cascade of two minutes and its rebound, on a warm market."""
    pressing(market, 30)
    market.go(90, drift=-1.5e-4, unwind=3e-4, forced=3.0)
    return market.go(30, drift=3e-4)


@functools.cache
def whole_episode() -> tuple[Entry, ...]:
    """Ten quiet minutes, a cascade, and twenty quiet minutes: an episode to its end."""
    market = cascade(Market().go(WARM_S))
    return tuple(market.go(1200).entries)


@functools.cache
def _warm() -> tuple[Market, bytes]:
    market, core = Market().go(WARM_S), engine()
    play(core, market.entries)
    market.entries.clear()
    return market, snapshot.take(core)


def warm_market() -> Market:
    """A market of ten quiet minutes whose log begins anew here."""
    return copy.deepcopy(_warm()[0])


def warm_engine(
    venues: Sequence[Venue] = (ALPHA, BETA),
    assets: tuple[str, ...] = ASSETS,
    parameters: Parameters | None = None,
    *,
    batch: int = 256,
) -> Engine:
    """An engine that has seen the ten minutes of `warm_market`."""
    core = engine(venues, assets, parameters, batch=batch)
    snapshot.restore(core, _warm()[1])
    return core


def split(entries: Sequence[Entry], at_ns: int) -> tuple[list[Entry], list[Entry]]:
    """A log before and from a moment."""
    before = [entry for entry in entries if entry.received_ns < at_ns]
    return before, list(entries[len(before) :])


def ticking(entries: Iterable[Entry], dice: Random) -> Iterator[Entry | int]:
    """A log with the moments (nanoseconds) at which a timer calls in between."""
    last_ns = 0
    for entry in entries:
        while last_ns and dice.random() < 0.3:
            last_ns = dice.randint(last_ns, entry.received_ns)
            yield last_ns
        yield entry
        last_ns = entry.received_ns
