"""What Bybit's messages look like: v5 public streams, and the listing of its instruments.

Names and letters are the vendor's; only the fields read are named, whatever else comes along is
ignored. Quoted numbers become numbers, except where an empty text means "not stated".
"""

from typing import Literal

import msgspec


class LiquidationRow(msgspec.Struct, gc=False):
    """A forced order, of `allLiquidation.{symbol}`, pushed each 500 ms.

    {"T":1739502302929,"s":"ROSEUSDT","S":"Sell","v":"20000","p":"0.04499"}
    "S: Position side. Buy, Sell. When you receive a Buy update, this means that a long position
    has been liquidated. v: Executed size. p: Bankruptcy price."
    https://bybit-exchange.github.io/docs/v5/websocket/public/all-liquidation
    """

    T: int
    s: str
    S: Literal["Buy", "Sell"]
    v: float
    p: str = ""


class LiquidationFrame(msgspec.Struct, gc=False):
    """{"topic":"allLiquidation.ROSEUSDT","type":"snapshot","ts":1739502303204,"data":[...]}."""

    data: list[LiquidationRow]


class TradeRow(msgspec.Struct, gc=False):
    """A trade, of `publicTrade.{symbol}`.

    {"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","BT":false}
    "S: Side of taker. Buy, Sell. BT: Whether it is a block trade order or not."
    https://bybit-exchange.github.io/docs/v5/websocket/public/trade
    """

    T: int
    s: str
    S: Literal["Buy", "Sell"]
    v: float
    p: float
    BT: bool = False


class TradeFrame(msgspec.Struct, gc=False):
    """{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[...]}."""

    data: list[TradeRow]


class TickerRow(msgspec.Struct, gc=False, rename="camel"):
    """The fields read of a ticker; empty where the message does not carry them.

    {"symbol":"BTCUSDT","markPrice":"17217.33","openInterest":"68744.761","fundingRate":"-0.0002",
    "nextFundingTime":"1673280000000","fundingIntervalHour":"8"}
    "If a response param is not found in the message, then its value has not changed."
    "openInterest" counts both sides of each contract, "singleOpenInterest" one.
    https://bybit-exchange.github.io/docs/v5/websocket/public/ticker
    """

    symbol: str
    mark_price: str = ""
    index_price: str = ""
    open_interest: str = ""
    single_open_interest: str = ""
    funding_rate: str = ""
    next_funding_time: str = ""
    funding_interval_hour: str = ""


class TickerFrame(msgspec.Struct, gc=False):
    """{"topic":"tickers.BTCUSDT","type":"delta","data":{...},"cs":24987956059,"ts":167327286}."""

    type: Literal["snapshot", "delta"]
    ts: int
    data: TickerRow


class Level(msgspec.Struct, gc=False, array_like=True):
    """["16493.50","0.006"]: price and size; size 0 in a delta removes the price."""

    price: float
    size: float


class BookRow(msgspec.Struct, gc=False):
    """{"s":"BTCUSDT","b":[["16493.50","0.006"]],"a":[["16611.00","0.029"]],"u":18521288}."""

    s: str
    b: list[Level]
    a: list[Level]
    u: int


class BookFrame(msgspec.Struct, gc=False):
    """A book, of `orderbook.{depth}.{symbol}`: depth 1 in snapshots, 50 in deltas after one.

    {"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{...}}
    "Update ID. Occasionally, you'll receive "u"=1, which is a snapshot data due to the restart
    of the service. So please overwrite your local orderbook."
    https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
    """

    topic: str
    type: Literal["snapshot", "delta"]
    ts: int
    data: BookRow


class Envelope(msgspec.Struct, gc=False):
    """What tells messages apart: a topic, or the answer to a request of ours.

    {"success":true,"ret_msg":"pong","conn_id":"0970e817","req_id":"1","op":"ping"}
    https://bybit-exchange.github.io/docs/v5/ws/connect
    """

    topic: str = ""
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""


class ListedRow(msgspec.Struct, gc=False, rename="camel"):
    """An instrument; `funding_interval` in minutes.

    {"symbol":"BTCUSDT","contractType":"LinearPerpetual","status":"Trading","baseCoin":"BTC",
    "quoteCoin":"USDT","fundingInterval":480,"settleCoin":"USDT","symbolType":""}
    https://bybit-exchange.github.io/docs/v5/market/instrument
    """

    symbol: str
    status: str
    base_coin: str
    quote_coin: str
    contract_type: str = ""
    settle_coin: str = ""
    symbol_type: str = ""
    funding_interval: int = 0


class ListedPage(msgspec.Struct, gc=False, rename="camel"):
    """{"category":"linear","list":[...],"nextPageCursor":""}."""

    rows: list[msgspec.Raw] = msgspec.field(name="list", default_factory=list)
    next_page_cursor: str = ""


class ListedAnswer(msgspec.Struct, gc=False, rename="camel"):
    """{"retCode":0,"retMsg":"OK","result":{...},"time":1735809771618}."""

    ret_code: int
    ret_msg: str = ""
    result: ListedPage = msgspec.field(default_factory=ListedPage)


LIQUIDATIONS = msgspec.json.Decoder(LiquidationFrame, strict=False)
LIQUIDATION = msgspec.json.Decoder(LiquidationRow, strict=False)
TRADES = msgspec.json.Decoder(TradeFrame, strict=False)
TRADE = msgspec.json.Decoder(TradeRow, strict=False)
TICKER = msgspec.json.Decoder(TickerFrame, strict=False)
BOOK = msgspec.json.Decoder(BookFrame, strict=False)
ENVELOPE = msgspec.json.Decoder(Envelope)
LISTED = msgspec.json.Decoder(ListedRow, strict=False)
LISTED_ANSWER = msgspec.json.Decoder(ListedAnswer, strict=False)
