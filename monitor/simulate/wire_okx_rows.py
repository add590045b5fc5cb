"""What OKX's messages contain: rows of its channels, and of its listing.

https://www.okx.com/docs-v5/en/#public-data-websocket and the channels beside it
"""

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.clock import NS
from monitor.events import (
    Book,
    BookTop,
    Funding,
    Liquidation,
    Mark,
    OpenInterest,
    Position,
    Trade,
)
from monitor.instruments import Instrument, Unit
from monitor.simulate.wire import encode, milliseconds, native, text

KINDS = {"swap": "SWAP", "futures": "FUTURES", "spot": "SPOT"}  # instType by product


def index_of(instrument: Instrument) -> str:
    """The index that a contract follows, `BTC-USDT`."""
    return f"{instrument.asset}-{instrument.quote}"


def forced_row(event: Liquidation) -> dict[str, Any]:
    """One row of liquidation-orders: `side` is the order's, `posSide` the position's."""
    instrument, long = event.instrument, event.position is Position.LONG
    return {
        "details": [
            {
                "bkLoss": "0",
                "bkPx": text(event.price),
                "ccy": "",
                "posSide": "long" if long else "short",
                "side": "sell" if long else "buy",
                "sz": text(event.quantity),
                "ts": str(milliseconds(event.event_ns)),
            }
        ],
        "instFamily": index_of(instrument),
        "instId": instrument.symbol,
        "instType": KINDS[instrument.product],
        "uly": index_of(instrument),
    }


def trade_row(event: Trade, number: int) -> dict[str, Any]:
    """One row of trades."""
    return {
        "instId": event.instrument.symbol,
        "tradeId": str(number),
        "px": text(event.price),
        "sz": text(event.quantity),
        "side": "buy" if event.taker_bought else "sell",
        "ts": str(milliseconds(event.event_ns)),
        "count": "1",
    }


def mark_row(event: Mark) -> dict[str, Any]:
    """One row of mark-price."""
    return {
        "instId": event.instrument.symbol,
        "instType": KINDS[event.instrument.product],
        "markPx": text(event.mark_price),
        "ts": str(milliseconds(event.event_ns)),
    }


def index_row(event: Mark) -> dict[str, Any]:
    """One row of index-tickers."""
    price = text(event.index_price)
    day = dict.fromkeys(("high24h", "low24h", "open24h", "sodUtc0", "sodUtc8"), price)
    return {
        "instId": index_of(event.instrument),
        "idxPx": price,
        **day,
        "ts": str(milliseconds(event.event_ns)),
    }


def interest_row(event: OpenInterest) -> dict[str, Any]:
    """One row of open-interest: contracts, coins and dollars."""
    instrument, coins = event.instrument, event.open_interest_base
    contracts = event.open_interest
    price = _implied_price(instrument, contracts, coins)
    return {
        "instId": instrument.symbol,
        "instType": KINDS[instrument.product],
        "oi": text(contracts),
        "oiCcy": text(coins),
        "oiUsd": text(round(instrument.notional_usd(contracts, price), 2)),
        "ts": str(milliseconds(event.event_ns)),
    }


def _implied_price(instrument: Instrument, contracts: float, coins: float) -> float:
    if instrument.unit is Unit.QUOTE:
        return contracts * instrument.contract_size / coins
    return 1.0


def funding_row(event: Funding) -> dict[str, Any]:
    """One row of funding-rate."""
    following = event.next_funding_ns + event.interval_s * NS
    return {
        "formulaType": "withRate",
        "method": "current_period",
        "instId": event.instrument.symbol,
        "instType": KINDS[event.instrument.product],
        "fundingRate": text(event.rate_ratio),
        "fundingTime": str(milliseconds(event.next_funding_ns)),
        "nextFundingRate": "",
        "nextFundingTime": str(milliseconds(following)),
        "ts": str(milliseconds(event.event_ns)),
    }


def _level(instrument: Instrument, price: float, coins: float) -> list[str]:
    return [text(price), native(instrument, coins, price), "0", "1"]


def top_row(event: BookTop) -> dict[str, Any]:
    """The best bid and ask, without stamp and number."""
    instrument = event.instrument
    return {
        "asks": [_level(instrument, event.ask_price, event.ask_base)],
        "bids": [_level(instrument, event.bid_price, event.bid_base)],
    }


def book_row(
    instrument: Instrument,
    bids: Sequence[tuple[float, float]],
    asks: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """Both sides of a book, without stamp and number."""
    return {
        "asks": [_level(instrument, price, coins) for price, coins in asks],
        "bids": [_level(instrument, price, coins) for price, coins in bids],
    }


def changes(
    event: Book, before: Sequence[tuple[float, float]], now: Sequence[tuple[float, float]]
) -> list[list[str]]:
    """Levels that are new or changed, and those that are gone, with size 0."""
    old, new = dict(before), dict(now)
    rows = [
        _level(event.instrument, price, coins) for price, coins in now if old.get(price) != coins
    ]
    return rows + [[text(price), "0", "0", "0"] for price in old if price not in new]


def book_frame(
    book: Book, action: str, row: Mapping[str, Any], sequence: int, previous: int
) -> bytes:
    """One frame of books: a snapshot, or an update of the one before."""
    data = {
        **row,
        "ts": str(milliseconds(book.event_ns)),
        "checksum": 0,
        "seqId": sequence,
        "prevSeqId": previous,
    }
    channel = {"channel": "books", "instId": book.instrument.symbol}
    return encode({"arg": channel, "action": action, "data": [data]})


def listed_row(instrument: Instrument) -> dict[str, Any]:
    """An instrument, as the REST interface lists it."""
    row = {
        "instType": KINDS[instrument.product],
        "instId": instrument.symbol,
        "instCategory": "1",
        "state": "live",
        "listTime": "1611916828000",
        "expTime": "",
        "ruleType": "normal",
    }
    if instrument.product == "spot":
        contract = {"ctType": "", "ctVal": "", "ctMult": "", "ctValCcy": "", "settleCcy": ""}
        coins = {"baseCcy": instrument.asset, "quoteCcy": instrument.quote}
        return row | contract | coins | {"uly": "", "instFamily": ""}
    inverse = instrument.unit is Unit.QUOTE
    return row | {
        "ctType": "inverse" if inverse else "linear",
        "ctVal": text(instrument.contract_size),
        "ctMult": "1",
        "ctValCcy": instrument.quote if inverse else instrument.asset,
        "settleCcy": instrument.settle,
        "baseCcy": "",
        "quoteCcy": "",
        "uly": index_of(instrument),
        "instFamily": index_of(instrument),
    }
