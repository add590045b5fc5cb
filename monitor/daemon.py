"""The daemon: venues in, verdicts out, for as long as nobody stops it.

Life is nesting. Consumers (the broker, the pages) surround producers (collectors, the timer);
producers end first, what they caused is published, and only then do the consumers leave. Frames
go straight from a socket into the engine, on one thread; only what is to be published waits.
"""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from monitor.clock import NS, MarketClock
from monitor.collect.log import Log
from monitor.collect.recorder import Recorder
from monitor.collect.supervisor import VenueCollector
from monitor.config import Config, digest, mqtt_credentials, venue_options
from monitor.detect import picture, snapshot
from monitor.detect.engine import Engine
from monitor.detect.verdict import Verdict
from monitor.detect.view import MarketView
from monitor.events import Answer, Fact, FactKind, Outcome
from monitor.publish import alert, state
from monitor.publish.broker import Publisher
from monitor.publish.metrics import Metrics
from monitor.publish.outbox import AlertEntry, Outbox
from monitor.publish.web import Readiness, Web
from monitor.replay import header
from monitor.statefile import encode, read, write
from monitor.venues.contract import Venue

STATE_EVERY_S: Final = 5.0  # wall seconds between two publications of all states
DRAIN_S: Final = 3.0
SAVE_AFTER_VERDICT_S: Final = 1.0  # wall seconds between two saves that verdicts ask for

log = structlog.get_logger()


class Stopped(Exception):
    """Somebody asked the daemon to stop."""


class Daemon:
    """One monitor: configuration in, a running service out."""

    def __init__(
        self, config: Config, venues: Sequence[Venue], environ: Mapping[str, str], version: str
    ) -> None:
        options = venue_options(config, [venue.name for venue in venues])
        chosen = [venue for venue in venues if venue.name in options]
        self.config = config
        self.clock: MarketClock = config.clock.anchored(time.time_ns())
        self.engine = Engine(chosen, config.watch.assets, config.detector)
        self.outbox = Outbox(config.mqtt.outbox_alerts, config.mqtt.outbox_states)
        self.metrics = Metrics(version, digest(config))
        self.publisher = Publisher(
            config.mqtt,
            lambda: mqtt_credentials(config, environ),
            self.outbox,
            on_published=self._published,
        )
        self.recorder: Recorder | None = None
        self.listeners: list[Callable[[Verdict], None]] = []
        self.loop_lag_s = 0.0
        self.restored = False
        self.web: Web | None = None
        self._version = version
        self._options = options
        self._stop = asyncio.Event()
        self._log: Log | None = None
        self._collectors: list[VenueCollector] = []
        self._settling = False
        self._began_ns = 0
        self._started_ns = 0
        self._save_wanted = asyncio.Event()
        self._alert_log: _AlertLog | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Ask it to drain and leave."""
        self._stop.set()

    async def run(self) -> None:
        """Run until stopped.

        Raises:
            StateError: The state file cannot be used.
            ListenError: The HTTP address cannot be bound.
        """
        self._loop = asyncio.get_running_loop()
        self._restore()
        async with contextlib.AsyncExitStack() as stack:
            if self.config.http.enabled:
                self.web = await stack.enter_async_context(
                    Web(self.config.http, self.metrics, self.readiness)
                )
            async with asyncio.TaskGroup() as consumers:
                if self.config.mqtt.enabled:
                    consumers.create_task(self.publisher.run(), name="publish")
                async with self._recording() as recorder:
                    self._log = Log(self.clock, self, recorder)
                    self._begin()
                    await self._produce()
                    self._end()
                await self._drain()

    async def _produce(self) -> None:
        """Everything that brings something in; ends when somebody asks it to."""
        assert self._log is not None
        rng = random.Random()  # noqa: S311 - jitter, no secret
        watch = frozenset(self.config.watch.assets)
        try:
            async with asyncio.TaskGroup() as producers:
                for name, options in self._options.items():
                    collector = VenueCollector(
                        self.engine.venues[name],
                        self.engine.tables[name],
                        watch,
                        self._log,
                        self.clock,
                        options.endpoints,
                        rng,
                    )
                    self._collectors.append(collector)
                    producers.create_task(collector.run(), name=f"collect:{name}")
                producers.create_task(self._tick(), name="timer")
                producers.create_task(self._publish_states(), name="states")
                producers.create_task(self._save_states(), name="save")
                producers.create_task(self._until_stopped(), name="stop")
        except* Stopped:
            log.info("stopping")

    async def _until_stopped(self) -> None:
        await self._stop.wait()
        raise Stopped

    async def _drain(self) -> None:
        """Publish what is left, say goodbye, and keep what nobody took."""
        if self.config.mqtt.enabled:
            await self.publisher.drain(DRAIN_S)
        await self._save()
        log.info("stopped", alerts_left=self.outbox.alerts)

    # The core of the log: the engine, and what has to follow from each entry.

    def frame(self, connection: int, received_ns: int, data: bytes) -> Outcome:
        """Take one frame of a connection; what it was good for."""
        if not self._settling:
            self._settle_soon()
        return self.engine.frame(connection, received_ns, data)

    def answer(self, answer: Answer) -> None:
        """Take one REST answer, or its absence."""
        self._settle_soon()
        self.engine.answer(answer)

    def fact(self, fact: Fact) -> None:
        """Take one session fact."""
        self._settle_soon()
        self.engine.fact(fact)

    def _settle_soon(self) -> None:
        """Settle as soon as the loop has nothing else at hand: a burst makes one batch."""
        if not self._settling:
            self._settling = True
            self._began_ns = time.perf_counter_ns()
            assert self._loop is not None
            self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        """Run the kernel over what waits, and publish what was found."""
        self._settling = False
        self.engine.flush()
        if self.engine.judge.verdicts:
            self._publish(self.engine.drain())
        if self.engine.tally.unknown:
            self._refresh_listings()

    def _publish(self, verdicts: list[Verdict]) -> None:
        base = self.config.mqtt.base
        for verdict in verdicts:
            if self._alert_log is not None:
                self._alert_log.write(alert.log_line(verdict))
            if self.config.mqtt.enabled:
                self.publisher.send_alert(
                    verdict.id, alert.topic(base, verdict), alert.encode(verdict), self._began_ns
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
        self._publish_views({verdict.asset for verdict in verdicts})
        self._save_wanted.set()

    def _published(self, entry: AlertEntry, seconds: float) -> None:
        self.metrics.published(entry.topic.rpartition("/")[2], seconds)

    def _refresh_listings(self) -> None:
        """An order of an instrument that no listing named: list once more, soon."""
        unknown, self.engine.tally.unknown = self.engine.tally.unknown, set()
        venues = {venue for venue, _ in unknown}
        for name, collector in zip(self._options, self._collectors, strict=False):
            if name in venues:
                collector.refresh_listings()

    # Time.

    async def _tick(self) -> None:
        """Let seconds end on time where no frame does it; measure how late the loop is."""
        assert self._log is not None
        assert self._loop is not None
        while True:
            now_ns = self._log.now_ns()
            due_s = self.clock.wall_s(((now_ns // NS + 1) * NS - now_ns) / NS)
            wanted_s = max(0.005, due_s)
            before_s = self._loop.time()
            await asyncio.sleep(wanted_s)
            self.loop_lag_s = max(0.0, self._loop.time() - before_s - wanted_s)
            self.metrics.loop_lag(self.loop_lag_s)
            self._settle_soon()
            self.engine.advance(self._log.now_ns())

    # Publishing of states.

    def view(self) -> MarketView:
        """A picture of the market as it stands."""
        return picture.paint(self.engine)

    def _publish_views(self, assets: set[str] | None = None) -> None:
        """Make the retained states of these assets, or of all, the present ones."""
        if not self.config.mqtt.enabled:
            return
        view, base = self.view(), self.config.mqtt.base
        for asset in view.assets:
            if assets is None or asset.asset in assets:
                self.publisher.send_state(
                    state.asset_topic(base, asset.asset), state.asset_state(asset, view.now_ns)
                )
        self.publisher.send_state(state.market_topic(base), state.market_state(view))

    async def _publish_states(self) -> None:
        base, frames_before = self.config.mqtt.base, 0
        if self.config.mqtt.enabled:
            info = state.Info(
                version=self._version,
                config_digest=digest(self.config),
                started_time_ms=self._started_ns // 1_000_000,
                speed=self.clock.speed,
                venues=tuple(self.engine.venues),
                assets=self.engine.watch.assets,
            )
            self.publisher.send_state(state.info_topic(base), alert.encode_payload(info))
        while True:
            await asyncio.sleep(STATE_EVERY_S)
            self._publish_views()
            health, frames_before = self._health(frames_before)
            if self.config.mqtt.enabled:
                self.publisher.send_state(state.health_topic(base), alert.encode_payload(health))

    def _health(self, frames_before: int) -> tuple[state.Health, int]:
        readiness = self.readiness()
        frames = sum(stream.frames for stream in self.engine.feeds.streams.values())
        now_ns = self.clock.now_ns()
        health = state.Health(
            time_ms=now_ns // 1_000_000,
            ready=readiness.ready,
            degraded=readiness.degraded,
            uptime_s=(now_ns - self._started_ns) / NS / self.clock.speed,
            frames=frames,
            frames_per_s=(frames - frames_before) / STATE_EVERY_S,
            loop_lag_s=self.loop_lag_s,
            outbox_alerts=self.outbox.alerts,
            outbox_dropped=dict(self.outbox.dropped),
            recording=self.recorder is not None and not self.recorder.failed,
            rss_bytes=_rss_bytes(),
        )
        return health, frames

    def readiness(self) -> Readiness:
        """Whether it can do its work, and what it does without."""
        now_ns = self.clock.now_ns()
        missing = self.engine.feeds.missing(now_ns)
        flowing = {
            name: any(
                stream.venue == name and stream.flowing(now_ns)
                for stream in self.engine.feeds.streams.values()
            )
            for name in self.engine.venues
        }
        broker = self.publisher.connected or not self.config.mqtt.enabled
        degraded = list(missing)
        degraded += [name for name, flows in flowing.items() if not flows]
        if not broker:
            degraded.append("broker")
        if self.recorder is not None and self.recorder.failed:
            degraded.append("recording")
        return Readiness(
            kernels=True,
            state=self.restored,
            broker=broker,
            venues=flowing,
            degraded=tuple(degraded),
        )

    # State and recording.

    def _restore(self) -> None:
        if self.config.state.path:
            saved = read(Path(self.config.state.path))
            if saved is not None:
                snapshot.restore(self.engine, saved.detector)
                self.outbox.restore(saved.alerts)
                log.info("state restored", saved_ns=saved.saved_ns, alerts=len(saved.alerts))
        self.restored = True

    async def _save_states(self) -> None:
        """Save regularly, and soon after every verdict."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.config.state.every_s):
                    await self._save_wanted.wait()
            self._save_wanted.clear()
            await self._save()
            await asyncio.sleep(SAVE_AFTER_VERDICT_S)

    async def _save(self) -> None:
        if not self.config.state.path:
            return
        data = encode(
            self.clock.now_ns(), snapshot.take(self.engine), tuple(self.outbox.pending())
        )
        try:
            await asyncio.to_thread(write, Path(self.config.state.path), data)
        except OSError as error:
            self.metrics.state_saved(ok=False)
            log.warning("state not saved", path=self.config.state.path, reason=error.strerror)
        else:
            self.metrics.state_saved(ok=True)

    @contextlib.asynccontextmanager
    async def _recording(self) -> AsyncIterator[Recorder | None]:
        if not self.config.record.directory:
            yield None
            return
        directory = Path(self.config.record.directory)
        async with Recorder(directory, self._header) as recorder:
            self.recorder = recorder
            yield recorder

    def _header(self) -> dict[str, object]:
        about = header(self._version, self._started_ns, self.config, self.engine)
        return dict(msgspec.to_builtins(about))

    def _begin(self) -> None:
        assert self._log is not None
        self._started_ns = self._log.now_ns()
        if self.config.record.directory:
            self._alert_log = _AlertLog(Path(self.config.record.directory), self._started_ns)
        self._log.fact(0, "", "", FactKind.STARTED, self._version)
        log.info(
            "started",
            version=self._version,
            venues=list(self.engine.venues),
            assets=len(self.engine.watch.assets),
        )

    def _end(self) -> None:
        assert self._log is not None
        self._log.fact(0, "", "", FactKind.STOPPED)
        self._settle()
        self._publish_views()
        if self._alert_log is not None:
            self._alert_log.close()


class _AlertLog:
    """The core's alerts beside a recording, a line each; a disk that refuses ends it."""

    def __init__(self, directory: Path, started_ns: int) -> None:
        self.failed = False
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path = directory / f"alerts-{started_ns // 1_000_000}.jsonl"
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            self._fail(error)

    def write(self, line: bytes) -> None:
        """Append a line."""
        if not self.failed:
            try:
                self._file.write(line)
            except OSError as error:
                self._fail(error)

    def close(self) -> None:
        """End the file."""
        if not self.failed:
            self._file.close()

    def _fail(self, error: OSError) -> None:
        self.failed = True
        log.warning("alert log stopped", reason=error.strerror)


def _rss_bytes() -> int:
    """Memory this process holds; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
