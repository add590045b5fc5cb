"""The simulation's servers: three venues on one loopback port, path prefix = the venue's host.

`ws://127.0.0.1:PORT/fstream.binance.com/market/stream` is Binance's socket and
`http://127.0.0.1:PORT/fapi.binance.com/fapi/v1/exchangeInfo` its listing. A market stands
behind them and is advanced by the market clock; every frame is encoded once and goes to whoever
has subscribed to its topic. A reader that does not keep up is dropped, and counted.
`GET /truth` tells what really happened, `GET /counts` what was sent, `POST /fault` breaks or
mends a venue.
"""

import asyncio
import os
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

import msgspec
import orjson
from aiohttp import WSMsgType, web

from monitor.clock import NS, MarketClock
from monitor.errors import ConfigError, ListenError
from monitor.events import Liquidation, MarketEvent
from monitor.instruments import Instrument
from monitor.simulate.client import Client, endpoint_of
from monitor.simulate.contract import Market, told
from monitor.simulate.faults import (
    ENDS_CONNECTIONS,
    HTTP_STATUS,
    Fault,
    FaultKind,
    parse_fault,
)
from monitor.simulate.hosts import ORIGINS, venue_of, wire_of
from monitor.simulate.wire import BATCH_NS, VenueWire, schedule
from monitor.simulate.wire_binance import BinanceWire
from monitor.simulate.wire_bybit import BybitWire
from monitor.simulate.wire_okx import OkxWire

HOST = "127.0.0.1"
SLICE_WALL_S = 0.0125  # frames of a second go out in slices about this far apart
MOST_SLICES = 10
OVERSIZED_EVERY = 200  # frames of a connection
OVERSIZED_BYTES = 8 * 1024 * 1024  # more than the daemon takes of one frame
GARBAGE = '{"e":"\N{REPLACEMENT CHARACTER}",,]\x00 not json }'.encode()


class Servers:
    """Everything that listens; an async context manager around `run`."""

    def __init__(
        self,
        market: Market,
        clock: MarketClock,
        *,
        faults: Iterable[Fault] = (),
        port: int = 0,
    ) -> None:
        self._market = market
        self._clock = clock
        self._faults = {(fault.venue, fault.kind) for fault in faults}
        self._wanted_port = port
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._wires: dict[str, VenueWire] = {}
        self._clients: set[Client] = set()
        self._subscribers: dict[tuple[str, str], set[Client]] = {}
        self._due: deque[tuple[int, MarketEvent]] = deque()
        self._next_second = 0
        self._counts: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ListenError: The port is taken.
        """
        listed = self._market.listing()
        self._wires = {
            "binance": BinanceWire(_of(listed, "binance")),
            "bybit": BybitWire(_of(listed, "bybit")),
            "okx": OkxWire(_of(listed, "okx")),
        }
        app = web.Application()
        app.router.add_get("/truth", self._tell_truth)
        app.router.add_get("/counts", self._tell_counts)
        app.router.add_post("/fault", self._set_fault)
        app.router.add_get("/{host}/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._wanted_port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            reason = os.strerror(error.errno or 0)
            raise ListenError(
                f"expected a free port, was {HOST}:{self._wanted_port} ({reason})"
            ) from error
        self.port = self._runner.addresses[0][1]
        self.advance(self._clock.now_ns())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection and stop listening."""
        for client in self._clients:
            client.drop()
        if self._runner is not None:
            await self._runner.cleanup()

    def endpoints(self) -> dict[str, str]:
        """Where the simulation stands in for each origin of the real venues."""
        return {
            origin: f"{'ws' if origin.startswith('wss') else 'http'}://{HOST}:{self.port}/{prefix}"
            for origin, prefix in ORIGINS.items()
        }

    def counts(self) -> dict[str, int]:
        """What happened so far: seconds, frames by venue, forced orders, connections, drops."""
        return dict(sorted(self._counts.items())) | {
            "seconds": self._next_second,
            "connected": len(self._clients),
        }

    def start(self, clock: MarketClock) -> None:
        """Go by this clock from now on; the one given at first may have stood still."""
        self._clock = clock

    async def run(self) -> None:
        """Advance the market by its clock until cancelled."""
        slices = max(1, min(MOST_SLICES, int(self._clock.wall_s(1.0) / SLICE_WALL_S)))
        while True:
            self.advance(self._clock.now_ns())
            await self._clock.sleep(1.0 / slices)

    def advance(self, now_ns: int) -> None:
        """Make the seconds that have begun, and send what is due by a market time."""
        while self._market.epoch_ns + self._next_second * NS <= now_ns:
            events = self._market.second(self._next_second)
            self._next_second += 1
            for event in events:
                if isinstance(event, Liquidation):
                    self._counts[f"forced_{event.instrument.venue}"] += 1
            self._due.extend(schedule(events))
        # Half a second at a time, however late we are: venues batch no more than that.
        while self._due and self._due[0][0] <= now_ns:
            until_ns = min(now_ns, (self._due[0][0] // BATCH_NS + 1) * BATCH_NS - 1)
            batches: dict[str, list[MarketEvent]] = {}
            while self._due and self._due[0][0] <= until_ns:
                event = self._due.popleft()[1]
                batches.setdefault(wire_of(event.instrument.venue), []).append(event)
            for name, events in batches.items():
                self._send(self._wires[name], events)

    def set_fault(self, fault: Fault, *, on: bool) -> None:
        """Break or mend a venue."""
        if not on:
            self._faults.discard((fault.venue, fault.kind))
            return
        self._faults.add((fault.venue, fault.kind))
        if fault.kind in ENDS_CONNECTIONS:
            for client in self._clients:
                if client.venue == fault.venue:
                    client.drop()

    def _send(self, wire: VenueWire, events: Sequence[MarketEvent]) -> None:
        loud: list[MarketEvent] = []
        for event in events:
            if not isinstance(event, Liquidation):
                loud.append(event)
            elif (event.instrument.venue, FaultKind.MUTE) not in self._faults:
                self._counts[f"printed_{event.instrument.venue}"] += 1
                loud.append(event)
        reached: set[Client] = set()
        for frame in wire.frames(loud, self._wanted):
            for client in self._subscribers[frame.endpoint, frame.topic]:
                self._put(client, frame.payload)
                reached.add(client)
        for client in reached:
            client.wake.set()

    def _wanted(self, endpoint: str, topic: str) -> bool:
        return (endpoint, topic) in self._subscribers

    def _put(self, client: Client, payload: bytes) -> None:
        """Queue a data frame for a client, as its venue's faults would have it."""
        client.sent += 1
        if self._faults:
            broken = self._broken(client, payload)
            if broken is None:
                return
            payload = broken
        if self._queue(client, payload):
            self._counts[f"frames_{client.venue}"] += 1

    def _queue(self, client: Client, payload: bytes) -> bool:
        """Queue any frame; a reader with too many of them waiting is dropped instead."""
        if client.queue(payload):
            return True
        if client.transport is not None and not client.transport.is_closing():
            self._counts["slow_readers_dropped"] += 1
            client.drop()
        return False

    def _broken(self, client: Client, payload: bytes) -> bytes | None:
        """What is left of a frame; None for nothing at all."""
        kinds = {kind for venue, kind in self._faults if venue == client.venue}
        if FaultKind.ACK_NO_DATA in kinds:
            return None
        if FaultKind.GARBAGE in kinds:
            return GARBAGE
        if FaultKind.TRUNCATED in kinds:
            return payload[: len(payload) // 2]
        if FaultKind.OVERSIZED in kinds and client.sent % OVERSIZED_EVERY == 1:
            return payload + b" " * OVERSIZED_BYTES
        return payload

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """A venue's socket or REST interface."""
        host, tail = request.match_info["host"], "/" + request.match_info["tail"]
        venue = venue_of(host, tail, request.query)
        if not venue:
            return web.json_response({"error": f"no venue at {host}"}, status=404)
        self._counts[f"requests_{venue}"] += 1
        for kind, status in HTTP_STATUS.items():
            if (venue, kind) in self._faults:
                body = {"code": -1003, "msg": "Too many requests."}
                return web.json_response(body, status=status, headers={"Retry-After": "1"})
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._talk(request, venue, host + tail)
        wire = self._wires[wire_of(host)]
        said = wire.get(host, tail, request.query, self._clock.now_ns())
        return web.Response(status=said.status, body=said.body, content_type="application/json")

    async def _talk(self, request: web.Request, venue: str, path: str) -> web.WebSocketResponse:
        """One connection from handshake to end."""
        endpoint, topics = endpoint_of(path, request.query.get("streams", ""))
        client = Client(venue, endpoint, request)
        await client.socket.prepare(request)
        self._counts[f"connections_{venue}"] += 1
        if (venue, FaultKind.ACCEPT_AND_CLOSE) in self._faults:
            client.drop()
            return client.socket
        self._clients.add(client)
        wire = self._wires[wire_of(venue)]
        self._subscribe(wire, client, topics)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(client.write(), name=f"write:{endpoint}")
                async for message in client.socket:
                    if message.type is WSMsgType.TEXT:
                        self._hear(wire, client, message.data)
                writer.cancel()
        finally:
            self._clients.discard(client)
            for topic in list(client.topics):
                self._unsubscribe(client, topic)
        return client.socket

    def _hear(self, wire: VenueWire, client: Client, text: str) -> None:
        reply = wire.hear(client.endpoint, text, list(client.topics))
        for frame in reply.frames:
            self._queue(client, frame)
        for topic in reply.unsubscribed:
            self._unsubscribe(client, topic)
        self._subscribe(wire, client, reply.subscribed)
        client.wake.set()

    def _subscribe(self, wire: VenueWire, client: Client, topics: Iterable[str]) -> None:
        for topic in topics:
            client.topics[topic] = None
            self._subscribers.setdefault((client.endpoint, topic), set()).add(client)
            greeting = wire.greeting(client.endpoint, topic)
            if greeting is not None:
                self._put(client, greeting)

    def _unsubscribe(self, client: Client, topic: str) -> None:
        client.topics.pop(topic, None)
        listeners = self._subscribers.get((client.endpoint, topic), set())
        listeners.discard(client)
        if not listeners:
            self._subscribers.pop((client.endpoint, topic), None)

    async def _tell_truth(self, _request: web.Request) -> web.Response:
        return web.json_response(body=orjson.dumps(told(self._market)))

    async def _tell_counts(self, _request: web.Request) -> web.Response:
        return web.json_response(self.counts())

    async def _set_fault(self, request: web.Request) -> web.Response:
        try:
            wish = msgspec.json.decode(await request.read(), type=FaultWish)
            self.set_fault(parse_fault(wish.fault), on=wish.on)
        except (msgspec.DecodeError, ConfigError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"faults": sorted(f"{k}@{v}" for v, k in self._faults)})


class FaultWish(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /fault`: a fault `NAME@VENUE`, to be switched on or off."""

    fault: str
    on: bool = True


def _of(listed: Iterable[Instrument], wire: str) -> list[Instrument]:
    return [instrument for instrument in listed if wire_of(instrument.venue) == wire]
