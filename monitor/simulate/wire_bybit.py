"""Bybit's wire: linear, inverse and spot, v5.

https://bybit-exchange.github.io/docs/v5/ws/connect and the pages of the public topics beside it
An endpoint is host and path, e.g. `stream.bybit.com/v5/public/linear`. Liquidations name the
POSITION: "When you receive a `Buy` update, this means that a long position has been liquidated".
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

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
    native,
    text,
)
from monitor.simulate.wire_bybit_rows import (
    Levels,
    levels,
    liquidations,
    listed_row,
    rest_result,
    ticker_fields,
    ticker_top,
)

STREAM, REST = "stream.bybit.com", "api.bybit.com"
CONNECTION = "d30fdpbboasp1pjbe7r0"
SPOT_ARGUMENTS = 10  # "Spot can input up to 10 args for each subscription request"
TOPICS = frozenset({"allLiquidation", "publicTrade", "tickers", "orderbook.1", "orderbook.50"})
PAGE = 500  # default page of instruments-info


class BybitWire:
    """Bybit, all products."""

    def __init__(self, listed: Sequence[Instrument]) -> None:
        self._listed = tuple(listed)
        self._symbols = {(i.product, i.symbol) for i in listed}
        self._tickers: dict[tuple[str, str], dict[str, str]] = {}
        self._ticker_stamps: dict[tuple[str, str], int] = {}
        self._books: dict[tuple[str, str], tuple[Book, int]] = {}
        self._levels: dict[tuple[str, str], tuple[Levels, Levels]] = {}  # as last sent
        self._tops: dict[tuple[str, str], BookTop] = {}
        self._sequence = itertools.count(7_961_638_724)

    def frames(self, events: Sequence[MarketEvent], wanted: Wanted) -> Iterable[Frame]:
        """The frames of a few events; rows of one topic share a frame."""
        forced: dict[tuple[str, str], list[Liquidation]] = {}
        trades: dict[tuple[str, str], list[Trade]] = {}
        for event in events:
            name = (_endpoint(event.instrument.product), event.instrument.symbol)
            match event:
                case Liquidation():
                    forced.setdefault(name, []).append(event)
                case Trade():
                    trades.setdefault(name, []).append(event)
                case BookTop():
                    self._tops[name] = event
                    if wanted(name[0], f"orderbook.1.{name[1]}"):
                        yield Frame(name[0], f"orderbook.1.{name[1]}", self._top(event))
                case Book():
                    yield from self._book(name, event, wanted)
                case Mark() | Funding() | OpenInterest():
                    yield from self._ticker(name, event, wanted)
        yield from self._batches(forced, trades, wanted)

    def _batches(
        self,
        forced: Mapping[tuple[str, str], Sequence[Liquidation]],
        trades: Mapping[tuple[str, str], Sequence[Trade]],
        wanted: Wanted,
    ) -> Iterator[Frame]:
        for (where, symbol), orders in forced.items():
            topic = f"allLiquidation.{symbol}"
            if wanted(where, topic):
                yield Frame(where, topic, liquidations(topic, orders))
        for (where, symbol), rows in trades.items():
            topic = f"publicTrade.{symbol}"
            if wanted(where, topic):
                yield Frame(where, topic, self._trades(topic, rows))

    def greeting(self, endpoint: str, topic: str) -> bytes | None:
        """The snapshot that deltas of this topic go on from."""
        kind, _, symbol = topic.rpartition(".")
        name = (endpoint, symbol)
        if kind == "tickers" and name in self._tickers:
            return self._ticker_frame(name, "snapshot", self._tickers[name])
        if kind == "orderbook.1" and name in self._tops:
            return self._top(self._tops[name])
        if kind == "orderbook.50" and name in self._books:
            book, update = self._books[name]
            return self._book_frame(book, "snapshot", levels(book, -1), levels(book, 1), update)
        return None

    def hear(self, endpoint: str, text: str, held: Sequence[str]) -> Reply:
        """Subscribe, unsubscribe and ping."""
        del held
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError:
            return _said(False, "", "", "error:invalid json")
        match request:
            case {"op": "ping"}:
                return _said(True, "ping", request.get("req_id"), "pong")
            case {"op": "subscribe" | "unsubscribe" as op, "args": [*arguments]}:
                number = request.get("req_id")
                topics = tuple(map(str, arguments))
                refused = self._refused(endpoint, topics)
                if refused:
                    return _said(False, op, number, refused)
                answered = _said(True, op, number, op).frames
                started = op == "subscribe"
                return Reply(answered, topics if started else (), () if started else topics)
        return _said(False, str(request.get("op", "")) if isinstance(request, dict) else "", "",
                     "error:unknown op")  # fmt: skip

    def get(self, host: str, path: str, query: Mapping[str, str], now_ns: int) -> RestAnswer:
        """instruments-info, page by page."""
        del host
        product = query.get("category", "")
        if path != "/v5/market/instruments-info":
            return RestAnswer(404, b"")
        listed = [i for i in self._listed if i.product == product]
        if not listed:
            return answer(rest_result(10001, "params error: Category is invalid", {}, now_ns))
        start, size = int(query.get("cursor") or 0), int(query.get("limit") or PAGE)
        page = listed[start : start + size]
        more = start + size < len(listed)
        result = {
            "category": product,
            "list": [listed_row(instrument) for instrument in page],
            "nextPageCursor": str(start + size) if more else "",
        }
        return answer(rest_result(0, "OK", result, now_ns))

    def _refused(self, endpoint: str, topics: Sequence[str]) -> str:
        """Why the venue would not take these topics; empty if it would."""
        product = endpoint.rsplit("/", 1)[-1]
        if product == "spot" and len(topics) > SPOT_ARGUMENTS:
            return "args size >10"
        for topic in topics:
            kind, _, symbol = topic.rpartition(".")
            if kind not in TOPICS or (product, symbol) not in self._symbols:
                return f"error:handler not found,topic:{topic}"
        return ""

    def _top(self, event: BookTop) -> bytes:
        instrument, number = event.instrument, next(self._sequence)
        data = {
            "s": instrument.symbol,
            "b": [[text(event.bid_price), native(instrument, event.bid_base, event.bid_price)]],
            "a": [[text(event.ask_price), native(instrument, event.ask_base, event.ask_price)]],
            "u": number,
            "seq": number,
        }
        stamp = milliseconds(event.event_ns)
        topic = f"orderbook.1.{instrument.symbol}"
        return encode(
            {"topic": topic, "type": "snapshot", "ts": stamp, "data": data, "cts": stamp}
        )

    def _book(self, name: tuple[str, str], event: Book, wanted: Wanted) -> Iterator[Frame]:
        known = self._books.get(name)
        update = known[1] + 1 if known else 1
        self._books[name] = (event, update)
        where, topic = name[0], f"orderbook.50.{name[1]}"
        if not wanted(where, topic):
            self._levels.pop(name, None)
            return
        held = self._levels.get(name)
        if held is None:
            held = (levels(known[0], -1), levels(known[0], 1)) if known else ({}, {})
        self._levels[name] = stand = (levels(event, -1), levels(event, 1))
        sides = []
        for before, now in zip(held, stand, strict=True):
            gone = {price: "0" for price in before if price not in now}
            sides.append(gone | {p: size for p, size in now.items() if before.get(p) != size})
        kind = "delta" if known else "snapshot"
        yield Frame(where, topic, self._book_frame(event, kind, sides[0], sides[1], update))

    def _book_frame(self, book: Book, kind: str, bids: Levels, asks: Levels, update: int) -> bytes:
        stamp = milliseconds(book.event_ns)
        data = {
            "s": book.instrument.symbol,
            "b": list(bids.items()),
            "a": list(asks.items()),
            "u": update,
            "seq": next(self._sequence),
        }
        topic = f"orderbook.50.{book.instrument.symbol}"
        return encode({"topic": topic, "type": kind, "ts": stamp, "data": data, "cts": stamp})

    def _ticker(
        self, name: tuple[str, str], event: Mark | Funding | OpenInterest, wanted: Wanted
    ) -> Iterator[Frame]:
        """A delta with the fields that changed; the first time, everything as a snapshot."""
        known = self._tickers.get(name)
        if known is None:
            # Nothing is a ticker without a price, so the others wait for the first mark.
            if not isinstance(event, Mark):
                return
            known = self._tickers[name] = {}
        fields = ticker_fields(event, float(known.get("markPrice", "0")))
        top = self._tops.get(name)
        if top is not None:
            fields |= ticker_top(top)
        changed = {key: value for key, value in fields.items() if known.get(key) != value}
        kind = "delta" if known else "snapshot"
        known |= changed
        self._ticker_stamps[name] = milliseconds(event.event_ns)
        topic = f"tickers.{name[1]}"
        if changed and wanted(name[0], topic):
            yield Frame(name[0], topic, self._ticker_frame(name, kind, changed))

    def _ticker_frame(self, name: tuple[str, str], kind: str, fields: Mapping[str, str]) -> bytes:
        symbol = name[1]
        return encode(
            {
                "topic": f"tickers.{symbol}",
                "type": kind,
                "data": {"symbol": symbol, **fields},
                "cs": next(self._sequence),
                "ts": self._ticker_stamps[name],
            }
        )

    def _trades(self, topic: str, rows: Sequence[Trade]) -> bytes:
        data = []
        for row in rows:
            number = next(self._sequence)
            data.append(
                {
                    "T": milliseconds(row.event_ns),
                    "s": row.instrument.symbol,
                    "S": "Buy" if row.taker_bought else "Sell",
                    "v": text(row.quantity),
                    "p": text(row.price),
                    "L": "ZeroPlusTick" if row.taker_bought else "ZeroMinusTick",
                    "i": f"20f43950-d8dd-5b31-9112-{number:012x}",
                    "BT": False,
                    "RPI": False,
                    "seq": number,
                }
            )
        stamp = milliseconds(rows[-1].event_ns)
        return encode({"topic": topic, "type": "snapshot", "ts": stamp, "data": data})


def _endpoint(product: str) -> str:
    return f"{STREAM}/v5/public/{product}"


def _said(success: bool, op: str, number: object, message: str) -> Reply:
    said = {
        "success": success,
        "ret_msg": message,
        "conn_id": CONNECTION,
        "req_id": number or "",
        "op": op,
    }
    return Reply((encode(said),))
