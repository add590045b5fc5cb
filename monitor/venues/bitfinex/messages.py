"""Bitfinex's messages: objects about channels, and arrays of data that name only a channel id.

"Message (JSON array) lengths should never be hardcoded. New fields may be appended at the end of
a message without changing version" (https://docs.bitfinex.com/docs/ws-general): a typed array
needs its first places and takes any number of further ones.
"""

from typing import Annotated, Any

import msgspec

# What a packed state can hold.
ChannelId = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Notice(msgspec.Struct, gc=False, rename="camel"):
    """Every frame that is an object: about the connection, or about one channel of it.

    {"event":"subscribed","channel":"status","chanId":91684,"key":"liq:global"}
    {"event":"subscribed","channel":"trades","chanId":19111,"symbol":"tBTCUSD","pair":"BTCUSD"}
    {"event":"info","version":2,"platform":{"status":1}}
    {"event":"error","msg":"subscribe: limit","code":10305}
    https://docs.bitfinex.com/docs/ws-general
    """

    event: str
    channel: str = ""
    chan_id: ChannelId | None = None
    key: str = ""
    symbol: str = ""
    code: int | None = None
    msg: str = ""


class Frame(msgspec.Struct, gc=False, array_like=True):
    """Every frame that is an array: [CHANNEL_ID, PAYLOAD] or [CHANNEL_ID, TAG, PAYLOAD]."""

    channel: ChannelId
    first: msgspec.Raw
    second: msgspec.Raw = msgspec.Raw(b"null")


class LiquidationRow(msgspec.Struct, gc=False, array_like=True):
    """A position in liquidation, of `status` with key `liq:global`.

    ["pos",142397657,1574697680828,null,"tBSVUSD",-2.62932,91.5,null,1,1,null,112.27]
    "AMOUNT: Size of the position. Positive values means a long position, negative values means a
    short position. BASE_PRICE: The price at which user entered the position. IS_MATCH: 0 ->
    initial liquidation trigger, 1 market execution. PRICE_ACQUIRED: The price at which the
    position has been acquired"
    https://docs.bitfinex.com/reference/rest-public-liquidations
    """

    kind: str
    position_id: int
    time_ms: float
    _3: Any
    symbol: str
    amount: float
    base_price: float | None
    _7: Any
    is_match: int


class StatusRow(msgspec.Struct, gc=False, array_like=True):
    """A derivative's state, of `status` with key `deriv:SYMBOL`; open interest in coins.

    [1596124822000,null,0.896,0.771995,null,1396531.67,null,1596153600000,0.0001056,6,null,
    -0.01381344,null,null,0.7664,null,null,246502.09001551,null,null,null,null,0.3]
    In order: TIME_MS, -, DERIV_PRICE, SPOT_PRICE, -, INSURANCE_FUND_BALANCE, -,
    NEXT_FUNDING_EVT_TIMESTAMP_MS, NEXT_FUNDING_ACCRUED, NEXT_FUNDING_STEP, -, CURRENT_FUNDING,
    -, -, MARK_PRICE, -, -, OPEN_INTEREST. The REST answer has the symbol before all of them.
    https://docs.bitfinex.com/reference/ws-public-status
    """

    time_ms: int
    _1: Any
    deriv_price: float | None
    spot_price: float | None
    _4: Any
    _5: Any
    _6: Any
    next_funding_ms: int | None
    _8: Any
    _9: Any
    _10: Any
    current_funding: float | None
    _12: Any
    _13: Any
    mark_price: float | None
    _15: Any
    _16: Any
    open_interest: float | None


class TradeRow(msgspec.Struct, gc=False, array_like=True):
    """A trade: [401597395,1574694478808,0.005,7245.3].

    "±AMOUNT: How much was bought (positive) or sold (negative)."
    https://docs.bitfinex.com/reference/ws-public-trades
    """

    trade_id: int
    time_ms: int
    amount: float
    price: float


class LevelRow(msgspec.Struct, gc=False, array_like=True):
    """A price level: [7254.7,3,3.3], price, orders at it, coins (positive: bid).

    "when count = 0 then you have to delete the price level: if amount = 1 then remove from bids,
    if amount = -1 then remove from asks"
    https://docs.bitfinex.com/reference/ws-public-books
    """

    price: float
    count: int
    amount: float
