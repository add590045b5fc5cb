"""Events to frames: what the venue servers share.

A venue's wire is the inverse of its Reader and knows nothing of it: it turns the market's
events into the frames the vendor documents, topic by topic, answers the client frames of the
vendor's protocol, and answers REST requests. It opens no socket; `servers` does.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import msgspec
import orjson

from monitor.clock import NS
from monitor.events import Completeness, Liquidation, MarketEvent
from monitor.instruments import Instrument, Unit

NS_PER_MS = 1_000_000
BATCH_NS = NS // 2  # Bybit's liquidation batches
DECIMALS = 8  # more than any venue prints of a native quantity


class Frame(NamedTuple):
    """One frame for everyone who subscribed to a topic at an endpoint (a host and its path)."""

    endpoint: str
    topic: str
    payload: bytes


class Reply(msgspec.Struct, frozen=True):
    """What a venue does on a client frame: answers, then topics that start and stop."""

    frames: tuple[bytes, ...] = ()
    subscribed: tuple[str, ...] = ()
    unsubscribed: tuple[str, ...] = ()


class RestAnswer(msgspec.Struct, frozen=True):
    """A REST answer: HTTP status and JSON body."""

    status: int
    body: bytes


# Whether anyone has subscribed to a topic at an endpoint.
Wanted = Callable[[str, str], bool]


class VenueWire(Protocol):
    """How one venue speaks, on all of its hosts."""

    def frames(self, events: Sequence[MarketEvent], wanted: Wanted) -> Iterable[Frame]:
        """The frames of a few events, of wanted topics only; each encoded once."""

    def greeting(self, endpoint: str, topic: str) -> bytes | None:
        """What the venue sends at once to a new subscriber of a topic, if anything."""

    def hear(self, endpoint: str, text: str, held: Sequence[str]) -> Reply:
        """Answer a client frame; `held` are the topics its connection already has."""

    def get(self, host: str, path: str, query: Mapping[str, str], now_ns: int) -> RestAnswer:
        """Answer a GET request at a market time."""


def encode(message: object) -> bytes:
    """JSON as it goes over the wire."""
    return orjson.dumps(message)


def answer(message: object, status: int = 200) -> RestAnswer:
    """A REST answer of a JSON value."""
    return RestAnswer(status, orjson.dumps(message))


@lru_cache(maxsize=8192)  # books stand on a grid of prices, so most of them were printed before
def text(value: float) -> str:
    """A number as venues print it: plain decimals, never an exponent."""
    shortest = repr(value)
    if "e" in shortest:
        shortest = f"{value:.18f}".rstrip("0")
    return shortest.removesuffix(".0").removesuffix(".")


def milliseconds(stamp_ns: int) -> int:
    """A stamp as venues print it."""
    return stamp_ns // NS_PER_MS


def native(instrument: Instrument, coins: float, price: float) -> str:
    """The native quantity of so many coins, as the venue prints it."""
    quantity = coins / instrument.coins(1.0, price)
    if instrument.unit is Unit.QUOTE:
        return f"{quantity:.0f}"
    return f"{quantity:.{DECIMALS}f}".rstrip("0").rstrip(".")


def schedule(events: Sequence[MarketEvent]) -> list[tuple[int, MarketEvent]]:
    """When the venues publish a second's events, as `(market time, event)` in order.

    Forced orders of a venue that prints one a second are thinned out to the largest of each
    contract, published when the second is over; those of a venue that prints all of them come
    in batches of half a second; everything else at once.
    """
    due: list[tuple[int, MarketEvent]] = []
    largest: dict[tuple[str, str], Liquidation] = {}
    for event in events:
        if not isinstance(event, Liquidation):
            due.append((event.event_ns, event))
        elif event.completeness is Completeness.FULL:
            due.append(((event.event_ns // BATCH_NS + 1) * BATCH_NS - NS_PER_MS, event))
        else:
            name = (event.instrument.venue, event.instrument.symbol)
            known = largest.get(name)
            if known is None or event.quantity_base > known.quantity_base:
                largest[name] = event
    due += ((published_ns(order), order) for order in largest.values())
    due.sort(key=lambda pair: pair[0])
    return due


def published_ns(order: Liquidation) -> int:
    """When a venue that prints one order a second publishes it: at the second's end."""
    return (order.event_ns // NS + 1) * NS - NS_PER_MS
