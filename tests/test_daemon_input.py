"""What a venue sends that it should not: the daemon counts it, keeps it, and goes on.

The daemon runs in this process, against a stand-in for Binance that says what the test wants.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType, web
from blockbuster import blockbuster_ctx

from monitor.collect.budget import Patience
from monitor.config import Config, Http, Mqtt, Record, StateFile, VenueOptions, Watch
from monitor.daemon import Daemon
from monitor.daemon.damaged import DamagedFrames
from monitor.detect.tally import KEPT_BYTES, KEPT_FRAMES, Tally
from monitor.events import OVERSIZED
from monitor.venues import by_name
from tests.collecting import eventually

pytestmark = pytest.mark.xdist_group("sockets")

BINANCE = by_name("binance")
NOW_MS = 1_790_000_000_000


class Stall:
    """Serves as Binance's futures: their listings, and whatever frames it is told to send.

    Attributes:
        listed: Symbols of the USD-M listing.
        listings: How often that was asked for.
        opened: How often the stream of forced orders was subscribed to.
    """

    def __init__(self) -> None:
        self.listed = ["BTCUSDT"]
        self.listings = 0
        self.opened = 0
        self._forced: web.WebSocketResponse | None = None

    async def rest(self, request: web.Request) -> web.Response:
        """Answer a REST request."""
        if request.path.endswith("/fapi/v1/exchangeInfo"):
            self.listings += 1
            return web.json_response({"symbols": [contract(symbol) for symbol in self.listed]})
        if request.path.endswith("/dapi/v1/exchangeInfo"):
            margined = {"contractSize": 10, "contractStatus": "TRADING", "marginAsset": "ADA"}
            return web.json_response({"symbols": [contract("ADAUSD_PERP") | margined]})
        return web.json_response([])

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            asked = json.loads(message.data)
            await socket.send_str(json.dumps({"result": None, "id": asked["id"]}))
            if "!forceOrder@arr" in asked["params"]:
                self._forced = socket
                self.opened += 1
        return socket

    async def say(self, *frames: str) -> None:
        """Send these on the stream of forced orders."""
        assert self._forced is not None
        for frame in frames:
            await self._forced.send_str(frame)


def contract(symbol: str) -> dict[str, object]:
    """A perpetual of the listing."""
    return {
        "symbol": symbol,
        "pair": symbol.partition("_")[0],
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "baseAsset": symbol.partition("USD")[0],
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "underlyingType": "COIN",
    }


def order(symbol: str, quantity: str = "2.5", *, number: int = 0) -> str:
    """A frame with a forced order; different numbers are different orders."""
    about = {"s": symbol, "S": "SELL", "o": "LIMIT", "f": "IOC", "X": "FILLED", "st": 1}
    figures = {"q": quantity, "z": quantity, "l": quantity, "p": "100.0", "ap": "100.0"}
    told = {"e": "forceOrder", "E": NOW_MS, "o": about | figures | {"T": NOW_MS + number}}
    return json.dumps({"stream": "!forceOrder@arr", "data": told})


@contextlib.asynccontextmanager
async def served(stall: Stall) -> AsyncIterator[dict[str, str]]:
    """The stall behind a loopback port; gives the endpoints that lead there."""
    app = web.Application()
    app.router.add_get("/{host}/{path:.*stream}", stall.socket)
    app.router.add_get("/{host}/{path:.*}", stall.rest)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    hosts = {"wss": ("fstream", "dstream"), "https": ("fapi", "dapi")}
    ours = {"wss": "ws", "https": "http"}
    try:
        yield {
            f"{scheme}://{host}.binance.com": f"{ours[scheme]}://127.0.0.1:{port}/{host}"
            for scheme, names in hosts.items()
            for host in names
        }
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def monitored(stall: Stall, directory: Path) -> AsyncIterator[Daemon]:
    """A daemon that watches the stall, from its first subscription to a clean stop."""
    async with served(stall) as endpoints:
        config = Config(
            watch=Watch(("BTC",)),
            venues={"binance": VenueOptions(endpoints=endpoints)},
            mqtt=Mqtt(enabled=False),
            http=Http(port=0),
            state=StateFile(path=str(directory / "state"), every_s=1.0),
            record=Record(directory=str(directory / "recording")),
        )
        daemon = Daemon(config, [BINANCE], {}, "test")
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(daemon.run())
            try:
                await eventually(lambda: stall.opened > 0, 20.0)
                yield daemon
            finally:
                daemon.stop()


async def test_an_unknown_instrument_is_listed_once_more_and_counted(tmp_path: Path) -> None:
    """Its orders make one refresh and have no notional, until a listing names it."""
    stall = Stall()
    async with monitored(stall, tmp_path) as daemon:
        tally, other = daemon.engine.tally, ("binance", "other")
        assert stall.listings == 1
        stall.listed.append("NEWUSDT")
        await stall.say(*(order("NEWUSDT", number=number) for number in range(3)))
        await eventually(lambda: tally.orders.get(other) == 3)
        assert other not in tally.usd
        await eventually(lambda: "NEWUSDT" in {i.symbol for i in daemon.engine.tables["binance"]})
        assert stall.listings == 2
        await stall.say(order("NEWUSDT", number=3))
        await eventually(lambda: tally.usd.get(other) == 250.0)
        await stall.say(*(order("NEVERUSDT", number=number) for number in range(3)))
        await eventually(lambda: tally.orders.get(other) == 7)
        await stall.say(order("BTCUSDT", number=9))
        await eventually(lambda: tally.orders.get(("binance", "BTC")) == 1)
        assert stall.listings == 2
        assert tally.usd[other] == 250.0
        assert tally.malformed == {}


async def test_orders_of_no_amount_are_rejected_one_by_one(tmp_path: Path) -> None:
    """Zero, negative, not a number, absent: each is damaged, and the orders around it count."""
    stall = Stall()
    async with monitored(stall, tmp_path) as daemon:
        tally = daemon.engine.tally
        for place, amount in enumerate(("0", "-1", "NaN", "inf", "1e999", "", "x")):
            await stall.say(order("BTCUSDT", amount), order("BTCUSDT", number=place))
        await eventually(lambda: tally.orders.get(("binance", "BTC")) == 7)
        assert sum(tally.malformed.values()) == 7
        assert tally.usd["binance", "BTC"] == 7 * 250.0
        assert len(tally.kept["binance"]) == 7
        assert stall.opened == 1


async def test_an_oversized_frame_is_counted_and_the_stream_goes_on(tmp_path: Path) -> None:
    """It costs the connection, not the venue: the next one delivers."""
    stall = Stall()
    async with monitored(stall, tmp_path) as daemon:
        tally = daemon.engine.tally
        await stall.say(order("BTCUSDT"))
        await eventually(lambda: tally.orders.get(("binance", "BTC")) == 1)
        await stall.say(" " * (Patience().max_frame_bytes + 1))
        await eventually(lambda: stall.opened == 2)
        assert tally.malformed == {("binance", OVERSIZED): 1}
        await stall.say(order("BTCUSDT", number=1))
        await eventually(lambda: tally.orders.get(("binance", "BTC")) == 2)


async def test_a_running_daemon_never_blocks_its_loop(tmp_path: Path) -> None:
    """While it reads, records, saves and answers, no call of its own waits on the loop."""
    stall = Stall()
    raised: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: raised.append(about))
    async with monitored(stall, tmp_path) as daemon, ClientSession() as http:
        state = tmp_path / "state"
        await eventually(state.exists)
        with blockbuster_ctx() as guard:
            for name in ("io.BufferedReader.read", "os.listdir"):
                # It reads /proc, which is memory.
                guard.functions[name].can_block_in("process_collector.py", {"collect"})
            await stall.say("{", *(order("BTCUSDT", number=number) for number in range(50)))
            await eventually(lambda: daemon.engine.tally.orders.get(("binance", "BTC")) == 50)
            assert daemon.web is not None
            for page in ("metrics", "ready", "live"):
                address = f"http://127.0.0.1:{daemon.web.port}/{page}"
                async with http.get(address) as response:
                    assert response.status == 200
            saved_ns = daemon._saving.saved_ns
            daemon._saving.wanted.set()
            await eventually(lambda: daemon._saving.saved_ns > saved_ns)
            await daemon._damaged.write()
    assert raised == []
    assert (tmp_path / "state.damaged" / "binance.frames").read_bytes().endswith(b" {\n")


async def test_what_is_kept_of_damage_is_bounded(tmp_path: Path) -> None:
    """The newest frames stay, each cut to its bound and in one line."""
    tally = Tally()
    kept = DamagedFrames(tmp_path / "liqmon.state", tally)
    for number in range(KEPT_FRAMES + 5):
        tally.keep("okx", number, b"%d\n\xff" % number)
        tally.keep("okx", number, b"%d\n\xff" % number)
    await kept.write()
    path = tmp_path / "liqmon.state.damaged" / "okx.frames"
    assert path.read_bytes() == b"".join(
        b"%d %d \xff\n" % (number, number) for number in range(5, KEPT_FRAMES + 5)
    )
    tally.keep("okx", 99, b"x" * (KEPT_BYTES + 1))
    await kept.write()
    assert path.read_bytes().endswith(b"\n99 " + b"x" * KEPT_BYTES + b"\n")
    assert [each.name for each in path.parent.iterdir()] == ["okx.frames"]
