"""The composition: which part is handed to which, and in what order they come and go.

Life is nesting. Consumers (the broker, the pages) surround producers (collectors, the timer);
producers end first, what they caused is published, and only then do the consumers leave.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from monitor.clock import NS, MarketClock
from monitor.collect.log import Log
from monitor.collect.recorder import Recorder
from monitor.collect.supervisor import VenueCollector
from monitor.config import Config, digest, mqtt_credentials, venue_options
from monitor.daemon.alertlog import AlertLog
from monitor.daemon.core import LiveCore
from monitor.daemon.counts import Counts
from monitor.daemon.damaged import DamagedFrames
from monitor.daemon.news import News
from monitor.daemon.report import EVERY_S, Report
from monitor.daemon.saving import Saving
from monitor.detect.engine import Engine
from monitor.detect.verdict import Verdict
from monitor.events import FactKind
from monitor.publish import alert
from monitor.publish.broker import Publisher
from monitor.publish.metrics import Metrics, new_registry
from monitor.publish.outbox import AlertEntry, Outbox
from monitor.publish.web import Web
from monitor.replay import header
from monitor.venues.contract import Venue

DRAIN_S: Final = 3.0  # wall seconds that the last alerts have to be acknowledged
LEAST_TICK_S: Final = 0.005
NEWS_EVERY_S: Final = 1.0  # wall seconds between two looks at how the venues are doing
DAMAGED_EVERY_S: Final = 5.0  # wall seconds between two looks at what damage came

log = structlog.get_logger()


class Stopped(Exception):
    """Somebody asked the daemon to stop."""


class Daemon:
    """One monitor: configuration in, a running service out.

    Attributes:
        engine: The detector.
        report: How everything stands.
        web: The pages, while they are served.
        listeners: Called with each verdict, beside the broker.
    """

    def __init__(
        self, config: Config, venues: Sequence[Venue], environ: Mapping[str, str], version: str
    ) -> None:
        self._options = venue_options(config, [venue.name for venue in venues])
        self._config = config
        self._version = version
        self.clock: MarketClock = config.clock.anchored(time.time_ns())
        chosen = [venue for venue in venues if venue.name in self._options]
        self.engine = Engine(chosen, config.watch.assets, config.detector)
        self.outbox = Outbox(config.mqtt.outbox_alerts, config.mqtt.outbox_states)
        self.publisher = Publisher(
            config.mqtt,
            lambda: mqtt_credentials(config, environ),
            self.outbox,
            on_published=self._published,
        )
        self.metrics = Metrics(new_registry(), version, digest(config))
        self.report = Report(config, version, self.clock, self.engine, self.outbox, self.publisher)
        self.metrics.watch_publishing(self.outbox, self.publisher)
        self.metrics.watch_readiness(self.report.readiness)
        self.metrics.watch_market(self.report.view)
        self.listeners: list[Callable[[Verdict], None]] = []
        self.on_published: list[Callable[[AlertEntry, float], None]] = []
        self.web: Web | None = None
        self._core = LiveCore(
            self.engine, self._publish, self._refresh_listings, self.metrics.kernel_batch
        )
        self._collectors: dict[str, VenueCollector] = {}
        self._alert_log: AlertLog | None = None
        self._news = News(self.engine.feeds)
        self._saving = Saving(config.state, self.clock, self.engine, self.outbox, self._news)
        self._damaged = DamagedFrames(Path(config.state.path), self.engine.tally)
        self._stop = asyncio.Event()
        self._bug: BaseException | None = None

    def stop(self) -> None:
        """Ask it to drain and leave."""
        self._stop.set()

    async def run(self) -> None:
        """Run until stopped.

        Raises:
            StateError: The state file cannot be used.
            ListenError: The HTTP address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._take_bug)
        self._core.begin(loop)
        if self._config.state.path:
            self._saving.restore()
        self.report.restored = True
        async with self._pages(), asyncio.TaskGroup() as consumers:
            if self._config.mqtt.enabled:
                consumers.create_task(self.publisher.run(), name="publish")
            async with self._recording() as recorder:
                entries = Log(self.clock, self._core, recorder)
                self._begin(entries)
                await self._produce(entries)
                self._end(entries)
            await self._drain()

    async def _produce(self, entries: Log) -> None:
        """Everything that brings something in; ends when somebody asks it to."""
        rng = random.Random()  # noqa: S311 - jitter, no secret
        watch = frozenset(self._config.watch.assets)
        try:
            async with asyncio.TaskGroup() as producers:
                for name, options in self._options.items():
                    collector = VenueCollector(
                        self.engine.venues[name],
                        self.engine.tables[name],
                        watch,
                        entries,
                        self.clock,
                        options.endpoints,
                        rng,
                    )
                    self._collectors[name] = collector
                    producers.create_task(collector.run(), name=f"collect:{name}")
                producers.create_task(self._tick(entries), name="timer")
                producers.create_task(self._keep_reporting(), name="report")
                producers.create_task(self._keep_telling(), name="news")
                if self._config.state.path:
                    producers.create_task(self._saving.keep(), name="save")
                    producers.create_task(self._keep_damaged(), name="damaged")
                producers.create_task(self._until_stopped(), name="stop")
        except* Stopped:
            log.info("stopping")

    async def _until_stopped(self) -> None:
        await self._stop.wait()
        if self._bug is not None:
            raise self._bug
        raise Stopped

    def _take_bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """End it all for a failed callback of the loop: nobody waits for one, who would know?"""
        loop.default_exception_handler(context)
        if "handle" in context:
            self._bug = context.get("exception")
            self._stop.set()

    def _begin(self, entries: Log) -> None:
        started_ns = self.report.started_ns = entries.now_ns()
        if self._config.record.directory:
            self._alert_log = AlertLog(Path(self._config.record.directory), started_ns)
        entries.fact(0, "", "", FactKind.STARTED, self._version)
        log.info(
            "started",
            version=self._version,
            venues=list(self.engine.venues),
            assets=len(self.engine.watch.assets),
            http="" if self.web is None else f"{self.web.host}:{self.web.port}",
        )

    def _end(self, entries: Log) -> None:
        entries.fact(0, "", "", FactKind.STOPPED)
        self._core.settle()
        self.report.publish_views()
        if self._alert_log is not None:
            self._alert_log.close()

    async def _drain(self) -> None:
        """Publish what is left, say goodbye, and keep what nobody took."""
        if self._config.mqtt.enabled:
            await self.publisher.drain(DRAIN_S)
        if self._config.state.path:
            await self._saving.save()
            await self._damaged.write()
        log.info("stopped", alerts_left=self.outbox.alerts)

    # Verdicts.

    def _publish(self, verdicts: list[Verdict], decided_ns: int) -> None:
        base = self._config.mqtt.base
        for verdict in verdicts:
            if self._alert_log is not None:
                self._alert_log.write(alert.log_line(verdict))
            if self._config.mqtt.enabled:
                self.publisher.send_alert(
                    verdict.id, alert.topic(base, verdict), alert.encode(verdict), decided_ns
                )
            log.info(
                "state changed",
                asset=verdict.asset,
                position=verdict.position.value,
                state=verdict.state.value,
                previous=verdict.previous_state.value,
                id=verdict.id,
                reason=verdict.reason,
            )
            for listener in self.listeners:
                listener(verdict)
        self.report.publish_views_soon({verdict.asset for verdict in verdicts})
        self._saving.wanted.set()

    def _published(self, entry: AlertEntry, seconds: float) -> None:
        self.metrics.published(entry.topic.rpartition("/")[2], seconds)
        for told in self.on_published:
            told(entry, seconds)

    def _refresh_listings(self, venues: set[str]) -> None:
        """An order of an instrument that no listing named: list once more, soon."""
        for venue in venues & self._collectors.keys():
            self._collectors[venue].refresh_listings()

    # What goes on by itself.

    async def _tick(self, entries: Log) -> None:
        """Let seconds end on time where no frame does it; measure how late the loop is."""
        loop = asyncio.get_running_loop()
        while True:
            left_ns = NS - entries.now_ns() % NS
            wait_s = max(LEAST_TICK_S, self.clock.wall_s(left_ns / NS))
            due_s = loop.time() + wait_s
            await asyncio.sleep(wait_s)
            self.report.loop_lag_s = max(0.0, loop.time() - due_s)
            self.metrics.loop_lag(self.report.loop_lag_s)
            self._core.advance(entries.now_ns())

    async def _keep_reporting(self) -> None:
        self.report.publish_info()
        while True:
            await asyncio.sleep(EVERY_S)
            self.report.publish_views()
            self.report.publish_health(EVERY_S)

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(NEWS_EVERY_S)
            recorder = self.report.recorder
            self._news.tell(
                self.clock.now_ns(),
                [collector.status for collector in self._collectors.values()],
                "" if recorder is None else recorder.failed,
            )

    async def _keep_damaged(self) -> None:
        while True:
            await asyncio.sleep(DAMAGED_EVERY_S)
            await self._damaged.write()

    # Recording, pages.

    @contextlib.asynccontextmanager
    async def _recording(self) -> AsyncIterator[Recorder | None]:
        if not self._config.record.directory:
            yield None
            return
        async with Recorder(Path(self._config.record.directory), self._header) as recorder:
            self.report.recorder = recorder
            yield recorder

    def _header(self) -> dict[str, Any]:
        about = header(self._version, self.report.started_ns, self._config, self.engine)
        return dict(msgspec.to_builtins(about))

    @contextlib.asynccontextmanager
    async def _pages(self) -> AsyncIterator[None]:
        if not self._config.http.enabled:
            yield
            return
        http = self._config.http
        counts = Counts(self.metrics, self.engine, self._collectors, self.report, self._saving)
        web = Web(http.host, http.port, counts.page, self.report.readiness)
        async with web as self.web:
            yield
