"""One Bybit connection's frames into events.

Every liquidation of every contract is pushed, one topic a symbol. `S` of a liquidation is the
POSITION that was closed ("When you receive a `Buy` update, this means that a long position has
been liquidated"), while `S` of a trade is its taker. Prices of liquidations are bankruptcy
prices. Quantities are coins in linear contracts and on spot, US dollars in inverse ones.

A liquidation may come without a usable bankruptcy price (empty or 0). Its quantity is kept and
its price is NaN: a linear order then has coins but no notional, an inverse one the reverse.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import msgspec

from monitor.events import (
    Book,
    BookTop,
    Completeness,
    Event,
    Funding,
    Liquidation,
    Malformed,
    Mark,
    NotUsed,
    OpenInterest,
    Position,
    PriceBasis,
    Trade,
    Unused,
)
from monitor.instruments import Instrument, InstrumentTable
from monitor.venues.bybit import messages as wire
from monitor.venues.wire import (
    LEAST,
    MOST,
    DamagedValue,
    Remembering,
    data_row_by_row,
    events_of,
    finite,
    malformed,
    ms_to_ns,
    positive,
)

# Deltas leave out what is unchanged; what was not said for so long is said again.
_FUNDING_AGAIN_MS = 60_000
_INTEREST_AGAIN_MS = 5_000
_BOOK_EVERY_MS = 1_000
# A level-50 book outgrows this many rows a side only if its deltas are damaged.
_MOST_LEVELS = 500
_MOST_DETAIL = 200

# Topics of the interfaces before v5, and `liquidation`, which `allLiquidation` replaced.
_RETIRED = frozenset(
    {
        "liquidation",
        "trade",
        "instrument_info",
        "orderBookL2_25",
        "orderBook_200",
        "depth",
        "bookTicker",
    }
)


class HeldTicker(msgspec.Struct):
    """The last known fields of a ticker (0 or None: not known), and when they were last said."""

    mark_price: float = 0.0
    index_price: float = 0.0
    rate_ratio: float | None = None
    next_funding_ns: int = 0
    interval_s: int = 0
    open_interest: float | None = None
    funding_ms: int = 0
    interest_ms: int = 0


class HeldBook(msgspec.Struct):
    """A level-50 book: size by price, the last update in it, and when it was last said."""

    bids: dict[float, float]
    asks: dict[float, float]
    update: int
    said_ms: int = 0


class State(msgspec.Struct):
    """All that later events of a connection depend on."""

    tickers: dict[str, HeldTicker] = {}
    books: dict[str, HeldBook] = {}


_PONG = (NotUsed(Unused.PONG),)
_NO_ROWS = (NotUsed(Unused.OTHER, "message without rows"),)
_UNCHANGED = (NotUsed(Unused.OTHER, "ticker without news"),)
_NO_TICKER = (NotUsed(Unused.OTHER, "ticker delta before its snapshot"),)
_NO_MARK = (NotUsed(Unused.OTHER, "ticker without a mark price"),)
_NO_BOOK = (NotUsed(Unused.OTHER, "book delta without its snapshot"),)
_BOOK_GAP = (NotUsed(Unused.OTHER, "book delta out of sequence"),)
_BOOK_KEPT = (NotUsed(Unused.OTHER, "book kept until its second is over"),)
_BOOK_DEPTH = (NotUsed(Unused.OTHER, "book of another depth"),)
_TOP_DELTA = (NotUsed(Unused.OTHER, "delta of a book top"),)
_ONE_SIDED = (NotUsed(Unused.OTHER, "book with an empty side"),)
_BLOCK_TRADE = NotUsed(Unused.OTHER, "block trade")


class BybitReader(Remembering[State]):
    """One connection's frames; see `State` for what it remembers."""

    def __init__(self, product: str, table: InstrumentTable) -> None:
        self._state = State()
        self._product = product
        self._table = table
        self._by_kind: dict[str, Callable[[bytes, int], Sequence[Event]]] = {
            "allLiquidation": self._liquidations,
            "publicTrade": self._trades,
            "tickers": self._ticker,
            "orderbook": self._book,
        }
        # The same by how frames begin as Bybit writes them; others take the longer way.
        self._by_prefix = {
            f'{{"topic":"{kind}'.encode(): reading for kind, reading in self._by_kind.items()
        }

    def read(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        """Events of one frame; damage becomes `Malformed`."""
        try:
            reading = self._by_prefix.get(frame[: frame.find(b".")], self._other)
            return reading(frame, received_ns) or _NO_ROWS
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return (malformed(error),)

    def _other(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        envelope = wire.ENVELOPE.decode(frame)
        if envelope.topic:
            kind = envelope.topic.partition(".")[0]
            reading = self._by_kind.get(kind)
            if reading is not None:
                return reading(frame, received_ns)
            reason = Unused.RETIRED_TOPIC if kind in _RETIRED else Unused.OTHER
            return (NotUsed(reason, envelope.topic[:_MOST_DETAIL]),)
        if envelope.op == "pong" or envelope.ret_msg == "pong":
            return _PONG
        if envelope.success is None:
            return (Malformed("wrong shape", "expected a topic or an answer, was neither"),)
        reason = Unused.ACKNOWLEDGED if envelope.success else Unused.REFUSED
        return (NotUsed(reason, envelope.ret_msg[:_MOST_DETAIL]),)

    def _liquidations(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        try:
            rows = wire.LIQUIDATIONS.decode(frame).data
        except msgspec.ValidationError:
            raw = data_row_by_row(frame, wire.LIQUIDATION)
            return events_of(raw, self._liquidation, received_ns)
        return events_of(rows, self._liquidation, received_ns)

    def _liquidation(self, row: wire.LiquidationRow, received_ns: int) -> Event:
        instrument = self._table.named(row.s, self._product)
        quantity = positive(row.v, "quantity")
        price = float(row.p or 0.0)
        price = math.nan if price == 0.0 else positive(price, "price")
        coins = instrument.coins(quantity, price)
        notional_usd = instrument.notional_usd(quantity, price)
        if math.inf in {coins, notional_usd}:
            raise DamagedValue(f"expected a finite notional, was {quantity} at {price}")
        return Liquidation(
            instrument,
            Position.LONG if row.S == "Buy" else Position.SHORT,
            ms_to_ns(row.T),
            received_ns,
            quantity,
            coins,
            notional_usd,
            price,
            PriceBasis.BANKRUPTCY,
            Completeness.FULL,
        )

    def _trades(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        try:
            rows = wire.TRADES.decode(frame).data
        except msgspec.ValidationError:
            raw = data_row_by_row(frame, wire.TRADE)
            return events_of(raw, self._trade, received_ns)
        return events_of(rows, self._trade, received_ns)

    def _trade(self, row: wire.TradeRow, received_ns: int) -> Event:
        if row.BT:
            return _BLOCK_TRADE
        instrument = self._table.named(row.s, self._product)
        price = positive(row.p, "price")
        quantity = positive(row.v, "quantity")
        return Trade(
            instrument,
            ms_to_ns(row.T),
            received_ns,
            price,
            quantity,
            instrument.coins(quantity, price),
            row.S == "Buy",
        )

    def _ticker(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        message = wire.TICKER.decode(frame)
        row = message.data
        if message.type == "snapshot":
            if not row.mark_price:
                return _NO_MARK
            held = HeldTicker()
        elif (found := self._state.tickers.get(row.symbol)) is not None:
            held = found
        else:
            return _NO_TICKER
        instrument = self._table.named(row.symbol, self._product)
        news = _ticker_events(instrument, row, held, message.ts, received_ns)
        self._state.tickers[row.symbol] = held
        return news or _UNCHANGED

    def _book(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        message = wire.BOOK.decode(frame)
        row = message.data
        if message.topic.startswith("orderbook.50."):
            return self._held_book(message, received_ns)
        if not message.topic.startswith("orderbook.1."):
            return _BOOK_DEPTH
        if message.type == "delta":
            return _TOP_DELTA
        if not row.b or not row.a:
            return _ONE_SIDED
        bid, ask = row.b[0], row.a[0]
        # One comparison chain rather than four checks: this is the busiest topic.
        if not (
            LEAST <= bid.price <= MOST
            and LEAST <= bid.size <= MOST
            and LEAST <= ask.price <= MOST
            and LEAST <= ask.size <= MOST
        ):
            raise DamagedValue(f"expected positive prices and sizes, was {bid} and {ask}")
        instrument = self._table.named(row.s, self._product)
        return (
            BookTop(
                instrument,
                ms_to_ns(message.ts),
                received_ns,
                bid.price,
                instrument.coins(bid.size, bid.price),
                ask.price,
                instrument.coins(ask.size, ask.price),
            ),
        )

    def _held_book(self, message: wire.BookFrame, received_ns: int) -> Sequence[Event]:
        row = message.data
        books = self._state.books
        event_ns = ms_to_ns(message.ts)
        # Checked before anything is held: a damaged delta leaves a gap, not a wrong book.
        for level in itertools.chain(row.b, row.a):
            positive(level.price, "price")
            if not 0.0 <= level.size <= MOST:
                raise DamagedValue(f"expected a size, was {level.size}")
        held = books.get(row.s)
        if message.type == "snapshot":
            held = books[row.s] = HeldBook({}, {}, row.u, held.said_ms if held else 0)
        elif held is None:
            return _NO_BOOK
        elif row.u != held.update + 1:
            del books[row.s]
            return _BOOK_GAP
        held.update = row.u
        _apply(held.bids, row.b)
        _apply(held.asks, row.a)
        if max(len(held.bids), len(held.asks)) > _MOST_LEVELS:
            del books[row.s]
            return _BOOK_GAP
        if 0 <= message.ts - held.said_ms < _BOOK_EVERY_MS:
            return _BOOK_KEPT
        if not held.bids or not held.asks:
            return _ONE_SIDED
        held.said_ms = message.ts
        instrument = self._table.named(row.s, self._product)
        bids = sorted(held.bids.items(), reverse=True)
        asks = sorted(held.asks.items())
        return (
            Book(
                instrument,
                event_ns,
                received_ns,
                tuple((price, instrument.coins(size, price)) for price, size in bids),
                tuple((price, instrument.coins(size, price)) for price, size in asks),
            ),
        )


def _ticker_events(
    instrument: Instrument, row: wire.TickerRow, held: HeldTicker, ts: int, received_ns: int
) -> list[Event]:
    """What a ticker's fields say that is new, or due again; `held` takes them over."""
    event_ns = ms_to_ns(ts)
    # Everything is checked before anything is held: damage changes nothing.
    mark = positive(float(row.mark_price or held.mark_price), "mark price")
    index = finite(float(row.index_price or held.index_price), "index price")
    rate, next_ns, interval_s = held.rate_ratio, held.next_funding_ns, held.interval_s
    if row.funding_rate:
        rate = finite(float(row.funding_rate), "funding rate")
    if row.next_funding_time:
        next_ms = int(row.next_funding_time)
        next_ns = ms_to_ns(next_ms) if next_ms else 0
    if row.funding_interval_hour:
        interval_s = round(positive(float(row.funding_interval_hour), "interval") * 3600.0)
    interest = held.open_interest
    stated = row.single_open_interest or row.open_interest
    if stated:
        sides = 1.0 if row.single_open_interest else 2.0
        interest = finite(float(stated), "open interest") / sides
        if interest < 0.0:
            raise DamagedValue(f"expected open interest, was {interest}")

    news: list[Event] = []
    if mark != held.mark_price or index != held.index_price:
        held.mark_price, held.index_price = mark, index
        known_index = index if index > 0.0 else math.nan
        news.append(Mark(instrument, event_ns, received_ns, mark, known_index))
    if rate is not None and (
        not 0 <= ts - held.funding_ms < _FUNDING_AGAIN_MS
        or (rate, next_ns, interval_s) != (held.rate_ratio, held.next_funding_ns, held.interval_s)
    ):
        held.rate_ratio, held.next_funding_ns, held.interval_s = rate, next_ns, interval_s
        held.funding_ms = ts
        seconds = interval_s or instrument.funding_interval_s
        news.append(Funding(instrument, event_ns, received_ns, rate, seconds, next_ns))
    if interest is not None and (stated or not 0 <= ts - held.interest_ms < _INTEREST_AGAIN_MS):
        held.open_interest, held.interest_ms = interest, ts
        coins = instrument.coins(interest, mark)
        news.append(OpenInterest(instrument, event_ns, received_ns, interest, coins))
    return news


def _apply(held: dict[float, float], levels: list[wire.Level]) -> None:
    for level in levels:
        if level.size == 0.0:
            held.pop(level.price, None)
        else:
            held[level.price] = level.size
