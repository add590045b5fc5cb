"""Tells the log, a line a change, how the venues are doing: listed or not, flowing or not."""

from collections.abc import Iterable

import structlog

from monitor.collect.supervisor import VenueStatus
from monitor.detect.feeds import Feeds, Stream
from monitor.events import FactKind

log = structlog.get_logger()


class VenueNews:
    """Remembers how things stood, and tells what is different.

    A stream that has never flowed is trouble once an attempt of it has failed, a venue that was
    never listed once a request has.
    """

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._listed: dict[str, bool] = {}
        self._flowing: dict[tuple[str, str], bool] = {}

    def tell(self, now_ns: int, venues: Iterable[VenueStatus]) -> None:
        """Tell what has changed since the last time; `now_ns` is market time."""
        for status in venues:
            self._tell_venue(status)
        for stream in self._feeds.streams.values():
            self._tell_stream(stream, now_ns)

    def _tell_venue(self, status: VenueStatus) -> None:
        known = self._listed.get(status.venue)
        if status.planned == known or not (status.planned or status.rest_failures):
            return
        self._listed[status.venue] = status.planned
        if status.planned:
            log.info("venue listed", venue=status.venue)
        else:
            log.warning("venue not listed", venue=status.venue, reason=status.rest_error)

    def _tell_stream(self, stream: Stream, now_ns: int) -> None:
        key = (stream.venue, stream.session)
        known = self._flowing.get(key)
        flowing = stream.flowing(now_ns)
        failed = stream.state == FactKind.DISCONNECTED.value
        if flowing == known or not (flowing or failed or known):
            return
        self._flowing[key] = flowing
        about = {"venue": stream.venue, "session": stream.session}
        if flowing:
            log.info("stream flows", **about)
        else:
            log.warning("stream stopped", **about, state=stream.state, detail=stream.detail)
