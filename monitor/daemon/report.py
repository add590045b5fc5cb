"""What the daemon says of itself and of the market: retained states, health, readiness."""

import asyncio
import os
from pathlib import Path
from typing import Final

from monitor.clock import NS, MarketClock
from monitor.collect.recorder import Recorder
from monitor.config import Config, digest
from monitor.detect import picture
from monitor.detect.engine import Engine
from monitor.detect.view import MarketView
from monitor.publish import alert, state
from monitor.publish.broker import Publisher
from monitor.publish.outbox import Outbox
from monitor.publish.web import Readiness

EVERY_S: Final = 5.0  # wall seconds between two publications of everything retained
# Wall seconds by which what follows from a verdict stays behind its alert: painting a picture
# or taking a snapshot holds the loop for milliseconds, in which no alert gets on.
ALERTS_FIRST_S: Final = 0.05


class Report:
    """Looks at the daemon's parts and says how things stand; changes nothing.

    Attributes:
        restored: Whether the state was restored, or there was none.
        recorder: The recording, while there is one.
        loop_lag_s: How late the loop last was.
        started_ns: Market time at which the daemon came up.
    """

    def __init__(
        self,
        config: Config,
        version: str,
        clock: MarketClock,
        engine: Engine,
        outbox: Outbox,
        publisher: Publisher,
    ) -> None:
        self.restored = False
        self.recorder: Recorder | None = None
        self.loop_lag_s = 0.0
        self.started_ns = 0
        self._config = config
        self._version = version
        self._clock = clock
        self._engine = engine
        self._outbox = outbox
        self._publisher = publisher
        self._frames = 0
        self._due: set[str] = set()

    def view(self) -> MarketView:
        """A picture of the market as it stands."""
        return picture.paint(self._engine)

    def publish_views(self, assets: set[str] | None = None) -> None:
        """Make the retained states of these assets, or of all, the present ones."""
        if not self._config.mqtt.enabled:
            return
        view, base = self.view(), self._config.mqtt.base
        for asset in view.assets:
            if assets is None or asset.asset in assets:
                topic = state.asset_topic(base, asset.asset)
                self._publisher.send_state(topic, state.asset_state(asset, view.now_ns))
        self._publisher.send_state(state.market_topic(base), state.market_state(view))

    def publish_views_soon(self, assets: set[str]) -> None:
        """The same a moment later: alerts go first, and a burst of them makes one picture."""
        if not self._due:
            asyncio.get_running_loop().call_later(ALERTS_FIRST_S, self._publish_due)
        self._due |= assets

    def _publish_due(self) -> None:
        due, self._due = self._due, set()
        self.publish_views(due)

    def publish_info(self) -> None:
        """Make what is running known, once."""
        if not self._config.mqtt.enabled:
            return
        info = state.Info(
            version=self._version,
            config_digest=digest(self._config),
            started_time_ms=self.started_ns // 1_000_000,
            speed=self._clock.speed,
            venues=tuple(self._engine.venues),
            assets=self._engine.watch.assets,
        )
        topic = state.info_topic(self._config.mqtt.base)
        self._publisher.send_state(topic, alert.encode_payload(info))

    def publish_health(self, since_s: float) -> None:
        """Make the daemon's health known; `since_s` wall seconds after the last time."""
        if not self._config.mqtt.enabled:
            return
        readiness = self.readiness()
        frames = sum(stream.frames for stream in self._engine.feeds.streams.values())
        before, self._frames = self._frames, frames
        now_ns = self._clock.now_ns()
        health = state.Health(
            time_ms=now_ns // 1_000_000,
            ready=readiness.ready,
            degraded=readiness.degraded,
            uptime_s=(now_ns - self.started_ns) / NS / self._clock.speed,
            frames=frames,
            frames_per_s=(frames - before) / since_s,
            loop_lag_s=self.loop_lag_s,
            outbox_alerts=self._outbox.alerts,
            outbox_dropped=dict(self._outbox.dropped),
            recording=self.recorder is not None and not self.recorder.failed,
            rss_bytes=rss_bytes(),
        )
        topic = state.health_topic(self._config.mqtt.base)
        self._publisher.send_state(topic, alert.encode_payload(health))

    def readiness(self) -> Readiness:
        """Whether the daemon can do its work, and what it does without."""
        now_ns = self._clock.now_ns()
        streams = self._engine.feeds.streams.values()
        flowing = {
            name: any(s.venue == name and s.flowing(now_ns) for s in streams)
            for name in self._engine.venues
        }
        broker = self._publisher.connected or not self._config.mqtt.enabled
        degraded = [] if broker else ["broker"]
        if self.recorder is not None and self.recorder.failed:
            degraded.append("recording")
        degraded += [name for name, flows in flowing.items() if not flows]
        degraded += self._engine.feeds.missing(now_ns)
        return Readiness(
            kernels=True,  # they compile when the engine is imported
            state=self.restored,
            broker=broker,
            venues=flowing,
            degraded=tuple(degraded),
        )


def rss_bytes() -> int:
    """Memory this process holds; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
