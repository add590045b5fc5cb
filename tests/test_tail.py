"""`liqmon tail`: what it shows of what a real broker delivers, and how it ends."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator

import msgspec
import orjson
import pytest

from monitor.cli.tail import Lines, Repeats, Shown, ShownEvidence, line
from monitor.config import Credentials, Mqtt
from monitor.detect.verdict import Severity
from monitor.publish import alert
from monitor.publish.broker import Publisher
from monitor.publish.outbox import Outbox
from tests import brokers, samples

ONSET = Shown(
    id="a",
    severity="critical",
    asset="BTC",
    position="long",
    state="ONSET",
    reason="pressure of 6.25 u is at or above 6 u",
    event_time_ms=1_760_131_258_987,
    evidence=ShownEvidence(45_250_000.5),
)


@contextlib.asynccontextmanager
async def tailing(port: int, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running `liqmon tail` that has connected, which it shows by naming our presence."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from monitor.cli import main; main()",
        "tail", "--port", str(port), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            while b"the monitor is online" not in await process.stderr.readline():
                assert not process.stderr.at_eof()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def publishing(port: int) -> AsyncIterator[Publisher]:
    """A publisher on that broker."""
    publisher = Publisher(Mqtt(port=port), lambda: Credentials("", ""), Outbox(100, 100))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(publisher.run())
        try:
            yield publisher
        finally:
            running.cancel()


async def read_lines(process: asyncio.subprocess.Process, count: int) -> list[bytes]:
    """The next lines of its stdout."""
    assert process.stdout is not None
    async with asyncio.timeout(10):
        return [await process.stdout.readline() for _ in range(count)]


async def test_json_lines_are_the_alerts_as_published(mosquitto: brokers.Broker) -> None:
    """Each alert once, repeats left out, other assets and lower severities too; Ctrl-C is 0."""
    first, second = samples.verdict("one"), samples.verdict("two")
    other = samples.verdict("three", asset="ETH")
    mild = msgspec.structs.replace(samples.verdict("four"), severity=Severity.NOTICE)
    options = ("--json", "--asset", "btc", "--severity", "warning")
    async with (
        publishing(mosquitto.port) as publisher,
        tailing(mosquitto.port, *options) as process,
    ):
        for n, verdict in enumerate((first, first, other, mild, second)):
            payload = alert.encode(verdict)
            publisher.send_alert(str(n), alert.topic("liqmon", verdict), payload)
        lines = await read_lines(process, 2)
        process.send_signal(signal.SIGINT)
        rest, complaints = await asyncio.wait_for(process.communicate(), 10)
    assert lines == [alert.encode(first) + b"\n", alert.encode(second) + b"\n"]
    assert rest == b""
    assert complaints == b""
    assert process.returncode == 0


async def test_lines_are_for_people(mosquitto: brokers.Broker) -> None:
    """Time, severity, asset, position, state, US dollars and reason, without colour in a pipe."""
    async with publishing(mosquitto.port) as publisher, tailing(mosquitto.port) as process:
        verdict = samples.verdict()
        publisher.send_alert("a", alert.topic("liqmon", verdict), alert.encode(verdict))
        (shown,) = await read_lines(process, 1)
    assert shown == (
        b"2025-10-10 21:20:58  critical BTC    long  ONSET          $45.3M  "
        b"pressure of 6.25 u is at or above 6 u\n"
    )


async def test_a_missing_broker_is_waited_for(mosquitto: brokers.Broker) -> None:
    """A lost broker is told once on stderr, and what comes after it is back is shown."""
    async with (
        publishing(mosquitto.port) as publisher,
        tailing(mosquitto.port, "--json") as process,
    ):
        assert process.stderr is not None
        mosquitto.kill()
        told = await asyncio.wait_for(process.stderr.readline(), 10)
        assert told.startswith(f"liqmon: 127.0.0.1:{mosquitto.port}: ".encode())
        await asyncio.to_thread(mosquitto.start)
        async with asyncio.timeout(20):
            while b"the monitor is online" not in await process.stderr.readline():
                assert not process.stderr.at_eof()
        verdict = samples.verdict()
        publisher.send_alert("a", alert.topic("liqmon", verdict), alert.encode(verdict))
        assert await read_lines(process, 1) == [alert.encode(verdict) + b"\n"]


async def test_a_reader_that_leaves_is_no_trouble(mosquitto: brokers.Broker) -> None:
    """`liqmon tail | head -1` ends without a traceback."""
    async with (
        publishing(mosquitto.port) as publisher,
        tailing(mosquitto.port, "--json") as process,
    ):
        verdicts = [samples.verdict(str(n)) for n in range(3)]
        for verdict in verdicts[:1]:
            topic, payload = alert.topic("liqmon", verdict), alert.encode(verdict)
            publisher.send_alert(verdict.id, topic, payload)
        await read_lines(process, 1)
        assert process.stdout is not None
        process.stdout._transport.close()  # type: ignore[attr-defined]
        for verdict in verdicts[1:]:
            topic, payload = alert.topic("liqmon", verdict), alert.encode(verdict)
            publisher.send_alert(verdict.id, topic, payload)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""


def shown_by(least: Severity, *payloads: bytes) -> tuple[list[str], list[str]]:
    """Ids that are written and things that are told for alerts with these payloads."""
    written: list[str] = []
    told: list[str] = []
    lines = Lines(
        lambda _payload, shown: written.append(shown.id), told.append, "liqmon/status", least
    )
    for payload in payloads:
        lines.take(("liqmon/alerts/BTC/cascade", payload, False))
    assert lines.damaged == len(told)
    return written, told


def test_damaged_alerts_are_told_and_the_rest_is_shown() -> None:
    """Bytes that are no alert, of whatever kind, do not end the tail."""
    good = msgspec.json.encode(ONSET)
    written, told = shown_by(Severity.NOTICE, b"{", b"\xff\xfe", b'{"id":1}', b"[]", good)
    assert written == ["a"]
    assert len(told) == 4
    assert all(text.startswith("expected an alert on liqmon/alerts/BTC/") for text in told)


@pytest.mark.parametrize(
    ("least", "shown"),
    [
        (Severity.NOTICE, ["notice", "warning", "critical", "apocalyptic"]),
        (Severity.WARNING, ["warning", "critical", "apocalyptic"]),
        (Severity.CRITICAL, ["critical", "apocalyptic"]),
    ],
)
def test_the_least_severity_counts_upwards(least: Severity, shown: list[str]) -> None:
    """A severity that this version does not know is shown rather than hidden."""
    names = ("notice", "warning", "critical", "apocalyptic")
    payloads = [
        msgspec.json.encode(msgspec.structs.replace(ONSET, id=name, severity=name))
        for name in names
    ]
    assert shown_by(least, *payloads) == (shown, [])


def test_repeats_are_known_within_bounds() -> None:
    """The last ids are remembered, the oldest is forgotten."""
    repeats = Repeats(2)
    assert [repeats.is_new(i) for i in ("a", "b", "a", "c", "a", "c", "b")] == [
        True, True, False, True, True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("forced_usd", "text"),
    [
        (None, "-"),
        (0.0, "$0"),
        (950.0, "$950"),
        (1.5e3, "$1.5k"),
        (2.5e6, "$2.5M"),
        (3e9, "$3.0B"),
    ],
)
def test_dollars_are_short(forced_usd: float | None, text: str) -> None:
    """Not known is a dash, and a measured zero is a zero."""
    shown = line(msgspec.structs.replace(ONSET, evidence=ShownEvidence(forced_usd))).plain
    assert shown.split("ONSET")[1].split()[0] == text


def test_a_line_cannot_steer_the_terminal() -> None:
    """Control characters of an alert are shown as question marks, a senseless time as it is."""
    wild = msgspec.structs.replace(ONSET, reason="\x1b[2Jgone\r\n", event_time_ms=10**18)
    shown = line(wild).plain
    assert shown.endswith("?[2Jgone??")
    assert shown.startswith("1000000000000000000 ms")


def test_severity_is_coloured() -> None:
    """On a terminal a critical alert is red."""
    assert [str(span.style) for span in line(ONSET).spans] == [
        "dim", "bold red", "bold", "bold red",
    ]  # fmt: skip


def test_the_line_reads_what_is_published() -> None:
    """The fields a line needs are those of the payload."""
    shown = msgspec.json.decode(alert.encode(samples.verdict()), type=Shown)
    published = orjson.loads(alert.encode(samples.verdict()))
    assert shown.evidence.forced_usd == published["evidence"]["forced_usd"]
    assert {name: getattr(shown, name) for name in Shown.__struct_fields__[:-1]} == {
        name: published[name] for name in Shown.__struct_fields__[:-1]
    }
