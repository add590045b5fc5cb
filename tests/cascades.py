"""One cascade, lived through by two daemons at the same time, for all tests that look at it.

One of them is never interrupted: its broker is. The other has a good broker, most of the time,
but is stopped and killed and started again. Both record what they receive. It takes half a
minute, so it happens once, whichever test asks first.
"""

import atexit
import functools
import shutil
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor import statefile
from tests import brokers, listening, running

SPEED = 40.0
OUTAGE_S = 10.0
# An hour ends between CASCADING and EXHAUSTING.
FIRST_HOUR_S = 220
EPOCH_NS = (1_795_395_600 - FIRST_HOUR_S) * 1_000_000_000


@dataclass
class Whole:
    """The daemon that was never interrupted.

    The acknowledgement of CASCADING was lost on its way; then the broker was killed, and away
    for at least ten seconds, in which one more alert was decided.

    Attributes:
        recording: The directory of its recording.
        messages: Everything the witness got, repeats too.
        retained: What the broker had at the end, before the daemon stopped.
    """

    recording: Path
    messages: list[listening.Message] = field(default_factory=list)
    retained: dict[str, Any] = field(default_factory=dict)

    @property
    def log(self) -> bytes:
        """The core's alert log."""
        (path,) = self.recording.glob("alerts-*.jsonl")
        return path.read_bytes()


@dataclass
class Broken:
    """The daemon of four runs, numbered from 1.

    The broker was away in the first, which was stopped after ONSET. The second was killed after
    CASCADING, the third stopped after EXHAUSTING, the fourth at the end.
    """

    recording: Path
    exits: dict[int, int] = field(default_factory=dict)
    took_s: dict[int, float] = field(default_factory=dict)
    unsent: list[str] = field(default_factory=list)
    retained: dict[int, dict[str, Any]] = field(default_factory=dict)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    presence: list[str] = field(default_factory=list)

    @property
    def logs(self) -> list[bytes]:
        """The core's alert log of each run."""
        return [path.read_bytes() for path in sorted(self.recording.glob("alerts-*.jsonl"))]


@dataclass
class Lives:
    """Both."""

    whole: Whole
    broken: Broken


def lived() -> Lives:
    """The cascade, as both of them saw it; what failed once fails for every test."""
    return _lived().result()


@functools.cache
def _lived() -> Future[Lives]:
    with ThreadPoolExecutor(1) as once:
        return once.submit(_live)


def _live() -> Lives:
    directory = Path(tempfile.mkdtemp(prefix="liqmon-test-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    with (
        running.market(speed=SPEED, epoch_ns=EPOCH_NS) as market,
        ThreadPoolExecutor(2) as both,
    ):
        whole = both.submit(_live_whole, market, directory / "whole")
        broken = both.submit(_live_broken, market, directory / "broken")
        return Lives(whole.result(), broken.result())


def _table(market: running.Market, directory: Path, port: int) -> dict[str, Any]:
    recording = {"directory": str(directory / "recording")}
    return running.settings(market, directory, port, record=recording, state={"every_s": 1.0})


def _live_whole(market: running.Market, directory: Path) -> Whole:
    directory.mkdir()
    seen = Whole(directory / "recording")
    with (
        brokers.mosquitto(directory, durable=True) as broker,
        listening.Witness(broker.port) as witness,
        listening.Relay(broker.port, loses_after=b'"state":"CASCADING","previous_state"') as relay,
        running.monitor(directory, _table(market, directory, relay.port)) as daemon,
    ):
        daemon.until(lambda: relay.lost, 30, "for CASCADING")
        daemon.until_told("broker lost")
        daemon.until(lambda: daemon.metric("liqmon_outbox_messages", **{"class": "alert"}) == 0)
        before = len(daemon.told("state changed"))
        broker.kill()
        time.sleep(OUTAGE_S)
        daemon.until(lambda: len(daemon.told("state changed")) > before, 60, "for a verdict")
        broker.start()
        daemon.until(lambda: "EXHAUSTED" in witness.states(), 60, "for EXHAUSTED")
        daemon.until(lambda: _stands(witness) == "EXHAUSTED", what="for the state to be told")
        seen.retained = listening.retained(broker.port)
        daemon.stop()
        witness.until_end()
        seen.messages = list(witness.messages)
    return seen


def _stands(witness: listening.Witness) -> str:
    """The state that was last told of Bitcoin's longs."""
    told = witness.latest("liqmon/assets/BTC/state")
    return "" if told is None else str(told["long"]["state"])


def _live_broken(market: running.Market, directory: Path) -> Broken:
    directory.mkdir()
    seen = Broken(directory / "recording")
    with (
        brokers.mosquitto(directory, durable=True) as broker,
        listening.Witness(broker.port) as witness,
    ):
        broker.stop()  # in order, so that it keeps the witness's session
        with running.monitor(directory, _table(market, directory, broker.port)) as daemon:
            daemon.until_told("state changed", state="ONSET")
            seen.exits[1], seen.took_s[1] = daemon.stop()
            saved = statefile.read(daemon.state)
            seen.unsent = [] if saved is None else [entry.id for entry in saved.alerts]
            broker.start()
            daemon.start()
            daemon.until(lambda: "CASCADING" in witness.states(), what="for CASCADING")
            told_ns = time.time_ns()
            daemon.until(lambda: daemon.state.stat().st_mtime_ns > told_ns, what="for a save")
            daemon.kill()
            seen.retained[2] = listening.retained(broker.port)
            daemon.start()
            daemon.until(lambda: "EXHAUSTING" in witness.states(), 60, "for EXHAUSTING")
            seen.exits[3], seen.took_s[3] = daemon.stop()
            seen.retained[3] = listening.retained(broker.port)
            daemon.start()
            daemon.until(lambda: "EXHAUSTED" in witness.states(), 60, "for EXHAUSTED")
            seen.retained[4] = listening.retained(broker.port)
            seen.exits[4], seen.took_s[4] = daemon.stop()
        witness.until_end()
        seen.alerts = witness.alerts()
        seen.presence = witness.presence()
    return seen
