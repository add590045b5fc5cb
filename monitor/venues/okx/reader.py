"""One OKX connection's frames into events.

The liquidation channel "does not represent the total number of liquidations on OKX" (at most
one order a contract and second by the older text), comes out of order, and begins with orders
from before the subscription, which are left out. Its `posSide` is whose position was closed;
in net mode the order's `side` tells it, as a sold position was long. Prices of liquidations
are bankruptcy prices. Quantities are contracts, on spot coins.

A liquidation may come without a usable bankruptcy price (empty or 0). Its quantity is kept and
its price is NaN: a linear order then has coins but no notional, an inverse one the reverse.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

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
from monitor.instruments import Instrument, InstrumentTable, Unit
from monitor.venues.okx import messages as wire
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
    row_by_row,
)

# Orders this much older than the connection are history, not news.
_REPLAY_NS = 5_000_000_000
_RESTART_CODE = "64008"
_RETIRED = frozenset({"liquidations"})
_MOST_DETAIL = 200


class State(msgspec.Struct):
    """All that later events of a connection depend on.

    Attributes:
        opened_ns: Market time of its opening; 0 when that is not known.
        index_prices: Last index price by pair ("BTC-USDT").
    """

    opened_ns: int = 0
    index_prices: dict[str, float] = {}


_PONG = (NotUsed(Unused.PONG),)
_NO_ROWS = (NotUsed(Unused.OTHER, "message without rows"),)
_REPLAYED = NotUsed(Unused.REPLAYED)
_INDEX_KEPT = NotUsed(Unused.OTHER, "index price kept for the marks")
_NO_RATE = NotUsed(Unused.OTHER, "funding without a rate")
_ONE_SIDED = NotUsed(Unused.OTHER, "book with an empty side")


class OkxReader(Remembering[State]):
    """One connection's frames; see `State` for what it remembers."""

    def __init__(self, table: InstrumentTable, opened_ns: int) -> None:
        self._state = State(opened_ns)
        self._table = table
        self._by_channel: dict[str, Callable[[bytes, int], Sequence[Event]]] = {
            "liquidation-orders": self._liquidations,
            "trades": self._trades,
            "open-interest": self._interest,
            "mark-price": self._marks,
            "index-tickers": self._indices,
            "funding-rate": self._funding,
            "bbo-tbt": self._tops,
            "books5": self._books,
        }
        # The same by how frames begin as OKX writes them; others take the longer way.
        self._by_prefix = {
            f'{{"arg":{{"channel":"{channel}"'.encode(): reading
            for channel, reading in self._by_channel.items()
        }

    def read(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        """Events of one frame; damage becomes `Malformed`."""
        try:
            reading = self._by_prefix.get(frame[: frame.find(b",")], self._other)
            return reading(frame, received_ns) or _NO_ROWS
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return (malformed(error),)

    def _other(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        if frame == b"pong":
            return _PONG
        envelope = wire.ENVELOPE.decode(frame)
        if envelope.event:
            return (_answer_event(envelope),)
        if envelope.table:
            return (NotUsed(Unused.RETIRED_TOPIC, envelope.table[:_MOST_DETAIL]),)
        if envelope.arg is None:
            return (Malformed("wrong shape", "expected an event or a channel, was neither"),)
        channel = envelope.arg.channel
        reading = self._by_channel.get(channel)
        if reading is not None:
            return reading(frame, received_ns)
        reason = Unused.RETIRED_TOPIC if channel in _RETIRED else Unused.OTHER
        return (NotUsed(reason, channel[:_MOST_DETAIL]),)

    def _named(self, inst_id: str) -> Instrument:
        return self._table.get(inst_id) or self._table.named(inst_id, _product_of(inst_id))

    def _liquidations(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        events: list[Event] = []
        try:
            groups = wire.LIQUIDATIONS.decode(frame).data
        except msgspec.ValidationError:
            for raw in wire.RAW_LIQUIDATIONS.decode(frame).data:
                order_of = partial(self._liquidation, self._named(raw.inst_id))
                rows = row_by_row(raw.details, wire.LIQUIDATION)
                events += events_of(rows, order_of, received_ns)
            return events
        for group in groups:
            order_of = partial(self._liquidation, self._named(group.inst_id))
            events += events_of(group.details, order_of, received_ns)
        return events

    def _liquidation(
        self, instrument: Instrument, row: wire.LiquidationRow, received_ns: int
    ) -> Event:
        event_ns = ms_to_ns(row.ts)
        opened_ns = self._state.opened_ns
        if opened_ns and event_ns < opened_ns - _REPLAY_NS:
            return _REPLAYED
        quantity = positive(row.sz, "quantity")
        price = float(row.bk_px or 0.0)
        price = math.nan if price == 0.0 else positive(price, "price")
        coins = instrument.coins(quantity, price)
        notional_usd = instrument.notional_usd(quantity, price)
        if math.inf in {coins, notional_usd}:
            raise DamagedValue(f"expected a finite notional, was {quantity} at {price}")
        was_long = row.pos_side == "long" or (row.pos_side == "net" and row.side == "sell")
        return Liquidation(
            instrument,
            Position.LONG if was_long else Position.SHORT,
            event_ns,
            received_ns,
            quantity,
            coins,
            notional_usd,
            price,
            PriceBasis.BANKRUPTCY,
            Completeness.ONE_PER_SECOND,
        )

    def _trades(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        try:
            rows = wire.TRADES.decode(frame).data
        except msgspec.ValidationError:
            raw = data_row_by_row(frame, wire.TRADE)
            return events_of(raw, self._trade, received_ns)
        return events_of(rows, self._trade, received_ns)

    def _trade(self, row: wire.TradeRow, received_ns: int) -> Event:
        instrument = self._named(row.inst_id)
        price = positive(row.px, "price")
        quantity = positive(row.sz, "quantity")
        return Trade(
            instrument,
            ms_to_ns(row.ts),
            received_ns,
            price,
            quantity,
            instrument.coins(quantity, price),
            row.side == "buy",
        )

    def _interest(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        return events_of(wire.INTEREST.decode(frame).data, self._interest_row, received_ns)

    def _interest_row(self, row: wire.InterestRow, received_ns: int) -> Event:
        instrument = self._named(row.inst_id)
        interest = finite(row.oi, "open interest")
        if interest < 0.0:
            raise DamagedValue(f"expected open interest, was {interest}")
        coins = instrument.coins(interest, math.nan)
        if instrument.unit is Unit.QUOTE and row.oi_ccy:
            # Contracts of US dollars: only the venue's own count of coins needs no price.
            coins = finite(float(row.oi_ccy), "open interest") * instrument.multiplier
            if coins < 0.0:
                raise DamagedValue(f"expected open interest, was {coins}")
        return OpenInterest(instrument, ms_to_ns(row.ts), received_ns, interest, coins)

    def _marks(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        return events_of(wire.MARKS.decode(frame).data, self._mark, received_ns)

    def _mark(self, row: wire.MarkRow, received_ns: int) -> Event:
        index = self._state.index_prices.get(index_pair(row.inst_id), math.nan)
        return Mark(
            self._named(row.inst_id),
            ms_to_ns(row.ts),
            received_ns,
            positive(row.mark_px, "mark price"),
            index,
        )

    def _indices(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        return events_of(wire.INDICES.decode(frame).data, self._index, received_ns)

    def _index(self, row: wire.IndexRow, _received_ns: int) -> Event:
        self._state.index_prices[row.inst_id] = positive(row.idx_px, "index price")
        return _INDEX_KEPT

    def _funding(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        return events_of(wire.FUNDING.decode(frame).data, self._funding_row, received_ns)

    def _funding_row(self, row: wire.FundingRow, received_ns: int) -> Event:
        if not row.funding_rate:
            return _NO_RATE
        instrument = self._named(row.inst_id)
        due_ns = ms_to_ns(int(row.funding_time)) if row.funding_time else 0
        interval_s = instrument.funding_interval_s
        if due_ns and row.next_funding_time:
            interval_s = (ms_to_ns(int(row.next_funding_time)) - due_ns) // 1_000_000_000
            if interval_s <= 0:
                raise DamagedValue(f"expected the next funding later, was {interval_s} s")
        return Funding(
            instrument,
            # Messages before 2023 have no stamp.
            ms_to_ns(row.ts) if row.ts else received_ns,
            received_ns,
            finite(float(row.funding_rate), "funding rate"),
            interval_s,
            due_ns,
        )

    def _tops(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        message = wire.BOOKS.decode(frame)
        instrument = self._named(message.arg.inst_id)
        return events_of(message.data, partial(_top, instrument), received_ns)

    def _books(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        message = wire.BOOKS.decode(frame)
        instrument = self._named(message.arg.inst_id)
        return events_of(message.data, partial(_book, instrument), received_ns)


def index_pair(inst_id: str) -> str:
    """The pair whose index a contract follows: BTC-USD for BTC-USD-SWAP and BTC-USD_UM-SWAP."""
    return "-".join(inst_id.split("-", 2)[:2]).removesuffix("_UM")


def _product_of(inst_id: str) -> str:
    if inst_id.endswith("-SWAP"):
        return "swap"
    return "futures" if inst_id.count("-") == 2 else "spot"  # noqa: PLR2004 BTC-USD-261225


def _top(instrument: Instrument, row: wire.BookRow, received_ns: int) -> Event:
    if not row.bids or not row.asks:
        return _ONE_SIDED
    bid, ask = row.bids[0], row.asks[0]
    # One comparison chain rather than four checks: this is the busiest channel.
    if not (
        LEAST <= bid.price <= MOST
        and LEAST <= bid.size <= MOST
        and LEAST <= ask.price <= MOST
        and LEAST <= ask.size <= MOST
    ):
        raise DamagedValue(f"expected positive prices and sizes, was {bid} and {ask}")
    return BookTop(
        instrument,
        ms_to_ns(row.ts),
        received_ns,
        bid.price,
        instrument.coins(bid.size, bid.price),
        ask.price,
        instrument.coins(ask.size, ask.price),
    )


def _book(instrument: Instrument, row: wire.BookRow, received_ns: int) -> Event:
    if not row.bids or not row.asks:
        return _ONE_SIDED
    bids = tuple(_level(instrument, level) for level in row.bids)
    asks = tuple(_level(instrument, level) for level in row.asks)
    return Book(instrument, ms_to_ns(row.ts), received_ns, bids, asks)


def _level(instrument: Instrument, level: wire.Level) -> tuple[float, float]:
    price = positive(level.price, "price")
    return price, instrument.coins(positive(level.size, "size"), price)


def _answer_event(envelope: wire.Envelope) -> NotUsed:
    detail = f"{envelope.code} {envelope.msg}".strip()[:_MOST_DETAIL]
    match envelope.event:
        case "subscribe" | "unsubscribe":
            return NotUsed(
                Unused.ACKNOWLEDGED, envelope.arg.channel[:_MOST_DETAIL] if envelope.arg else ""
            )
        case "error" | "channel-conn-count-error":
            return NotUsed(Unused.REFUSED, detail)
        case "notice" if envelope.code == _RESTART_CODE:
            return NotUsed(Unused.RESTART_NOTICE, detail)
        case _:
            return NotUsed(Unused.OTHER, f"{envelope.event} {detail}".strip()[:_MOST_DETAIL])
