"""What the screen shows of a moment, as one frozen value, and the camera that takes it."""

import shutil
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from monitor.clock import NS
from monitor.config import Config
from monitor.daemon import Daemon
from monitor.demo.plan import EPOCH_NS, Plan
from monitor.detect import picture
from monitor.detect.verdict import Verdict
from monitor.detect.view import MarketView
from monitor.events import Position

BIN_S: Final = 10  # market seconds of one column of the forced flow
BINS: Final = 240
ALERTS_HELD: Final = 40
RATE_S: Final = 1.0  # wall seconds over which frames are counted
_MICRO: Final = 1e6


class Sight(msgspec.Struct, frozen=True):
    """A moment of the demo.

    Attributes:
        now_ns: Market time.
        plan: What is played.
        second: The second that runs in the detector.
        view: The detector's own picture of it.
        forced_usd: Forced US dollars of the whole market by position, in bins of `BIN_S`
            market seconds, oldest first; the last bin holds `second`.
        rates: (venue, session) -> frames in a wall second.
        alerts: Latest verdicts, newest first.
        published: Alerts that the broker has acknowledged.
        received: Alerts that came back out of it.
        addresses: (what, where) for whoever wants to connect.
    """

    now_ns: int
    plan: Plan
    second: int
    view: MarketView
    forced_usd: dict[Position, tuple[float, ...]]
    rates: dict[tuple[str, str], float]
    alerts: tuple[Verdict, ...]
    published: int
    received: int
    addresses: tuple[tuple[str, str], ...]


class Camera:
    """Looks at a running daemon; changes nothing.

    Attributes:
        alerts: Latest verdicts, newest first.
    """

    def __init__(self, plan: Plan, daemon: Daemon, config: Config, configured: Path) -> None:
        self.alerts: deque[Verdict] = deque(maxlen=ALERTS_HELD)
        self._plan = plan
        self._daemon = daemon
        self._mqtt = config.mqtt
        self._configured = configured
        self._rates: dict[tuple[str, str], float] = {}
        self._frames: dict[tuple[str, str], int] = {}
        self._counted_s = 0.0

    def look(self, published: int, received: int) -> Sight:
        """The present moment."""
        view = picture.paint(self._daemon.engine, largest=False)
        self._count(view)
        second = max(self._daemon.engine.second, EPOCH_NS // NS)
        return Sight(
            now_ns=max(EPOCH_NS, self._daemon.clock.now_ns()),
            plan=self._plan,
            second=second,
            view=view,
            forced_usd=self._forced(second),
            rates=self._rates,
            alerts=tuple(self.alerts),
            published=published,
            received=received,
            addresses=self._addresses(),
        )

    def _count(self, view: MarketView) -> None:
        now_s = time.monotonic()
        since_s = now_s - self._counted_s
        if since_s < RATE_S:
            return
        frames = {(s.venue, s.session): s.frames for s in view.streams}
        self._rates = {
            name: (count - self._frames.get(name, 0)) / since_s for name, count in frames.items()
        }
        self._frames, self._counted_s = frames, now_s

    def _forced(self, second: int) -> dict[Position, tuple[float, ...]]:
        engine = self._daemon.engine
        held = engine.arrays.seconds["usd"]
        first = (second // BIN_S + 1 - BINS) * BIN_S
        seconds = np.arange(first, first + BINS * BIN_S)
        venues = max(1, len(engine.watch.venues))
        by_second = held.reshape(-1, len(Position), venues, held.shape[1]).sum(axis=(0, 2))
        flow = by_second[:, seconds % held.shape[1]] / _MICRO
        flow[:, seconds > second] = 0.0
        bins = flow.reshape(len(Position), BINS, BIN_S).sum(axis=2)
        return {position: tuple(bins[k].tolist()) for k, position in enumerate(Position)}

    def _addresses(self) -> tuple[tuple[str, str], ...]:
        mqtt, web = self._mqtt, self._daemon.web
        return (
            ("MQTT 3.1.1", f"mqtt://{mqtt.host}:{mqtt.port}  topics {mqtt.base}/#"),
            ("alerts", f"{program()} tail -c {self._configured}"),
            ("metrics", f"http://{web.host}:{web.port}/metrics" if web is not None else "-"),
        )


def program() -> str:
    """How this program is called, so that a line with it works when it is pasted here."""
    called = Path(sys.argv[0])
    if called.name != "liqmon":
        return f"{sys.executable} -m monitor"
    found = shutil.which("liqmon")
    if found is not None and called.exists() and Path(found).samefile(called):
        return "liqmon"
    return str(called)
