"""Two stand-in venues that speak a JSON of the tests' own, for driving the engine with bytes.

A frame is a list of rows; a row is a list that begins with its kind.
"""

import functools
import math
from collections.abc import Sequence

import msgspec

from monitor.events import (
    Book,
    BookTop,
    Completeness,
    Event,
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
from monitor.venues.contract import Limits, Venue


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
    """Open interest in coins, or, where these are null, in native units alone."""

    symbol: str
    event_ns: int
    coins: float | None
    native: float = 0.0


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
        case InterestRow(coins=known, native=native):
            return OpenInterest(*at, native, math.nan if known is None else known)
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
