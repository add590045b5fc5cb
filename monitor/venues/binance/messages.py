"""What Binance says over its websockets, futures and spot alike, in the vendor's own letters.

Futures (USD-M, COIN-M) and spot speak one dialect: a message names its kind in `e`, comes bare
(`/ws`) or wrapped as `{"stream":"btcusdt@trade","data":{...}}` (`/stream`), and writes numbers
as strings. Fields that are not read are left out; fields that Binance adds are ignored.
"""

from typing import Annotated, Generic, Literal, TypeVar

import msgspec

LEAST = 1e-15  # below any tick or lot: what is smaller is damage, and quotients stay finite
MOST = 1e18
Amount = Annotated[float, msgspec.Meta(ge=LEAST, le=MOST)]
Count = Annotated[float, msgspec.Meta(ge=0.0, le=MOST)]
Ratio = Annotated[float, msgspec.Meta(ge=-100.0, le=100.0)]
StampMs = Annotated[int, msgspec.Meta(ge=10**12, lt=10**13)]
Rows = tuple[tuple[Amount, Amount], ...]
NOTHING = msgspec.Raw(b"")
T = TypeVar("T")


class BookTicker(msgspec.Struct, gc=False, tag_field="e", tag="bookTicker"):
    """Best bid and ask of a futures contract, "pushed real-time".

    `{"e":"bookTicker","u":400900217,"E":1568014460893,"T":1568014460891,"s":"BNBUSDT",
    "b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}`
    https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Individual-Symbol-Book-Ticker-Streams
    """

    s: str
    b: Amount
    B: Amount
    a: Amount
    A: Amount
    T: StampMs


class SpotBookTicker(msgspec.Struct, gc=False):
    """Best bid and ask of a spot pair; it names neither its kind nor its time.

    `{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000",
    "A":"40.66000000"}`
    https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#individual-symbol-book-ticker-streams
    """

    s: str
    b: Amount
    B: Amount
    a: Amount
    A: Amount
    T: StampMs = 0


class AggregateTrade(msgspec.Struct, gc=False, tag_field="e", tag="aggTrade"):
    """Fills of one taker at one price; "m": "Is the buyer the market maker?".

    "The insurance fund trades and ADL trades won't be aggregated."
    `{"e":"aggTrade","E":123456789,"s":"BTCUSDT","a":5933014,"p":"0.001","q":"100","f":100,
    "l":105,"T":123456785,"m":true}`
    https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Aggregate-Trade-Streams
    """

    s: str
    p: Amount
    q: Amount
    T: StampMs
    m: bool
    X: str = ""


class RawTrade(msgspec.Struct, gc=False, tag_field="e", tag="trade"):
    """One fill; futures add `X`, who filled: MARKET, RPI, INSURANCE_FUND, ADL or NA.

    `{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100",
    "T":1672515782136,"m":true,"M":true}`
    https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#trade-streams
    """

    s: str
    p: Amount
    q: Amount
    T: StampMs
    m: bool
    X: str = ""


class MarkPriceUpdate(msgspec.Struct, gc=False, tag_field="e", tag="markPriceUpdate"):
    """Mark price `p`, index price `i`, funding rate `r` due at `T`.

    'r: funding rate for perpetual symbol, "" will be shown for delivery symbol'; T is 0 then.
    `{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000",
    "i":"11784.62659091","P":"11784.25641265","r":"0.00038167","T":1562306400000}`
    https://developers.binance.com/docs/derivatives/coin-margined-futures/websocket-market-streams/Mark-Price-Stream
    """

    E: StampMs
    s: str
    p: Amount
    i: Count | Literal[""] = ""
    r: Ratio | Literal[""] = ""
    T: Annotated[int, msgspec.Meta(ge=0, lt=10**13)] = 0


class ForcedOrder(msgspec.Struct, gc=False):
    """The order of a `ForceOrder`: `S` is the order's own direction, SELL closes a long.

    `q` "Original Quantity", `p` "Price" (its limit), `ap` "Average Price", `z` "Order Filled
    Accumulated Quantity", `T` "Order Trade Time"; `st` 1 USD-M, 2 COIN-M.
    """

    s: str
    S: Literal["BUY", "SELL"]
    q: Count
    p: Count
    T: StampMs
    ap: Count = 0.0
    z: Count = 0.0
    st: int = 0


class ForceOrder(msgspec.Struct, gc=False, tag_field="e", tag="forceOrder"):
    """A liquidation order, at most one a symbol and second; `st` here or within `o`.

    "For each symbol, only the latest one liquidation order within 1000ms will be pushed as the
    snapshot" (the word has been "latest" and "largest" by turns; neither is relied on).
    `{"e":"forceOrder","E":1568014460893,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC",
    "q":"0.014","p":"9910","ap":"9910","X":"FILLED","l":"0.014","z":"0.014",
    "T":1568014460893}}`
    https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/All-Market-Liquidation-Order-Streams
    """

    o: ForcedOrder
    st: int = 0


class PartialDepth(msgspec.Struct, gc=False):
    """Top of a futures book; only its stream's name tells it from a change of the book.

    `{"e":"depthUpdate","E":1571889248277,"T":1571889248276,"s":"BTCUSDT","U":390497796,
    "u":390497878,"pu":390497794,"b":[["7403.89","0.002"]],"a":[["7405.96","3.340"]]}`
    https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Partial-Book-Depth-Streams
    """

    s: str
    T: StampMs
    b: Rows
    a: Rows


class SpotPartialDepth(msgspec.Struct, gc=False):
    """Top of a spot book, without symbol and time.

    `{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}`
    https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#partial-book-depth-streams
    """

    bids: Rows
    asks: Rows


class OpenInterestBody(msgspec.Struct, gc=False, rename="camel"):
    """Open interest of one contract, one-sided: coins on USD-M, contracts on COIN-M.

    `{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}`
    https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Open-Interest
    """

    symbol: str
    open_interest: Count
    time: StampMs = 0


class Framed(msgspec.Struct, Generic[T], gc=False):
    """A message of the combined form; `{"stream":...,"data":...}`."""

    data: T


class Envelope(msgspec.Struct, gc=False):
    """Any object: what wraps a message, or answers a request.

    `{"result":null,"id":1}`, `{"error":{"code":2,"msg":"..."},"id":1}`, `{"code":2,"msg":"..."}`
    https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#live-subscribingunsubscribing-to-streams
    """

    stream: str = ""
    data: msgspec.Raw = NOTHING
    event: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    code: msgspec.Raw = NOTHING
    msg: msgspec.Raw = NOTHING
    result: msgspec.Raw = NOTHING


class Kind(msgspec.Struct, gc=False, rename={"open_interest": "openInterest"}):
    """The fields that tell messages apart."""

    e: str = ""
    B: msgspec.Raw = NOTHING
    bids: msgspec.Raw = NOTHING
    open_interest: msgspec.Raw = NOTHING


class Sides(msgspec.Struct, gc=False):
    """A best bid and ask of which one may be missing: price 0, size 0."""

    b: Count
    B: Count
    a: Count
    A: Count


class Filler(msgspec.Struct, gc=False):
    """Who filled a trade."""

    X: str = ""


Named = BookTicker | AggregateTrade | RawTrade | MarkPriceUpdate | ForceOrder
