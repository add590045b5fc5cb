"""One BitMEX connection's frames, which are changes of tables, into events.

A liquidation is an order with a life: `insert` when it is placed, with its full quantity,
`update` as it is filled or amended, `delete` when it is gone. Only the insert counts. The
`partial` that answers a subscription holds orders placed before it. Updates and deletes carry
no more than what changed, so open orders are remembered. `side` is the side of the ORDER (Sell
closes a long position), the price is that order's, at or near bankruptcy, and no time comes
along: liquidations are stamped on receipt.

Quantities are contracts: one US dollar in inverse contracts, a fraction of a coin in linear
ones. A quanto contract is neither ("unit_not_convertible"), and its size is not guessed.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from monitor.events import (
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
from monitor.venues.bitmex.messages import (
    InstrumentRow,
    LiquidationRow,
    Message,
    QuoteRow,
    TradeRow,
)
from monitor.venues.wire import (
    DamagedValue,
    Remembering,
    finite,
    malformed,
    ms_to_ns,
    positive,
    row_by_row,
)

NAME = "bitmex"
PRODUCT = "contracts"

# Forced orders open at one time are tens at most; more than this means that deletes were lost.
_MOST_OPEN_ORDERS = 5_000
_MOST_DETAIL = 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_INTERVAL = datetime(2000, 1, 1, tzinfo=UTC)  # intervals are written as times after it

_Row = TypeVar("_Row")


class OpenOrder(msgspec.Struct):
    """A forced order that is still in the book."""

    price: float
    leaves: float


class HeldInstrument(msgspec.Struct):
    """Last known values of an instrument; 0 and None: not known yet."""

    mark_price: float = 0.0
    index_price: float = 0.0
    rate_ratio: float | None = None
    next_funding_ns: int = 0
    interval_s: int = 0


class State(msgspec.Struct):
    """All that later events of a connection depend on."""

    orders: dict[str, OpenOrder] = {}
    instruments: dict[str, HeldInstrument] = {}


_MESSAGE = msgspec.json.Decoder(Message)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])

_PONG = (NotUsed(Unused.PONG),)


class BitmexReader(Remembering[State]):
    """One connection's frames; see `State` for what it remembers."""

    def __init__(self, table: InstrumentTable) -> None:
        self._state = State()
        self._table = table
        self._by_table: dict[str, Callable[[str, msgspec.Raw, int], list[Event]]] = {
            "liquidation": _reading(LiquidationRow, self._liquidation),
            "trade": _reading(TradeRow, self._trade),
            "quote": _reading(QuoteRow, self._quote),
            "instrument": _reading(InstrumentRow, self._instrument),
        }

    def read(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        """Events of one frame; damage becomes `Malformed`."""
        if frame == b"pong":
            return _PONG
        try:
            message = _MESSAGE.decode(frame)
            reading = self._by_table.get(message.table)
            if reading is None:
                return (_control(message),)
            if message.table == "liquidation" and message.action == "partial":
                self._state.orders.clear()
            events = reading(message.action, message.data, received_ns)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return (malformed(error),)
        if events:
            return events
        reason = Unused.REPLAYED if message.action == "partial" else Unused.OTHER
        return (NotUsed(reason, f"{message.table} without rows"),)

    def _liquidation(self, action: str, row: LiquidationRow, received_ns: int) -> Iterator[Event]:
        orders = self._state.orders
        known = orders.get(row.order_id)
        if action == "delete":
            orders.pop(row.order_id, None)
            yield NotUsed(Unused.OTHER, "forced order is gone")
        elif action == "update" or (action == "insert" and known is not None):
            if known is None:
                yield NotUsed(Unused.OTHER, "change of a forced order not seen before")
                return
            price = positive(_or(row.price, known.price), "price")
            leaves = finite(_or(row.leaves_qty, known.leaves), "quantity")
            known.price, known.leaves = price, leaves
            yield NotUsed(Unused.OTHER, f"forced order changed: {leaves:g} left at {price:g}")
        elif action in {"insert", "partial"}:
            if row.side not in {"Buy", "Sell"} or row.price is None or row.leaves_qty is None:
                raise DamagedValue("expected side, price and leavesQty of a forced order")
            price = positive(row.price, "price")
            quantity = positive(row.leaves_qty, "quantity")
            if action == "partial":
                yield NotUsed(Unused.REPLAYED, "forced order from before the subscription")
            else:
                yield self._forced(row, price, quantity, received_ns)
            orders[row.order_id] = OpenOrder(price, quantity)
            if len(orders) > _MOST_OPEN_ORDERS:
                del orders[next(iter(orders))]
                yield NotUsed(Unused.OTHER, "oldest open forced order forgotten")
        else:
            yield NotUsed(Unused.OTHER, f"liquidation {action}"[:_MOST_DETAIL])

    def _forced(
        self, row: LiquidationRow, price: float, quantity: float, received_ns: int
    ) -> Liquidation:
        instrument = self._table.named(row.symbol, PRODUCT)
        return Liquidation(
            instrument,
            Position.LONG if row.side == "Sell" else Position.SHORT,
            received_ns,
            received_ns,
            quantity,
            instrument.coins(quantity, price),
            instrument.notional_usd(quantity, price),
            price,
            PriceBasis.BANKRUPTCY,
            Completeness.FULL,
        )

    def _trade(self, action: str, row: TradeRow, received_ns: int) -> Iterator[Event]:
        if action != "insert":
            reason = Unused.REPLAYED if action == "partial" else Unused.OTHER
            yield NotUsed(reason, f"trade {action}"[:_MOST_DETAIL])
            return
        if row.trd_type != "Regular":  # settlements, prices of indices, bankruptcies
            yield NotUsed(Unused.OTHER, f"trade of type {row.trd_type}"[:_MOST_DETAIL])
            return
        if row.side not in {"Buy", "Sell"}:
            raise DamagedValue(f"expected Buy or Sell, was {row.side!r}")
        instrument = self._table.named(row.symbol, PRODUCT)
        price = positive(_or(row.price, 0.0), "price")
        quantity = positive(_or(row.size, 0.0), "size")
        if row.home_notional is None:
            coins = instrument.coins(quantity, price)
        else:
            coins = positive(row.home_notional, "homeNotional") * instrument.multiplier
        yield Trade(
            instrument,
            _stamp_ns(row.timestamp),
            received_ns,
            price,
            quantity,
            coins,
            row.side == "Buy",
        )

    def _quote(self, action: str, row: QuoteRow, received_ns: int) -> Iterator[Event]:
        if action not in {"insert", "partial"}:
            yield NotUsed(Unused.OTHER, f"quote {action}"[:_MOST_DETAIL])
            return
        if not row.bid_price or not row.ask_price or not row.bid_size or not row.ask_size:
            yield NotUsed(Unused.OTHER, "quote with an empty side")
            return
        instrument = self._table.named(row.symbol, PRODUCT)
        bid, ask = positive(row.bid_price, "bid"), positive(row.ask_price, "ask")
        yield BookTop(
            instrument,
            _stamp_ns(row.timestamp),
            received_ns,
            bid,
            instrument.coins(positive(row.bid_size, "bid size"), bid),
            ask,
            instrument.coins(positive(row.ask_size, "ask size"), ask),
        )

    def _instrument(self, action: str, row: InstrumentRow, received_ns: int) -> Iterator[Event]:
        if action in {"partial", "insert"}:
            held = HeldInstrument()
        elif action == "update" and row.symbol in self._state.instruments:
            held = self._state.instruments[row.symbol]
        else:
            # "If you receive any messages before the partial, ignore them."
            self._state.instruments.pop(row.symbol, None)
            before = " before its partial" if action == "update" else ""
            yield NotUsed(Unused.OTHER, f"instrument {action[:99]}{before}")
            return
        instrument = self._table.named(row.symbol, PRODUCT)
        news = _instrument_news(instrument, row, held, received_ns)
        self._state.instruments[row.symbol] = held
        yield from news or (NotUsed(Unused.OTHER, "instrument without news"),)


def _instrument_news(
    instrument: Instrument, row: InstrumentRow, held: HeldInstrument, received_ns: int
) -> list[Event]:
    """What a row says that is read; `held` takes it over once all of it is checked."""
    event_ns = received_ns if row.timestamp is None else _stamp_ns(row.timestamp)
    mark = finite(_or(row.mark_price, held.mark_price), "mark price")
    index = finite(_or(row.indicative_settle_price, held.index_price), "index price")
    if mark < 0.0 or index < 0.0:
        raise DamagedValue(f"expected prices, was mark {mark}, index {index}")
    rate = held.rate_ratio
    if row.funding_rate is not None:
        rate = finite(row.funding_rate, "funding rate")
    next_ns, every_s = held.next_funding_ns, held.interval_s or instrument.funding_interval_s
    if row.funding_timestamp is not None:
        next_ns = _stamp_ns(row.funding_timestamp)
    if row.funding_interval is not None:
        every_s = interval_s(row.funding_interval)

    news: list[Event] = []
    if mark > 0.0 and (row.mark_price or row.indicative_settle_price):
        news.append(Mark(instrument, event_ns, received_ns, mark, index or math.nan))
    if row.open_interest is not None:
        interest = finite(row.open_interest, "open interest")
        if interest < 0.0:
            raise DamagedValue(f"expected open interest, was {interest}")
        coins = instrument.coins(interest, mark)
        news.append(OpenInterest(instrument, event_ns, received_ns, interest, coins))
    if rate is not None and (rate, next_ns) != (held.rate_ratio, held.next_funding_ns):
        news.append(Funding(instrument, event_ns, received_ns, rate, every_s, next_ns))
    held.mark_price, held.index_price = mark, index
    held.rate_ratio, held.next_funding_ns, held.interval_s = rate, next_ns, every_s
    return news


def _reading(
    kind: type[_Row], events_of: Callable[[str, _Row, int], Iterator[Event]]
) -> Callable[[str, msgspec.Raw, int], list[Event]]:
    """How to read the rows of one table; a damaged row leaves those around it intact."""
    all_rows = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]  # mypy: a variable
    one_row = msgspec.json.Decoder(kind)

    def rows(data: msgspec.Raw) -> Iterator[_Row | Malformed]:
        try:
            intact = all_rows.decode(data)
        except msgspec.ValidationError:
            yield from row_by_row(_ROWS.decode(data), one_row)
        else:
            yield from intact

    def read(action: str, data: msgspec.Raw, received_ns: int) -> list[Event]:
        events: list[Event] = []
        for row in rows(data):
            if isinstance(row, Malformed):
                events.append(row)
                continue
            try:
                events += list(events_of(action, row, received_ns))
            except DamagedValue as error:
                events.append(malformed(error))
        return events

    return read


def _control(message: Message) -> Event:
    if message.table:
        return NotUsed(Unused.OTHER, message.table[:_MOST_DETAIL])
    if message.error or message.success is False:
        return NotUsed(Unused.REFUSED, message.error[:_MOST_DETAIL])
    if message.success:
        return NotUsed(Unused.ACKNOWLEDGED, message.subscribe[:_MOST_DETAIL])
    if message.info:
        return NotUsed(Unused.OTHER, message.info[:_MOST_DETAIL])
    return Malformed("wrong shape", "expected a table, an answer or an info, was neither")


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _stamp_ns(stamp: datetime) -> int:
    return ms_to_ns((stamp - _EPOCH) // timedelta(milliseconds=1))


def interval_s(stamp: datetime) -> int:
    """Seconds of an interval, which BitMEX writes as a time after 2000-01-01T00:00:00Z.

    Raises:
        DamagedValue: It is negative or longer than a month.
    """
    seconds = (stamp - _NO_INTERVAL) // timedelta(seconds=1)
    if 0 <= seconds <= 31 * 86_400:
        return seconds
    raise DamagedValue(f"expected an interval, was {stamp.isoformat()}")
