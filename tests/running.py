"""Real processes for tests: a served market, the daemon that watches it, and who listens to it.

`liqmon simulate ... --serve` and `liqmon run` run as they do for a user, with a written TOML
file, on free ports. Everything is waited for by a condition with a deadline. Every process that
is started here is ended here.
"""

import contextlib
import http.client
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import orjson
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

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
    start_ns = time.time_ns() + int(lead_s * slowness() * 1e9)
    clock = f"--epoch-ns {epoch_ns} --start-ns {start_ns} --speed {speed / slowness():.1f}"
    options = f"{scenario} --onset {onset_s} --serve --until-stdin-closes {clock}"
    command = [*LIQMON, "simulate", *options.split()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield msgspec.json.decode(process.stdout.readline(), type=Market)
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
        self._from = 0

    def start(self) -> None:
        """Start a run; there may be several, one after the other."""
        assert self._process is None
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environ
            )

    def told(self, event: str) -> list[dict[str, Any]]:
        """What this run has logged of an event."""
        whole = self.log.read_bytes()[self._from :].rpartition(b"\n")[0]
        lines = [orjson.loads(line) for line in whole.splitlines() if line.startswith(b"{")]
        return [line for line in lines if line["event"] == event]

    def until_told(self, event: str, within_s: float = 30.0, **fields: object) -> dict[str, Any]:
        """Wait for this run to log an event with these fields."""
        found: list[dict[str, Any]] = []

        def holds() -> bool:
            assert self.running, self.log.read_text()
            found[:] = [t for t in self.told(event) if fields.items() <= t.items()]
            return bool(found)

        until(holds, within_s, f"for {event!r} {fields}")
        return found[0]

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


class Message(msgspec.Struct, frozen=True):
    """One message that the broker delivered."""

    topic: str
    payload: bytes
    retained: bool


class Witness:
    """A subscriber of its own, with a session that the broker keeps while it is away.

    Attributes:
        messages: Everything delivered, in order.
    """

    def __init__(self, port: int, wanted: str = "liqmon/#", name: str = "witness") -> None:
        self.messages: list[Message] = []
        self._port = port
        self._topics = [(wanted, 1), (f"{name}/end", 1)]
        self._end = f"{name}/end"
        self._subscribed = False
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._granted
        self._client.on_message = self._take

    def __enter__(self) -> Self:
        lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        lasting.SessionExpiryInterval = 600
        self._client.connect("127.0.0.1", self._port, properties=lasting)
        self._client.loop_start()
        until(lambda: self._subscribed, what="for the subscription")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts delivered, in order; of those with the same id the first."""
        found: dict[str, dict[str, Any]] = {}
        for message in list(self.messages):
            if "/alerts/" in message.topic:
                alert = orjson.loads(message.payload)
                found.setdefault(alert["id"], alert)
        return list(found.values())

    def states(self) -> list[str]:
        """The states that the alerts led to, in order."""
        return [alert["state"] for alert in self.alerts()]

    def presence(self) -> list[str]:
        """What was said of the daemon's presence, in order."""
        found = [m.payload for m in list(self.messages) if m.topic.endswith("/status")]
        return [orjson.loads(payload)["state"] for payload in found]

    def until_end(self) -> None:
        """Wait until everything that the broker had for us is delivered: a mark behind it."""
        self._client.publish(self._end, b"", qos=1)
        until(lambda: any(m.topic == self._end for m in list(self.messages)), what="for the end")

    def _connected(self, client: paho.Client, *_: object) -> None:
        client.subscribe(self._topics)

    def _granted(self, *_: object) -> None:
        self._subscribed = True

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.messages.append(Message(message.topic, bytes(message.payload), message.retain))


def retained(port: int, wanted: str = "liqmon/#") -> dict[str, Any]:
    """What the broker has retained, by topic."""
    with Witness(port, wanted, f"late-{time.monotonic_ns()}") as late:
        late.until_end()
        return {m.topic: orjson.loads(m.payload) for m in late.messages if m.retained}


class _Pump(socketserver.BaseRequestHandler):
    """One connection through the relay: both ways until either end leaves."""

    server: "Relay"
    deaf = False

    def handle(self) -> None:
        """Carry what the client says, while a thread carries what it is answered."""
        client: socket.socket = self.request
        with socket.create_connection(("127.0.0.1", self.server.onto)) as onto:
            answers = threading.Thread(target=self._answer, args=(onto, client))
            answers.start()
            with contextlib.suppress(OSError):
                while said := client.recv(65536):
                    if self.server.loses_after in said and not self.server.lost:
                        self.server.lost = self.deaf = True
                    onto.sendall(said)
            with contextlib.suppress(OSError):
                onto.shutdown(socket.SHUT_RDWR)
            answers.join()

    def _answer(self, onto: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while answered := onto.recv(65536):
                if not self.deaf:
                    client.sendall(answered)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


class Relay(socketserver.ThreadingTCPServer):
    """A way to a port that loses, once, every answer from the moment that some bytes passed.

    Attributes:
        onto: The port it leads to.
        loses_after: The bytes.
        lost: Whether they have passed.
    """

    daemon_threads = True

    def __init__(self, onto: int, loses_after: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Pump)
        self.onto = onto
        self.loses_after = loses_after
        self.lost = False

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.socket.getsockname()[1])

    def __enter__(self) -> Self:
        self._serving = threading.Thread(target=self.serve_forever, args=(0.05,))
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._serving.join()
        self.server_close()
