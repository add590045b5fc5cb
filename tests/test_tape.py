"""The main job on real input: Binance as it was recorded, through sockets, into the daemon.

A loopback server plays the recorded minutes to the running daemon, whose market clock is set to
the recording. What arrived is compared with an independent reading of the file.
"""

import asyncio
import contextlib
import gzip
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import WSMsgType, web

from monitor.clock import NS, MarketClock
from monitor.config import Clock, Config, Http, Mqtt, StateFile, VenueOptions, Watch
from monitor.daemon import Daemon
from monitor.detect.verdict import State, Verdict
from monitor.events import BookTop, Event, NotUsed, Position, Trade
from monitor.instruments import InstrumentTable
from monitor.venues.binance import BINANCE
from monitor.venues.contract import Reader, Venue
from tests.frames import RECORDED, needs_recorded

pytestmark = [needs_recorded, pytest.mark.xdist_group("sockets")]

TAPE = RECORDED / "streams" / "binance_usdm_btcusdt_20240808.gz"
SPEED = 20.0
LEAD_S = 20  # market seconds before the recording, for the daemon to connect
CONTRACTS = ("BTCUSDT", "BTCUSDC", "BTCFDUSD", "BTCUSD1", "BTCUSDE")
INTEREST = 80_000.0  # coins, all of it in the first contract
# Forced coins of one order: 0.6 u of open interest, u being the prior scale.
ORDER = 0.6 * 3e-4 * INTEREST
COIN_MARGINED = {
    "symbol": "ADAUSD_PERP",
    "contractType": "PERPETUAL",
    "contractStatus": "TRADING",
    "contractSize": 10,
    "baseAsset": "ADA",
    "quoteAsset": "USD",
    "marginAsset": "ADA",
}
CASCADE_AT_S = 120  # seconds into the recording
CASCADE_S = 8


def tape() -> list[tuple[int, bytes]]:
    """Receive stamp and frame of each line of the recording."""
    with gzip.open(TAPE) as lines:
        split = (line.rstrip().partition(b" ") for line in lines)
        return [(int(stamp), frame) for stamp, _, frame in split]


class Player:
    """Plays Binance: listing, open interest, the recording, and a scripted cascade.

    Attributes:
        sent: Frames of the recording that were sent.
        onset_ns: Event time of the first forced order; 0 before it.
    """

    def __init__(
        self, frames: Sequence[tuple[int, bytes]], clock: MarketClock, *, cascade: bool
    ) -> None:
        self.sent = 0
        self.onset_ns = 0
        self._frames = frames
        self._clock = clock
        self._cascade = cascade

    async def rest(self, request: web.Request) -> web.Response:
        """Answer a REST request."""
        path = request.path
        if path.endswith("/fapi/v1/exchangeInfo"):
            return web.json_response({"symbols": [_listed(symbol) for symbol in CONTRACTS]})
        if path.endswith("/fapi/v1/openInterest"):
            symbol = request.query["symbol"]
            coins = INTEREST if symbol == CONTRACTS[0] else 1e-3
            now_ms = self._clock.now_ns() // 1_000_000
            answer = {"openInterest": str(coins), "symbol": symbol, "time": now_ms}
            return web.json_response(answer)
        if path.endswith("/fundingInfo"):
            return web.json_response([])
        return web.json_response({"symbols": [COIN_MARGINED]})

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection: what it plays depends on what it subscribes to."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async with asyncio.TaskGroup() as group:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    break
                asked = json.loads(message.data)
                await socket.send_str(json.dumps({"result": None, "id": asked["id"]}))
                if "btcusdt@bookTicker" in asked["params"]:
                    group.create_task(self._play(socket))
                if "!forceOrder@arr" in asked["params"]:
                    group.create_task(self._force(socket))
        return socket

    async def _play(self, socket: web.WebSocketResponse) -> None:
        """The recording, at the market clock's pace."""
        with contextlib.suppress(ConnectionError):
            for stamp_ns, frame in self._frames:
                ahead_ns = stamp_ns - self._clock.now_ns()
                if ahead_ns > 0:
                    await asyncio.sleep(self._clock.wall_s(ahead_ns / NS))
                await socket.send_str(frame.decode())
                self.sent += 1

    async def _force(self, socket: web.WebSocketResponse) -> None:
        """A mark price each second and, once, a cascade: an order a contract and second."""
        begin_s = self._frames[0][0] // NS + CASCADE_AT_S
        with contextlib.suppress(ConnectionError):
            while True:
                now_ns = self._clock.now_ns()
                second, now_ms = now_ns // NS, now_ns // 1_000_000
                await socket.send_str(_mark(now_ms))
                if self._cascade and begin_s <= second < begin_s + CASCADE_S:
                    self.onset_ns = self.onset_ns or now_ms * 1_000_000
                    for symbol in CONTRACTS:
                        await socket.send_str(_order(symbol, now_ms))
                next_ns = (second + 1) * NS + NS // 10
                await asyncio.sleep(self._clock.wall_s((next_ns - self._clock.now_ns()) / NS))


def _listed(symbol: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": symbol.removeprefix("BTC"),
        "marginAsset": symbol.removeprefix("BTC"),
        "underlyingType": "COIN",
    }


def _mark(now_ms: int) -> str:
    data = {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": "BTCUSDT",
        "p": "61800.1",
        "i": "61810.0",
        "P": "61800.0",
        "r": "0.0001",
        "T": now_ms + 3_600_000,
    }
    return json.dumps({"stream": "btcusdt@markPrice@1s", "data": data})


def _order(symbol: str, now_ms: int) -> str:
    size = f"{ORDER:.3f}"
    order = {
        "s": symbol,
        "S": "SELL",
        "o": "LIMIT",
        "f": "IOC",
        "q": size,
        "p": "61500.00",
        "ap": "61700.00",
        "X": "FILLED",
        "l": size,
        "z": size,
        "T": now_ms,
        "ps": symbol,
        "st": 1,
    }
    data = {"e": "forceOrder", "E": now_ms, "o": order}
    return json.dumps({"stream": "!forceOrder@arr", "data": data})


class Spy:
    """A Reader that notes what its venue's own Reader reads."""

    def __init__(self, reader: Reader, seen: list[Event]) -> None:
        self.state = reader.state
        self._reader = reader
        self._seen = seen

    def read(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        """Read a frame, and note its events."""
        events = self._reader.read(frame, received_ns)
        self._seen.extend(events)
        return events


def spied(seen: dict[str, list[Event]]) -> Venue:
    """Binance, with what each session's Reader reads noted by session."""

    def reader(session: str, table: InstrumentTable, opened_ns: int) -> Reader:
        own = BINANCE.reader(session, table, opened_ns)
        return Spy(own, seen.setdefault(session, []))

    return msgspec.structs.replace(BINANCE, reader=reader)


@contextlib.asynccontextmanager
async def served(player: Player) -> AsyncIterator[str]:
    """The player behind a loopback port; gives its address."""
    app = web.Application()
    app.router.add_get("/{host}/{path:.*(?:ws|stream)}", player.socket)
    app.router.add_get("/{host}/{path:.*}", player.rest)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def monitored(
    frames: Sequence[tuple[int, bytes]], tmp_path: Path, *, cascade: bool
) -> tuple[Daemon, Player, list[Verdict], dict[str, list[Event]]]:
    """Run the daemon over the recording; what it was, what was played, said and read."""
    start_ns = time.time_ns()
    epoch_ns = frames[0][0] - LEAD_S * NS
    player = Player(frames, MarketClock(epoch_ns, start_ns, SPEED), cascade=cascade)
    seen: dict[str, list[Event]] = {}
    said: list[Verdict] = []
    async with served(player) as address:
        endpoints = {
            f"{scheme}://{host}": f"{ours}://{address}/{host}"
            for scheme, ours, hosts in (
                ("wss", "ws", ("fstream.binance.com", "dstream.binance.com")),
                ("https", "http", ("fapi.binance.com", "dapi.binance.com")),
            )
            for host in hosts
        }
        config = Config(
            watch=Watch(("BTC",)),
            clock=Clock(epoch_ns, start_ns, SPEED),
            venues={"binance": VenueOptions(endpoints=endpoints)},
            mqtt=Mqtt(enabled=False),
            http=Http(enabled=False),
            state=StateFile(path=str(tmp_path / "state")),
        )
        daemon = Daemon(config, [spied(seen)], {}, "test")
        daemon.listeners.append(said.append)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(daemon.run())
            # The Reader tells nobody when it is done, so it is asked.
            while _frames_read(seen) < len(frames):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            daemon.stop()
    return daemon, player, said, seen


def _frames_read(seen: dict[str, list[Event]]) -> int:
    """Recorded frames that were read: each gives one event, an acknowledgement is none of it."""
    return sum(
        not (isinstance(event, NotUsed) and event.reason == "acknowledged")
        for event in seen.get("public", [])
    )


@pytest.fixture(scope="module")
def recording() -> list[tuple[int, bytes]]:
    """The recorded minutes, read once."""
    return tape()


async def test_every_recorded_frame_is_read_or_named(
    recording: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    """Counts by kind, and tops and trades by content, equal an independent reading of the file."""
    daemon, _, said, seen = await monitored(recording, tmp_path, cascade=False)
    read = [json.loads(frame) for _, frame in recording]
    # The recording also holds one answer of the REST book, which names no kind.
    messages = [message.get("data", {"e": "book answer"}) for message in read]
    kinds = Counter(message["e"] for message in messages)

    events = seen["public"]
    tops = [
        (e.event_ns, e.bid_price, e.bid_base, e.ask_price, e.ask_base)
        for e in events
        if isinstance(e, BookTop)
    ]
    assert tops == [
        (m["T"] * 1_000_000, float(m["b"]), float(m["B"]), float(m["a"]), float(m["A"]))
        for m in messages
        if m["e"] == "bookTicker"
    ]
    trades = [
        (e.event_ns, e.price, e.quantity_base, e.taker_bought)
        for e in events
        if isinstance(e, Trade)
    ]
    real = [m for m in messages if m["e"] == "trade" and m["X"] in {"MARKET", "RPI"}]
    assert trades == [(m["T"] * 1_000_000, float(m["p"]), float(m["q"]), not m["m"]) for m in real]
    unused = Counter(e.detail for e in events if isinstance(e, NotUsed) and e.reason == "not read")
    assert unused == {
        "depth diff": kinds["depthUpdate"],
        "depth snapshot without a symbol": kinds["book answer"],
    } | {what: unused[what] for what in unused if what.startswith("trade")}
    assert len(tops) + len(trades) + unused.total() == len(recording)
    assert daemon.engine.tally.malformed == {}
    assert said == []


async def test_a_woven_cascade_raises_onset_at_once(
    recording: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    """Forced orders woven into the recording raise ONSET within three seconds of the first."""
    # From shortly before the cascade to shortly behind it; the rest is told by the other test.
    first_ns = recording[0][0]
    part = [
        (stamp_ns, frame)
        for stamp_ns, frame in recording
        if stamp_ns - first_ns < (CASCADE_AT_S + 3 * CASCADE_S) * NS
    ]
    _, player, said, _ = await monitored(part, tmp_path, cascade=True)
    onsets = [verdict for verdict in said if verdict.state is State.ONSET]
    assert [v.position for v in onsets] == [Position.LONG]
    assert 0 <= onsets[0].event_ns - player.onset_ns <= 3 * NS
    assert 0 <= onsets[0].detected_ns - player.onset_ns <= 3 * NS
