"""How long an alert takes: from what decides it to the acknowledgement of a real broker.

The daemon runs as in production, with market data of all watched assets coming in meanwhile.
Forced orders fill the ladder of one asset and position after another through its tiers, and at
the end of a second several are judged at once. Holds are short, so that each ladder is soon
filled again, and caps are out of the way, so that single orders do it; all else is as usual.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from monitor.bench import broker, children
from monitor.bench.results import AlertFigures, spread
from monitor.bench.sender import PACED_PATH, serve_paced
from monitor.bench.venue import SESSION, loopback_venue, settings
from monitor.clock import NS
from monitor.daemon import Daemon
from monitor.detect.verdict import Verdict
from monitor.errors import MeasureError
from monitor.parameters import Parameters
from monitor.publish.outbox import AlertEntry
from monitor.venues.binance import BINANCE

LEAST_ALERTS: Final = 240
LONGEST_S: Final = 60.0
_LOOK_S: Final = 0.05
_MS: Final = 1e3
_MOST: Final = 1000.0
DETECTOR: Final = Parameters(
    contract_cap=_MOST,
    asset_cap=_MOST,
    notice_confirmers=0,
    building_confirmers=0,
    cascading_after_s=1,
    cascading_forced=1.0,
    exhausting_rate_ratio=_MOST,
    exhausting_extreme_s=1,
    exhausting_hold_s=1,
)


def measure(step: Callable[[str], None], *, least: int = LEAST_ALERTS) -> AlertFigures | str:
    """Measure at least so many alerts, or say why that cannot be done here.

    Raises:
        MeasureError: They did not come.
    """
    command = broker.program()
    if command is None:
        return "mosquitto is not installed (Debian: apt-get install mosquitto)"
    with (
        tempfile.TemporaryDirectory() as directory,
        broker.mosquitto(command) as mqtt_port,
        children.child(serve_paced) as sender,
    ):
        port = children.answer(sender, LONGEST_S, "the sender's port")
        state = str(Path(directory) / "bench.state")
        with children.child(watch, port, mqtt_port, state, least) as daemon:
            found = children.answer(daemon, 2 * LONGEST_S, "the daemon's alerts")
    step("alerts")
    frame_ms, order_ms, load_per_s = found
    return AlertFigures(spread(frame_ms), spread(order_ms), load_per_s)


def watch(pipe: Connection, port: int, mqtt_port: int, state: str, least: int) -> None:
    """Child: the daemon; say how long each alert took, in milliseconds, and the load."""
    pipe.send(children.run(_watch(port, mqtt_port, state, least)))


class _Notes:
    """What is known of each alert when the broker acknowledges it."""

    def __init__(self, daemon: Daemon) -> None:
        self.frame_ms: list[float] = []
        self.order_ms: list[float] = []
        self._daemon = daemon
        self._received_ns: dict[str, int] = {}

    def decided(self, verdict: Verdict) -> None:
        """Note when the order of a tier crossing was received."""
        # What is decided at the end of a second is stamped with it; an order never is.
        if verdict.detected_ns % NS:
            self._received_ns[verdict.id] = verdict.detected_ns

    def acknowledged(self, entry: AlertEntry, seconds: float) -> None:
        """Note how long it took."""
        self.frame_ms.append(_MS * seconds)
        received_ns = self._received_ns.pop(entry.id, 0)
        if received_ns:
            self.order_ms.append(_MS * (self._daemon.clock.now_ns() - received_ns) / NS)


async def _watch(
    port: int, mqtt_port: int, state: str, least: int
) -> tuple[list[float], list[float], float]:
    venue = loopback_venue(port, PACED_PATH)
    config = settings(mqtt_port=mqtt_port, http=True, state=state, detector=DETECTOR)
    daemon = Daemon(config, (venue,), {}, "bench")
    notes = _Notes(daemon)
    daemon.listeners.append(notes.decided)
    daemon.on_published.append(notes.acknowledged)
    async with asyncio.TaskGroup() as group:
        group.create_task(daemon.run())
        began_s = time.monotonic()
        while len(notes.frame_ms) < least or len(notes.order_ms) < least // 2:
            if time.monotonic() - began_s > LONGEST_S:
                break
            await asyncio.sleep(_LOOK_S)
        streams = daemon.engine.feeds.streams
        stream = streams.get((BINANCE.name, SESSION))
        open_s = 0 if stream is None else (daemon.clock.now_ns() - stream.connected_ns) / NS
        load_per_s = stream.frames / open_s if stream is not None else 0.0
        daemon.stop()
    if len(notes.order_ms) < 2:  # noqa: PLR2004 - the least that has a spread
        raise MeasureError(
            f"expected {least} alerts within {LONGEST_S:g} s, had {len(notes.frame_ms)}"
        )
    return notes.frame_ms, notes.order_ms, load_per_s
