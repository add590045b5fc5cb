"""The MQTT broker: the one place that speaks to it, for the daemon and for whoever listens.

aiomqtt carries one connection and knows no reconnection, so the loop is here: it never gives
up, with full jitter between attempts, and its pauses start afresh only after a connection that
lasted. On every connection presence is published first, then everything retained, then the
alerts that wait. An alert leaves the outbox when the broker has acknowledged it, so one that
was on its way at a loss goes out again under the same id.
"""

import asyncio
import contextlib
import math
import random
import socket
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Self

import aiomqtt
import structlog
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from monitor.config import Credentials, Mqtt
from monitor.errors import BrokerError, ConfigError
from monitor.publish.outbox import AlertEntry, Outbox, StateEntry
from monitor.publish.state import Presence, status, status_topic

# Messages on their way at once; above ten aiomqtt writes a log line for each of them.
WINDOW = 10
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
LASTING_S = 10.0  # a connection that lived this long starts the pauses afresh
GOODBYE_S = 0.5  # of a drain, kept for saying "stopped"
MOST_INCOMING = 10_000  # messages a subscriber may lag behind before they are dropped

Login = Callable[[], Credentials]
Delivery = tuple[str, bytes, bool]  # topic, payload, retained

_REFUSED = 0x80  # MQTT 5 reason codes from here on are failures
_NS = 1_000_000_000

log = structlog.get_logger()


class Publisher:
    """The daemon's connection: one task runs it, everyone else only hands messages in.

    Attributes:
        connected: Whether the broker has acknowledged our presence on this connection.
        last_error: Why the last attempt or connection ended; empty while all is well.
        connects: Connections made since the start.
        refused: Messages the broker acknowledged with a refusal (MQTT 5: not authorised...).
    """

    def __init__(
        self,
        settings: Mqtt,
        login: Login,
        outbox: Outbox,
        on_published: Callable[[AlertEntry, float], None] = lambda _entry, _seconds: None,
        rng: random.Random | None = None,
    ) -> None:
        self.connected = False
        self.last_error = ""
        self.connects = 0
        self.refused = 0
        self._settings = settings
        self._login = login
        self._outbox = outbox
        self._on_published = on_published
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._wake = asyncio.Event()
        self._finished = asyncio.Event()
        self._cutoff = asyncio.timeout(None)
        self._goodbye_at = math.inf  # loop time at which a drain says "stopped" regardless

    def send_alert(self, alert_id: str, topic: str, payload: bytes, decided_ns: int = 0) -> None:
        """Queue an alert; `decided_ns` is the performance counter when it was decided."""
        expires_ns = time.time_ns() + self._settings.alert_expiry_s * _NS
        self._outbox.put_alert(AlertEntry(alert_id, topic, payload, expires_ns, decided_ns))
        self._wake.set()

    def send_state(self, topic: str, payload: bytes) -> None:
        """Make this the retained state of a topic."""
        self._outbox.put_state(topic, payload)
        self._wake.set()

    async def run(self) -> None:
        """Keep connected and publish, until `drain` is called and done."""
        try:
            async with self._cutoff:
                await self._keep_connected()
        except TimeoutError:
            if not self._cutoff.expired():
                raise
            self.last_error = f"drained in part: {self._outbox.alerts} alerts are left"
        finally:
            self.connected = False
            self._finished.set()

    async def drain(self, deadline_s: float) -> None:
        """Publish what is queued, say "stopped", disconnect; returns when `run` has ended.

        Without a connection one more attempt is made. What is not acknowledged by the
        deadline stays in the outbox, and so in the state snapshot.
        """
        now = asyncio.get_running_loop().time()
        self._goodbye_at = now + max(0.0, deadline_s - GOODBYE_S)
        self._wake.set()
        with contextlib.suppress(RuntimeError):  # `run` was not started, or is just ending
            self._cutoff.reschedule(now + deadline_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s + 2 * GOODBYE_S):
                await self._finished.wait()

    @property
    def _draining(self) -> bool:
        return self._goodbye_at < math.inf

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            last_attempt = self._draining
            began = loop.time()
            try:
                await self._one_connection()
            except BrokerError as error:
                self._note_loss(str(error))
            else:
                return
            if last_attempt:
                return
            failures = 0 if loop.time() - began > LASTING_S else failures + 1
            await self._pause(_pause_s(failures, self._rng))

    async def _pause(self, pause_s: float) -> None:
        """Wait, but not once draining begins."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                while not self._draining:
                    self._wake.clear()
                    await self._wake.wait()

    def _note_loss(self, reason: str) -> None:
        if self.connected:
            log.warning("broker lost", reason=reason)
        elif reason != self.last_error:
            log.warning("broker not reached", reason=reason)
        self.connected = False
        self.last_error = reason

    async def _one_connection(self) -> None:
        """From CONNECT to a drained outbox; a loss on the way is a BrokerError."""
        settings = self._settings
        will = aiomqtt.Will(
            status_topic(settings.base), status(Presence.OFFLINE), qos=1, retain=True
        )
        try:
            login = await asyncio.to_thread(self._login)
            async with _connection(settings, login, settings.client_id, will) as client:
                client.on_refusal = self._note_refusal
                try:
                    await self._publish_until_drained(client)
                except asyncio.CancelledError:
                    # A clean DISCONNECT would take the will back, so it is said by hand.
                    with contextlib.suppress(aiomqtt.MqttError):
                        await self._say(client, Presence.OFFLINE, GOODBYE_S)
                    raise
        except (aiomqtt.MqttError, ConfigError) as error:
            raise BrokerError(f"{settings.host}:{settings.port}: {error}") from error

    async def _publish_until_drained(self, client: "_Client") -> None:
        loss: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(_until_lost(client), name="mqtt:watch")
                await self._greet(client)
                await self._publish_queued(client)
                watch.cancel()
        except* aiomqtt.MqttError as group:
            loss = _first(group)
        if loss is not None:
            raise loss

    async def _greet(self, client: "_Client") -> None:
        """Presence first, then everything retained."""
        await self._say(client, Presence.ONLINE)
        self.connected = True
        self.connects += 1
        self.last_error = ""
        log.info("broker connected", host=self._settings.host, port=self._settings.port)
        self._outbox.requeue()
        for _ in range(math.ceil(self._outbox.states / WINDOW)):
            await self._publish_states(client, self._outbox.take_states(WINDOW))

    async def _publish_queued(self, client: "_Client") -> None:
        """Alerts before states, until drained; then the goodbye."""
        loop = asyncio.get_running_loop()
        while loop.time() < self._goodbye_at:
            self._wake.clear()
            if alerts := self._outbox.take_alerts(WINDOW, time.time_ns()):
                await self._publish_alerts(client, alerts)
            elif states := self._outbox.take_states(WINDOW):
                await self._publish_states(client, states)
            elif self._draining:
                break
            else:
                await self._wake.wait()
        await self._say(client, Presence.STOPPED, GOODBYE_S)
        log.info("broker left", alerts_left=self._outbox.alerts)

    async def _publish_alerts(self, client: "_Client", alerts: Sequence[AlertEntry]) -> None:
        async with asyncio.TaskGroup() as tasks:  # in order: tasks start as they are made
            for entry in alerts:
                tasks.create_task(self._publish_alert(client, entry), name="mqtt:alert")

    async def _publish_alert(self, client: "_Client", entry: AlertEntry) -> None:
        await client.publish(
            entry.topic,
            entry.payload,
            qos=1,
            properties=self._properties(entry.expires_ns),
        )
        self._outbox.ack_alert(entry.id)
        decided = entry.decided_ns
        seconds = (time.perf_counter_ns() - decided) / _NS if decided else math.nan
        self._on_published(entry, seconds)

    async def _publish_states(self, client: "_Client", states: Sequence[StateEntry]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for entry in states:
                retaining = self._retain(client, entry.topic, entry.payload)
                tasks.create_task(retaining, name="mqtt:state")

    async def _say(
        self, client: "_Client", presence: Presence, timeout_s: float | None = None
    ) -> None:
        topic = status_topic(self._settings.base)
        await self._retain(client, topic, status(presence), timeout_s)

    async def _retain(
        self, client: "_Client", topic: str, payload: bytes, timeout_s: float | None = None
    ) -> None:
        await client.publish(
            topic, payload, qos=1, retain=True, properties=self._properties(), timeout=timeout_s
        )

    def _properties(self, expires_ns: int = 0) -> Properties | None:
        """MQTT 5: what the bytes are, and for how long anyone wants them."""
        if self._settings.protocol != "5":
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/json"
        properties.PayloadFormatIndicator = 1
        if expires_ns:
            left_s = math.ceil((expires_ns - time.time_ns()) / _NS)
            properties.MessageExpiryInterval = max(1, left_s)
        return properties

    def _note_refusal(self, reason: str) -> None:
        if not self.refused:
            log.error("broker refused a message", reason=reason)
        self.refused += 1
        self.last_error = f"the broker refused {self.refused} messages, the last: {reason}"


async def subscribe(
    settings: Mqtt,
    login: Login,
    filters: Sequence[str],
    on_trouble: Callable[[str], None] = lambda _reason: None,
) -> AsyncGenerator[Delivery, None]:
    """What the broker has on these topic filters, for as long as it is listened to.

    A lost connection is told to `on_trouble` and made again; what was published meanwhile is
    not seen, retained messages are seen again, and repeats are the caller's to drop.
    """
    rng = random.Random()  # noqa: S311 - jitter, no secret
    loop = asyncio.get_running_loop()
    identifier = f"{settings.client_id}-{uuid.uuid4().hex[:8]}"
    failures = 0
    while True:
        began = loop.time()
        try:
            credentials = await asyncio.to_thread(login)
            async with _connection(settings, credentials, identifier) as client:
                for wanted in filters:
                    _require_granted(wanted, await client.subscribe(wanted, qos=1))
                async for message in client.messages:
                    yield message.topic.value, bytes(message.payload), bool(message.retain)
        except (aiomqtt.MqttError, BrokerError, ConfigError) as error:
            on_trouble(f"{settings.host}:{settings.port}: {error}")
        failures = 0 if loop.time() - began > LASTING_S else failures + 1
        await asyncio.sleep(_pause_s(failures, rng))


class _Client(aiomqtt.Client):
    """A connection that cleans up after a failed attempt and hears refusals.

    aiomqtt leaves the socket of an unanswered CONNECT open, and drops the reason code of an
    acknowledgement: without it a publish that MQTT 5 refused would look published.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_refusal: Callable[[str], None] = lambda _reason: None

    async def __aenter__(self) -> Self:
        try:
            return await super().__aenter__()
        except (aiomqtt.MqttError, asyncio.CancelledError):
            self._client.disconnect()
            raise

    def _on_disconnect(self, *args: Any, **kwargs: Any) -> None:
        # Cut while it waited for the CONNACK: aiomqtt would raise that from a callback.
        if not self._connected.cancelled():
            super()._on_disconnect(*args, **kwargs)

    def _on_publish(
        self,
        client: PahoClient,
        userdata: Any,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        if reason_code.is_failure:
            self.on_refusal(str(reason_code))
        super()._on_publish(client, userdata, mid, reason_code, properties)


def _connection(
    settings: Mqtt, login: Credentials, identifier: str, will: aiomqtt.Will | None = None
) -> _Client:
    is_5 = settings.protocol == "5"
    tls = aiomqtt.TLSParameters(
        ca_certs=settings.tls_ca or None,
        certfile=settings.tls_cert or None,
        keyfile=settings.tls_key or None,
    )
    return _Client(
        settings.host,
        settings.port,
        username=login.user if login.user or login.password else None,
        password=login.password or None,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5 if is_5 else aiomqtt.ProtocolVersion.V311,
        will=will,
        keepalive=settings.keepalive_s,
        timeout=settings.publish_timeout_s,
        max_queued_incoming_messages=MOST_INCOMING,
        tls_params=tls if settings.tls else None,
        socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
    )


def _require_granted(wanted: str, answers: Sequence[int | ReasonCode]) -> None:
    """A subscription the broker did not grant would be silent for ever."""
    for answer in answers:
        code = answer.value if isinstance(answer, ReasonCode) else answer
        if code >= _REFUSED:
            raise BrokerError(f"expected {wanted} to be granted, was refused: {answer}")


async def _until_lost(client: _Client) -> None:
    """Ends with MqttError when the connection does; we subscribe to nothing."""
    async for _message in client.messages:
        pass


def _first(group: BaseExceptionGroup[aiomqtt.MqttError]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _pause_s(failures: int, rng: random.Random) -> float:
    """Full jitter: anything up to a bound that doubles with every failure."""
    return rng.uniform(0.0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures, 10)))
