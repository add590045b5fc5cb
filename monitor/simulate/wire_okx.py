"""OKX's wire: swaps, futures and spot on one socket, by channel and instrument.

https://www.okx.com/docs-v5/en/#public-data-websocket
A topic is `channel:instId`, or `channel:instType` where a channel covers a whole type. On
subscribe, OKX sends the present value of most channels, and past orders of liquidation-orders.
Index prices go by pair (`BTC-USDT`), not by contract. Numbers and stamps are strings.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from monitor.events import (
    Book,
    BookTop,
    Funding,
    Liquidation,
    Mark,
    MarketEvent,
    OpenInterest,
    Trade,
)
from monitor.instruments import Instrument
from monitor.simulate.wire import (
    Frame,
    Reply,
    RestAnswer,
    Wanted,
    answer,
    encode,
    milliseconds,
)
from monitor.simulate.wire_okx_rows import (
    KINDS,
    book_frame,
    book_row,
    changes,
    forced_row,
    funding_row,
    index_of,
    index_row,
    interest_row,
    listed_row,
    mark_row,
    top_row,
    trade_row,
)

PUBLIC = "ws.okx.com/ws/v5/public"
REST = ("openapi.okx.com", "www.okx.com")
CONNECTION = "a4d3ae55"
PAST_ORDERS = 10  # sent to whoever subscribes to liquidation-orders
# Channels that start with the present value.
STANDING = ("open-interest", "funding-rate", "mark-price", "index-tickers", "bbo-tbt", "books5")
BY_INSTRUMENT = frozenset({*STANDING, "trades", "books"})
SHALLOW = 5  # levels of books5


class OkxWire:
    """OKX, all products."""

    def __init__(self, listed: Sequence[Instrument]) -> None:
        self._listed = tuple(listed)
        self._symbols = {i.symbol for i in listed} | {index_of(i) for i in listed}
        self._orders: dict[str, deque[bytes]] = {}
        self._last: dict[str, bytes] = {}
        self._books: dict[str, tuple[Book, int]] = {}
        self._number = itertools.count(130_639_474)

    def frames(self, events: Sequence[MarketEvent], wanted: Wanted) -> Iterable[Frame]:
        """The frames of a few events."""
        for event in events:
            instrument = event.instrument
            match event:
                case Liquidation():
                    yield from self._forced(event, wanted)
                case Book():
                    five = book_row(instrument, event.bids[:SHALLOW], event.asks[:SHALLOW])
                    five |= {"instId": instrument.symbol} | self._numbered(event)
                    yield from self._row("books5", instrument.symbol, five, wanted)
                    yield from self._book(event, wanted)
                case Mark():
                    mark, index = mark_row(event), index_row(event)
                    # One contract of each pair carries the index for all of them.
                    if instrument.perpetual:
                        yield from self._row("index-tickers", index_of(instrument), index, wanted)
                    yield from self._row("mark-price", instrument.symbol, mark, wanted)
                case BookTop():
                    row = top_row(event) | self._numbered(event)
                    yield from self._row("bbo-tbt", instrument.symbol, row, wanted)
                case Trade():
                    row = trade_row(event, next(self._number))
                    yield from self._row("trades", instrument.symbol, row, wanted)
                case OpenInterest():
                    row = interest_row(event)
                    yield from self._row("open-interest", instrument.symbol, row, wanted)
                case Funding():
                    row = funding_row(event)
                    yield from self._row("funding-rate", instrument.symbol, row, wanted)

    def greeting(self, endpoint: str, topic: str) -> bytes | None:
        """The present value, a book's snapshot, or liquidation orders of the past."""
        del endpoint
        channel, _, name = topic.partition(":")
        if channel == "liquidation-orders":
            rows = b",".join(self._orders.get(name, ()))
            head = b'{"arg":{"channel":"liquidation-orders","instType":"%s"},"data":[%s]}'
            return head % (name.encode(), rows) if rows else None
        if channel == "books" and name in self._books:
            book, sequence = self._books[name]
            row = book_row(book.instrument, book.bids, book.asks)
            return book_frame(book, "snapshot", row, sequence, -1)
        return self._last.get(topic)

    def hear(self, endpoint: str, text: str, held: Sequence[str]) -> Reply:
        """Subscribe, unsubscribe and the text `ping`."""
        del endpoint, held
        if text == "ping":
            return Reply((b"pong",))
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError:
            return _error("60012", f"Invalid request: {text[:200]}")
        match request:
            case {"op": "subscribe" | "unsubscribe" as op, "args": [*arguments]}:
                said, topics = [], []
                for argument in arguments:
                    topic = self._topic(argument)
                    if topic:
                        topics.append(topic)
                        said.append(encode({"event": op, "arg": argument, "connId": CONNECTION}))
                    else:
                        said += _doubtful(argument)
                started = tuple(topics)
                return Reply(
                    tuple(said),
                    started if op == "subscribe" else (),
                    started if op == "unsubscribe" else (),
                )
        return _error("60012", f"Invalid request: {text[:200]}")

    def get(self, host: str, path: str, query: Mapping[str, str], now_ns: int) -> RestAnswer:
        """The instruments of one type."""
        del host, now_ns
        if path != "/api/v5/public/instruments":
            return answer({"code": "50000", "msg": "Not found", "data": []}, 404)
        kind = query.get("instType", "")
        listed = [i for i in self._listed if KINDS[i.product] == kind]
        if not listed:
            return answer({"code": "51000", "msg": "Parameter instType error", "data": []}, 400)
        rows = [listed_row(instrument) for instrument in listed]
        return answer({"code": "0", "msg": "", "data": rows})

    def _topic(self, argument: object) -> str:
        """The topic of a subscription's argument; empty when the venue knows none such."""
        match argument:
            case {"channel": "liquidation-orders", "instType": "SWAP" | "FUTURES" as kind}:
                return f"liquidation-orders:{kind}"
            case {"channel": str(channel), "instId": str(name)} if channel in BY_INSTRUMENT:
                return f"{channel}:{name}" if name in self._symbols else ""
        return ""

    def _row(
        self, channel: str, name: str, row: Mapping[str, Any], wanted: Wanted
    ) -> Iterator[Frame]:
        topic = f"{channel}:{name}"
        standing = channel in STANDING
        if not standing and not wanted(PUBLIC, topic):
            return
        payload = encode({"arg": {"channel": channel, "instId": name}, "data": [row]})
        if standing:
            self._last[topic] = payload
        if wanted(PUBLIC, topic):
            yield Frame(PUBLIC, topic, payload)

    def _forced(self, event: Liquidation, wanted: Wanted) -> Iterator[Frame]:
        kind = KINDS[event.instrument.product]
        row = forced_row(event)
        self._orders.setdefault(kind, deque(maxlen=PAST_ORDERS)).append(encode(row))
        topic = f"liquidation-orders:{kind}"
        if wanted(PUBLIC, topic):
            channel = {"channel": "liquidation-orders", "instType": kind}
            yield Frame(PUBLIC, topic, encode({"arg": channel, "data": [row]}))

    def _book(self, event: Book, wanted: Wanted) -> Iterator[Frame]:
        name = event.instrument.symbol
        known = self._books.get(name)
        sequence = next(self._number)
        self._books[name] = (event, sequence)
        topic = f"books:{name}"
        if not wanted(PUBLIC, topic):
            return
        if known is None:
            row = book_row(event.instrument, event.bids, event.asks)
            yield Frame(PUBLIC, topic, book_frame(event, "snapshot", row, sequence, -1))
            return
        before, previous = known
        row = {
            "asks": changes(event, before.asks, event.asks),
            "bids": changes(event, before.bids, event.bids),
        }
        yield Frame(PUBLIC, topic, book_frame(event, "update", row, sequence, previous))

    def _numbered(self, event: Book | BookTop) -> dict[str, Any]:
        return {"ts": str(milliseconds(event.event_ns)), "seqId": next(self._number)}


def _error(code: str, message: str) -> Reply:
    said = {"event": "error", "code": code, "msg": message, "connId": CONNECTION}
    return Reply((encode(said),))


def _doubtful(argument: object) -> tuple[bytes, ...]:
    if isinstance(argument, dict):
        asked = ",".join(f"{key}:{value}" for key, value in argument.items())
        return _error("60018", f"Wrong URL or {asked} doesn't exist.").frames
    return _error("60012", "Invalid request: expected an object in args").frames
