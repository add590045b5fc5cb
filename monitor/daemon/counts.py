"""What the daemon's parts counted, brought to the metrics at the moment somebody looks."""

from collections.abc import Mapping

from aiohttp import web

from monitor.collect.supervisor import VenueCollector
from monitor.daemon.report import Report
from monitor.daemon.saving import Saving
from monitor.detect.engine import Engine
from monitor.publish.metrics import Metrics


class Counts:
    """Answers `/metrics`, with counts of this very moment."""

    def __init__(
        self,
        metrics: Metrics,
        engine: Engine,
        collectors: Mapping[str, VenueCollector],
        report: Report,
        saving: Saving,
    ) -> None:
        self._metrics = metrics
        self._engine = engine
        self._collectors = collectors
        self._report = report
        self._saving = saving
        self._answer = metrics.handler

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page, counted anew."""
        self.bring()
        return await self._answer(request)

    def bring(self) -> None:
        """Put the present counts into the metrics."""
        for name, collector in self._collectors.items():
            counts = self._metrics.venue(name)
            streams = [s for s in self._engine.feeds.streams.values() if s.venue == name]
            counts.frames = sum(stream.frames for stream in streams)
            counts.connects = sum(stream.connects for stream in streams)
            still_open = sum(c.venue == name for c in self._engine.connections.values())
            counts.disconnects = counts.connects - still_open
            counts.rest_failures = collector.status.rest_failures
        self._metrics.snapshot_ns = self._saving.saved_ns
        recorder = self._report.recorder
        if recorder is not None:
            self._metrics.recording_failed = bool(recorder.failed)
            self._metrics.recording_dropped = recorder.dropped
