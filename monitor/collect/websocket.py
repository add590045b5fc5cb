"""The program's websocket client: the one place that knows which library it is.

The library makes an object of each frame and hands it to a queue, where a coroutine waits that
hands it on: 4 us a message, two thirds of what it costs until it is judged. Here nothing waits
between messages, so each is handed over within the very read that brought it, and simple ones
are cut out of that without an object. While they are worked on the socket is not read, which is
all the flow control there has to be. Handshakes, control frames, fragments, limits, closing and
every error stay with the library.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NoReturn

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import DATA_OPCODES, CloseCode, Frame
from websockets.protocol import Event, State

from monitor.collect.budget import Patience
from monitor.collect.endpoints import is_loopback
from monitor.collect.framing import LONGEST_HEADER, cut_texts, frame_bytes
from monitor.errors import VenueError
from monitor.events import OVERSIZED

USER_AGENT = "liquidation-monitor"
# Answers that mean "not from here": they last, and say nothing about the market.
_BLOCKED = frozenset(
    {HTTPStatus.FORBIDDEN, HTTPStatus.IM_A_TEAPOT, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS}
)
_END_OF_ANSWER = b"\r\n\r\n"
_LONGEST_ANSWER = 64 * 1024


class Socket(ClientConnection):
    """A connection that hands its messages over, in order, instead of keeping them for `recv`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._take: Callable[[bytes], object] = self._keep
        self._early: list[bytes] = []
        self._parts = bytearray()
        self._broken: BaseException | None = None
        # Whether what is read is cut apart here, so that the library gets whole frames only;
        # `_rest` is the part of one that has not come in yet.
        self._cutting = True
        self._rest = b""

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

    def data_received(self, data: bytes) -> None:
        """Take what was read; called by the loop."""
        try:
            if not self._cutting:
                super().data_received(data)
            elif self.state is State.CONNECTING:
                self._shake_hands(self._rest + data)
            else:
                self._cut(self._rest + data, 0)
        except BaseException as error:
            self._broken = error  # the loop would only log it
            raise

    def eof_received(self) -> None:
        """Take the end of what there is to read; called by the loop."""
        rest, self._rest = self._rest, b""
        if rest:
            super().data_received(rest)
        super().eof_received()

    def _shake_hands(self, data: bytes) -> None:
        """Give the library the answer to the handshake; frames may follow in the same read."""
        end = data.find(_END_OF_ANSWER) + len(_END_OF_ANSWER)
        if end >= len(_END_OF_ANSWER):
            super().data_received(data[:end])
            self._cut(data, end)
        elif len(data) < _LONGEST_ANSWER:
            self._rest = data
        else:
            self._cut(data, 0)

    def _cut(self, data: bytes, start: int) -> None:
        """Take the simple messages; give the library every other frame, once it is whole."""
        longest = self.protocol.max_message_size or 0
        while self.state is State.OPEN:
            start = cut_texts(data, start, longest, self._take)
            size = frame_bytes(data, start)
            if size == 0 or len(data) - start < size <= longest + LONGEST_HEADER:
                self._rest = data[start:]
                return
            super().data_received(data[start : start + size])
            start += size
        # Refused, closing, or failed by the library: whatever still comes is its affair.
        self._cutting, self._rest = False, b""
        if start < len(data):
            super().data_received(data[start:])

    def process_event(self, event: Event) -> None:
        """Take what the library has parsed; called by it."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        # The library bounds the length of the whole.
        self._parts += event.data
        if event.fin:
            whole, self._parts = bytes(self._parts), bytearray()
            self._take(whole)

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
