"""One connection: what it says, what it delivers, and how it ends."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import msgspec
import pytest
from blockbuster import blockbuster_ctx
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from monitor.collect.budget import Patience
from monitor.collect.connection import Connection
from monitor.events import FactKind, Outcome
from monitor.venues.contract import Limits, Session, Venue
from tests.collecting import (
    QUICK,
    VENUE,
    Server,
    Tape,
    attentive,
    dice,
    generous,
    log_onto,
    mute,
    running,
    serving,
    session,
    venue,
)

LIFE = [
    FactKind.CONNECTING,
    FactKind.CONNECTED,
    FactKind.SUBSCRIBED,
    FactKind.ACKNOWLEDGED,
    FactKind.DISCONNECTED,
]


@pytest.fixture(autouse=True)
def loop_is_never_blocked() -> Iterator[None]:
    """Fail whatever waits for disk or network on the loop."""
    with blockbuster_ctx("monitor.collect"):
        yield


def connection(
    tape: Tape,
    url: str,
    wanted: Session | None = None,
    of: Venue = VENUE,
    patience: Patience = QUICK,
) -> Connection:
    """A connection to this address, number 1."""
    return Connection(1, of, wanted or session(), url, log_onto(tape), dice(), patience)


async def test_its_life_is_in_the_log() -> None:
    """Connecting, connected, subscribed, acknowledged, disconnected: each a fact, in order."""
    tape = Tape()
    async with (
        serving(tape.bell, generous) as server,
        running(connection(tape, server.url).run()),
    ):
        await tape.bell.until(lambda: tape.data() == [b"data for sub BTC"])
    assert tape.kinds(1) == LIFE
    assert {(fact.venue, fact.session) for fact in tape.facts} == {("test", "main")}
    assert tape.details(FactKind.CONNECTING) == [server.url]
    assert tape.details(FactKind.DISCONNECTED) == ["stopped"]


async def test_an_acknowledgement_never_comes_before_its_subscription() -> None:
    """Acknowledged while more is being subscribed, it counts from when all was asked for."""
    tape = Tape()
    paced = venue(limits=Limits(1000, 20.0, 1000))
    wanted = session(("A", "B", "C"))
    async with (
        serving(tape.bell, attentive) as server,
        running(connection(tape, server.url, wanted, paced).run()),
    ):
        await tape.bell.until(lambda: tape.count(FactKind.ACKNOWLEDGED) == 1)
    assert tape.kinds(1) == LIFE


async def test_client_frames_keep_the_venues_pace() -> None:
    """Ten frames at 50 a second take at least 9 / 50 of a second, and come in order."""
    tape = Tape()
    topics = tuple("ABCDEFGHIJ")
    paced = venue(limits=Limits(1000, 50.0, 1000))
    async with (
        serving(tape.bell, mute) as server,
        running(connection(tape, server.url, session(topics), paced).run()),
    ):
        await tape.bell.until(lambda: len(server.heard) == 10)
        await tape.bell.until(lambda: tape.count(FactKind.SUBSCRIBED) == 1)
    assert server.heard == [f"sub {topic}" for topic in topics]
    stamps = {fact.kind: fact.received_ns for fact in tape.facts}
    assert stamps[FactKind.SUBSCRIBED] - stamps[FactKind.CONNECTED] >= 0.95 * 9 / 50 * 1e9


async def test_changed_topics_change_on_the_living_connection() -> None:
    """Only what differs is dropped and subscribed, without another connection."""
    tape = Tape()
    async with serving(tape.bell, attentive) as server:
        living = connection(tape, server.url, session(("A", "B")))
        async with running(living.run()):
            await tape.bell.until(lambda: len(server.heard) == 2)
            living.update(session(("B", "C")))
            await tape.bell.until(lambda: len(server.heard) == 4)
            living.update(session(("B", "C")))
            living.update(session(("C", "D")))
            await tape.bell.until(lambda: len(server.heard) == 6)
    assert server.heard == ["sub A", "sub B", "drop A", "sub C", "drop B", "sub D"]
    assert len(server.sockets) == 1
    assert tape.count(FactKind.SUBSCRIBED) == 1


async def test_the_heartbeat_is_kept_in_text() -> None:
    """Where a venue wants pings of its own, they are sent at its interval."""
    tape = Tape()
    wanted = msgspec.structs.replace(session(), ping=b'{"op":"ping"}', ping_interval_s=0.02)
    async with (
        serving(tape.bell, mute) as server,
        running(connection(tape, server.url, wanted).run()),
    ):
        await tape.bell.until(lambda: len(server.heard) >= 4)
    assert server.heard[:4] == ["sub BTC", *['{"op":"ping"}'] * 3]


async def pongs(server: Server, socket: ServerConnection) -> None:
    """Acknowledge, then answer pings and nothing else."""
    async for said in server.listen(socket):
        await socket.send("pong" if said == "ping" else "ack")


async def test_an_acknowledged_but_silent_connection_is_given_up() -> None:
    """Neither an ACK nor pongs keep a connection alive: `quiet_s` without data ends it."""
    tape = Tape()
    wanted = msgspec.structs.replace(session(), ping=b"ping", ping_interval_s=0.02, quiet_s=0.3)
    silent = connection(tape, "", wanted)
    async with serving(tape.bell, pongs) as server:
        silent = connection(tape, server.url, wanted)
        async with asyncio.timeout(5.0):
            await silent.run()
    assert tape.kinds(1) == LIFE
    assert tape.details(FactKind.DISCONNECTED) == ["quiet: nothing useful for 0.3 s"]
    assert len([frame for _, frame in tape.frames if frame == b"pong"]) > 3
    assert not silent.useful


async def dripping(server: Server, socket: ServerConnection) -> None:
    """Deliver a useful frame every 50 ms, twelve times, then fall silent."""
    async for _ in server.listen(socket):
        for number in range(12):
            await socket.send(f"data {number}")
            await asyncio.sleep(0.05)


async def test_data_keeps_a_connection_alive() -> None:
    """As long as useful frames come, a connection lasts; it is given up after the last."""
    tape = Tape()
    wanted = msgspec.structs.replace(session(), quiet_s=0.3)
    async with serving(tape.bell, dripping) as server, asyncio.timeout(5.0):
        await connection(tape, server.url, wanted).run()
    assert tape.data() == [b"data %d" % number for number in range(12)]
    assert tape.details(FactKind.DISCONNECTED) == ["quiet: nothing useful for 0.3 s"]


GARBAGE: list[str | bytes] = ["", "{", b"\xff\x00\xfe", "nul\0", "[1e999]", "x" * 100_000, b""]


async def babbling(server: Server, socket: ServerConnection) -> None:
    """Send damaged frames, text and binary, between two good ones."""
    async for _ in server.listen(socket):
        for frame in ("data 1", *GARBAGE, "data 2"):
            await socket.send(frame)


async def test_garbage_is_passed_on_and_the_stream_goes_on() -> None:
    """Every frame reaches the log byte by byte, whatever it is."""
    tape = Tape()
    async with (
        serving(tape.bell, babbling) as server,
        running(connection(tape, server.url).run()),
    ):
        await tape.bell.until(lambda: b"data 2" in tape.data())
    sent = [f.encode() if isinstance(f, str) else f for f in GARBAGE]
    assert tape.frames == [(1, frame) for frame in (b"data 1", *sent, b"data 2")]


async def test_invalid_text_is_passed_on_too() -> None:
    """A text frame that is no UTF-8 costs no connection: it is the Reader's to judge."""
    tape = Tape()

    async def damaged(server: Server, socket: ServerConnection) -> None:
        async for _ in server.listen(socket):
            await socket.send(b"data \xff", text=True)
            await socket.send("data 2")

    async with (
        serving(tape.bell, damaged) as server,
        running(connection(tape, server.url).run()),
    ):
        await tape.bell.until(lambda: len(tape.frames) == 2)
    assert tape.data() == [b"data \xff", b"data 2"]


async def test_an_oversized_frame_ends_the_connection_by_name() -> None:
    """A frame above the limit is never taken in; the fact says what happened."""
    tape = Tape()

    async def bloated(server: Server, socket: ServerConnection) -> None:
        async for _ in server.listen(socket):
            await socket.send("data 1")
            await socket.send("x" * 2000)

    patience = msgspec.structs.replace(QUICK, max_frame_bytes=1000)
    async with serving(tape.bell, bloated) as server, asyncio.timeout(5.0):
        await connection(tape, server.url, patience=patience).run()
    assert tape.frames == [(1, b"data 1")]
    assert tape.details(FactKind.DISCONNECTED) == ["oversized frame: more than 1000 bytes"]


@pytest.mark.parametrize(
    ("status", "header", "detail", "retry_after_s"),
    [
        (429, {"Retry-After": "7"}, "refused 429", 7.0),
        (503, {}, "refused 503", 0.0),
        (418, {"Retry-After": "120"}, "blocked 418", 120.0),
        (403, {}, "blocked 403", 0.0),
        (451, {}, "blocked 451", 0.0),
    ],
)
async def test_a_refused_handshake_says_how(
    status: int, header: dict[str, str], detail: str, retry_after_s: float
) -> None:
    """Refused and blocked are told apart, and what the venue asks for is kept."""
    tape = Tape()

    def refuse(socket: ServerConnection, _: Request) -> Response:
        response = socket.respond(HTTPStatus(status), "go away\n")
        response.headers.update(header)
        return response

    async def never(_: ServerConnection) -> None:
        raise AssertionError

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        refused = connection(tape, f"ws://127.0.0.1:{port}/")
        await refused.run()
    assert tape.kinds(1) == [FactKind.CONNECTING, FactKind.DISCONNECTED]
    assert refused.detail == tape.details(FactKind.DISCONNECTED)[0] == detail
    assert refused.retry_after_s == retry_after_s
    assert refused.ended
    assert refused.settled.is_set()
    assert refused.leaving.is_set()


async def test_a_port_without_a_server_is_an_ordinary_end() -> None:
    """Nobody there is a fact, not an exception."""
    tape = Tape()
    async with serving(tape.bell, mute) as server:
        url = server.url
    await connection(tape, url).run()
    (detail,) = tape.details(FactKind.DISCONNECTED)
    assert detail.startswith("no connection: ")


@asynccontextmanager
async def stuck(after_handshake: bool) -> AsyncIterator[str]:
    """A server that falls silent for good, before or after the handshake."""
    free = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        if after_handshake:
            fields = dict(row.split(": ", 1) for row in request.split("\r\n")[1:] if row)
            guid = fields["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(guid.encode()).digest()).decode()
            writer.write(
                f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            )
        await free.wait()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        free.set()


async def test_a_hung_handshake_is_given_up_at_its_deadline() -> None:
    """A server that accepts and never answers costs `open_timeout_s`."""
    tape = Tape()
    patience = msgspec.structs.replace(QUICK, open_timeout_s=0.1)
    async with stuck(after_handshake=False) as url, asyncio.timeout(2.0):
        await connection(tape, url, patience=patience).run()
    assert tape.details(FactKind.DISCONNECTED) == ["timed out: timed out during opening handshake"]


async def test_a_hung_close_is_cut_at_its_deadline() -> None:
    """A venue that never answers a close cannot hold the connection: it is cut."""
    tape = Tape()
    wanted = msgspec.structs.replace(session(), quiet_s=0.1)
    async with stuck(after_handshake=True) as url, asyncio.timeout(2.0):
        await connection(tape, url, wanted).run()
    assert tape.details(FactKind.DISCONNECTED) == ["quiet: nothing useful for 0.1 s"]


async def test_cancelling_a_hung_connection_is_prompt() -> None:
    """Cancelled, it is gone within a second even when the venue does not answer the close."""
    tape = Tape()
    async with stuck(after_handshake=True) as url, running(connection(tape, url).run()):
        await tape.bell.until(lambda: tape.count(FactKind.SUBSCRIBED) == 1)
    assert tape.details(FactKind.DISCONNECTED) == ["stopped"]


async def test_what_is_on_its_way_when_it_retires_is_still_delivered() -> None:
    """A retiring connection takes in everything until the venue has closed."""
    tape = Tape()

    async def pouring(server: Server, socket: ServerConnection) -> None:
        async for _ in server.listen(socket):
            for number in range(20_000):
                await socket.send(f"data {number}")
            await socket.send("data end")

    patience = msgspec.structs.replace(QUICK, overlap_s=0.0, close_timeout_s=5.0)
    async with serving(tape.bell, pouring) as server, asyncio.timeout(10.0):
        retiring = connection(tape, server.url, patience=patience)
        async with asyncio.TaskGroup() as group:
            group.create_task(retiring.run())
            await retiring.settled.wait()
            retiring.leave("rotated")
            retiring.retire()
    assert tape.data() == [*(b"data %d" % n for n in range(20_000)), b"data end"]
    assert tape.details(FactKind.DISCONNECTED) == ["rotated"]


async def test_a_bug_in_the_core_is_not_swallowed() -> None:
    """What is no expected failure leaves the connection, loudly."""

    class Broken(Tape):
        def frame(self, connection: int, received_ns: int, data: bytes) -> Outcome:
            super().frame(connection, received_ns, data)
            raise ZeroDivisionError

    tape = Broken()
    async with serving(tape.bell, generous) as server:
        with pytest.raises(ExceptionGroup) as caught:
            await connection(tape, server.url).run()
    assert caught.group_contains(ZeroDivisionError)
    assert tape.count(FactKind.DISCONNECTED) == 1
