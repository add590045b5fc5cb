"""What a venue is: a frozen value, and the Reader each of its connections gets.

A venue module says where to connect, what to ask for, and what each message means; it opens
no socket and reads no clock. The collector asks a venue for its `plan`, keeps one connection
for each `Session` of it, and hands every frame to that connection's `Reader`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from monitor.events import Completeness, Event
from monitor.instruments import InstrumentTable


class Limits(msgspec.Struct, frozen=True):
    """What a venue allows one address, from its documents.

    Attributes:
        connects_per_5min: New connections in any five minutes.
        frames_per_s: Client frames a second on one connection.
        rest_weight_per_min: REST weight in any minute; each `Poll` states its own.
    """

    connects_per_5min: int
    frames_per_s: float
    rest_weight_per_min: int


class Session(msgspec.Struct, frozen=True):
    """One connection to keep open.

    Attributes:
        name: Its name within the venue, e.g. "market" or "linear-2"; stable over replans.
        url: Where to connect.
        topics: What to subscribe to, in the venue's own words.
        control: A topic of this session that always flows and so proves that the route
            delivers; empty when the venue has none. An ACK proves nothing.
        quiet_s: Wall seconds without a useful frame after which the connection is dead.
        ping: Client frame that keeps the connection alive; None where the venue pings.
        ping_interval_s: Wall seconds between pings.
        lifetime_s: Wall seconds after which the venue cuts; rotated before it, 0 for never.
    """

    name: str
    url: str
    topics: tuple[str, ...]
    control: str = ""
    quiet_s: float = 60.0
    ping: bytes | None = None
    ping_interval_s: float = 20.0
    lifetime_s: float = 0.0


class Poll(msgspec.Struct, frozen=True):
    """A REST request to repeat.

    Attributes:
        name: Its kind: "instruments" or "open_interest".
        key: What of: a product, or a symbol. (name, key) is unique within the venue.
        url: What to GET.
        period_s: Market seconds between two requests.
        weight: What one request costs of the venue's budget.
    """

    name: str
    key: str
    url: str
    period_s: float
    weight: int = 1


class Reader(Protocol):
    """The explicit state of one connection, and the only door its frames come in by.

    Attributes:
        state: Everything it knows that its later events depend on, as one msgspec Struct
            (mutable). Put into a fresh Reader of the same session, it goes on exactly there;
            a recording that begins in mid-connection rests on that.
    """

    state: msgspec.Struct

    def read(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        """Turn one frame into events; never raises, whatever the bytes are.

        The same prefix of frames gives the same events. Damaged input becomes `Malformed`,
        input without use `NotUsed`; the frames around it are not affected.
        """


class Venue(msgspec.Struct, frozen=True):
    """One venue: constants and pure functions.

    Attributes:
        name: Registry name; `liqmon decode NAME`, `[venues.NAME]`, metric label.
        docs: The vendor's page of its public streams.
        products: Families of instruments it lists.
        completeness: Class of its liquidation stream; NONE where it has none.
        limits: What it allows one address.
        listings: The polls that list its instruments, one a product; made before anything
            else, and then once an hour.
        plan: Sessions to keep, given the instruments and the watched assets.
        polls: Further REST requests (open interest where no stream carries it).
        subscribe: Client frames that subscribe to these topics of a session.
        unsubscribe: Client frames that drop these topics of a session.
        reader: A fresh Reader for one connection of a session, opened at a market time.
        answer: Events of one REST answer (`poll` is its name, `key` its key); as a Reader,
            it never raises.
    """

    name: str
    docs: str
    products: tuple[str, ...]
    completeness: Completeness
    limits: Limits
    listings: tuple[Poll, ...]
    plan: Callable[[InstrumentTable, frozenset[str]], tuple[Session, ...]]
    polls: Callable[[InstrumentTable, frozenset[str]], tuple[Poll, ...]]
    subscribe: Callable[[Session, tuple[str, ...]], tuple[bytes, ...]]
    unsubscribe: Callable[[Session, tuple[str, ...]], tuple[bytes, ...]]
    reader: Callable[[str, InstrumentTable, int], Reader]
    answer: Callable[[str, str, bytes, int, InstrumentTable], Sequence[Event]]
