"""The websocket client: every message comes over once, in order, as the bytes that were sent."""

import asyncio
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedOK

from monitor.collect.websocket import Socket, open_socket
from tests.collecting import QUICK, Bell, Server, serving


@pytest.fixture(autouse=True)
def loop_is_never_blocked() -> Iterator[None]:
    """Fail whatever waits for disk or network on the loop."""
    with blockbuster_ctx("monitor.collect"):
        yield


async def _delivered(socket: Socket) -> list[bytes]:
    """All messages until the server closes."""
    messages: list[bytes] = []
    with pytest.raises(ConnectionClosedOK):
        await socket.deliver(messages.append)
    return messages


async def test_whole_binary_and_fragmented_messages_keep_their_order() -> None:
    """However a message is cut into frames, it takes its place among the others."""

    async def talk(_: Server, socket: ServerConnection) -> None:
        await socket.send("one")
        await socket.send(["t", "w", "o"])
        await socket.ping()
        await socket.send(b"three")
        await socket.send([b"fo", b"ur"])
        await socket.send("five")

    async with serving(Bell(), talk) as server:
        messages = await _delivered(await open_socket(server.url, QUICK))
    assert messages == [b"one", b"two", b"three", b"four", b"five"]
    assert {type(message) for message in messages} == {bytes}


async def test_what_comes_before_anyone_listens_is_kept_and_the_rest_waits() -> None:
    """Messages on the heels of the handshake come first, and reading pauses until then."""
    sent = [b"%d" % number for number in range(2000)]

    async def talk(_: Server, socket: ServerConnection) -> None:
        for message in sent:
            await socket.send(message)

    async with serving(Bell(), talk) as server:
        socket = await open_socket(server.url, QUICK)
        async with asyncio.timeout(5.0):
            while socket.transport.is_reading():  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.001)
        assert await _delivered(socket) == sent


@pytest.mark.parametrize("parts", [["bad"], ["b", "a", "d"]])
async def test_a_bug_in_the_core_is_raised_where_it_is_waited_for(parts: list[str]) -> None:
    """What the receiver of a message raises ends the connection and is not lost in the loop."""

    async def talk(_: Server, socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(parts if len(parts) > 1 else parts[0])
        await socket.wait_closed()

    def take(data: bytes) -> None:
        raise LookupError(data)

    seen: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: seen.append(context["exception"]))
    async with serving(Bell(), talk) as server:
        socket = await open_socket(server.url, QUICK)
        async with asyncio.timeout(5.0):
            waiting = asyncio.create_task(socket.deliver(take))
            await asyncio.sleep(0)  # it listens now, so nothing comes early
            await socket.send("go")
            with pytest.raises(LookupError, match="bad") as raised:
                await waiting
    assert seen == [raised.value]
