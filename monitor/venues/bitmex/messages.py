"""BitMEX's messages, named by its own letters: one envelope, and the rows of four tables."""

from datetime import datetime
from typing import Annotated

import msgspec

Stamp = Annotated[datetime, msgspec.Meta(tz=True)]


class Message(msgspec.Struct, gc=False):
    """Every JSON frame: a change of a table, an answer to a request, an error, a welcome.

    {"table":"liquidation","action":"insert","data":[{...}]}
    {"success":true,"subscribe":"liquidation","request":{"op":"subscribe","args":[...]}}
    {"status":400,"error":"Unrecognized request...","meta":{},"request":{}}
    https://www.bitmex.com/app/wsAPI
    """

    table: str = ""
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    success: bool | None = None
    subscribe: str = ""
    unsubscribe: str = ""
    error: str = ""
    info: str = ""


class LiquidationRow(msgspec.Struct, gc=False, rename="camel"):
    """A forced order; updates and deletes carry only its id, its symbol and what changed.

    {"orderID":"00000000-0000-0000-0000-000000000000","symbol":"XBTUSD","side":"Buy",
    "price":95000,"leavesQty":1000}
    "leavesQty: The quantity of the liquidation order that has not been filled."
    https://support.bitmex.com/hc/en-gb/articles/6206260693661
    """

    symbol: str
    order_id: str = msgspec.field(name="orderID")
    side: str = ""
    price: float | None = None
    leaves_qty: float | None = None


class TradeRow(msgspec.Struct, gc=False, rename="camel"):
    """A trade; `side` is its taker's, `homeNotional` its coins.

    {"timestamp":"2024-11-24T08:15:38.704Z","symbol":"XBTUSD","side":"Sell","size":100,
    "price":98570.9,"homeNotional":0.0010145,"foreignNotional":100,"trdType":"Regular"}
    """

    timestamp: Stamp
    symbol: str
    side: str = ""
    size: float | None = None
    price: float | None = None
    home_notional: float | None = None
    trd_type: str = "Regular"


class QuoteRow(msgspec.Struct, gc=False, rename="camel"):
    """The best bid and ask, sizes in contracts; a side that is empty has no price.

    {"timestamp":"2024-11-24T08:15:38.704Z","symbol":"XBTUSD","bidSize":2700,"bidPrice":98570,
    "askPrice":98570.5,"askSize":205100}
    """

    timestamp: Stamp
    symbol: str
    bid_size: float | None = None
    bid_price: float | None = None
    ask_price: float | None = None
    ask_size: float | None = None


class InstrumentRow(msgspec.Struct, gc=False, rename="camel"):
    """What changed of an instrument; `indicativeSettlePrice` is its index.

    {"symbol":"XBTUSD","openInterest":500000000,"markPrice":98571.2,
    "timestamp":"2024-11-24T08:15:38.704Z"}
    https://support.bitmex.com/hc/en-gb/articles/6206354894365--instrument-Field-Definitions
    """

    symbol: str
    timestamp: Stamp | None = None
    mark_price: float | None = None
    indicative_settle_price: float | None = None
    open_interest: float | None = None
    funding_rate: float | None = None
    funding_timestamp: Stamp | None = None
    funding_interval: Stamp | None = None
