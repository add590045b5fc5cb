"""What Bybit's messages contain: rows and fields of its topics, and of its listing.

https://bybit-exchange.github.io/docs/v5/websocket/public/all-liquidation and its neighbours
"""

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.events import Book, BookTop, Funding, Liquidation, Mark, OpenInterest, Position
from monitor.instruments import Instrument, Unit
from monitor.simulate.wire import BATCH_NS, encode, milliseconds, native, text

Levels = dict[str, str]  # size by price


def liquidations(topic: str, orders: Sequence[Liquidation]) -> bytes:
    """One frame with all of a batch's orders of a topic."""
    rows = [
        {
            "T": milliseconds(order.event_ns),
            "s": order.instrument.symbol,
            "S": "Buy" if order.position is Position.LONG else "Sell",
            "v": text(order.quantity),
            "p": text(order.price),
        }
        for order in orders
    ]
    stamp = milliseconds((orders[-1].event_ns // BATCH_NS + 1) * BATCH_NS)
    return encode({"topic": topic, "type": "snapshot", "ts": stamp, "data": rows})


def levels(book: Book, step: int) -> Levels:
    """One side of a book (-1 bids, 1 asks), size by price."""
    rows = book.bids if step < 0 else book.asks
    return {text(price): native(book.instrument, coins, price) for price, coins in rows}


def ticker_fields(event: Mark | Funding | OpenInterest, mark_price: float) -> dict[str, str]:
    """The ticker's fields that an event states, at the last mark price before it."""
    match event:
        case Mark():
            mark = text(event.mark_price)
            return {"lastPrice": mark, "markPrice": mark, "indexPrice": text(event.index_price)}
        case Funding():
            return {
                "fundingRate": text(event.rate_ratio),
                "nextFundingTime": str(milliseconds(event.next_funding_ns)),
                "fundingIntervalHour": str(event.interval_s // 3600),
            }
    # "openInterest" counts both sides of a contract, "singleOpenInterest" one.
    # The value of linear contracts is money, that of inverse ones coins.
    one = event.open_interest
    inverse = event.instrument.unit is Unit.QUOTE
    value = event.open_interest_base if inverse else one * mark_price
    return {
        "openInterest": text(2.0 * one),
        "openInterestValue": text(round(2.0 * value, 4)),
        "singleOpenInterest": text(one),
        "singleOpenInterestValue": text(round(value, 4)),
    }


def ticker_top(top: BookTop) -> dict[str, str]:
    """The ticker's fields of the best bid and ask."""
    return {
        "bid1Price": text(top.bid_price),
        "bid1Size": native(top.instrument, top.bid_base, top.bid_price),
        "ask1Price": text(top.ask_price),
        "ask1Size": native(top.instrument, top.ask_base, top.ask_price),
    }


def rest_result(code: int, message: str, result: Mapping[str, Any], now_ns: int) -> dict[str, Any]:
    """A REST answer's envelope."""
    return {
        "retCode": code,
        "retMsg": message,
        "result": result,
        "retExtInfo": {},
        "time": milliseconds(now_ns),
    }


def listed_row(instrument: Instrument) -> dict[str, Any]:
    """An instrument, as instruments-info lists it."""
    base = ("" if instrument.multiplier == 1.0 else f"{instrument.multiplier:.0f}") + (
        instrument.asset
    )
    row: dict[str, Any] = {
        "symbol": instrument.symbol,
        "status": "Trading",
        "baseCoin": base,
        "quoteCoin": instrument.quote,
        "symbolType": "",
        "lotSizeFilter": {},
        "priceFilter": {},
    }
    if instrument.product == "spot":
        return row | {"innovation": "0", "marginTrading": "both"}
    kind = "Linear" if instrument.product == "linear" else "Inverse"
    return row | {
        "contractType": f"{kind}{'Perpetual' if instrument.perpetual else 'Futures'}",
        "settleCoin": instrument.settle,
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "fundingInterval": instrument.funding_interval_s // 60,
        "unifiedMarginTrade": True,
    }
