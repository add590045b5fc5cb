"""The sender: a process that only writes, so that no receiver ever waits for it.

Frames are encoded before anyone connects and go out in big writes. `/flood/...` sends a few
frames to the first connection that asks for a path, for its code to warm up, and all the others
to the second; `/paced` sends a steady load and, among it, forced orders that fill one ladder
after another.
"""

import asyncio
import time
from http import HTTPStatus
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State

from monitor.bench import children, mix
from monitor.bench.venue import (
    INTEREST_PATH,
    LISTING_PATH,
    OPEN_INTEREST,
    SYMBOLS,
    interest_body,
    listing_body,
)
from monitor.parameters import Parameters

FLOOD_PATH: Final = "/flood/"
PACED_PATH: Final = "/paced"
# A receiver has its connection noted by whoever measures it before the flood begins.
BREATH_S: Final = 0.2
_WRITE_BYTES: Final = 256 * 1024

PRICE: Final = 100.0
LOAD_PER_S: Final = 5000
_SLICE_S: Final = 0.01
_LOAD_FRAMES: Final = 5000
# Forced are the positions of so many assets, longs and shorts: a wide cascade.
FORCED_ASSETS: Final = 12
# One ladder's orders, in its asset's own scale: through the first, second and third tier.
STEPS: Final = (3.2, 1.2, 2.6)
_STEP_S: Final = 0.4
_TURN_S: Final = 6.0  # until the same ladder is filled again; its pause is called before that


def serve_flood(pipe: Connection, tape: Path | None, warm: int, most: int) -> None:
    """Child: say the port, then serve the mix to whoever connects."""
    frames = mix.load(tape, most)
    parts = frames.part(0, warm), frames.part(warm, len(frames.frames))
    children.run(_serve(pipe, (parts[0].wire(), parts[1].wire())))


def serve_paced(pipe: Connection) -> None:
    """Child: say the port, then serve the steady load with its orders."""
    children.run(_serve(pipe, ()))


async def _serve(pipe: Connection, flood: tuple[bytes, ...]) -> None:
    visits: dict[str, int] = {}

    async def talk(socket: ServerConnection) -> None:
        assert socket.request is not None
        path = socket.request.path
        if path == PACED_PATH:
            await _pace(socket)
            return
        visits[path] = visits.get(path, 0) + 1
        await asyncio.sleep(BREATH_S)
        if visits[path] <= len(flood):
            await _write(socket, flood[visits[path] - 1])
            await asyncio.sleep(BREATH_S)

    async with serve(
        talk, "127.0.0.1", 0, compression=None, ping_interval=None, process_request=_rest
    ) as server:
        pipe.send(next(iter(server.sockets)).getsockname()[1])
        await children.until_closed(pipe)
        server.close(close_connections=True)


def _rest(socket: ServerConnection, request: Request) -> Response | None:
    """Answer the REST requests; sockets go their way."""
    parts = urlsplit(request.path)
    if parts.path == LISTING_PATH:
        body = listing_body()
    elif parts.path == INTEREST_PATH:
        body = interest_body(parse_qs(parts.query)["symbol"][0], time.time_ns() // 1_000_000)
    else:
        return None
    return socket.respond(HTTPStatus.OK, body.decode())


async def _write(socket: ServerConnection, data: bytes) -> None:
    view = memoryview(data)
    for start in range(0, len(view), _WRITE_BYTES):
        socket.transport.write(view[start : start + _WRITE_BYTES])
        await socket.drain()


async def _pace(socket: ServerConnection) -> None:
    """A steady load; every ladder in turn is filled through its tiers, again and again."""
    loop = asyncio.get_running_loop()
    slices = _load()
    began_s = loop.time()
    orders = _Orders()
    number = 0
    while socket.state is State.OPEN:
        due = orders.until(loop.time() - began_s)
        socket.transport.write(slices[number % len(slices)] + due)
        number += 1
        await asyncio.sleep(max(0.0, began_s + number * _SLICE_S - loop.time()))


def _load() -> list[bytes]:
    """Book tops of every symbol in turn, as much as goes out at once, for a second."""
    now_ms = time.time_ns() // 1_000_000
    frames = [_top(SYMBOLS[k % len(SYMBOLS)], k, now_ms) for k in range(_LOAD_FRAMES)]
    size = int(LOAD_PER_S * _SLICE_S)
    return [b"".join(frames[k : k + size]) for k in range(0, len(frames), size)]


def _top(symbol: str, number: int, time_ms: int) -> bytes:
    return _text(
        b'{"stream":"%b@bookTicker","data":{"e":"bookTicker","u":%d,"s":"%b","b":"%.2f",'
        b'"B":"%d.125","a":"%.2f","A":"%d.250","T":%d,"E":%d}}'
        % (
            symbol.lower().encode(),
            number,
            symbol.encode(),
            PRICE - 0.01,
            1 + number % 9,
            PRICE + 0.01,
            1 + number % 7,
            time_ms,
            time_ms,
        )
    )


def _text(payload: bytes) -> bytes:
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


class _Orders:
    """The script of forced orders: which ladder gets how much, and when."""

    def __init__(self) -> None:
        ladders = 2 * FORCED_ASSETS
        self._unit = Parameters().prior_scale_ratio * OPEN_INTEREST
        self._next = 0
        self._script = sorted(
            (ladder * _TURN_S / ladders + step * _STEP_S, ladder, step)
            for ladder in range(ladders)
            for step in range(len(STEPS))
        )

    def until(self, second: float) -> bytes:
        """Frames of the orders that are due since the last call."""
        due = b""
        while True:
            turn, place = divmod(self._next, len(self._script))
            at_s, ladder, step = self._script[place]
            if turn * _TURN_S + at_s > second:
                return due
            self._next += 1
            due += _text(
                mix.forced_order(
                    SYMBOLS[ladder // 2],
                    ladder % 2,
                    time.time_ns() // 1_000_000,
                    PRICE,
                    STEPS[step] * self._unit,
                )
            )
