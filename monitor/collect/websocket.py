"""The program's websocket client: the one place that knows which library it is.

The library hands a message to a queue, and a coroutine that waits there hands it on: a quarter
of what a message costs until it is an event. Nothing here waits between messages, so each is
handed over within the very read that brought it; while they are worked on the socket is not
read, which is all the flow control there has to be.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NoReturn

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import DATA_OPCODES, CloseCode, Frame, Opcode
from websockets.protocol import Event

from monitor.collect.budget import Patience
from monitor.collect.endpoints import is_loopback
from monitor.errors import VenueError
from monitor.events import OVERSIZED

USER_AGENT = "liquidation-monitor"
# Answers that mean "not from here": they last, and say nothing about the market.
_BLOCKED = frozenset(
    {HTTPStatus.FORBIDDEN, HTTPStatus.IM_A_TEAPOT, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS}
)
_TEXT = Opcode.TEXT  # as an attribute of its class it costs 65 ns each time in Python 3.11


class Socket(ClientConnection):
    """A connection that hands its messages over, in order, instead of keeping them for `recv`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._take: Callable[[bytes], object] = self._keep
        self._early: list[bytes] = []
        self._parts = bytearray()
        self._broken: BaseException | None = None

    async def deliver(self, take: Callable[[bytes], object]) -> NoReturn:
        """Hand every message to `take`, from the first one on, until the connection is over.

        Raises:
            ConnectionClosed: It is over. What `take` raises ends it as well, and is raised.
        """
        early, self._early = self._early, []
        for data in early:
            take(data)
        self._take = take
        if early and not self.transport.is_closing():
            self.transport.resume_reading()
        await self.wait_closed()
        raise self._broken or self.close_exc

    def process_event(self, event: Event) -> None:
        """Take what the library has parsed; called by it."""
        if type(event) is Frame and event.fin and event.opcode is _TEXT:
            try:
                self._take(bytes(event.data))
            except BaseException as error:
                self._broken = error  # the loop would only log what is raised within a read
                raise
        else:
            self._process_rarely(event)

    def _process_rarely(self, event: Event) -> None:
        """Take binary and fragmented messages; leave control frames to the library."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        # The library bounds the length of the whole.
        self._parts += event.data
        if event.fin:
            whole, self._parts = bytes(self._parts), bytearray()
            try:
                self._take(whole)
            except BaseException as error:
                self._broken = error
                raise

    def _keep(self, data: bytes) -> None:
        """Hold what comes before anyone listens, and do not read on until then."""
        self._early.append(data)
        self.transport.pause_reading()


async def open_socket(url: str, patience: Patience) -> Socket:
    """A connected socket.

    Raises:
        OSError, TimeoutError, WebSocketException: It could not be had.
    """
    socket = await connect(
        url,
        create_connection=Socket,
        compression=None,
        max_size=patience.max_frame_bytes,
        proxy=None if is_loopback(url) else True,
        open_timeout=patience.open_timeout_s,
        close_timeout=patience.close_timeout_s,
        ping_interval=None,  # venues ping, or have a frame of their own for it
        user_agent_header=USER_AGENT,
    )
    assert isinstance(socket, Socket)
    return socket


async def close_socket(socket: Socket, patience: Patience) -> None:
    """Close politely if the venue plays along in time, else cut."""
    try:
        async with asyncio.timeout(patience.close_timeout_s):
            await socket.close()
    except TimeoutError:
        pass
    finally:
        socket.transport.abort()


def reason(error: BaseException, patience: Patience) -> str:
    """Why a connection could not be had or broke off, in words."""
    match error:
        case InvalidStatus():
            status = error.response.status_code
            words = f"blocked {status}" if status in _BLOCKED else f"refused {status}"
        case InvalidHandshake():
            words = f"bad handshake: {error}"
        case ConnectionClosed(sent=sent) if sent and sent.code == CloseCode.MESSAGE_TOO_BIG:
            words = f"{OVERSIZED}: more than {patience.max_frame_bytes} bytes"
        case ConnectionClosed(rcvd=None):
            words = f"lost: {error.__cause__ or error}"
        case ConnectionClosed(rcvd=close):
            words = f"closed by the venue: {close}"
        case TimeoutError():
            words = f"timed out: {error}"
        case VenueError():
            words = str(error)
        case _:
            words = f"no connection: {error}"
    return words
