"""Tells the log, a line a change, how things are going: the venues, their streams, the disk."""

from collections.abc import Iterable

import structlog

from monitor.collect.supervisor import VenueStatus
from monitor.detect.feeds import Feeds, Stream
from monitor.events import FactKind

log = structlog.get_logger()


class News:
    """Remembers how things stood, and tells what is different.

    A stream that has never flowed is trouble once an attempt of it has failed, a venue that was
    never listed once a request has.
    """

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._listed: dict[str, bool] = {}
        self._flowing: dict[tuple[str, str], bool] = {}
        self._recording = ""
        self._saving = ""

    def tell(self, now_ns: int, venues: Iterable[VenueStatus], recording_failed: str) -> None:
        """Tell what has changed since the last time; `now_ns` is market time."""
        if recording_failed != self._recording:
            self._recording = recording_failed
            log.warning("recording stopped", reason=recording_failed)
        for status in venues:
            self._tell_venue(status)
        for stream in self._feeds.streams.values():
            self._tell_stream(stream, now_ns)

    def saved(self, path: str, refused: str) -> None:
        """The state was saved, or why it was not."""
        if refused == self._saving:
            return
        self._saving = refused
        if refused:
            log.warning("state not saved", path=path, reason=refused)
        else:
            log.info("state saved again", path=path)

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
