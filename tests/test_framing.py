"""Cutting messages out of a stream: however the stream is cut, they come out as they went in."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from monitor.collect.framing import frame_bytes
from monitor.collect.websocket import Socket

LONGEST = 70_000

# One message: its payload, whether it is text, and into how many fragments it is cut.
LENGTHS = st.one_of(st.integers(0, 130), st.sampled_from([65_535, 65_536, LONGEST]))
MESSAGES = st.lists(
    st.tuples(LENGTHS.map(lambda length: b"x" * length), st.booleans(), st.integers(1, 3)),
    max_size=8,
)


class Wire(asyncio.Transport):
    """The other end of a socket that a test feeds by hand: keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.written += bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def pause_reading(self) -> None:
        """The test feeds on."""

    def resume_reading(self) -> None:
        """The test never stopped."""

    def is_closing(self) -> bool:
        """Never by itself."""
        return False

    def can_write_eof(self) -> bool:
        """An end is written by closing."""
        return False

    def close(self) -> None:
        """Nothing is open."""


def _frames(message: tuple[bytes, bool, int]) -> list[Frame]:
    """A message in its fragments, a ping before the last of them."""
    payload, is_text, fragments = message
    size = max(1, len(payload) // fragments)
    parts = [payload[k * size : (k + 1) * size] for k in range(fragments - 1)]
    parts.append(payload[(fragments - 1) * size :])
    first = Opcode.TEXT if is_text else Opcode.BINARY
    frames = [
        Frame(first if k == 0 else Opcode.CONT, part, fin=k == len(parts) - 1)
        for k, part in enumerate(parts)
    ]
    return [*frames[:-1], Frame(Opcode.PING, b"still there?"), frames[-1]]


async def _received(
    messages: Sequence[tuple[bytes, bool, int]], cuts: Sequence[int], listen_at: int
) -> tuple[list[bytes], int, State]:
    """What a socket hands over, how many pings it answered, and how it ended.

    The stream, from the answer to the handshake to the close, comes in reads that end at these
    places; somebody listens from the `listen_at`th read on.
    """
    client = ClientProtocol(parse_uri("ws://venue.test/"), max_size=LONGEST)
    server = ServerProtocol()
    client.send_request(client.connect())
    server.receive_data(b"".join(client.data_to_send()))
    server.send_response(server.accept(server.events_received()[0]))  # type: ignore[arg-type]  # it is a request
    stream = b"".join(server.data_to_send())
    for message in messages:
        stream += b"".join(frame.serialize(mask=False) for frame in _frames(message))
    stream += Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=False)

    socket, wire = Socket(client), Wire()
    socket.connection_made(wire)
    taken: list[bytes] = []
    places = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    listening: asyncio.Task[None] | None = None
    for number, (start, end) in enumerate(pairwise(places)):
        if number == listen_at:
            listening = asyncio.create_task(socket.deliver(taken.append))
            await asyncio.sleep(0)
        socket.data_received(stream[start:end])
    state = socket.state
    listening = listening or asyncio.create_task(socket.deliver(taken.append))
    await asyncio.sleep(0)
    socket.eof_received()
    socket.connection_lost(None)
    await asyncio.wait([listening])
    listening.exception()
    server.receive_data(wire.written)
    pongs = [e for e in server.events_received() if getattr(e, "opcode", None) is Opcode.PONG]
    return taken, len(pongs), state


@settings(max_examples=60, deadline=None)
@given(MESSAGES, st.lists(st.integers(0, 1 << 20), max_size=12), st.integers(0, 4))
@example([(b"", True, 1), (b"one", True, 1)], [], 0)
@example([(b"a" * LONGEST, True, 1)], [200, 70_000], 1)
def test_any_stream_in_any_cuts_gives_its_messages_in_order(
    messages: list[tuple[bytes, bool, int]], cuts: list[int], listen_at: int
) -> None:
    """Text or binary, whole or in fragments, short or long: each message comes over once."""
    taken, pongs, state = asyncio.run(_received(messages, cuts, listen_at))
    assert taken == [payload for payload, _, _ in messages]
    assert pongs == len(messages)
    assert state is State.CLOSING


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 1 << 20), max_size=6), st.integers(LONGEST + 1, LONGEST + 40))
def test_a_message_beyond_the_limit_fails_the_connection(cuts: list[int], length: int) -> None:
    """The library's limit holds to the byte, whatever came before."""
    messages = [(b"fine", True, 1), (b"x" * length, True, 1), (b"never", True, 1)]
    taken, _, state = asyncio.run(_received(messages, cuts, 0))
    assert taken == [b"fine"]
    assert state is not State.OPEN


@given(st.binary(max_size=70_000), st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_length_of_a_frame_is_read_from_its_header(payload: bytes, mask: bool) -> None:
    """All three forms of a length, masked or not; unknown while the header is not in."""
    frame = Frame(Opcode.BINARY, payload).serialize(mask=mask)
    assert frame_bytes(b"before" + frame, 6) == len(frame)
    assert frame_bytes(frame[:1], 0) == 0
    header = len(frame) - len(payload) - (4 if mask else 0)
    assert frame_bytes(frame[: header - 1], 0) == 0
