"""Keeping one session connected: retries, rotation without a hole, and moving."""

import asyncio
from collections.abc import Callable, Iterator
from http import HTTPStatus

import msgspec
import pytest
from blockbuster import blockbuster_ctx
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from monitor.collect.budget import Patience, Window
from monitor.collect.keeper import Keeper
from monitor.events import FactKind
from monitor.venues.contract import Session
from tests.collecting import (
    QUICK,
    VENUE,
    WEBSOCKET,
    Server,
    Tape,
    attentive,
    dice,
    eventually,
    generous,
    log_onto,
    running,
    serving,
    session,
)


@pytest.fixture(autouse=True)
def loop_is_never_blocked() -> Iterator[None]:
    """Fail whatever waits for disk or network on the loop."""
    with blockbuster_ctx("monitor.collect"):
        yield


def keeper(
    tape: Tape,
    endpoints: dict[str, str],
    wanted: Session | None = None,
    patience: Patience = QUICK,
    connects: Window | None = None,
) -> Keeper:
    """A keeper of one session of the loopback venue."""
    return Keeper(
        VENUE,
        wanted or session(),
        log_onto(tape),
        connects or Window(1000.0, 300.0),
        endpoints,
        dice(),
        patience,
    )


async def closing(_: Server, socket: ServerConnection) -> None:
    """Accept and close."""
    await socket.close()


async def acknowledging_and_closing(server: Server, socket: ServerConnection) -> None:
    """Acknowledge the first request, then close."""
    async for _ in server.listen(socket):
        await socket.send("ack")
        return


async def giving_and_closing(server: Server, socket: ServerConnection) -> None:
    """Deliver one useful frame, then close."""
    async for _ in server.listen(socket):
        await socket.send("data")
        return


async def test_accept_and_close_meets_a_growing_back_off() -> None:
    """With the default waits, a server that accepts and closes sees few connects in 2 s."""
    tape = Tape()
    async with serving(tape.bell, closing) as server:
        kept = keeper(tape, server.endpoints, patience=Patience())
        async with running(kept.run()):
            await asyncio.sleep(2.0)
            assert 2 <= len(server.sockets) < 12
            assert kept.status.connects == len(server.sockets)
            assert kept.status.attempts >= kept.status.connects - 1
            assert kept.status.last_error.startswith("closed by the venue: 1000")


async def attempts_after(manner: Callable[..., object], connects: int) -> int:
    """Retries counted when that many connects were made to such a server."""
    tape = Tape()
    async with serving(tape.bell, manner) as server:  # type: ignore[arg-type]
        kept = keeper(tape, server.endpoints)
        async with running(kept.run()):
            await tape.bell.until(lambda: tape.count(FactKind.DISCONNECTED) >= connects)
            return kept.status.attempts


async def test_an_acknowledgement_does_not_reset_the_back_off() -> None:
    """Accepted and acknowledged, but never useful: the waits go on growing."""
    assert await attempts_after(acknowledging_and_closing, 5) >= 4


async def test_a_useful_frame_resets_the_back_off() -> None:
    """A connection that delivered was a success, however it ended."""
    assert await attempts_after(giving_and_closing, 5) <= 1


async def test_a_refusal_is_retried_after_what_the_venue_asks() -> None:
    """429 is no end: the next attempt waits for Retry-After, capped, and then succeeds."""
    tape = Tape()
    asked: list[float] = []
    loop = asyncio.get_running_loop()

    def refuse_first(socket: ServerConnection, _: Request) -> Response | None:
        asked.append(loop.time())
        if len(asked) > 1:
            return None
        response = socket.respond(HTTPStatus.TOO_MANY_REQUESTS, "slow down\n")
        response.headers["Retry-After"] = "3600"
        return response

    async def give(socket: ServerConnection) -> None:
        await socket.send("data")
        await socket.wait_closed()

    async with serve(give, "127.0.0.1", 0, process_request=refuse_first) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        kept = keeper(tape, {WEBSOCKET: f"ws://127.0.0.1:{port}"})
        async with running(kept.run()):
            await tape.bell.until(lambda: tape.count(FactKind.DISCONNECTED) == 1)
            await eventually(lambda: kept.status.wait_s == QUICK.backoff_cap_s)
            await tape.bell.until(lambda: tape.data() == [b"data"])
            await eventually(lambda: kept.status.flowing)
            assert kept.status.last_error == "refused 429"
    assert asked[1] - asked[0] >= QUICK.backoff_cap_s


async def test_connects_keep_within_the_budget() -> None:
    """When the venue's budget of connects is spent, the next waits for the window to move."""
    tape = Tape()
    connects = Window(3.0, 60.0)
    async with serving(tape.bell, closing) as server:
        kept = keeper(tape, server.endpoints, connects=connects)
        async with running(kept.run()):
            await eventually(lambda: kept.status.wait_s > 10.0)
            assert len(server.sockets) == 3


class Sequence:
    """A server that numbers its frames over all connections, as a market would."""

    def __init__(self, notice_after: int) -> None:
        self.number = 0
        self.notice_after = notice_after
        self.sent: dict[int, list[bytes]] = {}
        self.unsent: set[int] = set()

    async def __call__(self, server: Server, socket: ServerConnection) -> None:
        """Deliver on and on; give notice of a restart after some frames of the first."""
        place = len(server.sockets)
        sent = self.sent.setdefault(place, [])
        async for _ in server.listen(socket):
            while True:
                if place == 1 and len(sent) == self.notice_after:
                    await socket.send("bye")
                self.number += 1
                number = self.number
                try:
                    await socket.send(b"data %d" % number)
                except ConnectionClosed:
                    self.unsent.add(number)
                    return
                sent.append(b"data %d" % number)
                await asyncio.sleep(0.002)


def assert_no_hole(tape: Tape, market: Sequence) -> None:
    """Each connection's frames are all in the log, and the second began before the first ended."""
    for connection in (1, 2):
        logged = [data for number, data in tape.frames if number == connection and data != b"bye"]
        assert logged == market.sent[connection][: len(logged)]
        if connection == 1:
            assert logged == market.sent[1]
    seen = {int(data.split()[1]) for _, data in tape.frames if data != b"bye"}
    assert seen == set(range(1, max(seen) + 1)) - market.unsent
    kinds = [(fact.connection, fact.kind) for fact in tape.facts]
    assert kinds.index((2, FactKind.CONNECTED)) < kinds.index((1, FactKind.DISCONNECTED))
    order = [number for number, _ in tape.frames]
    assert 1 in order[order.index(2) :], "the first went on until the second delivered"


async def test_a_restart_notice_is_obeyed_without_a_hole() -> None:
    """Told of a restart, the keeper opens the next connection first, and then closes this one."""
    tape = Tape()
    market = Sequence(notice_after=10)
    async with serving(tape.bell, market) as server:
        kept = keeper(tape, server.endpoints)
        async with running(kept.run()):
            await tape.bell.until(lambda: tape.count(FactKind.DISCONNECTED) == 1)
            await eventually(lambda: kept.status.connection == 2 and kept.status.flowing)
    assert_no_hole(tape, market)
    assert tape.details(FactKind.DISCONNECTED) == ["restart notice", "stopped"]


async def test_rotation_comes_before_the_venue_cuts_and_leaves_no_hole() -> None:
    """A connection is replaced late in its lifetime, by one that delivers before it closes."""
    tape = Tape()
    market = Sequence(notice_after=-1)
    wanted = msgspec.structs.replace(session(), lifetime_s=0.4)
    async with (
        serving(tape.bell, market) as server,
        running(keeper(tape, server.endpoints, wanted).run()),
    ):
        await tape.bell.until(lambda: tape.count(FactKind.DISCONNECTED) == 1)
    assert_no_hole(tape, market)
    assert tape.details(FactKind.DISCONNECTED)[0] == "rotated"
    stamps = {(fact.connection, fact.kind): fact.received_ns for fact in tape.facts}
    assert stamps[2, FactKind.CONNECTING] - stamps[1, FactKind.CONNECTED] >= 0.85 * 0.4e9


async def test_the_old_connection_stays_while_the_next_cannot_be_had() -> None:
    """Told of a restart while refusing new connections, the venue is still heard on the old."""
    tape = Tape()

    async def last(server: Server, socket: ServerConnection) -> None:
        if len(server.sockets) in {2, 3}:
            return  # closes at once
        async for _ in server.listen(socket):
            await socket.send("data first" if len(server.sockets) == 1 else "data next")
            await socket.send("bye" if len(server.sockets) == 1 else "pong")
            await tape.bell.until(lambda: len(server.sockets) >= 3)
            await socket.send("data still here")

    async with (
        serving(tape.bell, last) as server,
        running(keeper(tape, server.endpoints).run()),
    ):
        await tape.bell.until(lambda: b"data next" in tape.data())
        await tape.bell.until(lambda: tape.count(FactKind.DISCONNECTED) == 3)
    assert (1, b"data still here") in tape.frames
    ended = [fact.connection for fact in tape.facts if fact.kind is FactKind.DISCONNECTED]
    assert ended == [2, 3, 1, 4]


async def test_another_address_is_moved_to_without_a_hole() -> None:
    """When the plan names another URL, the session connects there first, then leaves here."""
    tape = Tape()
    async with serving(tape.bell, generous) as server:
        kept = keeper(tape, server.endpoints)
        async with running(kept.run()):
            await tape.bell.until(lambda: len(tape.data()) == 1)
            kept.update(msgspec.structs.replace(session(), url=f"{WEBSOCKET}/elsewhere"))
            await tape.bell.until(lambda: tape.count(FactKind.DISCONNECTED) == 1)
    assert server.paths == ["/stream?of=all", "/elsewhere"]
    assert tape.details(FactKind.DISCONNECTED) == ["moved to another address", "stopped"]


async def test_topics_changed_between_connections_are_asked_for_next_time() -> None:
    """An update while nothing is connected is what the next connection subscribes."""
    tape = Tape()
    async with serving(tape.bell, attentive) as server:
        kept = keeper(tape, server.endpoints, session(("A",)))
        kept.update(session(("B", "C")))
        async with running(kept.run()):
            await tape.bell.until(lambda: len(server.heard) == 2)
    assert server.heard == ["sub B", "sub C"]


async def test_notices_without_data_open_two_connections_at_most() -> None:
    """A venue that only ever gives notice meets a growing back-off and no pile of sockets."""
    tape = Tape()
    together: list[int] = []
    under_way = 0

    async def noticing(server: Server, socket: ServerConnection) -> None:
        nonlocal under_way
        under_way += 1
        together.append(under_way)
        async for _ in server.listen(socket):
            await socket.send("bye")
        under_way -= 1

    patience = msgspec.structs.replace(QUICK, overlap_s=0.0)
    async with serving(tape.bell, noticing) as server:
        kept = keeper(tape, server.endpoints, patience=patience)
        async with running(kept.run()):
            await tape.bell.until(lambda: len(server.sockets) == 6)
            assert kept.status.attempts >= 5
    # The third may be opened while the second is still being closed.
    assert max(together) <= 3
    assert tape.kinds(1)[-1] is FactKind.DISCONNECTED
    assert next(f.connection for f in tape.facts if f.kind is FactKind.DISCONNECTED) == 2
