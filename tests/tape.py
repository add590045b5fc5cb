"""A market of its own for the detector's tests: two stand-in venues and a scripted market.

The venues speak a JSON of the tests' own, so that the engine's doors are driven with bytes, as
in life. A frame is a list of rows; a row is a list that begins with its kind.
"""

import copy
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import NamedTuple

import msgspec

from monitor.detect import snapshot
from monitor.detect.engine import Engine
from monitor.detect.verdict import State, Verdict
from monitor.events import (
    Answer,
    Book,
    BookTop,
    Completeness,
    Event,
    Fact,
    FactKind,
    Funding,
    Liquidation,
    Listing,
    Malformed,
    Mark,
    NotUsed,
    OpenInterest,
    Position,
    PriceBasis,
    Trade,
    Unused,
)
from monitor.instruments import Instrument, InstrumentTable, Unit
from monitor.parameters import Parameters
from monitor.publish.alert import log_line
from monitor.venues.contract import Limits, Venue

NS = 1_000_000_000
START_S = 1_700_000_000
ASSETS = ("BTC", "ETH")


def perpetual(venue: str, symbol: str, asset: str, unit: Unit = Unit.BASE) -> Instrument:
    """A perpetual contract of one coin, or of one dollar, quoted in dollars."""
    return Instrument(venue, "perp", symbol, asset, "USD", "USD", unit, perpetual=True)


def spot(venue: str, symbol: str, asset: str) -> Instrument:
    """A spot pair."""
    return Instrument(venue, "spot", symbol, asset, "USD", "USD", Unit.BASE)


LISTED = {
    "alpha": (
        perpetual("alpha", "BTC-PERP", "BTC"),
        perpetual("alpha", "ETH-PERP", "ETH"),
        perpetual("alpha", "DOGE-PERP", "DOGE"),
        spot("alpha", "BTC-SPOT", "BTC"),
    ),
    "beta": (perpetual("beta", "BTC-USD", "BTC", Unit.QUOTE),),
}


# The stand-in venues' wire.


class OrderRow(msgspec.Struct, tag="order", array_like=True):
    """A forced order; `price` null is not known."""

    symbol: str
    position: Position
    event_ns: int
    quantity: float
    price: float | None


class TradeRow(msgspec.Struct, tag="trade", array_like=True):
    """A trade; a negative quantity was sold by its taker."""

    symbol: str
    event_ns: int
    price: float
    quantity: float


class TopRow(msgspec.Struct, tag="top", array_like=True):
    """Best bid and ask."""

    symbol: str
    event_ns: int
    bid: float
    ask: float


class MarkRow(msgspec.Struct, tag="mark", array_like=True):
    """A mark price."""

    symbol: str
    event_ns: int
    price: float


class InterestRow(msgspec.Struct, tag="interest", array_like=True):
    """Open interest, in coins."""

    symbol: str
    event_ns: int
    coins: float


class BookRow(msgspec.Struct, tag="book", array_like=True):
    """A book."""

    symbol: str
    event_ns: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class FundingRow(msgspec.Struct, tag="funding", array_like=True):
    """A funding rate."""

    symbol: str
    event_ns: int
    rate: float
    interval_s: int


class OtherRow(msgspec.Struct, tag="other", array_like=True):
    """A message without a market event."""

    reason: Unused


Row = OrderRow | TradeRow | TopRow | MarkRow | InterestRow | BookRow | FundingRow | OtherRow
_rows = msgspec.json.Decoder(list[Row])
_instruments = msgspec.json.Decoder(tuple[Instrument, ...])


class Heard(msgspec.Struct):
    """All that a stand-in connection knows: how many frames it has read."""

    frames: int = 0


class TapeReader:
    """Reads the frames of one stand-in connection."""

    def __init__(self, table: InstrumentTable, opened_ns: int) -> None:
        self.state: msgspec.Struct = Heard()
        self.opened_ns = opened_ns
        self._table = table

    def read(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        """Turn a list of rows into events."""
        assert isinstance(self.state, Heard)
        self.state.frames += 1
        try:
            rows = _rows.decode(frame)
        except msgspec.MsgspecError:
            return (Malformed("not a list of rows"),)
        return [_event(row, received_ns, self._table) for row in rows]


def _event(row: Row, received_ns: int, table: InstrumentTable) -> Event:  # noqa: PLR0911 - a row a kind
    if isinstance(row, OtherRow):
        return NotUsed(row.reason)
    instrument = table.named(row.symbol, "perp")
    at = (instrument, row.event_ns, received_ns)
    match row:
        case OrderRow(position=position, quantity=quantity):
            price = math.nan if row.price is None else row.price
            return Liquidation(
                instrument,
                position,
                row.event_ns,
                received_ns,
                quantity,
                instrument.coins(quantity, price),
                instrument.notional_usd(quantity, price),
                price,
                PriceBasis.FILL,
                Completeness.FULL,
            )
        case TradeRow(price=price, quantity=quantity):
            coins = instrument.coins(abs(quantity), price)
            return Trade(*at, price, abs(quantity), coins, quantity > 0)
        case TopRow(bid=bid, ask=ask):
            return BookTop(*at, bid, 1.0, ask, 1.0)
        case MarkRow(price=price):
            return Mark(*at, price, math.nan)
        case InterestRow(coins=coins):
            return OpenInterest(*at, coins, coins)
        case BookRow(bids=bids, asks=asks):
            return Book(*at, bids, asks)
        case FundingRow():
            return Funding(*at, row.rate, row.interval_s, 0)


def _answer(
    venue: str, poll: str, key: str, body: bytes, received_ns: int, table: InstrumentTable
) -> Sequence[Event]:
    if poll == "instruments":
        return (Listing(venue, key, received_ns, _instruments.decode(body)),)
    return [_event(row, received_ns, table) for row in _rows.decode(body)]


def venue(name: str, completeness: Completeness = Completeness.FULL) -> Venue:
    """A stand-in venue."""
    return Venue(
        name=name,
        docs="https://example.com",
        products=("perp", "spot"),
        completeness=completeness,
        limits=Limits(connects_per_5min=300, frames_per_s=10.0, rest_weight_per_min=1200),
        listings=(),
        plan=lambda _table, _assets: (),
        polls=lambda _table, _assets: (),
        subscribe=lambda _session, _topics: (),
        unsubscribe=lambda _session, _topics: (),
        reader=lambda _session, table, opened_ns: TapeReader(table, opened_ns),
        answer=functools.partial(_answer, name),
    )


ALPHA = venue("alpha")
BETA = venue("beta", Completeness.ONE_PER_SECOND)


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
    return Engine(venues, assets, parameters or Parameters(), batch=batch)


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
            for name in self.connections:
                if name not in self.silent:
                    self._speak(name, flow, forced, position, more)
            self.second += 1
        return self

    def _speak(
        self,
        name: str,
        flow: float,
        forced: float,
        position: Position,
        more: Callable[[int], Iterable[Row]],
    ) -> None:
        dice, at_ns = self._dice, self.now_ns + (100_000_000 if name == "alpha" else 300_000_000)
        event_ns = at_ns - 20_000_000 + self.skew_ns
        price = self.price * (1.0 + dice.gauss(0.0, 1e-4))
        symbol = "BTC-PERP" if name == "alpha" else "BTC-USD"
        unit = 1.0 if name == "alpha" else price
        rows: list[Row] = [
            TopRow(symbol, event_ns, price - 1.0, price + 1.0),
            TradeRow(symbol, event_ns, price, (dice.gauss(0.0, 1.0) + 3.0 * flow) * unit),
        ]
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
        self.entries.append(frame(at_ns, self.connections[name], *rows))
        if forced > 0.0:
            row = OrderRow(symbol, position, event_ns + 400_000_000, forced * unit, price)
            self.entries.append(frame(at_ns + 450_000_000, self.connections[name], row))


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
