"""Feeds: what the log says of each connection, so that a verdict knows what it did not see.

A socket that is open, acknowledged and silent is not flowing. A stream counts as flowing from
its first useful frame until it is cut or has given none for a minute of market time.
"""

from typing import Final

import msgspec

from monitor.detect.view import StreamView
from monitor.events import Fact, FactKind

SILENT_NS: Final = 60_000_000_000


class Stream(msgspec.Struct):
    """One session of one venue over all its connections. Times are market time."""

    venue: str
    session: str
    state: str = FactKind.CONNECTING.value
    detail: str = ""
    connected_ns: int = 0
    last_useful_ns: int = 0
    frames: int = 0
    malformed: int = 0
    connects: int = 0
    open: list[int] = msgspec.field(default_factory=list)  # numbers of open connections
    book_tops: int = 0
    trades: int = 0

    def flowing(self, now_ns: int) -> bool:
        """Whether useful frames are coming."""
        return bool(self.open) and now_ns - self.last_useful_ns <= SILENT_NS


class Feeds(msgspec.Struct):
    """All streams by (venue, session)."""

    streams: dict[tuple[str, str], Stream] = msgspec.field(default_factory=dict)

    def stream(self, venue: str, session: str) -> Stream:
        """The stream of a session, made on first mention."""
        found = self.streams.get((venue, session))
        if found is None:
            found = self.streams[venue, session] = Stream(venue, session)
        return found

    def take(self, fact: Fact) -> Stream:
        """Take a session fact."""
        stream = self.stream(fact.venue, fact.session)
        if fact.kind is FactKind.CONNECTED:
            stream.connected_ns = fact.received_ns
            stream.connects += 1
            stream.open.append(fact.connection)
        elif fact.kind is FactKind.DISCONNECTED and fact.connection in stream.open:
            # An attempt that failed was never open: it takes nothing from the others.
            stream.open.remove(fact.connection)
        if fact.kind is not FactKind.DISCONNECTED or not stream.open:
            stream.state = fact.kind.value
        stream.detail = fact.detail
        return stream

    def missing(self, now_ns: int) -> tuple[str, ...]:
        """Streams that should flow and do not, as "venue/session", in order."""
        return tuple(
            sorted(
                f"{stream.venue}/{stream.session}"
                for stream in self.streams.values()
                if not stream.flowing(now_ns)
            )
        )

    def views(self, now_ns: int) -> tuple[StreamView, ...]:
        """A picture of every stream."""
        return tuple(
            StreamView(
                venue=stream.venue,
                session=stream.session,
                state="flowing" if stream.flowing(now_ns) else stream.state,
                detail=stream.detail,
                connected_ns=stream.connected_ns,
                last_useful_ns=stream.last_useful_ns,
                frames=stream.frames,
                malformed=stream.malformed,
                reconnects=max(0, stream.connects - 1),
            )
            for _, stream in sorted(self.streams.items())
        )
