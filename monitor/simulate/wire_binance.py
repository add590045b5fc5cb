"""Binance's wire: USD-M and COIN-M futures and spot, as documented and as captured in 2026.

https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
An endpoint is host, route and form, e.g. `fstream.binance.com/market/stream`. A topic on the
wrong route is acknowledged and then stays silent, as on the venue itself: nothing here has to
see to that, because no frame is ever made for such a pair.
"""

import itertools
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
    Position,
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
    published_ns,
    text,
)
from monitor.simulate.wire_binance_rest import exchange_info, funding_info

USDM, COINM = "fstream.binance.com", "dstream.binance.com"
SPOT = ("stream.binance.com", "data-stream.binance.vision")
# The bases that carry a product's events. COIN-M kept its unrouted base beside the routes.
MARKET = {"usdm": (f"{USDM}/market",), "coinm": (COINM, f"{COINM}/market"), "spot": SPOT}
PUBLIC = {"usdm": (f"{USDM}/public",), "coinm": (COINM, f"{COINM}/public"), "spot": SPOT}
# All-market streams carry both products on both hosts since 2026-06-30.
MERGED = (*MARKET["usdm"], *MARKET["coinm"])
REST_FAMILIES = {"fapi": "usdm", "dapi": "coinm", "api": "spot"}
FAMILY = {"usdm": 1, "coinm": 2}  # `st`
DEPTH_RATES = ("", "@100ms", "@250ms", "@500ms", "@1000ms")
VENUE_DELAY_MS = 3  # E against T
LIMIT_RATIO = 0.005  # how far from the average fill the forced order's limit price is


class BinanceWire:
    """Binance, all products."""

    def __init__(self, listed: Sequence[Instrument]) -> None:
        self._listed = tuple(listed)
        self._funding: dict[str, Funding] = {}
        self._interest: dict[tuple[str, str], OpenInterest] = {}
        self._update = itertools.count(400_900_217)

    def frames(self, events: Sequence[MarketEvent], wanted: Wanted) -> Iterable[Frame]:
        """The frames of a few events."""
        marks: list[dict[str, Any]] = []
        for event in events:
            if isinstance(event, Mark):
                message = self._mark(event)
                marks.append(message)
                for rate in ("@1s", ""):
                    topic = f"{event.instrument.symbol.lower()}@markPrice{rate}"
                    yield from _sent(MARKET[event.instrument.product], topic, message, wanted)
            else:
                yield from self._single(event, wanted)
        if marks:
            yield from _sent(MERGED, "!markPrice@arr@1s", marks, wanted)

    def _single(self, event: MarketEvent, wanted: Wanted) -> Iterable[Frame]:
        """The frames of an event that has no part in any other's."""
        match event:
            case Liquidation():
                return self._forced(event, wanted)
            case Trade():
                return self._trade(event, wanted)
            case BookTop():
                return self._top(event, wanted)
            case Book():
                return self._book(event, wanted)
            case Funding():
                self._funding[event.instrument.symbol] = event
            case OpenInterest():
                name = (event.instrument.product, event.instrument.symbol)
                self._interest[name] = event
        return ()

    def greeting(self, endpoint: str, topic: str) -> bytes | None:
        """Nothing: Binance replays nothing on subscribe."""
        del endpoint, topic
        return None

    def hear(self, endpoint: str, text: str, held: Sequence[str]) -> Reply:
        """SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS."""
        del endpoint
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError:
            return _refusal(3, "Invalid JSON: expected value at line 1 column 1", None)
        match request:
            case {"method": "SUBSCRIBE", "params": [*topics], "id": number}:
                return Reply(_granted(number), subscribed=tuple(map(str, topics)))
            case {"method": "UNSUBSCRIBE", "params": [*topics], "id": number}:
                return Reply(_granted(number), unsubscribed=tuple(map(str, topics)))
            case {"method": "LIST_SUBSCRIPTIONS", "id": number}:
                return Reply((encode({"result": list(held), "id": number}),))
            case {"method": str(method), "id": number}:
                return _refusal(2, f"Invalid request: unknown variant `{method}`", number)
        return _refusal(2, "Invalid request: request ID must be an unsigned integer", None)

    def get(self, host: str, path: str, query: Mapping[str, str], now_ns: int) -> RestAnswer:
        """exchangeInfo, openInterest and fundingInfo."""
        del host
        family, _, kind = path.strip("/").partition("/")
        product, kind = REST_FAMILIES.get(family, ""), kind.rpartition("/")[2]
        if kind == "exchangeInfo" and product:
            return answer(exchange_info(self._of(product), product, now_ns))
        if kind == "fundingInfo" and product in FAMILY:
            return answer(funding_info(self._of(product)))
        if kind == "openInterest" and product in FAMILY:
            return self._open_interest(product, query.get("symbol", ""))
        return answer({"code": -5000, "msg": f"Path {path}, Method GET is invalid"}, 404)

    def _of(self, product: str) -> list[Instrument]:
        return [instrument for instrument in self._listed if instrument.product == product]

    def _open_interest(self, product: str, symbol: str) -> RestAnswer:
        known = self._interest.get((product, symbol))
        if known is None:
            return answer({"code": -1121, "msg": "Invalid symbol."}, 400)
        message: dict[str, Any] = {
            "symbol": symbol,
            "openInterest": text(known.open_interest),
            "time": milliseconds(known.event_ns),
        }
        if product == "coinm":
            message["pair"] = symbol.partition("_")[0]
            message["contractType"] = "PERPETUAL" if symbol.endswith("PERP") else "CURRENT_QUARTER"
        return answer(message)

    def _forced(self, event: Liquidation, wanted: Wanted) -> Iterator[Frame]:
        instrument = event.instrument
        quantity, average = text(event.quantity), event.price
        long = event.position is Position.LONG
        limit = average * (1.0 - LIMIT_RATIO if long else 1.0 + LIMIT_RATIO)
        order = {
            "s": instrument.symbol,
            "S": "SELL" if long else "BUY",
            "o": "LIMIT",
            "f": "IOC",
            "q": quantity,
            "p": text(float(f"{limit:.6g}")),
            "ap": text(average),
            "X": "FILLED",
            "l": quantity,
            "z": quantity,
            "T": milliseconds(event.event_ns),
        }
        stamp = milliseconds(published_ns(event))
        topic = f"{instrument.symbol.lower()}@forceOrder"
        alone = {"e": "forceOrder", "E": stamp, "o": order}
        yield from _sent(MARKET[instrument.product], topic, alone, wanted)
        marked = order | {"ps": _pair(instrument), "st": FAMILY[instrument.product]}
        yield from _sent(MERGED, "!forceOrder@arr", alone | {"o": marked}, wanted)

    def _trade(self, event: Trade, wanted: Wanted) -> Iterator[Frame]:
        instrument, number = event.instrument, next(self._update)
        stamp = milliseconds(event.event_ns)
        quantity = text(event.quantity)
        message: dict[str, Any] = {
            "e": "aggTrade",
            "E": stamp + VENUE_DELAY_MS,
            "s": instrument.symbol,
            "a": number,
            "p": text(event.price),
            "q": quantity,
            "f": number,
            "l": number,
            "T": stamp,
            "m": not event.taker_bought,
        }
        if instrument.product == "spot":
            message["M"] = True
        else:
            message |= {"nq": quantity, "st": FAMILY[instrument.product]}
        topic = f"{instrument.symbol.lower()}@aggTrade"
        yield from _sent(MARKET[instrument.product], topic, message, wanted)
        if instrument.product == "spot":
            # Spot's single trades differ from its aggregated ones in the number's key only.
            single = {k: v for k, v in message.items() if k not in {"a", "f", "l"}}
            single |= {"e": "trade", "t": number}
            topic = f"{instrument.symbol.lower()}@trade"
            yield from _sent(SPOT, topic, single, wanted)

    def _top(self, event: BookTop, wanted: Wanted) -> Iterator[Frame]:
        instrument = event.instrument
        message: dict[str, Any] = {
            "u": next(self._update),
            "s": instrument.symbol,
            "b": text(event.bid_price),
            "B": native(instrument, event.bid_base, event.bid_price),
            "a": text(event.ask_price),
            "A": native(instrument, event.ask_base, event.ask_price),
        }
        if instrument.product != "spot":
            stamp = milliseconds(event.event_ns)
            message = {"e": "bookTicker"} | message
            message |= {"ps": _pair(instrument), "T": stamp, "E": stamp + VENUE_DELAY_MS}
            message["st"] = FAMILY[instrument.product]
        topic = f"{instrument.symbol.lower()}@bookTicker"
        yield from _sent(PUBLIC[instrument.product], topic, message, wanted)

    def _book(self, event: Book, wanted: Wanted) -> Iterator[Frame]:
        instrument = event.instrument
        bids, asks = (
            [[text(price), native(instrument, coins, price)] for price, coins in rows]
            for rows in (event.bids, event.asks)
        )
        update, stamp = next(self._update), milliseconds(event.event_ns)
        message: dict[str, Any] = {
            "e": "depthUpdate",
            "E": stamp + VENUE_DELAY_MS,
            "T": stamp,
            "s": instrument.symbol,
            "ps": _pair(instrument),
            "U": update,
            "u": update,
            "pu": update - 1,
            "b": bids,
            "a": asks,
            "st": FAMILY.get(instrument.product),
        }
        if instrument.product == "spot":
            message = {"lastUpdateId": update, "bids": bids, "asks": asks}
        for rate in DEPTH_RATES:
            topic = f"{instrument.symbol.lower()}@depth20{rate}"
            yield from _sent(PUBLIC[instrument.product], topic, message, wanted)

    def _mark(self, event: Mark) -> dict[str, Any]:
        instrument = event.instrument
        funding = self._funding.get(instrument.symbol)
        mark = text(event.mark_price)
        return {
            "e": "markPriceUpdate",
            "E": milliseconds(event.event_ns),
            "s": instrument.symbol,
            "p": mark,
            "ap": mark,
            "P": mark,
            "i": text(event.index_price),
            "r": "" if funding is None else text(funding.rate_ratio),
            "T": 0 if funding is None else milliseconds(funding.next_funding_ns),
            "st": FAMILY[instrument.product],
        }


def _pair(instrument: Instrument) -> str:
    return instrument.symbol.partition("_")[0]


def _sent(bases: Iterable[str], topic: str, message: object, wanted: Wanted) -> Iterator[Frame]:
    """The message in both forms, bare and with its stream's name, where anyone listens."""
    body = b""
    for base in bases:
        for form in ("stream", "ws"):
            endpoint = f"{base}/{form}"
            if wanted(endpoint, topic):
                body = body or encode(message)
                wrapped = b'{"stream":"%s","data":%s}' % (topic.encode(), body)
                yield Frame(endpoint, topic, wrapped if form == "stream" else body)


def _granted(number: object) -> tuple[bytes, ...]:
    return (encode({"result": None, "id": number}),)


def _refusal(code: int, message: str, number: object) -> Reply:
    return Reply((encode({"error": {"code": code, "msg": message}, "id": number}),))
