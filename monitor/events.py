"""What happened: the words every room uses for market data and for what came with it.

Times are integers of nanoseconds since 1970 UTC: `event_ns` is the venue's, `received_ns`
ours (the market clock). Prices are in the instrument's quote per quoted unit; quantities named
`quantity` are native, those named `*_base` are coins of the asset. NaN is "not known".
"""

import enum
from typing import Final

import msgspec

from monitor.instruments import Instrument

MARKET: Final = "MARKET"
"""The whole watch list where an asset is named: in verdicts, topics and labels."""


class Position(enum.StrEnum):
    """Whose position was closed."""

    LONG = "long"
    SHORT = "short"


class PriceBasis(enum.StrEnum):
    """What a liquidation's price is."""

    FILL = "fill"
    AVERAGE = "average"
    ORDER = "order"
    BANKRUPTCY = "bankruptcy"
    ENTRY = "entry"
    MARK = "mark"


class Completeness(enum.StrEnum):
    """How much of a venue's forced orders its public stream carries."""

    FULL = "full"
    ONE_PER_SECOND = "one_per_second"
    AGGREGATED = "aggregated"
    NONE = "none"


class Liquidation(msgspec.Struct, frozen=True, gc=False):
    """A forced order: an order, never an account (no public feed carries accounts).

    `quantity_base` and `notional_usd` are NaN where the instrument does not allow to know
    them; `instrument.unknown_reason` says why.
    """

    instrument: Instrument
    position: Position
    event_ns: int
    received_ns: int
    quantity: float
    quantity_base: float
    notional_usd: float
    price: float
    price_basis: PriceBasis
    completeness: Completeness


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A trade, by the side of its taker."""

    instrument: Instrument
    event_ns: int
    received_ns: int
    price: float
    quantity: float
    quantity_base: float
    taker_bought: bool


class OpenInterest(msgspec.Struct, frozen=True, gc=False):
    """Open interest, one-sided: each open contract counted once."""

    instrument: Instrument
    event_ns: int
    received_ns: int
    open_interest: float
    open_interest_base: float


class Funding(msgspec.Struct, frozen=True, gc=False):
    """A perpetual's funding rate for one interval of `interval_s` (0: not known)."""

    instrument: Instrument
    event_ns: int
    received_ns: int
    rate_ratio: float
    interval_s: int
    next_funding_ns: int


class Mark(msgspec.Struct, frozen=True, gc=False):
    """The venue's mark price and, where it comes along, its index price (else NaN)."""

    instrument: Instrument
    event_ns: int
    received_ns: int
    mark_price: float
    index_price: float


class BookTop(msgspec.Struct, frozen=True, gc=False):
    """Best bid and ask, with their sizes in coins."""

    instrument: Instrument
    event_ns: int
    received_ns: int
    bid_price: float
    bid_base: float
    ask_price: float
    ask_base: float


class Book(msgspec.Struct, frozen=True, gc=False):
    """The book as far as the feed reaches: `(price, coins)` rows, best first."""

    instrument: Instrument
    event_ns: int
    received_ns: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class Listing(msgspec.Struct, frozen=True):
    """The whole of a product's tradable instruments, from the venue's REST interface."""

    venue: str
    product: str
    received_ns: int
    instruments: tuple[Instrument, ...]


class Unused(enum.StrEnum):
    """Why a well-formed message makes no market event."""

    ACKNOWLEDGED = "acknowledged"  # a subscription was accepted
    PONG = "pong"
    REFUSED = "refused"  # the venue answered with an error
    RESTART_NOTICE = "restart notice"  # the venue will close this connection soon
    RETIRED_TOPIC = "retired topic"  # a channel the venue has withdrawn
    REPLAYED = "replayed on subscribe"  # history, from before the subscription
    OTHER = "not read"  # a kind of message this program has no use for


class NotUsed(msgspec.Struct, frozen=True, gc=False):
    """A well-formed message, or a row of one, that makes no market event."""

    reason: Unused
    detail: str = ""


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """A damaged message, or a damaged row of one: expected, counted, never raised."""

    reason: str
    detail: str = ""


MarketEvent = Liquidation | Trade | OpenInterest | Funding | Mark | BookTop | Book
Event = MarketEvent | Listing | NotUsed | Malformed


class FactKind(enum.StrEnum):
    """What happened to a connection, in the order it happens."""

    STARTED = "started"  # the daemon came up; connection 0, and no connection is open
    CONNECTING = "connecting"
    CONNECTED = "connected"
    SUBSCRIBED = "subscribed"
    ACKNOWLEDGED = "acknowledged"
    DISCONNECTED = "disconnected"
    STOPPED = "stopped"  # the daemon drained and left; connection 0


OVERSIZED = "oversized frame"
"""What the detail of `DISCONNECTED` begins with where a frame was too long to be taken."""


class Fact(msgspec.Struct, frozen=True):
    """A session fact: part of the log, so that holes are known to whoever reads it."""

    received_ns: int
    connection: int
    venue: str
    session: str
    kind: FactKind
    detail: str = ""


class Answer(msgspec.Struct, frozen=True):
    """A REST answer, or its absence: `status` 0 means that none came, `body` says why."""

    received_ns: int
    venue: str
    poll: str
    key: str
    status: int
    body: bytes


class Outcome(enum.IntEnum):
    """What a frame was good for, told to the collector: the weightiest of its events.

    A heartbeat or an acknowledgement is not data, so only USEFUL resets a back-off. DAMAGED is
    said of single events only: a frame with nothing better in it was good for NOTHING.
    """

    DAMAGED = -1
    NOTHING = 0
    ACKNOWLEDGED = 1
    USEFUL = 2
    REFUSED = 3
    RESTART = 4
