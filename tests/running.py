"""Real processes for tests: a served market, and the daemon that watches it.

`liqmon simulate ... --serve` and `liqmon run` run as they do for a user, with a written TOML
file, on free ports. Everything is waited for by a condition with a deadline. Every process that
is started here is ended here.
"""

import contextlib
import http.client
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from monitor.clock import MarketClock
from monitor.simulate.hosts import ORIGINS
from monitor.venues import VENUES
from tests.brokers import free_port

LIQMON = (sys.executable, "-m", "monitor")
# What the simulation serves; the others are switched off, for they would be the real ones.
SERVED = ("binance", "binance_spot", "bybit", "bybit_spot", "okx", "okx_spot")
SPEED = 30.0
# Wall seconds until the market begins, for the daemon to be there from its first second.
LEAD_S = 2.5
# 2026-11-23 00:30 UTC: no hour ends within half of one.
EPOCH_NS = 1_795_393_800_000_000_000
# The asset's own scale is made small, and the end near, so that an episode fits in a test.
EARLY = {"prior_scale_ratio": 6e-5, "exhausted_extreme_s": 180}
_SERIES = re.compile(r"(\w+)(?:\{([^}]*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def until(holds: Callable[[], object], within_s: float = 20.0, what: str = "") -> None:
    """Wait for something to hold; a test that waits in vain fails and says for what."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {within_s:g} s in vain {what}"
        time.sleep(0.02)


def slowness() -> float:
    """How much longer than usual programs take here now: 1 unless the machine is busy."""
    return min(3.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def fetched(port: int, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of an HTTP answer; no proxy comes between."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body or None)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class Market(msgspec.Struct, frozen=True):
    """A market that is being served: what it says of itself."""

    port: int
    endpoints: dict[str, str]
    epoch_ns: int
    start_ns: int
    speed: float

    def second(self) -> float:
        """The second of the market that runs."""
        clock = MarketClock(self.epoch_ns, self.start_ns, self.speed)
        return (clock.now_ns() - self.epoch_ns) / 1e9

    def counts(self) -> dict[str, int]:
        """What was sent and asked so far."""
        return dict(orjson.loads(fetched(self.port, "/counts")[1]))

    def fault(self, name: str, *, on: bool = True) -> None:
        """Break or mend a venue: NAME@VENUE."""
        wish = orjson.dumps({"fault": name, "on": on})
        status, answer = fetched(self.port, "/fault", "POST", wish)
        assert status == 200, answer


@contextlib.contextmanager
def market(
    scenario: str = "cascade",
    *,
    onset_s: int = 40,
    speed: float = SPEED,
    epoch_ns: int = EPOCH_NS,
    lead_s: float = LEAD_S,
) -> Iterator[Market]:
    """A served market that begins in `lead_s`; on a busy machine later, and slower."""
    clock = f"--epoch-ns {epoch_ns} --start-on-stdin --speed {speed / slowness():.1f}"
    options = f"{scenario} --onset {onset_s} --serve {clock}"
    command = [*LIQMON, "simulate", *options.split()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            listening = msgspec.json.decode(process.stdout.readline(), type=Market)
            start_ns = time.time_ns() + int(lead_s * slowness() * 1e9)
            process.stdin.write(b"%d\n" % start_ns)
            process.stdin.flush()
            yield msgspec.structs.replace(listening, start_ns=start_ns)
        finally:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def nowhere() -> Market:
    """A market at an address where nobody listens: every venue is away."""
    port = free_port()
    endpoints = {
        origin: f"{'ws' if origin.startswith('wss') else 'http'}://127.0.0.1:{port}/{prefix}"
        for origin, prefix in ORIGINS.items()
    }
    return Market(port, endpoints, 0, 0, 1.0)


def settings(
    market: Market, directory: Path, mqtt_port: int | None, **sections: Mapping[str, object]
) -> dict[str, Any]:
    """A configuration for this market; `sections` change single keys of it."""
    venues = {
        venue.name: {"endpoints": market.endpoints} if venue.name in SERVED else {"enabled": False}
        for venue in VENUES
    }
    base: dict[str, Any] = {
        "watch": {"assets": ["BTC", "ETH"]},
        "clock": {
            "epoch_ns": market.epoch_ns,
            "start_ns": market.start_ns,
            "speed": market.speed,
        },
        "detector": EARLY,
        "mqtt": {"enabled": False} if mqtt_port is None else {"port": mqtt_port},
        "http": {"port": free_port()},
        "state": {"path": str(directory / "liqmon.state")},
        "log": {"format": "json"},
        "venues": venues,
    }
    return base | {name: base.get(name, {}) | changes for name, changes in sections.items()}


def toml(table: Mapping[str, Any], path: str = "") -> str:
    """The table as TOML; plain values are written as in JSON."""
    lines = [f"[{path}]"] if path else []
    lines += [
        f"{orjson.dumps(key).decode()} = {orjson.dumps(value).decode()}"
        for key, value in table.items()
        if not isinstance(value, Mapping)
    ]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines.append(toml(value, f"{path}.{key}" if path else key))
    return "\n".join(lines)


class Monitor:
    """A `liqmon run`: started, looked at and ended as an operator would.

    Attributes:
        log: The file of everything it wrote to stderr, in all its runs.
    """

    def __init__(
        self,
        directory: Path,
        table: Mapping[str, Any],
        *options: str,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.log = directory / "run.log"
        self.state = Path(table.get("state", {}).get("path", ""))
        self._config = directory / "liqmon.toml"
        self._config.write_text(toml(table))
        self._port = int(table.get("http", {}).get("port", 0))
        self._command: Sequence[str] = (*LIQMON, "run", "-c", str(self._config), *options)
        self._environ = {**os.environ, **(environ or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._writing: threading.Thread | None = None
        self._from = 0

    def start(self) -> None:
        """Start a run; there may be several, one after the other."""
        assert self._process is None
        self._from = self.log.stat().st_size if self.log.exists() else 0
        # Through a pipe: a limit on its files must not silence it.
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self._environ
        )
        self._writing = threading.Thread(target=self._write, args=(self._process,))
        self._writing.start()

    def _write(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with self.log.open("ab", buffering=0) as log, process.stdout as said:
            for line in said:
                log.write(line)

    def told(self, event: str) -> list[dict[str, Any]]:
        """What this run has logged of an event."""
        if not self.log.exists():
            return []
        whole = self.log.read_bytes()[self._from :].rpartition(b"\n")[0]
        lines = [orjson.loads(line) for line in whole.splitlines() if line.startswith(b"{")]
        return [line for line in lines if line["event"] == event]

    def until_told(self, event: str, within_s: float = 30.0, **fields: object) -> dict[str, Any]:
        """Wait for this run to log an event with these fields."""
        found: list[dict[str, Any]] = []

        def holds() -> bool:
            found[:] = [t for t in self.told(event) if fields.items() <= t.items()]
            return bool(found)

        self.until(holds, within_s, f"for {event!r} {fields}")
        return found[0]

    def until(self, holds: Callable[[], object], within_s: float = 20.0, what: str = "") -> None:
        """As `until`, but no longer than it runs."""

        def alive() -> object:
            assert self.running, self.log.read_text()
            return holds()

        until(alive, within_s, what)

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def heeds_sigterm(self) -> bool:
        """Whether it has a handler for SIGTERM by now."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    def ready(self) -> tuple[int, list[str]]:
        """What `/ready` answers: status, and what is degraded."""
        status, body = fetched(self._port, "/ready")
        return status, orjson.loads(body)["degraded"]

    def metric(self, name: str, **labels: str) -> float | None:
        """The sum of a metric's series with these labels; None where there is none."""
        values = [value for found, value in self.series(name) if labels.items() <= found.items()]
        return sum(values) if values else None

    def series(self, name: str) -> list[tuple[dict[str, str], float]]:
        """The series of a metric: labels and value."""
        text = fetched(self._port, "/metrics")[1].decode()
        return [
            (dict(_LABEL.findall(labels)), float(value))
            for found, labels, value in _SERIES.findall(text)
            if found == name
        ]

    def limit_files(self, most_bytes: int) -> int:
        """Let it write no file beyond so many bytes, as on a full disk; the limit before."""
        assert self._process is not None
        number, hard = self._process.pid, resource.RLIM_INFINITY
        return resource.prlimit(number, resource.RLIMIT_FSIZE, (most_bytes, hard))[0]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.send(signal.SIGKILL)
        self.ended()

    def stop(self) -> tuple[int, float]:
        """Ask it to stop, as systemd or Docker would; its exit code, and seconds to its end."""
        began = time.monotonic()
        self.send(signal.SIGTERM)
        return self.ended(10.0), time.monotonic() - began

    def ended(self, within_s: float = 5.0) -> int:
        """Wait for its end; its exit code."""
        assert self._process is not None
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within_s:g} s") from None
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._process = None
            assert self._writing is not None
            self._writing.join()


@contextlib.contextmanager
def monitor(
    directory: Path,
    table: Mapping[str, Any],
    *options: str,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Monitor]:
    """A running daemon, ended however the test ends."""
    running = Monitor(directory, table, *options, environ=environ)
    running.start()
    try:
        yield running
    finally:
        if running.running:
            running.kill()
