"""The publisher and the subscriber against real brokers, killed and frozen where it matters."""

import asyncio
import contextlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiomqtt
import msgspec
import pytest
from blockbuster import blockbuster_ctx
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from monitor.config import Credentials, Mqtt
from monitor.errors import ConfigError
from monitor.publish.broker import Login, Publisher, subscribe
from monitor.publish.outbox import AlertEntry, Outbox
from tests import brokers
from tests.brokers import NEEDS_MOSQUITTO, NEEDS_NATS

ALERTS = "liqmon/alerts/BTC/cascade"


class Rig(NamedTuple):
    """A broker, and the settings that reach it."""

    broker: brokers.Broker
    settings: Mqtt


@pytest.fixture(params=["mosquitto 5", "mosquitto 3.1.1", "nats 3.1.1"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Every broker and protocol that the contract is kept with."""
    name, protocol = request.param.split()
    if name == "mosquitto":
        running = brokers.mosquitto(tmp_path, durable=True)
    else:
        running = brokers.nats(tmp_path)
    with running as broker:
        yield Rig(broker, Mqtt(port=broker.port, protocol=protocol))


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """A mosquitto password file: user liqmon, password right."""
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("mosquitto_passwd is not installed")
    file = tmp_path / "passwords"
    subprocess.run([program, "-b", "-c", file, "liqmon", "right"], check=True)
    file.chmod(0o644)
    return file


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a key and its own certificate for this machine."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    file = tmp_path / "certificate.pem"
    subject = "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"
    made = ("-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", *subject)
    alone = tmp_path / "alone.pem"
    subprocess.run(
        [program, "req", *made, "-keyout", file, "-out", alone], check=True, capture_output=True
    )
    file.write_bytes(file.read_bytes() + alone.read_bytes())
    file.chmod(0o644)
    return file


def nobody() -> Credentials:
    """The login of a broker that asks for none."""
    return Credentials("", "")


async def until(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the condition has no event of its own
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def publishing(
    settings: Mqtt,
    outbox: Outbox,
    login: Login = nobody,
    on_published: Callable[[AlertEntry, float], None] = lambda _entry, _seconds: None,
) -> AsyncIterator[Publisher]:
    """A publisher that runs, and is ended however the test ends."""
    publisher = Publisher(settings, login, outbox, on_published, random.Random(1))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(publisher.run())
        try:
            yield publisher
        finally:
            running.cancel()


class Seen:
    """What a subscriber with a session of its own received, across lost connections."""

    def __init__(self) -> None:
        self.messages: list[aiomqtt.Message] = []
        self.ready = asyncio.Event()

    def payloads(self, topic: str) -> list[bytes]:
        """Payloads of a topic, in order, repeats left out."""
        return list(dict.fromkeys(bytes(m.payload) for m in self.on(topic)))

    def on(self, topic: str) -> list[aiomqtt.Message]:
        """Messages of a topic."""
        return [message for message in self.messages if message.topic.value == topic]

    async def listen(self, settings: Mqtt, wanted: str) -> None:
        """Listen for ever; the broker keeps what is published while we are away."""
        session: dict[str, Any] = {"clean_session": False}
        if settings.protocol == "5":
            lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            lasting.SessionExpiryInterval = 600
            session = {
                "clean_start": False,
                "properties": lasting,
                "protocol": aiomqtt.ProtocolVersion.V5,
            }
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    settings.host, settings.port, identifier="witness", **session
                ) as client:
                    await client.subscribe(wanted, qos=1)
                    self.ready.set()
                    async for message in client.messages:
                        self.messages.append(message)
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def listening(settings: Mqtt, wanted: str = "liqmon/#") -> AsyncIterator[Seen]:
    """A subscriber that is there before the test goes on."""
    seen = Seen()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(seen.listen(settings, wanted))
        try:
            async with asyncio.timeout(10):
                await seen.ready.wait()
            yield seen
        finally:
            task.cancel()


async def retained(settings: Mqtt, *topics: str) -> dict[str, bytes]:
    """What the broker has retained on these topics."""
    found: dict[str, bytes] = {}
    async with asyncio.timeout(10), contextlib.aclosing(subscribe(settings, nobody, topics)) as it:
        async for topic, payload, is_retained in it:
            assert is_retained
            found[topic] = payload
            if len(found) == len(topics):
                break
    return found


async def test_states_are_retained_and_alerts_are_not(rig: Rig) -> None:
    """Who comes late finds presence and states at once, and no alert of the past."""
    outbox = Outbox(100, 100)
    async with publishing(rig.settings, outbox) as publisher:
        async with listening(rig.settings) as early:
            publisher.send_state("liqmon/market/state", b'{"n":1}')
            publisher.send_alert("a", ALERTS, b'{"id":"a"}')
            await until(lambda: early.payloads(ALERTS) == [b'{"id":"a"}'])
        assert [(m.qos, bool(m.retain)) for m in early.on(ALERTS)] == [(1, False)]
        late: list[tuple[str, bytes, bool]] = []
        async with asyncio.timeout(10):
            stream = subscribe(rig.settings, nobody, ["liqmon/#"])
            async with contextlib.aclosing(stream) as deliveries:
                async for delivery in deliveries:
                    late.append(delivery)
                    if len(late) == 2:
                        publisher.send_alert("b", ALERTS, b'{"id":"b"}')
                    if delivery[0] == ALERTS:
                        break
    assert sorted(late) == [
        (ALERTS, b'{"id":"b"}', False),
        ("liqmon/market/state", b'{"n":1}', True),
        ("liqmon/status", b'{"state":"online"}', True),
    ]
    assert outbox.pending() == []


@NEEDS_MOSQUITTO
async def test_mqtt_5_says_what_the_bytes_are_and_how_long_they_matter(
    mosquitto: brokers.Broker,
) -> None:
    """On MQTT 5 an alert carries its content type and what is left of its expiry."""
    settings = Mqtt(port=mosquitto.port, alert_expiry_s=100)
    async with publishing(settings, Outbox(10, 10)) as publisher, listening(settings) as seen:
        publisher.send_alert("a", ALERTS, b"{}")
        publisher.send_state("liqmon/info", b"{}")
        await until(lambda: bool(seen.on(ALERTS) and seen.on("liqmon/info")))
    of_alert: Any = seen.on(ALERTS)[0].properties
    of_state: Any = seen.on("liqmon/info")[0].properties
    alert_says, state_says = of_alert.json(), of_state.json()
    assert 95 <= alert_says.pop("MessageExpiryInterval") <= 100
    assert alert_says == {"ContentType": "application/json", "PayloadFormatIndicator": 1}
    assert state_says == alert_says


async def test_a_broker_killed_in_mid_stream_loses_no_alert(rig: Rig) -> None:
    """All alerts of before, during and after the kill arrive, and so does what was retained."""
    sent = [f'{{"id":"{n}"}}'.encode() for n in range(120)]
    acked: list[str] = []
    outbox = Outbox(1000, 100)
    async with (
        listening(rig.settings) as seen,
        publishing(
            rig.settings, outbox, on_published=lambda entry, _seconds: acked.append(entry.id)
        ) as publisher,
    ):
        publisher.send_state("liqmon/assets/BTC/state", b'{"asset":"BTC"}')
        for n, payload in enumerate(sent):
            publisher.send_alert(str(n), ALERTS, payload)
            if n == 40:
                await until(lambda: len(acked) > 20)
                rig.broker.kill()
                await until(lambda: not publisher.connected)
            await asyncio.sleep(0.005)
        left = [entry.id for entry in outbox.pending()]
        assert left
        assert [*acked, *left] == [str(n) for n in range(120)]
        assert publisher.last_error
        await asyncio.to_thread(rig.broker.start)
        await until(lambda: publisher.connected and not outbox.alerts)
        await until(lambda: len(seen.payloads(ALERTS)) == len(sent))
        assert seen.payloads(ALERTS) == sent
        assert publisher.last_error == ""
        assert publisher.connects == 2
        standing = await retained(rig.settings, "liqmon/status", "liqmon/assets/BTC/state")
    assert standing == {
        "liqmon/status": b'{"state":"online"}',
        "liqmon/assets/BTC/state": b'{"asset":"BTC"}',
    }


async def test_the_will_says_offline_when_the_process_is_killed(rig: Rig) -> None:
    """A daemon that dies without a word is told to be offline by the broker."""
    program = f"""
import asyncio
from monitor.config import Credentials, Mqtt
from monitor.publish.broker import Publisher
from monitor.publish.outbox import Outbox
settings = Mqtt(port={rig.settings.port}, protocol={rig.settings.protocol!r})
async def run():
    await Publisher(settings, lambda: Credentials("", ""), Outbox(1, 1)).run()
asyncio.run(run())
"""
    async with listening(rig.settings, "liqmon/status") as seen:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await until(lambda: b'{"state":"online"}' in seen.payloads("liqmon/status"))
        finally:
            child.kill()
            await child.wait()
        await until(lambda: b'{"state":"offline"}' in seen.payloads("liqmon/status"))
    assert (await retained(rig.settings, "liqmon/status")) == {
        "liqmon/status": b'{"state":"offline"}'
    }


async def test_a_drain_publishes_what_waits_and_says_stopped_last(rig: Rig) -> None:
    """Draining empties the outbox, then says stopped, then the publisher has ended."""
    outbox = Outbox(100, 100)
    sent = [str(n).encode() for n in range(50)]
    async with listening(rig.settings) as seen, publishing(rig.settings, outbox) as publisher:
        await until(lambda: publisher.connected)
        for payload in sent:
            publisher.send_alert(payload.decode(), ALERTS, payload)
        await publisher.drain(5.0)
        assert not publisher.connected
        await until(lambda: b'{"state":"stopped"}' in seen.payloads("liqmon/status"))
    assert outbox.pending() == []
    assert seen.payloads(ALERTS) == sent
    assert [m.topic.value for m in seen.messages][-1] == "liqmon/status"
    assert (await retained(rig.settings, "liqmon/status")) == {
        "liqmon/status": b'{"state":"stopped"}'
    }


async def test_the_loop_is_never_blocked(rig: Rig) -> None:
    """Connecting, publishing and draining make no blocking call on the loop's thread."""
    outbox = Outbox(100, 100)
    with blockbuster_ctx():
        async with publishing(rig.settings, outbox) as publisher:
            publisher.send_state("liqmon/info", b"{}")
            for n in range(30):
                publisher.send_alert(str(n), ALERTS, b"{}")
            await publisher.drain(5.0)
    assert (outbox.pending(), publisher.last_error) == ([], "")


@NEEDS_MOSQUITTO
async def test_a_cancelled_publisher_says_offline(mosquitto: brokers.Broker) -> None:
    """Ended by a bug elsewhere, it does not leave "online" behind."""
    settings = Mqtt(port=mosquitto.port)
    async with publishing(settings, Outbox(1, 1)) as publisher:
        await until(lambda: publisher.connected)
    assert (await retained(settings, "liqmon/status")) == {"liqmon/status": b'{"state":"offline"}'}


@NEEDS_MOSQUITTO
async def test_a_broker_that_hangs_is_left_at_the_deadline(mosquitto: brokers.Broker) -> None:
    """A drain against a frozen broker ends in time, and keeps what was not acknowledged."""
    settings = Mqtt(port=mosquitto.port)
    outbox = Outbox(100, 100)
    async with publishing(settings, outbox) as publisher:
        await until(lambda: publisher.connected)
        mosquitto.send(signal.SIGSTOP)
        try:
            publisher.send_alert("a", ALERTS, b"{}")
            began = time.monotonic()
            await publisher.drain(1.0)
            took_s = time.monotonic() - began
        finally:
            mosquitto.send(signal.SIGCONT)
    assert took_s < 2.5
    assert [entry.id for entry in outbox.pending()] == ["a"]
    assert publisher.last_error


async def test_a_drain_without_a_broker_ends_at_once() -> None:
    """One attempt more, and the alerts stay for the snapshot."""
    settings = Mqtt(port=brokers.free_port())
    outbox = Outbox(100, 100)
    async with publishing(settings, outbox) as publisher:
        publisher.send_alert("a", ALERTS, b"{}")
        await until(lambda: publisher.last_error != "")
        began = time.monotonic()
        await publisher.drain(5.0)
        assert time.monotonic() - began < 2.0
    assert [entry.id for entry in outbox.pending()] == ["a"]
    assert "Connection refused" in publisher.last_error


@NEEDS_MOSQUITTO
async def test_the_time_from_decision_to_acknowledgement_is_told(
    mosquitto: brokers.Broker,
) -> None:
    """The callback gets seconds since the decision, and NaN for an alert from a snapshot."""
    outbox = Outbox(10, 10)
    outbox.restore([AlertEntry("old", ALERTS, b"{}", 0, 12345)])
    told: dict[str, float] = {}
    async with publishing(
        Mqtt(port=mosquitto.port),
        outbox,
        on_published=lambda entry, seconds: told.update({entry.id: seconds}),
    ) as publisher:
        decided_ns = time.perf_counter_ns() - 2_000_000_000
        publisher.send_alert("new", ALERTS, b"{}", decided_ns)
        await until(lambda: len(told) == 2)
    assert told["old"] != told["old"]
    assert 2.0 <= told["new"] < 7.0


@NEEDS_MOSQUITTO
async def test_a_wrong_password_is_named_and_tried_again(tmp_path: Path, passwords: Path) -> None:
    """Refused, the publisher says why and goes on; the login is read anew at each attempt."""
    logins = [Credentials("liqmon", "wrong")]
    with brokers.mosquitto(tmp_path, f"password_file {passwords}", anonymous=False) as broker:
        async with publishing(
            Mqtt(port=broker.port), Outbox(1, 1), login=lambda: logins[-1]
        ) as publisher:
            await until(lambda: "Not authorized" in publisher.last_error)
            assert not publisher.connected
            logins.append(Credentials("liqmon", "right"))
            await until(lambda: publisher.connected)
            assert publisher.last_error == ""


async def test_a_login_that_cannot_be_read_is_named_and_tried_again() -> None:
    """A missing password file is trouble to report, not a reason to end."""

    def login() -> Credentials:
        raise ConfigError("mqtt.password_file: expected a readable file")

    async with publishing(Mqtt(port=brokers.free_port()), Outbox(1, 1), login) as publisher:
        await until(lambda: "expected a readable file" in publisher.last_error)


@NEEDS_MOSQUITTO
async def test_a_refused_publish_is_counted(tmp_path: Path) -> None:
    """A message that MQTT 5 acknowledges with "not authorized" does not pass for published."""
    rules = tmp_path / "acl"
    rules.write_text("topic write liqmon/status\n")
    rules.chmod(0o644)
    with brokers.mosquitto(tmp_path, f"acl_file {rules}") as broker:
        async with publishing(Mqtt(port=broker.port), Outbox(5, 5)) as publisher:
            publisher.send_alert("a", ALERTS, b"{}")
            await until(lambda: publisher.refused == 1)
            assert "Not authorized" in publisher.last_error
            assert publisher.connected


@NEEDS_MOSQUITTO
@pytest.mark.filterwarnings(  # paho leaves the socket of a failed handshake to the collector
    "ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
async def test_tls_is_verified(tmp_path: Path, certificate: Path) -> None:
    """The right authority connects; without it the certificate is refused, not accepted."""
    lines = (f"certfile {certificate}", f"keyfile {certificate}")
    with brokers.mosquitto(tmp_path, *lines) as broker:
        trusting = Mqtt(port=broker.port, tls=True, tls_ca=str(certificate))
        async with publishing(trusting, Outbox(1, 1)) as publisher:
            await until(lambda: publisher.connected)
        doubting = msgspec.structs.replace(trusting, tls_ca="")
        async with publishing(doubting, Outbox(1, 1)) as publisher:
            await until(lambda: "certificate verify failed" in publisher.last_error)
            assert publisher.connects == 0


async def test_a_server_that_accepts_and_closes_is_not_hammered() -> None:
    """Pauses grow although every connection is accepted."""
    accepted: list[float] = []

    def closing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(time.monotonic())
        writer.close()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Mqtt(port=port, publish_timeout_s=0.05)
    async with server, publishing(settings, Outbox(1, 1)) as publisher:
        await until(lambda: len(accepted) == 5)
        assert publisher.last_error
    assert accepted[-1] - accepted[0] > 0.5


async def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    """An unanswered CONNECT ends at the timeout, with its socket closed, and is made again."""
    open_sockets: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        settings = Mqtt(port=server.getsockname()[1], publish_timeout_s=0.2)
        async with publishing(settings, Outbox(1, 1)) as publisher:
            for _ in range(2):
                client, _address = await asyncio.wait_for(
                    asyncio.get_running_loop().sock_accept(server), 15
                )
                open_sockets.append(client)
            assert "timed out" in publisher.last_error
        first = open_sockets[0]
        first.settimeout(5)
        while first.recv(4096):  # the CONNECT and the goodbye, then the end
            pass
    for client in open_sockets:
        client.close()


@NEEDS_MOSQUITTO
async def test_a_subscriber_tells_its_trouble_and_comes_back(mosquitto: brokers.Broker) -> None:
    """A lost broker is told once a try, and what is published after it is back is heard."""
    settings = Mqtt(port=mosquitto.port)
    troubles: list[str] = []
    heard: list[bytes] = []

    async def listen() -> None:
        async for _topic, payload, _retained in subscribe(
            settings, nobody, ["liqmon/assets/#"], troubles.append
        ):
            heard.append(payload)

    async with asyncio.TaskGroup() as tasks:
        listener = tasks.create_task(listen())
        async with publishing(settings, Outbox(10, 10)) as publisher:
            publisher.send_state("liqmon/assets/BTC/state", b"1")
            await until(lambda: heard == [b"1"])
            mosquitto.kill()
            await until(lambda: len(troubles) >= 2)
            await asyncio.to_thread(mosquitto.start)
            publisher.send_state("liqmon/assets/BTC/state", b"2")
            await until(lambda: heard[-1] == b"2")
        listener.cancel()
    assert f"127.0.0.1:{mosquitto.port}" in troubles[0]


@NEEDS_NATS
async def test_a_refused_subscription_is_told(tmp_path: Path) -> None:
    """A filter the broker does not grant is trouble, not silence."""
    troubles: list[str] = []
    permissions = '{ publish: ">", subscribe: { allow: ">", deny: "liqmon.>" } }'
    user = f'{{ user: any, password: "", permissions: {permissions} }}'
    lines = "no_auth_user: any", f"authorization {{ users: [ {user} ] }}"
    with brokers.nats(tmp_path, *lines) as broker:
        settings = Mqtt(port=broker.port, protocol="3.1.1")

        async def listen() -> None:
            async for _delivery in subscribe(settings, nobody, ["liqmon/x"], troubles.append):
                pass

        async with asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(listen())
            await until(lambda: bool(troubles))
            listener.cancel()
    assert troubles[0].endswith("expected liqmon/x to be granted, was refused: Unspecified error")
