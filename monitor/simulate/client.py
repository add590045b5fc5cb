"""One reader of the simulation: its connection, its topics, and the frames waiting for it."""

import asyncio
from collections import deque

from aiohttp import WSMsgType, web

from monitor.simulate.hosts import wire_of

MOST_PENDING = 20_000  # frames waiting for one reader before it is dropped
WRITE_DEADLINE_S = 10.0  # wall seconds for one batch of frames to one reader
LONGEST_CLIENT_FRAME = 1 << 18
# Wall seconds between the pings of a venue that pings.
PINGS_S = {"binance": 180.0, "binance_spot": 20.0}


class Client:
    """One open connection."""

    def __init__(self, venue: str, endpoint: str, request: web.Request) -> None:
        self.venue = venue
        self.endpoint = endpoint
        self.transport = request.transport
        self.socket = web.WebSocketResponse(
            heartbeat=PINGS_S.get(venue),
            compress=False,
            max_msg_size=LONGEST_CLIENT_FRAME,
            timeout=1.0,
        )
        self.topics: dict[str, None] = {}
        self.pending: deque[bytes] = deque()
        self.wake = asyncio.Event()
        self.sent = 0

    def drop(self) -> None:
        """Cut the connection without a word."""
        if self.transport is not None:
            self.transport.abort()

    def queue(self, payload: bytes) -> bool:
        """Queue a frame, unless too many wait already."""
        if len(self.pending) >= MOST_PENDING:
            return False
        self.pending.append(payload)
        return True

    async def write(self) -> None:
        """Send what is queued, until the reader is gone or too slow."""
        try:
            while True:
                await self.wake.wait()
                self.wake.clear()
                async with asyncio.timeout(WRITE_DEADLINE_S):
                    while self.pending:
                        await self.socket.send_frame(self.pending[0], WSMsgType.TEXT)
                        self.pending.popleft()
        except (ConnectionError, TimeoutError):
            self.drop()


def endpoint_of(path: str, streams: str) -> tuple[str, tuple[str, ...]]:
    """The endpoint of a socket's path, and the topics that Binance allows within it."""
    if streams:
        return path, tuple(streams.split("/"))
    head, form, topics = path.partition("/ws/")
    if wire_of(path) == "binance" and form:
        return f"{head}/ws", tuple(topic for topic in topics.split("/") if topic)
    return path, ()
