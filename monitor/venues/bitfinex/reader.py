"""One Bitfinex connection's frames into events.

Data frames name only a channel id, which the connection's own `subscribed` notices explain, so
the state of a connection begins with that map. What a channel sends first is history: the
latest liquidations, the latest trades.

A liquidation is told more than once: when it is triggered (IS_MATCH 0) and with each execution
(IS_MATCH 1), so only the trigger counts. The sign of AMOUNT is the POSITION's: positive, a
long was liquidated. BASE_PRICE is the price it was entered at; where a derivative's status on
the same connection has told the asset's mark price, that one is given instead. Quantities are
coins, in derivatives and in margin pairs alike.
"""

import math
from collections.abc import Callable, Sequence

import msgspec

from monitor.events import (
    BookTop,
    Completeness,
    Event,
    Funding,
    Liquidation,
    Mark,
    NotUsed,
    OpenInterest,
    Position,
    PriceBasis,
    Trade,
    Unused,
)
from monitor.instruments import USD_QUOTES, Instrument, InstrumentTable
from monitor.venues.bitfinex.messages import (
    Frame,
    LevelRow,
    LiquidationRow,
    Notice,
    StatusRow,
    TradeRow,
)
from monitor.venues.wire import (
    DamagedValue,
    Remembering,
    events_of,
    finite,
    malformed,
    ms_to_ns,
    positive,
    row_by_row,
)

NAME = "bitfinex"
SPOT, DERIVATIVES = "spot", "derivatives"
FUNDING_INTERVAL_S = 8 * 3600
LIQUIDATIONS = "status:liq:global"
DERIVATIVE = "status:deriv:"

_MOST_CHANNELS = 100  # four times what the venue allows on one connection
_MOST_LEVELS = 250  # the deepest book it offers
_MOST_DETAIL = 200

# "20051: Stop/Restart Websocket Server (please reconnect)", "20061: Maintenance ended ... it is
# advised to unsubscribe/subscribe again all channels": both end in a new connection.
_RECONNECT_CODES = frozenset({20051, 20061})


class Channel(msgspec.Struct):
    """One subscribed channel: its topic, what it told last, and its book if it is one."""

    topic: str
    begun: bool = False
    rate_ratio: float | None = None
    next_funding_ns: int = 0
    bids: list[tuple[float, float]] = []
    asks: list[tuple[float, float]] = []


class State(msgspec.Struct):
    """All that later events of a connection depend on.

    `marks` is the last mark price of an asset, US dollars a coin.
    """

    channels: dict[int, Channel] = {}
    marks: dict[str, float] = {}


_NOTICE = msgspec.json.Decoder(Notice)
_FRAME = msgspec.json.Decoder(Frame)
_TAG = msgspec.json.Decoder(str)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_LIQUIDATION = msgspec.json.Decoder(LiquidationRow)
_STATUS = msgspec.json.Decoder(StatusRow)
_TRADE = msgspec.json.Decoder(TradeRow)
_LEVEL = msgspec.json.Decoder(LevelRow)
_LEVELS = msgspec.json.Decoder(list[LevelRow])

_HEARTBEAT = (NotUsed(Unused.PONG, "heartbeat"),)
_NOT_SUBSCRIBED = (NotUsed(Unused.OTHER, "channel not subscribed"),)
_TRADE_AGAIN = (NotUsed(Unused.OTHER, "trade told again, with its id"),)
_TOP_UNCHANGED = (NotUsed(Unused.OTHER, "book below its top"),)
_ONE_SIDED = (NotUsed(Unused.OTHER, "book with an empty side"),)
_NO_STATUS = (NotUsed(Unused.OTHER, "derivative status without news"),)
_EXECUTION = NotUsed(Unused.OTHER, "execution of a liquidation told before")


class BitfinexReader(Remembering[State]):
    """One connection's frames; see `State` for what it remembers."""

    def __init__(self, table: InstrumentTable) -> None:
        self._state = State()
        self._table = table
        self._payloads: dict[str, Callable[[Channel, bytes, int], Sequence[Event]]] = {
            "status": self._status,
            "trades": self._trades,
            "book": self._book,
        }

    def read(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        """Events of one frame; damage becomes `Malformed`."""
        try:
            if frame[:1] == b"[":
                return self._data(_FRAME.decode(frame), received_ns)
            return (self._notice(_NOTICE.decode(frame)),)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return (malformed(error),)

    def _notice(self, notice: Notice) -> NotUsed:
        channels = self._state.channels
        reason, detail = Unused.OTHER, f"event {notice.event}"
        match notice.event:
            case "subscribed" if notice.chan_id is not None:
                topic = f"{notice.channel}:{notice.key or notice.symbol}"
                channels[notice.chan_id] = Channel(topic)
                if len(channels) > _MOST_CHANNELS:
                    del channels[next(iter(channels))]
                reason, detail = Unused.ACKNOWLEDGED, topic
            case "unsubscribed" if notice.chan_id is not None:
                channels.pop(notice.chan_id, None)
                reason = Unused.ACKNOWLEDGED
            case "conf":
                reason = Unused.ACKNOWLEDGED
            case "pong":
                reason = Unused.PONG
            case "error":
                reason, detail = Unused.REFUSED, f"{notice.code} {notice.msg}"
            case "info" if notice.code in _RECONNECT_CODES:
                reason, detail = Unused.RESTART_NOTICE, f"info {notice.code}"
            case "info" if notice.code is not None:
                detail = f"info {notice.code}"
        return NotUsed(reason, detail[:_MOST_DETAIL])

    def _data(self, frame: Frame, received_ns: int) -> Sequence[Event]:
        payload = bytes(frame.first).strip()
        tag = "" if payload[:1] == b"[" else _TAG.decode(payload)
        if tag == "hb":
            return _HEARTBEAT
        channel = self._state.channels.get(frame.channel)
        if channel is None:
            return _NOT_SUBSCRIBED
        kind = channel.topic.partition(":")[0]
        if tag == "te" and kind == "trades":
            return (self._trade(channel, _TRADE.decode(frame.second), received_ns),)
        if tag == "tu" and kind == "trades":
            return _TRADE_AGAIN
        reading = self._payloads.get(kind)
        if tag or reading is None:
            return (NotUsed(Unused.OTHER, f"{tag or 'data'} of {channel.topic}"[:_MOST_DETAIL]),)
        return reading(channel, payload, received_ns)

    def _trades(self, _channel: Channel, _payload: bytes, _received_ns: int) -> Sequence[Event]:
        """The snapshot: every later trade has a tag before it."""
        return (NotUsed(Unused.REPLAYED, "trades from before the subscription"),)

    def _trade(self, channel: Channel, row: TradeRow, received_ns: int) -> Trade:
        instrument = self._named(channel.topic.partition(":")[2])
        price = positive(row.price, "price")
        quantity = positive(abs(row.amount), "amount")
        return Trade(
            instrument,
            ms_to_ns(row.time_ms),
            received_ns,
            price,
            quantity,
            instrument.coins(quantity, price),
            row.amount > 0.0,
        )

    def _status(self, channel: Channel, payload: bytes, received_ns: int) -> Sequence[Event]:
        if channel.topic == LIQUIDATIONS:
            return self._liquidations(channel, payload, received_ns)
        if channel.topic.startswith(DERIVATIVE):
            row = _STATUS.decode(payload)
            return self._derivative(channel, row, received_ns) or _NO_STATUS
        return (NotUsed(Unused.OTHER, channel.topic[:_MOST_DETAIL]),)

    def _liquidations(self, channel: Channel, payload: bytes, received_ns: int) -> Sequence[Event]:
        rows = row_by_row(_ROWS.decode(payload), _LIQUIDATION)
        if not channel.begun:
            channel.begun = True
            return (NotUsed(Unused.REPLAYED, "liquidations from before the subscription"),)
        events = events_of(rows, self._liquidation, received_ns)
        return events or (NotUsed(Unused.OTHER, "liquidations without rows"),)

    def _liquidation(self, row: LiquidationRow, received_ns: int) -> Event:
        if row.kind != "pos":
            return NotUsed(Unused.OTHER, f"liquidation of kind {row.kind}"[:_MOST_DETAIL])
        if row.is_match != 0:
            return _EXECUTION
        instrument = self._named(row.symbol)
        quantity = positive(abs(row.amount), "amount")
        price, basis = self._price(instrument, row.base_price)
        return Liquidation(
            instrument,
            Position.LONG if row.amount > 0.0 else Position.SHORT,
            ms_to_ns(int(row.time_ms)),
            received_ns,
            quantity,
            instrument.coins(quantity, price),
            instrument.notional_usd(quantity, price),
            price,
            basis,
            Completeness.FULL,
        )

    def _price(self, instrument: Instrument, base_price: float | None) -> tuple[float, PriceBasis]:
        mark = self._state.marks.get(instrument.asset)
        if mark is not None and instrument.quote in USD_QUOTES:
            return mark * instrument.multiplier, PriceBasis.MARK
        if base_price is None:
            return math.nan, PriceBasis.ENTRY
        return positive(base_price, "base price"), PriceBasis.ENTRY

    def _derivative(self, channel: Channel, row: StatusRow, received_ns: int) -> list[Event]:
        instrument = self._named(channel.topic.removeprefix(DERIVATIVE))
        event_ns = ms_to_ns(row.time_ms)
        news: list[Event] = []
        mark = math.nan
        if row.mark_price is not None:
            mark = positive(row.mark_price, "mark price")
            index = math.nan if not row.spot_price else positive(row.spot_price, "spot price")
            news.append(Mark(instrument, event_ns, received_ns, mark, index))
        if row.open_interest is not None:
            interest = finite(row.open_interest, "open interest")
            if interest < 0.0:
                raise DamagedValue(f"expected open interest, was {interest}")
            coins = instrument.coins(interest, mark)
            news.append(OpenInterest(instrument, event_ns, received_ns, interest, coins))
        rate = None
        next_ns = 0
        if row.current_funding is not None:
            rate = finite(row.current_funding, "funding")
            next_ns = ms_to_ns(row.next_funding_ms) if row.next_funding_ms else 0
            if (rate, next_ns) != (channel.rate_ratio, channel.next_funding_ns):
                every_s = instrument.funding_interval_s or FUNDING_INTERVAL_S
                news.append(Funding(instrument, event_ns, received_ns, rate, every_s, next_ns))
        # Nothing is remembered of a row before all of it was checked.
        if rate is not None:
            channel.rate_ratio, channel.next_funding_ns = rate, next_ns
        if mark > 0.0 and instrument.quote in USD_QUOTES:
            self._state.marks[instrument.asset] = mark / instrument.multiplier
        return news

    def _book(self, channel: Channel, payload: bytes, received_ns: int) -> Sequence[Event]:
        """The top of a price-level book; it carries no time, so receipt is its time."""
        before = (channel.bids[:1], channel.asks[:1])
        if payload[1:].lstrip()[:1] in {b"[", b"]"}:
            rows = _LEVELS.decode(payload)
            bids: list[tuple[float, float]] = []
            asks: list[tuple[float, float]] = []
        else:
            rows = [_LEVEL.decode(payload)]
            bids, asks = channel.bids, channel.asks
        for row in rows:
            positive(row.price, "price")
            positive(abs(row.amount), "amount")
        for row in rows:
            _apply(bids if row.amount > 0.0 else asks, row)
        channel.bids, channel.asks = bids, asks
        if not bids or not asks:
            return _ONE_SIDED
        if (bids[:1], asks[:1]) == before:
            return _TOP_UNCHANGED
        instrument = self._named(channel.topic.partition(":")[2])
        (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
        return (
            BookTop(
                instrument,
                received_ns,
                received_ns,
                bid,
                instrument.coins(bid_size, bid),
                ask,
                instrument.coins(ask_size, ask),
            ),
        )

    def _named(self, symbol: str) -> Instrument:
        return self._table.named(symbol, DERIVATIVES if ":" in symbol and "F0" in symbol else SPOT)


def _apply(levels: list[tuple[float, float]], row: LevelRow) -> None:
    """Put a level into a side, best first, or take it out of it."""
    downwards = -1.0 if row.amount > 0.0 else 1.0
    at = 0
    while at < len(levels) and downwards * levels[at][0] < downwards * row.price:
        at += 1
    held = at < len(levels) and levels[at][0] == row.price
    if row.count == 0:
        del levels[at : at + held]
    else:
        levels[at : at + held] = [(row.price, abs(row.amount))]
        del levels[_MOST_LEVELS:]
