"""Who listens to the daemon's broker in tests, and a way to it that loses answers."""

import contextlib
import socket
import socketserver
import threading
import time
from typing import Any, Self

import msgspec
import orjson
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.running import until


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

    def latest(self, topic: str) -> Any:
        """The newest payload of a topic; None before the first."""
        found = [m.payload for m in list(self.messages) if m.topic == topic]
        return orjson.loads(found[-1]) if found else None

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
        with contextlib.suppress(ConnectionRefusedError):
            onto = socket.create_connection(("127.0.0.1", self.server.onto))
            self._carry(self.request, onto)

    def _carry(self, client: socket.socket, onto: socket.socket) -> None:
        with onto:
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
