"""What OKX's messages look like: v5 public channels, and the listing of its instruments.

Names are the vendor's in our spelling (`inst_id` is `instId`); only the fields read are named,
whatever else comes along is ignored. Quoted numbers become numbers, except where an empty text
means "not stated". Vendor's page of all of them: https://www.okx.com/docs-v5/en/
"""

from typing import Literal

import msgspec


class Arg(msgspec.Struct, gc=False, rename="camel"):
    """{"channel":"trades","instId":"BTC-USDT"}: which subscription a message belongs to."""

    channel: str
    inst_id: str = ""


class LiquidationRow(msgspec.Struct, gc=False, rename="camel"):
    """A forced order; `sz` in contracts.

    {"bkLoss":"0","bkPx":"0.007831","ccy":"","posSide":"short","side":"buy","sz":"13",
    "ts":"1692266434010"}
    "bkPx: Bankruptcy price. The price of the transaction with the system's liquidation account.
    side: Order side. posSide: Position mode side, long, short, net. sz: Quantity of
    liquidation, only applicable to MARGIN/FUTURES/SWAP."
    https://www.okx.com/docs-v5/en/#public-data-websocket-liquidation-orders-channel
    """

    side: Literal["buy", "sell"]
    pos_side: Literal["long", "short", "net"]
    sz: float
    ts: int
    bk_px: str = ""


class LiquidationGroup(msgspec.Struct, gc=False, rename="camel"):
    """{"details":[...],"instFamily":"IOST-USDT","instId":"IOST-USDT-SWAP","instType":"SWAP"}."""

    inst_id: str
    details: list[LiquidationRow]


class RawLiquidationGroup(msgspec.Struct, gc=False, rename="camel"):
    """The same, its orders undecoded: a damaged one does not spoil the others."""

    inst_id: str
    details: list[msgspec.Raw]


class LiquidationFrame(msgspec.Struct, gc=False):
    """{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[...]}."""

    data: list[LiquidationGroup]


class RawLiquidationFrame(msgspec.Struct, gc=False):
    """The same, its orders undecoded."""

    data: list[RawLiquidationGroup]


class TradeRow(msgspec.Struct, gc=False, rename="camel"):
    """A trade; `sz` in contracts, on spot in coins.

    {"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy",
    "ts":"1630048897897","count":"3"}
    "side: Trade direction of taker." https://www.okx.com/docs-v5/en/#ws-trades-channel
    """

    inst_id: str
    px: float
    sz: float
    side: Literal["buy", "sell"]
    ts: int


class TradeFrame(msgspec.Struct, gc=False):
    """{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[...]}."""

    data: list[TradeRow]


class InterestRow(msgspec.Struct, gc=False, rename="camel"):
    """Open interest, each contract counted once.

    {"instType":"SWAP","instId":"BTC-USDT-SWAP","oi":"2216113.01","oiCcy":"22161.13",
    "oiUsd":"1939251795.5","ts":"1743041250440"}
    "oi: Open interest, in units of contracts. oiCcy: Open interest, in currency units, like BTC."
    https://www.okx.com/docs-v5/en/#public-data-websocket-open-interest-channel
    """

    inst_id: str
    oi: float
    ts: int
    oi_ccy: str = ""


class InterestFrame(msgspec.Struct, gc=False):
    """{"arg":{"channel":"open-interest","instId":"BTC-USDT-SWAP"},"data":[...]}."""

    data: list[InterestRow]


class MarkRow(msgspec.Struct, gc=False, rename="camel"):
    """{"instType":"SWAP","instId":"BTC-USDT-SWAP","markPx":"42310.6","ts":"1630049139746"}.

    https://www.okx.com/docs-v5/en/#public-data-websocket-mark-price-channel
    """

    inst_id: str
    mark_px: float
    ts: int


class MarkFrame(msgspec.Struct, gc=False):
    """{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[...]}."""

    data: list[MarkRow]


class IndexRow(msgspec.Struct, gc=False, rename="camel"):
    """{"instId":"BTC-USDT","idxPx":"0.1","high24h":"0.5","ts":"1597026383085"}.

    `instId` is a pair, shared by all contracts on it.
    https://www.okx.com/docs-v5/en/#public-data-websocket-index-tickers-channel
    """

    inst_id: str
    idx_px: float


class IndexFrame(msgspec.Struct, gc=False):
    """{"arg":{"channel":"index-tickers","instId":"BTC-USDT"},"data":[...]}."""

    data: list[IndexRow]


class FundingRow(msgspec.Struct, gc=False, rename="camel"):
    """A funding rate.

    {"instId":"BTC-USDT-SWAP","fundingRate":"0.0001515","fundingTime":"1622822400000",
    "nextFundingTime":"1622851200000","nextFundingRate":"","ts":"1622805000000"}
    "fundingTime: Settlement time. nextFundingTime: Forecasted funding time for the next period."
    https://www.okx.com/docs-v5/en/#public-data-websocket-funding-rate-channel
    """

    inst_id: str
    funding_rate: str = ""
    funding_time: str = ""
    next_funding_time: str = ""
    ts: int = 0


class FundingFrame(msgspec.Struct, gc=False):
    """{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[...]}."""

    data: list[FundingRow]


class Level(msgspec.Struct, gc=False, array_like=True):
    """["8476.98","415","0","13"]: price, size, a retired field, number of orders."""

    price: float
    size: float


class BookRow(msgspec.Struct, gc=False):
    """{"asks":[...],"bids":[...],"ts":"1597026383085","seqId":123456}: best first."""

    asks: list[Level]
    bids: list[Level]
    ts: int


class BookFrame(msgspec.Struct, gc=False):
    """Channels `bbo-tbt` (best bid and ask) and `books5` (five levels, each 100 ms).

    {"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[...]}
    https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
    """

    arg: Arg
    data: list[BookRow]


class Envelope(msgspec.Struct, gc=False):
    """What tells messages apart: an event, a channel, or a table of the v3 interface.

    {"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"a4d3ae55"}
    {"event":"error","code":"60012","msg":"Invalid request","connId":"a4d3ae55"}
    {"event":"notice","code":"64008","msg":"The connection will soon be closed for a service
    upgrade. Please reconnect.","connId":"a4d3ae55"}
    https://www.okx.com/docs-v5/en/#overview-websocket-notification
    """

    event: str = ""
    code: str = ""
    msg: str = ""
    table: str = ""
    arg: Arg | None = None


class ListedRow(msgspec.Struct, gc=False, rename="camel"):
    """An instrument; empty texts where a field does not apply to its type.

    {"instType":"SWAP","instId":"BTC-USD-SWAP","uly":"BTC-USD","baseCcy":"","quoteCcy":"",
    "settleCcy":"BTC","ctVal":"100","ctMult":"1","ctValCcy":"USD","ctType":"inverse",
    "state":"live","instCategory":"1"}
    "instCategory: 1: Crypto, 3: Stocks, 4: Commodities, 5: Forex, 6: Bonds."
    https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments
    """

    inst_id: str
    state: str
    uly: str = ""
    base_ccy: str = ""
    quote_ccy: str = ""
    settle_ccy: str = ""
    ct_val: str = ""
    ct_mult: str = ""
    ct_val_ccy: str = ""
    ct_type: str = ""
    inst_category: str = ""


class ListedAnswer(msgspec.Struct, gc=False):
    """{"code":"0","msg":"","data":[...]}."""

    code: str
    msg: str = ""
    data: list[msgspec.Raw] = msgspec.field(default_factory=list)


LIQUIDATIONS = msgspec.json.Decoder(LiquidationFrame, strict=False)
RAW_LIQUIDATIONS = msgspec.json.Decoder(RawLiquidationFrame, strict=False)
LIQUIDATION = msgspec.json.Decoder(LiquidationRow, strict=False)
TRADES = msgspec.json.Decoder(TradeFrame, strict=False)
TRADE = msgspec.json.Decoder(TradeRow, strict=False)
INTEREST = msgspec.json.Decoder(InterestFrame, strict=False)
MARKS = msgspec.json.Decoder(MarkFrame, strict=False)
INDICES = msgspec.json.Decoder(IndexFrame, strict=False)
FUNDING = msgspec.json.Decoder(FundingFrame, strict=False)
BOOKS = msgspec.json.Decoder(BookFrame, strict=False)
ENVELOPE = msgspec.json.Decoder(Envelope)
LISTED = msgspec.json.Decoder(ListedRow)
LISTED_ANSWER = msgspec.json.Decoder(ListedAnswer)
